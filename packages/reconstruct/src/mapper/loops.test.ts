import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alignmentDistances,
  alignPoints,
  cameraCentre,
  composeSimilarities,
  invertSimilarity,
  randomNormal,
  rotationFromVector,
  type Similarity3,
  seededRandom,
} from "@cairn/geometry";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { courtyard } from "../test/repeated.ts";
import { consistentShare } from "./consistency.ts";
import { closeLoops } from "./loops.ts";
import type { Scene } from "./scene.ts";

const VIEWS = 120;
const TIED = 4;
const options = () => ({
  lenses: [],
  seed: 1,
  doubted: new Set<number>(),
  certain: () => true,
  rule: () => "lax" as const,
  stop: () => {},
  stage: () => {},
});

/** Cameras around a courtyard that look outwards, drifted on their way: the last one does not meet the first. */
async function drifted() {
  const synthetic = courtyard(VIEWS);
  const apart = (a: number, b: number) => Math.min(b - a, VIEWS - (b - a));
  const tied = await tiedViews(synthetic, (a, b) => apart(a, b) <= TIED);
  const random = seededRandom(7);
  const true_ = tied.views.map(({ index }) => similarityOf(truePose(synthetic, index)));
  const nodes = [true_[0]];
  for (let k = 1; k < VIEWS; k++) {
    const noise = (sigma: number) => sigma * randomNormal(random);
    const drift: Similarity3 = {
      scale: Math.exp(2e-4 + noise(4e-4)),
      rotation: rotationFromVector(noise(2e-4), 1e-3 + noise(2e-4), noise(2e-4)),
      translation: Float64Array.of(noise(1e-3), noise(1e-3), noise(1e-3)),
    };
    const step = composeSimilarities(true_[k], invertSimilarity(true_[k - 1]));
    nodes.push(composeSimilarities(composeSimilarities(drift, step), nodes[k - 1]));
  }
  const seam = tied.pairs.filter(({ a, b }) => b - a > TIED);
  const open = { ...tied, pairs: tied.pairs.filter((pair) => !seam.includes(pair)) };
  const scene = posedScene(open, [...tied.views.keys()], (view) => poseOf(nodes[view]));
  return { synthetic, tied, seam, scene };
}

function worst(scene: Scene, truth: { readonly eye: readonly number[] }[]): number {
  const from = Float64Array.from(scene.posed.flatMap((view) => [...cameraCentre(scene.poses, view * 12)]));
  const to = Float64Array.from(scene.posed.flatMap((view) => [...truth[view].eye]));
  const distances = new Float64Array(scene.posed.length);
  alignmentDistances(alignPoints(from, to)!, from, to, distances);
  return Math.max(...distances);
}

test("MAP-6 a way around that has drifted is closed where its end sees its beginning", async () => {
  const { synthetic, tied, seam, scene } = await drifted();
  const truth = [...synthetic.truth];
  const before = worst(scene, truth);
  assert.ok(before > 0.2, `drifted by ${before}`);
  assert.ok(seam.every((pair) => consistentShare(scene, pair) < 0.3));
  const kept = scene.poses.slice();
  const closed = closeLoops(scene, tied.pairs, options());
  assert.notEqual(closed, scene);
  assert.deepEqual(scene.poses, kept, "the scene itself is not changed");
  assert.ok(seam.every((pair) => consistentShare(closed, pair) > 0.8));
  const after = worst(closed, truth);
  assert.ok(after < before / 10 && after < 0.03, `${before} became ${after}`);
});

test("MAP-3 one pair alone closes no loop", async () => {
  const { tied, seam, scene } = await drifted();
  const [only] = seam;
  const pairs = tied.pairs.filter((pair) => pair === only || !seam.includes(pair));
  assert.equal(closeLoops(scene, pairs, options()), scene);
});

test("MAP-6 a scene without a loop stays as it is", async () => {
  const { tied, seam, scene } = await drifted();
  const pairs = tied.pairs.filter((pair) => !seam.includes(pair));
  assert.equal(closeLoops(scene, pairs, options()), scene);
});

function similarityOf(pose: Float64Array): Similarity3 {
  const rotation = Float64Array.from([0, 1, 2, 4, 5, 6, 8, 9, 10], (at) => pose[at]);
  return { scale: 1, rotation, translation: Float64Array.of(pose[3], pose[7], pose[11]) };
}

function poseOf({ scale, rotation: r, translation: t }: Similarity3): Float64Array {
  return Float64Array.from([0, 1, 2].flatMap((i) => [r[3 * i], r[3 * i + 1], r[3 * i + 2], t[i] / scale]));
}
