import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../random.ts";
import { poseFromRotation, relativePose, rotationAngle } from "../rotation/pose.ts";
import { addOutliers, largestDifference, lookAt, observe, randomPoints, randomRotation } from "../test/scene.ts";
import { essentialFromPose, sampsonSquare } from "./essential.ts";
import { FivePointSolver } from "./five-point.ts";
import { estimateHomography } from "./homography.ts";
import { refineRelativePose } from "./refine.ts";
import { estimateRelativePose } from "./relative-pose.ts";

/** Two cameras, points in front of both, and the matches. */
function twoViews(seed: number, n: number, options: { sigma?: number; flat?: boolean; scale?: number } = {}) {
  const { sigma = 0, flat = false, scale = 1 } = options;
  const random = seededRandom(seed);
  const a = lookAt([-0.6 * scale, 0.2 * scale * random(), -5 * scale], [0, 0, 0]);
  const b = lookAt([(0.3 + random()) * scale, -0.3 * scale * random(), (-4.5 - random()) * scale], [0.2 * scale, 0, 0]);
  const points = randomPoints(random, n, [1.5 * scale, 1.5 * scale, flat ? 0 : 1.5 * scale]);
  const truth = relativePose(a, b);
  const length = Math.hypot(truth[3], truth[7], truth[11]);
  for (let i = 3; i < 12; i += 4) truth[i] /= length;
  return { random, truth, first: observe(a, 0, points, sigma, random), second: observe(b, 0, points, sigma, random) };
}

/** Angle between the directions of translation, radians. */
function directionError(a: Float64Array, b: Float64Array): number {
  return Math.hypot(a[3] - b[3], a[7] - b[7], a[11] - b[11]);
}

test("five exact matches: the true essential matrix is among the solutions, and all solutions are essential", () => {
  const solver = new FivePointSolver();
  let missed = 0;
  for (let s = 0; s < 1000; s++) {
    const { first, second, truth } = twoViews(s, 5);
    const count = solver.solve(first, second, Int32Array.of(0, 1, 2, 3, 4));
    const wanted = essentialFromPose(truth);
    let nearest = Infinity;
    for (let k = 0; k < count; k++) {
      const e = solver.essentials.slice(k * 9, k * 9 + 9);
      const difference = Math.min(
        largestDifference(e, wanted),
        largestDifference(
          e.map((value) => -value),
          wanted,
        ),
      );
      nearest = Math.min(nearest, difference);
      for (let i = 0; i < 10; i += 2) {
        assert.ok(sampsonSquare(e, first[i], first[i + 1], second[i], second[i + 1]) < 1e-16);
      }
    }
    if (nearest > 1e-6) missed++;
  }
  assert.ok(missed <= 5, `missed ${missed} of 1000`);
});

test("exact matches give the exact pose, from 1e-3 to 1e3", () => {
  for (const scale of [1e-3, 1, 1e3]) {
    for (let s = 0; s < 10; s++) {
      const { first, second, truth, random } = twoViews(s, 100, { scale });
      const found = estimateRelativePose(first, second, { random, maxError: 1e-3 });
      assert.ok(found);
      assert.equal(found.inlierCount, 100);
      assert.equal(found.inFront, 1);
      assert.ok(rotationAngle(found.pose, 0, truth, 0) < 1e-6);
      assert.ok(directionError(found.pose, truth) < 1e-6);
    }
  }
});

for (const share of [0.3, 0.5, 0.7]) {
  test(`${share * 100} % wrong matches and noise: the right pose`, () => {
    for (let s = 0; s < 12; s++) {
      const { first, second, truth, random } = twoViews(s, 600, { sigma: 5e-4 });
      const wrong = addOutliers(second, share, 0.4, random);
      const found = estimateRelativePose(first, second, { random, maxError: 1.5e-3 });
      assert.ok(found);
      assert.ok(rotationAngle(found.pose, 0, truth, 0) < 6e-3, `rotation ${rotationAngle(found.pose, 0, truth, 0)}`);
      assert.ok(directionError(found.pose, truth) < 0.03, `direction ${directionError(found.pose, truth)}`);
      const right = wrong.filter((w, i) => !w && found.inliers[i]).length;
      const all = wrong.filter((w) => !w).length;
      assert.ok(right > 0.9 * all, `${right} of ${all} right ones found`);
    }
  });
}

test("a flat scene: the homography explains as much as the pose does", () => {
  const { first, second, random } = twoViews(3, 400, { sigma: 3e-4, flat: true });
  const pose = estimateRelativePose(first, second, { random, maxError: 2e-3 });
  const plane = estimateHomography(first, second, { random, maxError: 2e-3 });
  assert.ok(pose && plane);
  assert.ok(plane.inlierCount / pose.inlierCount > 0.98);
});

