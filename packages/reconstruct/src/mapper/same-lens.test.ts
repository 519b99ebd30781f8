/** One camera that was told in several ways: whole models of synthetic photos with EXIF, without it, and with another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineCore } from "../embedded/engine-core.ts";
import type { Photo } from "../engine.ts";
import { arc, type Shot, syntheticPhotos } from "../test/synthetic.ts";

const FREE = { stop: () => {}, progress: () => {} };
/** Of the full photo. */
const TRUE_PX = 2160;
const POINTS = 500;

/** @param told what each photo says of itself */
async function lensesOf(
  told: (index: number) => Partial<Photo>,
  later: readonly Partial<Photo>[] = [],
  shots: readonly Shot[] = arc(9, 1.6),
) {
  const synthetic = syntheticPhotos(shots, { points: POINTS });
  const core = new EngineCore(synthetic.kernels, 1);
  const all = synthetic.photos.map((photo, index) => ({ ...photo, ...told(index) }));
  const early = all.length - later.length;
  for (const photo of all.slice(0, early)) await core.add(photo, undefined, FREE);
  const { doubts, cameras } = await core.rebuild(FREE);
  for (const [k, said] of later.entries()) await core.add({ ...all[early + k], ...said }, undefined, FREE);
  const lenses = core.report().lenses.map(({ photos, focalPx }) => ({ photos, part: focalPx / TRUE_PX }));
  return { doubts, placed: cameras.length, lenses };
}

test("MAP-24 photos with EXIF, without, and with one that is rounded otherwise share a lens after a rebuild", async () => {
  const { doubts, placed, lenses } = await lensesOf((index) => [{ focalPx: 2130 }, {}, { focalPx: 2200 }][index % 3]);
  assert.deepEqual([doubts, placed, lenses.map(({ photos }) => photos)], [[], 9, [9]]);
  assert.ok(Math.abs(lenses[0].part - 1) < 0.005, `${lenses[0].part}`);
});

test("MAP-24 so does a photo that comes later, told in either way", async () => {
  const later = [{}, { focalPx: 2130 }];
  const { lenses } = await lensesOf((index) => (index < 7 && index % 2 === 0 ? { focalPx: 2130 } : {}), later);
  assert.deepEqual(
    lenses.map(({ photos }) => photos),
    [9],
  );
});

test("MAP-24 photos of another size, or with a calibration that was given, keep a lens of their own", async () => {
  const given = (index: number): Partial<Photo> => {
    const { fullWidthPx: width, fullHeightPx: height } = { fullWidthPx: 2400, fullHeightPx: 1600 };
    const params = [TRUE_PX, TRUE_PX, width / 2, height / 2];
    return index % 2 ? {} : { camera: { model: "PINHOLE", width, height, params } };
  };
  assert.deepEqual(
    (await lensesOf(given)).lenses.map(({ photos }) => photos),
    [5, 4],
  );
  const half = (index: number): Partial<Photo> => (index % 2 ? {} : { fullWidthPx: 1200, fullHeightPx: 800 });
  assert.deepEqual(
    (await lensesOf(half)).lenses.map(({ photos }) => photos),
    [5, 4],
  );
});

/** Every other photo has EXIF. */
const mixed = (index: number) => (index % 2 ? { focalPx: TRUE_PX } : {});

for (const [name, one, other] of [
  ["look straight ahead elsewhere", { principalOffPx: 10 }, { principalOffPx: -10 }],
  ["look straight ahead elsewhere since photos were cut", { principalOffPx: 80 }, {}],
  ["bend light in another way", { k1: -0.1 }, { k1: 0.05 }],
] as const) {
  test(`MAP-24 cameras of one focal length that ${name} keep lenses of their own`, async () => {
    const shots = arc(12, 2).map((shot, index) => ({ ...shot, ...(index % 2 ? other : one) }));
    const { doubts, placed, lenses } = await lensesOf(mixed, [], shots);
    assert.deepEqual([doubts, placed, lenses.map(({ photos }) => photos)], [[], 12, [6, 6]]);
  });
}

test("MAP-24 a zoomed photo among them keeps its own, and the others share theirs", async () => {
  const shots = arc(10, 1.6).map((shot, index) => (index === 4 ? { ...shot, zoom: 1.4 } : shot));
  const { doubts, placed, lenses } = await lensesOf((index) => (index % 2 ? { focalPx: 2130 } : {}), [], shots);
  assert.deepEqual([doubts, placed, lenses.map(({ photos }) => photos).sort()], [[], 10, [1, 9]]);
  assert.ok(Math.abs(lenses.find(({ photos }) => photos === 1)!.part / 1.4 - 1) < 0.02, JSON.stringify(lenses));
});
