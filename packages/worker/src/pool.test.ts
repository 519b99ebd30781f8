import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { type Pool, workers } from "./pool.ts";
import type { TestJobs } from "./test/pool-jobs.worker.ts";

const file = new URL("./test/pool-jobs.worker.js", import.meta.url);

async function withPool(threads: number, use: (pool: Pool<TestJobs>) => Promise<void>): Promise<void> {
  const pool = workers<TestJobs>(file, threads);
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

const coded = (code: string) => (error: unknown) => error instanceof CairnError && error.code === code;
const sharedFlag = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

test("more jobs than threads all end, each with its own answer", () =>
  withPool(2, async (pool) => {
    const sums = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.run("add", { a: i, b: 1 })));
    assert.deepEqual(
      sums,
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  }));

test("what is moved leaves the caller", () =>
  withPool(1, async (pool) => {
    const values = Float64Array.of(1, 2);
    const answer = await pool.run("double", { values }, { move: [values.buffer] });
    assert.equal(values.length, 0);
    assert.deepEqual(answer.values, Float64Array.of(2, 4));
  }));

test("errors arrive as what they were, and the worker goes on", () =>
  withPool(1, async (pool) => {
    await assert.rejects(pool.run("fail", { as: "coded" }), coded("blob.missing"));
    await assert.rejects(pool.run("fail", { as: "range" }), new RangeError("too far"));
    assert.equal(await pool.run("add", { a: 1, b: 2 }), 3);
  }));

for (const as of ["crash", "exit"] as const) {
  test(`a worker that dies (${as}) fails its own job only, and is replaced`, () =>
    withPool(2, async (pool) => {
      const flag = sharedFlag();
      const neighbour = new AbortController();
      const hanging = pool.run("hang", { flag }, { signal: neighbour.signal });
      await assert.rejects(pool.run("fail", { as }), coded("engine.failed"));
      assert.equal(await pool.run("add", { a: 2, b: 2 }), 4);
      neighbour.abort(new Error("enough"));
      await assert.rejects(hanging, /enough/);
    }));
}

test("an abort refuses at once, tells the worker, and drops what waits", () =>
  withPool(1, async (pool) => {
    const flag = sharedFlag();
    const controller = new AbortController();
    let running: Promise<void> | undefined;
    const begun = new Promise<void>((resolve) => {
      running = pool.run("hang", { flag }, { signal: controller.signal, onProgress: () => resolve() });
    });
    const waiting = pool.run("add", { a: 1, b: 1 }, { signal: controller.signal });
    const later = pool.run("add", { a: 1, b: 2 });
    await begun;
    controller.abort();
    await assert.rejects(running!, { name: "AbortError" });
    await assert.rejects(waiting, { name: "AbortError" });
    await assert.rejects(pool.run("add", { a: 1, b: 1 }, { signal: controller.signal }), { name: "AbortError" });
    assert.equal(await later, 3); // the only worker is free again: it has heard
    assert.equal(Atomics.load(flag, 0), 1);
  }));

test("an input that cannot be cloned fails its job only", () =>
  withPool(1, async (pool) => {
    const job = { a: 1, b: 1, no: () => {} };
    await assert.rejects(pool.run("add", job), { name: "DataCloneError" });
    assert.equal(await pool.run("add", { a: 1, b: 1 }), 2);
  }));

test("a worker may have a pool of its own", () =>
  withPool(1, async (pool) => assert.equal(await pool.run("nested", { a: 3, b: 4 }), 7)));

test("closing refuses what has not ended and what comes after", async () => {
  const pool = workers<TestJobs>(file, 1);
  const hanging = pool.run("hang", { flag: sharedFlag() });
  const refused = assert.rejects(hanging, coded("engine.unavailable"));
  await pool.close();
  await refused;
  await assert.rejects(pool.run("add", { a: 1, b: 1 }), coded("engine.unavailable"));
});
