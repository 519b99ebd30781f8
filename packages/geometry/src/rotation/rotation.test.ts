import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../random.ts";
import { largestDifference, randomRotation } from "../test/scene.ts";
import { rotationFromVector, vectorFromRotation } from "./exponential.ts";
import {
  cameraCentre,
  composePoses,
  identityPose,
  invertPose,
  orthonormalisePose,
  poseFromQuaternion,
  poseFromRotation,
  quaternionOfPose,
  relativePose,
  retractPose,
  rotationAngle,
  transformPoint,
  translationOfPose,
} from "./pose.ts";
import { quaternionFromRotation, rotationFromQuaternion } from "./quaternion.ts";

const number = fc.double({ min: -1, max: 1, noNaN: true });
const vector = fc.tuple(number, number, number);
const pose = fc
  .tuple(vector, vector)
  .map(([w, t]) => poseFromRotation(rotationFromVector(3 * w[0], 3 * w[1], 3 * w[2]), t));

test("the matrix of a quaternion gives the quaternion back, with w ≥ 0", () => {
  fc.assert(
    fc.property(
      fc.tuple(number, number, number, number).filter((q) => Math.hypot(...q) > 1e-3),
      (q) => {
        const length = Math.hypot(...q);
        const unit = q.map((value) => value / length);
        const back = quaternionFromRotation(rotationFromQuaternion(q));
        assert.ok(back[0] >= 0);
        const opposite = unit.map((value) => -value);
        assert.ok(Math.min(largestDifference(back, unit), largestDifference(back, opposite)) < 1e-14);
      },
    ),
    { seed: 1 },
  );
});

test("half turns about each axis keep their quaternion", () => {
  for (const q of [
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ]) {
    assert.ok(largestDifference(quaternionFromRotation(rotationFromQuaternion(q)), q) < 1e-15);
  }
  assert.throws(() => rotationFromQuaternion([0, 0, 0, 0]), RangeError);
});

test("a rotation vector shorter than π survives the matrix, from 1e-12 rad to nearly a half turn", () => {
  const axis = fc.tuple(number, number, number).filter((w) => Math.hypot(...w) > 0.1);
  fc.assert(
    fc.property(axis, fc.constantFrom(1e-12, 1e-8, 1e-5, 0.99e-4, 1.01e-4, 0.1, 1, 3, 3.14), (w, angle) => {
      const length = Math.hypot(...w);
      const [x, y, z] = w.map((value) => (value / length) * angle);
      const back = vectorFromRotation(rotationFromVector(x, y, z));
      assert.ok(largestDifference(back, [x, y, z]) < 1e-9 * Math.max(angle, 1e-6));
    }),
    { seed: 2 },
  );
});

test("poses: inverse, composition and relative pose agree with moving points", () => {
  fc.assert(
    fc.property(pose, pose, vector, (a, b, p) => {
      assert.ok(largestDifference(composePoses(a, invertPose(a)), identityPose()) < 1e-14);
      const viaB = transformPoint(b, 0, p[0], p[1], p[2]);
      const viaAb = transformPoint(a, 0, viaB[0], viaB[1], viaB[2]);
      assert.ok(largestDifference(viaAb, transformPoint(composePoses(a, b), 0, p[0], p[1], p[2])) < 1e-14);
      const inA = transformPoint(a, 0, p[0], p[1], p[2]);
      const inB = transformPoint(relativePose(a, b), 0, inA[0], inA[1], inA[2]);
      assert.ok(largestDifference(inB, viaB) < 1e-13);
      const c = cameraCentre(a);
      assert.ok(Math.hypot(...transformPoint(a, 0, c[0], c[1], c[2])) < 1e-14);
      const back = poseFromQuaternion(quaternionOfPose(a), translationOfPose(a));
      assert.ok(largestDifference(back, a) < 1e-14);
    }),
    { seed: 3 },
  );
});

test("a turn on the spot keeps the camera's centre, and the angle is the one asked for", () => {
  fc.assert(
    fc.property(pose, fc.constantFrom(1e-9, 1e-3, 1, 3), (p, angle) => {
      const step = Float64Array.of(0, angle, 0, 0, 0, 0);
      const moved = new Float64Array(12);
      retractPose(p, 0, step, 0, moved, 0);
      assert.ok(largestDifference(cameraCentre(moved), cameraCentre(p)) < 1e-14);
      assert.ok(Math.abs(rotationAngle(p, 0, moved, 0) - angle) < 1e-7 * angle + 1e-15);
    }),
    { seed: 4 },
  );
});

test("a pose blurred by rounding becomes a rotation again", () => {
  const random = seededRandom(5);
  const blurred = poseFromRotation(randomRotation(random, 3), [1, 2, 3]);
  for (let i = 0; i < 12; i++) if (i % 4 < 3) blurred[i] += 1e-6 * random();
  const kept = blurred.slice();
  orthonormalisePose(blurred);
  assert.ok(largestDifference(composePoses(blurred, invertPose(blurred)), identityPose()) < 1e-14);
  assert.ok(rotationAngle(blurred, 0, kept, 0) < 2e-6);
});