test("a camera that only turned: homography fits, angle next to nothing", () => {
  const random = seededRandom(4);
  const points = randomPoints(random, 400, [2, 2, 2]);
  for (let i = 2; i < points.length; i += 3) points[i] += 6;
  const still = poseFromRotation([1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0]);
  const turned = poseFromRotation(randomRotation(random, 0.2), [0, 0, 0]);
  const first = observe(still, 0, points, 3e-4, random);
  const second = observe(turned, 0, points, 3e-4, random);
  const pose = estimateRelativePose(first, second, { random, maxError: 2e-3 });
  const plane = estimateHomography(first, second, { random, maxError: 2e-3 });
  assert.ok(pose && plane);
  assert.ok(plane.inlierCount / pose.inlierCount > 0.98);
  assert.ok(pose.medianAngle < (1 * Math.PI) / 180);
});

test("a solid scene: no homography explains most of it", () => {
  const { first, second, random } = twoViews(5, 400, { sigma: 3e-4 });
  const pose = estimateRelativePose(first, second, { random, maxError: 2e-3 });
  const plane = estimateHomography(first, second, { random, maxError: 2e-3 });
  assert.ok(pose);
  assert.ok((plane?.inlierCount ?? 0) / pose.inlierCount < 0.5);
});

test("a homography with half of the matches wrong is found to the noise", () => {
  const { first, second, random } = twoViews(6, 300, { sigma: 2e-4, flat: true });
  const wrong = addOutliers(second, 0.5, 0.4, random);
  const found = estimateHomography(first, second, { random, maxError: 1.5e-3 });
  assert.ok(found);
  assert.ok(found.inliers.every((inlier, i) => wrong[i] || inlier));
});

test("matches of two unrelated photos give few inliers; too few matches give nothing", () => {
  const random = seededRandom(7);
  const noise = () => new Float64Array(400).map(() => 0.8 * random() - 0.4);
  const [first, second] = [noise(), noise()];
  const found = estimateRelativePose(first, second, { random, maxError: 1.5e-3, maxIterations: 300 });
  assert.ok(!found || found.inlierCount < 30);
  assert.equal(estimateRelativePose(first.slice(0, 14), second.slice(0, 14), { random, maxError: 1 }), undefined);
  assert.equal(estimateHomography(first.slice(0, 8), second.slice(0, 8), { random, maxError: 1 }), undefined);
  assert.throws(() => estimateRelativePose(first, second.slice(2), { random, maxError: 1 }), RangeError);
});

test("refinement brings a pose 3° off back, and the same seed gives the same bits", () => {
  const { first, second, truth } = twoViews(8, 100);
  const pose = truth.slice();
  const turn = poseFromRotation(randomRotation(seededRandom(1), 0.1), [0, 0, 0]);
  for (let j = 0; j < 3; j++) {
    for (let i = 0; i < 3; i++) {
      pose[i * 4 + j] = [0, 1, 2].reduce((sum, k) => sum + turn[i * 4 + k] * truth[k * 4 + j], 0);
    }
  }
  refineRelativePose(first, second, pose, { scale: 1, iterations: 30 });
  assert.ok(rotationAngle(pose, 0, truth, 0) < 1e-7 && directionError(pose, truth) < 1e-6);
  const estimate = () => estimateRelativePose(first, second, { random: seededRandom(2), maxError: 1e-3 });
  assert.deepEqual(estimate(), estimate());
});

for (const [name, trust] of [
  ["that mean something", 0.7],
  ["that mean nothing", 0],
] as const) {
  test(`ranks ${name}: the right pose of 70 % wrong matches`, () => {
    let draws = 0;
    let drawsRanked = 0;
    for (let s = 0; s < 12; s++) {
      const { first, second, truth, random } = twoViews(s, 600, { sigma: 5e-4 });
      const wrong = addOutliers(second, 0.7, 0.4, random);
      const worth = Array.from(wrong, (w) => random() - trust * (1 - w));
      const ranking = Int32Array.from(worth.keys()).sort((p, q) => worth[p] - worth[q]);
      const counted = (add: () => void) => {
        const from = seededRandom(s);
        return () => {
          add();
          return from();
        };
      };
      estimateRelativePose(first, second, { random: counted(() => draws++), maxError: 1.5e-3 });
      const options = { random: counted(() => drawsRanked++), maxError: 1.5e-3, ranking };
      const found = estimateRelativePose(first, second, options);
      assert.ok(found);
      assert.ok(rotationAngle(found.pose, 0, truth, 0) < 6e-3 && directionError(found.pose, truth) < 0.03);
      assert.throws(() => estimateRelativePose(first, second, { ...options, ranking: ranking.slice(1) }), RangeError);
    }
    assert.ok(trust === 0 || drawsRanked < 0.3 * draws, `${drawsRanked} against ${draws} draws`);
  });
}
