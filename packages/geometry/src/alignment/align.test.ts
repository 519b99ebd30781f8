import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomNormal, seededRandom } from "../random.ts";
import { rotationAngle, transformPoint } from "../rotation/pose.ts";
import { largestDifference, lookAt, randomPoints, randomRotation } from "../test/scene.ts";
import { alignPoints, alignPointsRobust } from "./align.ts";
import { invertSimilarity, type Similarity3, transformPoints, transformPose } from "./similarity.ts";

function randomSimilarity(seed: number, scale: number): Similarity3 {
  const random = seededRandom(seed);
  return { scale, rotation: randomRotation(random, Math.PI), translation: randomPoints(random, 1, [9, 9, 9]) };
}

const seed = fc.integer({ min: 0, max: 1e6 });
const scales = fc.constantFrom(1e-3, 0.5, 1, 3, 1e3);

test("exact points give the similarity back: solid and flat sets, three points, all scales", () => {
  fc.assert(
    fc.property(seed, scales, fc.constantFrom(3, 4, 50), fc.constantFrom(0, 1), (s, scale, n, thickness) => {
      const truth = randomSimilarity(s, scale);
      const source = randomPoints(seededRandom(s + 1), n, [1, 1, thickness]);
      const found = alignPoints(source, transformPoints(truth, source));
      assert.ok(found);
      assert.ok(Math.abs(found.scale / scale - 1) < 1e-9);
      assert.ok(largestDifference(found.rotation, truth.rotation) < 1e-7);
    }),
    { seed: 1 },
  );
});

test("points on one line, or fewer than three, are refused", () => {
  const line = Float64Array.from({ length: 30 }, (_, i) => ((i / 3) | 0) * [1, 2, 3][i % 3]);
  assert.equal(alignPoints(line, line), undefined);
  assert.equal(alignPoints(line.slice(0, 6), line.slice(0, 6)), undefined);
  assert.equal(alignPointsRobust(line.slice(0, 6), line.slice(0, 6), { random: seededRandom(1) }), undefined);
  assert.throws(() => alignPoints(line, line.slice(3)), RangeError);
});

test("weights: pairs of weight 0 do not count", () => {
  const truth = randomSimilarity(3, 2);
  const source = randomPoints(seededRandom(4), 10, [1, 1, 1]);
  const target = transformPoints(truth, source);
  target[0] += 100;
  const weights = new Float64Array(10).fill(1);
  weights[0] = 0;
  const found = alignPoints(source, target, weights);
  assert.ok(found && Math.abs(found.scale - 2) < 1e-12);
});

test("40 % wrong pairs: the robust alignment finds and names them", () => {
  fc.assert(
    fc.property(seed, scales, (s, scale) => {
      const random = seededRandom(s);
      const truth = randomSimilarity(s, scale);
      const source = randomPoints(random, 200, [1, 1, 1]);
      const target = transformPoints(truth, source).map((value) => value + 1e-3 * scale * randomNormal(random));
      for (let i = 0; i < 80; i++) for (let k = 0; k < 3; k++) target[i * 3 + k] += scale * (1 + 2 * random());
      const found = alignPointsRobust(source, target, { random });
      assert.ok(found);
      assert.ok(Math.abs(found.similarity.scale / scale - 1) < 2e-3);
      for (let i = 0; i < 80; i++) assert.equal(found.inliers[i], 0);
      assert.ok(found.inlierCount > 100 && found.inlierCount <= 120);
      assert.ok(found.rms > 1e-3 * scale && found.rms < 2.2e-3 * scale); // √3 · 1e-3, a little trimmed
    }),
    { seed: 2, numRuns: 30 },
  );
});

test("a camera moves with the points: what it sees stays, up to the scale of depth", () => {
  const similarity = randomSimilarity(8, 2.5);
  const pose = lookAt([1, 2, -5]);
  const moved = new Float64Array(12);
  transformPose(similarity, pose, 0, moved, 0);
  const point = Float64Array.of(0.3, -0.2, 0.4);
  const [x, y, z] = transformPoints(similarity, point);
  const before = transformPoint(pose, 0, 0.3, -0.2, 0.4);
  const after = transformPoint(moved, 0, x, y, z);
  assert.ok(
    largestDifference(
      after,
      before.map((value) => value * 2.5),
    ) < 1e-12,
  );
  const back = new Float64Array(12);
  transformPose(invertSimilarity(similarity), moved, 0, back, 0);
  assert.ok(largestDifference(back, pose) < 1e-12 && rotationAngle(back, 0, pose, 0) < 1e-12);
});
