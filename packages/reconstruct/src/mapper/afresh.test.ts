import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alignmentDistances,
  alignPoints,
  cameraCentre,
  essentialFromPose,
  invertPose,
  normalisedFromPixels,
  sampsonSquare,
} from "@cairn/geometry";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { builtAfresh, worthAnotherLook } from "./afresh.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import type { View } from "./view.ts";

const options = {
  lenses: [],
  seed: 1,
  certain: () => true,
  rule: () => "lax" as const,
  stop: () => {},
  doubted: new Set<number>(),
  stage: () => {},
};
const ALL = [0, 1, 2, 3, 4, 5, 6, 7];

/** Poses of the second half as they are when it was put on at the wrong scale: half as large, seen from photo 4. */
function shrunk(pose: Float64Array, anchor: Float64Array): Float64Array {
  const [centre, fixed] = [cameraCentre(pose), cameraCentre(anchor)];
  const camera = invertPose(pose);
  for (let i = 0; i < 3; i++) camera[4 * i + 3] = (centre[i] + fixed[i]) / 2;
  return invertPose(camera);
}

/** The pair without the matches that its geometry does not bear out, as verification would leave it. */
function bornOut(pair: Pair, { views, calibrations }: { views: readonly View[]; calibrations: Float64Array }): Pair {
  const e = essentialFromPose(pair.pose);
  const limit = (2 / calibrations[0]) ** 2;
  const [a, b] = [pair.a, pair.b].map((view) => normalisedFromPixels(calibrations, views[view].pixels));
  const kept: number[] = [];
  for (let k = 0; k < pair.matches.length; k += 2) {
    const [i, j] = [2 * pair.matches[k], 2 * pair.matches[k + 1]];
    if (sampsonSquare(e, a[i], a[i + 1], b[j], b[j + 1]) < limit) kept.push(pair.matches[k], pair.matches[k + 1]);
  }
  return { ...pair, kept: Int32Array.from(kept) };
}

function largestError(scene: Scene, truth: readonly Float64Array[]): number {
  const from = Float64Array.from(ALL.flatMap((view) => [...cameraCentre(scene.pose(view))]));
  const to = Float64Array.from(truth.flatMap((pose) => [...cameraCentre(pose)]));
  const distances = new Float64Array(ALL.length);
  alignmentDistances(alignPoints(from, to)!, from, to, distances);
  return Math.max(...distances);
}

test("MAP-9 a scene put together at a wrong scale is worth another look, and the other one is right", async () => {
  const synthetic = syntheticPhotos(arc(8), { told: true });
  const tied = await tiedViews(synthetic, () => true);
  const truth = ALL.map((view) => truePose(synthetic, view));
  const wrong = posedScene(tied, ALL, (view) => (view < 5 ? truth[view] : shrunk(truth[view], truth[4])));
  assert.ok(largestError(wrong, truth) > 0.3);
  const look = worthAnotherLook(wrong, tied.pairs, undefined);
  assert.ok(look);
  const poses = wrong.poses.slice();
  const afresh = builtAfresh(wrong, tied.pairs, options);
  assert.ok(afresh);
  assert.deepEqual(wrong.poses, poses);
  assert.deepEqual([...afresh.scene.posed].sort(), ALL);
  assert.ok(largestError(afresh.scene, truth) < 0.02, `${largestError(afresh.scene, truth)}`);
  // The same photos are not looked at twice; more of them are.
  assert.equal(worthAnotherLook(wrong, tied.pairs, look), undefined);
  assert.ok(worthAnotherLook(wrong, tied.pairs, { ...look, views: 7 }));
  assert.equal(worthAnotherLook(wrong, tied.pairs, { ...look, views: 90 }), undefined);
});

test("MAP-9 a sound scene is left alone", async () => {
  const synthetic = syntheticPhotos(arc(8), { told: true });
  const tied = await tiedViews(synthetic, () => true);
  tied.pairs.splice(0, tied.pairs.length, ...tied.pairs.map((pair) => bornOut(pair, tied)));
  const sound = posedScene(tied, ALL, (view) => truePose(synthetic, view));
  assert.equal(worthAnotherLook(sound, tied.pairs, undefined), undefined);
  assert.equal(builtAfresh(sound, tied.pairs, options), undefined);
});
