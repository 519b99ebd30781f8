/** The pose of a camera that sees known points, some of them wrongly matched: P3P in a locally optimised RANSAC. */
import { type Random, sampleIndices } from "../random.ts";
import { neededIterations, shuffledIndices } from "../ransac.ts";
import { ThreePointSolver } from "./p3p.ts";
import { refineAbsolutePose } from "./refine.ts";

export type AbsolutePose = {
  /** `[12]` cameraFromWorld */
  pose: Float64Array;
  /** `[n]` 1 where the point is seen within `maxError` */
  inliers: Uint8Array;
  inlierCount: number;
};

export type AbsolutePoseOptions = {
  readonly random: Random;
  /** Largest reprojection error of an inlier, normalised: pixels / focal length. */
  readonly maxError: number;
  readonly maxIterations?: number;
  /** Stops once this sure that a better sample would have been drawn. */
  readonly confidence?: number;
};

/**
 * @param points `[n, 3]` world @param rays `[n, 2]` normalised, undistorted
 * @returns undefined when no pose has at least four inliers
 *
 * Scores are MSAC (Torr & Zisserman 2000); each new best is refined on its inliers (Chum, Matas, Kittler 2003).
 */
export function estimateAbsolutePose(
  points: Float64Array,
  rays: Float64Array,
  options: AbsolutePoseOptions,
): AbsolutePose | undefined {
  const n = rays.length / 2;
  if (points.length !== n * 3) throw new RangeError(`${points.length / 3} points against ${n} rays`);
  if (n < 4) return undefined;
  const { random, maxError, maxIterations = 1000, confidence = 0.9999 } = options;
  const limit = maxError * maxError;
  const bearings = new Float64Array(n * 3);
  for (let i = 0; i < n; i++) {
    const inverse = 1 / Math.sqrt(rays[i * 2] ** 2 + rays[i * 2 + 1] ** 2 + 1);
    bearings[i * 3] = rays[i * 2] * inverse;
    bearings[i * 3 + 1] = rays[i * 2 + 1] * inverse;
    bearings[i * 3 + 2] = inverse;
  }
  const order = shuffledIndices(random, n);
  const solver = new ThreePointSolver();
  const sample = new Int32Array(3);
  const pose = new Float64Array(12);
  const best = new Float64Array(12);
  const inliers = new Uint8Array(n);
  let bestScore = n * limit;
  let needed = maxIterations;
  for (let iteration = 0; iteration < needed; iteration++) {
    sampleIndices(random, n, sample);
    const solutions = solver.solve(points, bearings, sample);
    for (let s = 0; s < solutions; s++) {
      pose.set(solver.poses.subarray(s * 12, s * 12 + 12));
      let score = poseScore(points, rays, pose, order, limit, bestScore);
      if (!(score < bestScore)) continue;
      bestScore = score;
      best.set(pose);
      let count = markInliers(points, rays, best, limit, inliers);
      if (count >= 6) {
        refineAbsolutePose(points, rays, pose, { scale: maxError / 2, inliers, iterations: 3 });
        score = poseScore(points, rays, pose, order, limit, bestScore);
        if (score < bestScore) {
          bestScore = score;
          best.set(pose);
          count = markInliers(points, rays, best, limit, inliers);
        }
      }
      needed = Math.min(maxIterations, neededIterations(count / n, 3, confidence));
    }
  }
  if (!(bestScore < n * limit)) return undefined;
  let inlierCount = markInliers(points, rays, best, limit, inliers);
  for (let round = 0; round < 3 && inlierCount >= 4; round++) {
    pose.set(best);
    refineAbsolutePose(points, rays, pose, { scale: maxError / 2, inliers });
    const score = poseScore(points, rays, pose, order, limit, Infinity);
    if (score > bestScore) break;
    const before = bestScore;
    bestScore = score;
    best.set(pose);
    inlierCount = markInliers(points, rays, best, limit, inliers);
    if (before - score <= 1e-6 * before) break;
  }
  return inlierCount >= 4 ? { pose: best, inliers, inlierCount } : undefined;
}

/** Σ min(e², limit) in the given order; gives up (any value ≥ `stopAt`) once that is reached. */
function poseScore(
  points: Float64Array,
  rays: Float64Array,
  pose: Float64Array,
  order: Int32Array,
  limit: number,
  stopAt: number,
): number {
  const [r0, r1, r2, t0, r3, r4, r5, t1, r6, r7, r8, t2] = pose;
  let score = 0;
  for (let k = 0; k < order.length; k++) {
    const p = order[k] * 3;
    const q = order[k] * 2;
    const x = points[p];
    const y = points[p + 1];
    const z = points[p + 2];
    const depth = r6 * x + r7 * y + r8 * z + t2;
    const eu = r0 * x + r1 * y + r2 * z + t0 - rays[q] * depth;
    const ev = r3 * x + r4 * y + r5 * z + t1 - rays[q + 1] * depth;
    const square = (eu * eu + ev * ev) / (depth * depth);
    score += depth > 0 && square < limit ? square : limit;
    if (score >= stopAt) return score;
  }
  return score;
}

function markInliers(
  points: Float64Array,
  rays: Float64Array,
  pose: Float64Array,
  limit: number,
  inliers: Uint8Array,
): number {
  const [r0, r1, r2, t0, r3, r4, r5, t1, r6, r7, r8, t2] = pose;
  let count = 0;
  for (let i = 0; i < inliers.length; i++) {
    const x = points[i * 3];
    const y = points[i * 3 + 1];
    const z = points[i * 3 + 2];
    const depth = r6 * x + r7 * y + r8 * z + t2;
    const eu = (r0 * x + r1 * y + r2 * z + t0) / depth - rays[i * 2];
    const ev = (r3 * x + r4 * y + r5 * z + t1) / depth - rays[i * 2 + 1];
    inliers[i] = depth > 0 && eu * eu + ev * ev < limit ? 1 : 0;
    count += inliers[i];
  }
  return count;
}
