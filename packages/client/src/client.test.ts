import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { rolldown } from "rolldown";
import { CairnApi } from "./api.ts";
import { Backoff } from "./backoff.ts";
import { BlobCache } from "./blob-cache.ts";
import { Emitter } from "./emitter.ts";
import { randomId } from "./random-id.ts";

describe("backoff", () => {
  test("waits are drawn from 0 to a bound that doubles up to the maximum, and start again after a success", () => {
    for (const [random, expected] of [
      [0.999_999, [99, 199, 399, 799, 999, 999]],
      [0, [0, 0, 0, 0, 0, 0]],
    ] as const) {
      const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => random });
      assert.deepEqual(
        expected.map(() => backoff.nextMs()),
        expected,
      );
      assert.equal(backoff.attempt, 6);
      backoff.reset();
      assert.equal(backoff.nextMs(), expected[0]);
    }
  });
});

describe("blob cache", () => {
  test("never holds more than its bytes, and keeps what was used last", () => {
    const uses = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 60 })));
    fc.assert(
      fc.property(uses, (all) => {
        const cache = new BlobCache(100);
        for (const [name, sizeBytes] of all) {
          cache.put(`${name}`, new Uint8Array(sizeBytes));
          assert.ok(cache.sizeBytes <= 100);
          assert.ok(cache.get(`${name}`), "what was just put is there");
        }
      }),
      { seed: 1 },
    );
    const cache = new BlobCache(100);
    cache.put("a", new Uint8Array(50));
    cache.put("b", new Uint8Array(50));
    cache.get("a");
    cache.put("c", new Uint8Array(10));
    assert.deepEqual([cache.get("a")?.length, cache.get("b"), cache.get("c")?.length], [50, undefined, 10]);
    cache.put("huge", new Uint8Array(101));
    assert.equal(cache.get("huge"), undefined);
  });
});

test("listeners hear what they asked for until they stop", () => {
  const emitter = new Emitter<{ count: [n: number] }>();
  const heard: number[] = [];
  const off = emitter.on("count", (n) => heard.push(n));
  emitter.emit("count", 1);
  off();
  emitter.emit("count", 2);
  assert.deepEqual(heard, [1]);
});

test("ids are UUIDs of version 4", () => {
  assert.match(randomId(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("an error that the server names is thrown by that name, any other by its status", async () => {
  const answering = (status: number, body: string) =>
    new CairnApi({ url: "http://x/", fetch: async () => new Response(body, { status }) });
  const body = JSON.stringify({ code: "space.missing", detail: "", retry: false, facts: { id: "a" } });
  await assert.rejects(answering(404, body).space("a"), { code: "space.missing", facts: { id: "a" } });
  await assert.rejects(answering(413, "<html>").space("a"), { code: "request.too_large" });
  await assert.rejects(answering(502, "").space("a"), { code: "server.internal", retry: true });
});

test("the browser build takes nothing from Node", async () => {
  const entry = join(dirname(fileURLToPath(import.meta.url)), "index.js");
  const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  const chunks = output.filter((each) => each.type === "chunk");
  const outside = chunks.flatMap(({ imports, dynamicImports, fileName }) =>
    [...imports, ...dynamicImports].filter((name) => !output.some((each) => each.fileName === name && fileName)),
  );
  assert.deepEqual(outside, [], "imports that a browser cannot resolve");
  const code = chunks.map((chunk) => chunk.code).join("\n");
  assert.ok(!/["'`]node:/.test(code), "a node: module is asked for");
  assert.ok(!chunks.some(({ moduleIds }) => moduleIds.some((id) => /node_modules\/ws\//.test(id))), "ws is inside");
  assert.ok(
    chunks.some(({ moduleIds }) => moduleIds.some((id) => id.includes("tus-js-client/lib.esm/browser"))),
    "the browser's tus client is not inside",
  );
});
