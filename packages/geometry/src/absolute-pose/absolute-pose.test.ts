import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../random.ts";
import { cameraCentre, composePoses, identityPose, invertPose, rotationAngle } from "../rotation/pose.ts";
import { addOutliers, arcOfCameras, largestDifference, observe, randomPoints } from "../test/scene.ts";
import { estimateAbsolutePose } from "./estimate.ts";
import { ThreePointSolver } from "./p3p.ts";
import { refineAbsolutePose } from "./refine.ts";

const seed = fc.integer({ min: 0, max: 1e6 });

function bearingsOf(rays: Float64Array): Float64Array {
  const bearings = new Float64Array((rays.length / 2) * 3);
  for (let i = 0; i < rays.length / 2; i++) {
    const length = Math.hypot(rays[i * 2], rays[i * 2 + 1], 1);
    bearings.set([rays[i * 2] / length, rays[i * 2 + 1] / length, 1 / length], i * 3);
  }
  return bearings;
}

test("three exact points: one of the poses is the true one, and all are rotations that fit the points", () => {
  const solver = new ThreePointSolver();
  let worst = 0;
  let missed = 0;
  for (let s = 0; s < 1000; s++) {
    const random = seededRandom(s);
    const scale = [1e-3, 1, 1e3][s % 3];
    const pose = arcOfCameras(random, 1, 5 * scale, 0);
    const points = randomPoints(random, 3, [scale, scale, scale]);
    const rays = observe(pose, 0, points, 0, random);
    const count = solver.solve(points, bearingsOf(rays), Int32Array.of(0, 1, 2));
    let nearest = Infinity;
    for (let k = 0; k < count; k++) {
      const found = solver.poses.slice(k * 12, k * 12 + 12);
      const unit = composePoses(found, invertPose(found));
      assert.ok(largestDifference(unit, identityPose()) < 1e-6 * Math.max(1, scale));
      const difference = found.map((value, i) => (value - pose[i]) / (i % 4 === 3 ? scale : 1));
      nearest = Math.min(nearest, Math.max(...difference.map(Math.abs)));
    }
    if (nearest < 1e-5) worst = Math.max(worst, nearest);
    else missed++;
  }
  assert.ok(missed <= 3, `missed ${missed} of 1000`); // double roots: two solutions in one place
  assert.ok(worst < 1e-5);
});

test("three points on a line give no pose", () => {
  const points = Float64Array.of(0, 0, 5, 1, 0, 5, 2, 0, 5);
  const solver = new ThreePointSolver();
  assert.equal(solver.solve(points, bearingsOf(Float64Array.of(0, 0, 0.2, 0, 0.4, 0)), Int32Array.of(0, 1, 2)), 0);
});

test("exact points give the exact pose, solid and flat scenes, from 1e-3 to 1e3", () => {
  fc.assert(
    fc.property(seed, fc.constantFrom(1e-3, 1, 1e3), fc.constantFrom(0, 1), (s, scale, thickness) => {
      const random = seededRandom(s);
      const pose = arcOfCameras(random, 1, 5 * scale, 0);
      const points = randomPoints(random, 50, [scale, scale, thickness * scale]);
      const found = estimateAbsolutePose(points, observe(pose, 0, points, 0, random), { random, maxError: 1e-3 });
      assert.ok(found);
      assert.equal(found.inlierCount, 50);
      assert.ok(rotationAngle(found.pose, 0, pose, 0) < 1e-7);
      assert.ok(largestDifference(cameraCentre(found.pose), cameraCentre(pose)) < 1e-6 * scale);
    }),
    { seed: 1, numRuns: 60 },
  );
});

for (const share of [0.4, 0.7]) {
  test(`${share * 100} % wrong points and a pixel of noise: the right pose, and the wrong ones are named`, () => {
    for (let s = 0; s < 30; s++) {
      const random = seededRandom(s);
      const pose = arcOfCameras(random, 1, 5, 0);
      const points = randomPoints(random, 500, [2, 2, 2]);
      const rays = observe(pose, 0, points, 1e-3, random);
      const wrong = addOutliers(rays, share, 0.5, random);
      const found = estimateAbsolutePose(points, rays, { random, maxError: 4e-3 });
      assert.ok(found);
      assert.ok(rotationAngle(found.pose, 0, pose, 0) < 1.5e-3);
      assert.ok(largestDifference(cameraCentre(found.pose), cameraCentre(pose)) < 5e-3);
      const kept = found.inliers.filter((inlier, i) => inlier && wrong[i]).length;
      assert.ok(kept <= 3, `${kept} wrong ones kept`);
      assert.ok(found.inlierCount > 0.95 * (1 - share) * 450);
    }
  });
}

test("the same seed gives the same bits", () => {
  const random = seededRandom(3);
  const pose = arcOfCameras(random, 1, 5, 0);
  const points = randomPoints(random, 100, [2, 2, 2]);
  const rays = observe(pose, 0, points, 1e-3, random);
  addOutliers(rays, 0.5, 0.5, random);
  const estimate = () => estimateAbsolutePose(points, rays, { random: seededRandom(7), maxError: 4e-3 });
  assert.deepEqual(estimate(), estimate());
});

test("noise alone gives a pose of few inliers, and three points none at all", () => {
  const random = seededRandom(9);
  const points = randomPoints(random, 200, [2, 2, 2]);
  const rays = new Float64Array(400).map(() => random() - 0.5);
  const found = estimateAbsolutePose(points, rays, { random, maxError: 2e-3, maxIterations: 300 });
  assert.ok(!found || found.inlierCount < 15);
  assert.equal(estimateAbsolutePose(points.slice(0, 9), rays.slice(0, 6), { random, maxError: 1 }), undefined);
  assert.throws(() => estimateAbsolutePose(points, rays.slice(2), { random, maxError: 1 }), RangeError);
});

test("refinement brings a pose 5° off back", () => {
  const random = seededRandom(11);
  const pose = arcOfCameras(random, 1, 5, 0);
  const points = randomPoints(random, 100, [2, 2, 2]);
  const rays = observe(pose, 0, points, 0, random);
  const moved = composePoses(arcOfCameras(random, 1, 5, 0.1), identityPose());
  moved[3] += 0.2;
  refineAbsolutePose(points, rays, moved, { scale: 1, iterations: 20 });
  assert.ok(largestDifference(moved, pose) < 1e-8);
});
