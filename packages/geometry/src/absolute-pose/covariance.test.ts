import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNormal, seededRandom } from "../random.ts";
import { cameraCentre, identityPose, retractPose, rotationAngle, transformPoint } from "../rotation/pose.ts";
import { absolutePoseCovariance } from "./covariance.ts";
import { refineAbsolutePose } from "./refine.ts";

test("the covariance of a pose is the scatter of poses found from noisy rays", () => {
  const random = seededRandom(5);
  const pose = identityPose();
  retractPose(pose, 0, Float64Array.of(0.3, -0.2, 0.1, 0.5, -0.4, 0.2), 0, pose, 0);
  const n = 60;
  const points = new Float64Array(3 * n);
  const exact = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    // In front of the camera, 4 to 8 away.
    const local = [3 * (random() - 0.5), 2 * (random() - 0.5), 4 + 4 * random()];
    for (let k = 0; k < 3; k++) {
      points[3 * i + k] = [0, 1, 2].reduce((sum, r) => sum + pose[4 * r + k] * (local[r] - pose[4 * r + 3]), 0);
    }
    const seen = transformPoint(pose, 0, points[3 * i], points[3 * i + 1], points[3 * i + 2]);
    exact[2 * i] = seen[0] / seen[2];
    exact[2 * i + 1] = seen[1] / seen[2];
  }
  const trials = 300;
  const sigma = 0.002;
  let moved = 0;
  let turned = 0;
  let said = 0;
  let saidTurned = 0;
  const centre = cameraCentre(pose);
  for (let trial = 0; trial < trials; trial++) {
    const rays = exact.map((x) => x + sigma * randomNormal(random));
    const found = pose.slice();
    refineAbsolutePose(points, rays, found, { scale: 1 });
    const at = cameraCentre(found);
    moved += Math.hypot(at[0] - centre[0], at[1] - centre[1], at[2] - centre[2]) ** 2 / trials;
    turned += rotationAngle(found, 0, pose, 0) ** 2 / trials;
    const covariance = absolutePoseCovariance(points, rays, found)!;
    saidTurned += (covariance[0] + covariance[7] + covariance[14]) / trials;
    said += (covariance[21] + covariance[28] + covariance[35]) / trials;
  }
  assert.ok(Math.abs(Math.sqrt(said / moved) - 1) < 0.1, `position: said ${Math.sqrt(said)}, was ${Math.sqrt(moved)}`);
  assert.ok(Math.abs(Math.sqrt(saidTurned / turned) - 1) < 0.1, `turn: ${Math.sqrt(saidTurned)}, ${Math.sqrt(turned)}`);
  assert.equal(absolutePoseCovariance(points.subarray(0, 9), exact.subarray(0, 6), pose), undefined);
});
