/** Bundle problems with known truth, for tests and benchmarks. */
import type { BundleProblem } from "../bundle/problem.ts";
import { projectPoint } from "../camera/project.ts";
import { type Random, randomNormal } from "../random.ts";
import { retractPose } from "../rotation/pose.ts";
import { arcOfCameras, randomPoints } from "./scene.ts";

type BundleScene = { problem: BundleProblem; truth: { poses: Float64Array; points: Float64Array } };

/** Cameras on an arc around a box of points; each point is seen by about `share` of them. */
export function bundleScene(
  random: Random,
  cameras: number,
  points: number,
  options: { sigmaPx?: number; share?: number; calibration?: number[]; scale?: number } = {},
): BundleScene {
  const { sigmaPx = 0, share = 0.6, calibration = [1400, 1400, 800, 533, 0, 0], scale = 1 } = options;
  const poses = arcOfCameras(random, cameras, 6 * scale, 1.2);
  const cloud = randomPoints(random, points, [1.5 * scale, scale, 1.5 * scale]);
  const calibrations = Float64Array.from(calibration);
  const camera: number[] = [];
  const point: number[] = [];
  const pixels: number[] = [];
  const pixel = new Float64Array(2);
  for (let p = 0; p < points; p++) {
    const first = Math.floor(random() * cameras);
    for (let c = 0; c < cameras; c++) {
      const always = c === first || c === (first + 1) % cameras;
      if (!always && random() > share) continue;
      projectPoint(poses, c * 12, calibrations, 0, cloud[p * 3], cloud[p * 3 + 1], cloud[p * 3 + 2], pixel);
      camera.push(c);
      point.push(p);
      pixels.push(pixel[0] + sigmaPx * randomNormal(random), pixel[1] + sigmaPx * randomNormal(random));
    }
  }
  const problem: BundleProblem = {
    poses: poses.slice(),
    calibrations,
    points: cloud.slice(),
    observationCamera: Int32Array.from(camera),
    observationPoint: Int32Array.from(point),
    observationPixels: Float64Array.from(pixels),
  };
  return { problem, truth: { poses, points: cloud } };
}

/** Turns and moves every camera that is not held by about these amounts, and every point that is not. */
export function perturb(problem: BundleProblem, random: Random, turn: number, shift: number): void {
  const step = new Float64Array(6);
  for (let c = 0; c * 12 < problem.poses.length; c++) {
    if (problem.constantPose?.[c]) continue;
    for (let i = 0; i < 6; i++) step[i] = ((i < 3 ? turn : shift) * randomNormal(random)) / Math.sqrt(3);
    retractPose(problem.poses, c * 12, step, 0, problem.poses, c * 12);
  }
  for (let i = 0; i < problem.points.length; i++) {
    if (!problem.constantPoint?.[Math.floor(i / 3)]) problem.points[i] += (shift * randomNormal(random)) / Math.sqrt(3);
  }
}
