import assert from "node:assert/strict";
import { test } from "node:test";
import { invertSimilarity, rotationFromVector, type Similarity3, seededRandom, transformPose } from "@cairn/geometry";
import fc from "fast-check";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { findBridge, gatherEvidence } from "./bridge.ts";
import { mergeScenes } from "./merge.ts";
import type { Pair } from "./pair.ts";

const options = {
  lenses: [],
  seed: 1,
  doubted: new Set<number>(),
  certain: () => true,
  rule: () => "lax" as const,
  stop: () => {},
  stage: () => {},
};
const LEFT = [0, 1, 2, 3];
const RIGHT = [4, 5, 6, 7];

const synthetic = syntheticPhotos(arc(8), { told: true });
const tiedAll = tiedViews(synthetic, () => true);

/**
 * Two halves of an arc, the second in a frame of its own, tied across by the pairs that `across` lets through.
 * @param lenses 2: each half has its own
 */
async function halves(moved: Similarity3, across: (a: number, b: number) => boolean, lenses: 1 | 2 = 1) {
  const one = await tiedAll;
  const tied = {
    pairs: one.pairs.filter(({ a, b }) => (a < 4 && b >= 4 ? across(a, b) : true)),
    views: one.views.map((view) => (view.index < 4 ? view : { ...view, lens: lenses - 1 })),
    calibrations: Float64Array.from([...one.calibrations, ...one.calibrations].slice(0, 6 * lenses)),
  };
  const within = { ...tied, pairs: tied.pairs.filter(({ a, b }) => a >= 4 || b < 4) };
  const first = posedScene(tied, LEFT, (view) => truePose(synthetic, view));
  const second = posedScene(within, RIGHT, (view) => {
    const pose = truePose(synthetic, view);
    transformPose(moved, pose, 0, pose, 0);
    return pose;
  });
  return { tied, first, second };
}

const similarity = fc
  .record({
    scale: fc.double({ min: 0.05, max: 20, noNaN: true }),
    turn: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -1.7, max: 1.7, noNaN: true }))),
    shift: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -50, max: 50, noNaN: true }))),
  })
  .map(({ scale, turn, shift }) => ({
    scale,
    rotation: rotationFromVector(turn[0], turn[1], turn[2]),
    translation: Float64Array.from(shift),
  }));

test("MAP-2 whatever the frames of two scenes, the similarity between them is found", async () => {
  await fc.assert(
    fc.asyncProperty(similarity, async (moved) => {
      const { tied, first, second } = await halves(moved, () => true);
      const sides = [first, second].map((scene) => ({ scene, has: (view: number) => scene.isPosed(view) }));
      const evidence = gatherEvidence(sides[0]!, sides[1]!, tied.pairs);
      const bridge = findBridge(first, second, evidence, 1);
      assert.ok(bridge && bridge.share > 0.75 && bridge.pairs.length === 16);
      const back = invertSimilarity(moved);
      assert.ok(Math.abs(bridge.firstFromSecond.scale / back.scale - 1) < 0.01);
      for (let i = 0; i < 9; i++) assert.ok(Math.abs(bridge.firstFromSecond.rotation[i] - back.rotation[i]) < 0.01);
    }),
    { numRuns: 8, seed: 1 },
  );
});

const plain: Similarity3 = {
  scale: 0.3,
  rotation: rotationFromVector(0.3, -1, 0.2),
  translation: Float64Array.of(4, 5, 6),
};

test("MAP-2 two scenes become one that explains both, and neither is changed", async () => {
  const { tied, first, second } = await halves(plain, (a, b) => a === 3 || b === 4);
  const before = [first.poses.slice(), second.poses.slice()];
  const { scene } = mergeScenes(first, second, tied.pairs, options, () => true);
  assert.ok(scene);
  assert.deepEqual([first.poses, second.poses], before);
  assert.deepEqual([...scene.posed].sort(), [...LEFT, ...RIGHT]);
  for (const view of RIGHT) {
    const [found, wanted] = [scene.pose(view), truePose(synthetic, view)];
    assert.ok(Math.hypot(...[3, 7, 11].map((at) => found[at] - wanted[at])) < 0.03, `${view}`);
  }
});

test("MAP-2 a lens that only one of two scenes has photos of is as that one found it", async () => {
  const { tied, first, second } = await halves(plain, (a, b) => a === 3 || b === 4, 2);
  const focalPx = second.calibration(1)[0];
  for (const [scene, lens] of [[first, 1] as const, [second, 0] as const]) scene.setFocal(lens, 1.3 * focalPx);
  const { scene } = mergeScenes(first, second, tied.pairs, options, () => true);
  assert.ok(scene);
  assert.deepEqual([scene.calibration(0)[0], scene.calibration(1)[0]], [focalPx, focalPx]);
  assert.equal(first.calibration(1)[0], 1.3 * focalPx);
});

test("MAP-3 one pair alone does not tie two scenes together, however good", async () => {
  const { tied, first, second } = await halves(plain, (a, b) => a === 3 && b === 4);
  const merge = mergeScenes(first, second, tied.pairs, options, () => true);
  assert.ok(merge.sightings > 300);
  assert.equal(merge.scene, undefined);
});

test("MAP-3 pairs that contradict one another do not tie two scenes together", async () => {
  const { tied, first, second } = await halves(plain, () => true);
  const random = seededRandom(3);
  // Every pair across has its own mind about which feature is which.
  const stray = (pair: Pair): Pair => {
    if (!(pair.a < 4 && pair.b >= 4)) return pair;
    const kept = pair.kept.slice();
    for (let k = 1; k < kept.length; k += 2) kept[k] = pair.kept[1 + 2 * Math.floor((random() * kept.length) / 2)];
    return { ...pair, kept };
  };
  assert.equal(mergeScenes(first, second, tied.pairs.map(stray), options, () => true).scene, undefined);
});
