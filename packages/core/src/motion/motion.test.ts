import assert from "node:assert/strict";
import { test } from "node:test";
import { BadSample, type ImuSample, readAxes } from "@cairn/motion";
import { FLUSH_EVERY_MS, MotionSources } from "./motion-sources.ts";

const at = (timestamp: bigint): ImuSample => ({ timestamp, accelerometer: [1, 2, 3], gyroscope: [4, 5, 6] });
const fail = (context: string, error: unknown) => assert.fail(`${context}: ${error}`);

type Flush = { source: string; times: bigint[]; space: string | undefined; atMs: number };

/** Sources whose flushes are collected; `until` resolves when so many samples have come. */
function collected(axes?: ReturnType<typeof readAxes>) {
  const motion = new MotionSources({ onError: fail, ...(axes && { axes }) });
  const flushes: Flush[] = [];
  let look = () => {};
  motion.onFlush((source, samples, space) => {
    flushes.push({ source, times: samples.map(({ timestamp }) => timestamp), space, atMs: performance.now() });
    look();
  });
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      look = () => flushes.reduce((sum, { times }) => sum + times.length, 0) >= count && resolve();
      look();
    });
  return { motion, flushes, until };
}

test("HUB-52 what came leaves by itself, sorted, not before 50 ms have gathered it", async () => {
  const { motion, flushes, until } = collected();
  const startMs = performance.now();
  for (const t of [3n, 1n, 2n, 1n]) motion.push("phone", at(t), "space");
  await until(3);
  assert.deepEqual(
    flushes.map(({ source, times, space }) => ({ source, times, space })),
    [{ source: "phone", times: [1n, 2n, 3n], space: "space" }],
  );
  assert.ok(flushes[0]!.atMs - startMs >= FLUSH_EVERY_MS - 2);
  motion.push("phone", at(0n));
  await until(4);
  assert.deepEqual(motion.counts(), { samples: 4, duplicates: 1, late: 1, dropped: 0, waiting: 0, sources: 1 });
});

test("HUB-7 HUB-52 sources do not mix: each has its flushes and its duplicates", async () => {
  const { motion, flushes, until } = collected();
  motion.push("a", at(1n));
  motion.push("b", at(1n));
  motion.push("a", at(2n));
  await until(3);
  assert.deepEqual(
    new Map(flushes.map(({ source, times }) => [source, times])),
    new Map([
      ["a", [1n, 2n]],
      ["b", [1n]],
    ]),
  );
});

test("HUB-58 a thousand samples a second for ten seconds' worth: none is lost, every flush ascends", () => {
  const { motion, flushes } = collected();
  for (let k = 0; k < 10_000; k++) {
    // Neighbours swapped, and each third one twice.
    const t = BigInt(1_750_000_000_000_000_000 + 0) + BigInt(k ^ 1) * 1_000_000n;
    motion.push("phone", at(t));
    if (k % 3 === 0) motion.push("phone", at(t));
    if (k % 50 === 49) motion.flush("phone");
  }
  const all = flushes.flatMap(({ times }) => times);
  assert.equal(all.length, 10_000);
  assert.ok(all.every((t, i) => i === 0 || t > all[i - 1]!));
  assert.equal(motion.counts().late, 0);
  assert.equal(motion.counts().duplicates, 3334);
});

test("HUB-59 what waits is flushed at once when asked for, and when all closes", () => {
  const { motion, flushes } = collected();
  motion.push("a", at(1n));
  motion.flush("a");
  assert.equal(flushes.length, 1);
  motion.flush("a");
  motion.flush("nobody");
  assert.equal(flushes.length, 1);
  motion.push("a", at(2n));
  motion.push("b", at(2n));
  motion.close();
  assert.equal(flushes.length, 3);
});

test("HUB-55 HUB-57 text is read exactly and turned; a bad sample costs nothing else", () => {
  const { motion } = collected(readAxes("x,-z,y"));
  const taken: ImuSample[] = [];
  motion.onFlush((_source, samples) => taken.push(...samples));
  const sensors = '"accelerometer":{"x":1,"y":2,"z":3},"gyroscope":{"x":4,"y":5,"z":6}';
  assert.throws(() => motion.push("a", `{"timestamp":1.5,${sensors}}`), BadSample);
  assert.ok(motion.push("a", `{"timestamp":1750000000952559124,${sensors}}`));
  motion.flush("a");
  assert.deepEqual(taken, [{ timestamp: 1750000000952559124n, accelerometer: [1, -3, 2], gyroscope: [4, -6, 5] }]);
});

test("MOT-1 a listener that fails costs the others nothing, and one that left hears nothing", () => {
  const told: string[] = [];
  const motion = new MotionSources({ onError: (context) => told.push(context) });
  let heard = 0;
  motion.onFlush(() => {
    throw new Error("mine");
  });
  const stop = motion.onFlush(() => heard++);
  motion.push("a", at(1n));
  motion.flush("a");
  stop();
  motion.push("a", at(2n));
  motion.flush("a");
  assert.deepEqual([told.length, heard], [2, 1]);
});

test("MOT-1 sources are bounded: the one that was silent for longest is handed out and forgotten, its counts stay", () => {
  const { motion, flushes } = collected();
  for (let k = 0; k < 1000; k++) motion.push(`s${k}`, at(1n));
  assert.equal(motion.counts().sources, 256);
  assert.equal(motion.counts().samples, 1000);
  assert.equal(flushes.length, 744);
  motion.close();
  assert.equal(flushes.length, 1000);
});
