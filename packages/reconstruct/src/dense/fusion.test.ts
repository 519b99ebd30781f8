import assert from "node:assert/strict";
import { after, test } from "node:test";
import { boxViews } from "../test/boxes.ts";
import type { PosedDepth } from "./contract.ts";
import type { Gain } from "./exposure.ts";
import { type FuseOptions, fuse } from "./fuse.ts";
import { openFusion } from "./fusion.ts";
import { undistortView } from "./undistort.ts";

const fusion = openFusion({ threads: 2 });
after(() => fusion.close());

test("a thread fuses and straightens to the same bytes", async () => {
  const views = boxViews(4, { widthPx: 80 });
  assert.deepEqual(await fusion.fuse(views, { emit: new Set([3]) }), partOf(views, { emit: new Set([3]) }));
  const { rgb, widthPx, heightPx, cameraFromWorld } = views[0].view;
  const lens = Float64Array.of(72, 72, 40, 28, -0.1, 0.01);
  const photo = { rgb, widthPx, heightPx };
  assert.deepEqual(
    await fusion.undistort(0, photo, lens, cameraFromWorld, 50),
    undistortView(0, photo, lens, cameraFromWorld, 50),
  );
});

test("an abort refuses at once and leaves the thread free", async () => {
  const views = boxViews(6);
  const controller = new AbortController();
  const running = fusion.fuse(views, { signal: controller.signal });
  controller.abort();
  await assert.rejects(running, { name: "AbortError" });
  assert.ok((await fusion.fuse(views.slice(0, 3))).source.length > 0);
});

test("parts that are fused at the same time, their gains handed on, give what they give one after the other", async () => {
  const views = boxViews(6, { widthPx: 80 }).map((each, index) => darker(each, 1 - 0.1 * index));
  const [emitA, emitB] = [new Set([0, 1, 2]), new Set([3, 4, 5])];
  const first = partOf(views, { emit: emitA, beside: emitB });
  const expected = [first, partOf(views, { emit: emitB, beside: emitA, gains: first.gains })];
  let known!: (gains: typeof first.gains) => void;
  const gains = new Promise<typeof first.gains>((resolve) => {
    known = resolve;
  });
  const second = fusion.fuse(views, { emit: emitB, beside: emitA, gains });
  assert.deepEqual([await fusion.fuse(views, { emit: emitA, beside: emitB, onGains: known }), await second], expected);
});

test("a part hears of its gains where the points overtake them on the way here", async () => {
  const depths = () => boxViews(3, { widthPx: 32 });
  await Promise.all([fusion.fuse(depths()), fusion.fuse(depths())]);
  const fromMs = performance.now();
  await Promise.all([fusion.fuse(depths()), fusion.fuse(depths())]);
  const bothMs = performance.now() - fromMs;
  for (let round = 0; round < 3; round++) {
    let told = 0;
    let known!: (gains: ReadonlyMap<number, Gain>) => void;
    const gains = new Promise<ReadonlyMap<number, Gain>>((resolve) => {
      known = resolve;
    });
    const first = fusion.fuse(depths(), {
      onGains(found) {
        told++;
        known(found);
      },
    });
    // A part that would wait for ever is given up, and the test fails.
    const second = fusion.fuse(depths(), { gains, signal: AbortSignal.timeout(60_000) });
    await new Promise(setImmediate);
    asleep(Math.max(80, 3 * bothMs)); // Points and gains are both there when this thread looks.
    const { gains: found } = await first;
    assert.deepEqual(await second, partOf(depths(), { gains: found }));
    assert.equal(told, 1);
  }
});

test("a part ends, and its thread is free, where the gains that it waits for never come", async () => {
  const views = boxViews(3, { widthPx: 80 });
  const lost = new Error("the part before has failed");
  const waiting = [1, 2].map(() => fusion.fuse(views, { gains: Promise.reject(lost) }));
  for (const each of waiting) await assert.rejects(each, lost);
  const controller = new AbortController();
  const cancelled = fusion.fuse(views, { gains: new Promise(() => {}), signal: controller.signal });
  controller.abort();
  await assert.rejects(cancelled, { name: "AbortError" });
  assert.deepEqual(await fusion.fuse(views), partOf(views));
});

function asleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function partOf(depths: readonly PosedDepth[], options?: FuseOptions) {
  const { normals: _, ...part } = fuse(depths, options);
  return part;
}

function darker({ view, depth }: PosedDepth, factor: number): PosedDepth {
  return { view: { ...view, rgb: view.rgb.map((value) => Math.round(factor * value)) }, depth };
}
