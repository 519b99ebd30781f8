/**
 * The homography between two views: what relates them when the scene is a plane or the camera only turned.
 * Four-point samples (Hartley & Zisserman §4.1), MSAC, Levenberg–Marquardt on the transfer error into the second view.
 */
import { factorCholesky, solveCholesky } from "../linear/cholesky.ts";
import { solveGaussian } from "../linear/gaussian.ts";
import { sampleIndices } from "../random.ts";
import { neededIterations, shuffledIndices } from "../ransac.ts";
import type { TwoViewOptions } from "./relative-pose.ts";

export type Homography = {
  /** `[9]` row-major, last entry 1: second ~ H · first, normalised coordinates. */
  matrix: Float64Array;
  /** `[n]` 1 where the transfer error is within `maxError`. */
  inliers: Uint8Array;
  inlierCount: number;
};

/** @param first, second `[n, 2]` normalised @returns undefined when no homography has at least five inliers */
export function estimateHomography(
  first: Float64Array,
  second: Float64Array,
  options: TwoViewOptions,
): Homography | undefined {
  const n = first.length / 2;
  if (second.length !== first.length) throw new RangeError(`${n} rays against ${second.length / 2}`);
  if (n < 5) return undefined;
  const { random, maxError, maxIterations = 500, confidence = 0.999 } = options;
  const limit = maxError * maxError;
  const order = shuffledIndices(random, n);
  const sample = new Int32Array(4);
  const system = new Float64Array(64);
  const matrix = new Float64Array(9);
  const best = new Float64Array(9);
  const inliers = new Uint8Array(n);
  let bestScore = n * limit;
  let needed = maxIterations;
  for (let iteration = 0; iteration < needed; iteration++) {
    sampleIndices(random, n, sample);
    if (!fromFour(first, second, sample, system, matrix)) continue;
    let score = transferScore(first, second, matrix, order, limit, bestScore);
    if (!(score < bestScore)) continue;
    bestScore = score;
    best.set(matrix);
    markInliers(first, second, best, limit, inliers);
    refine(first, second, matrix, inliers, maxError / 2, 3);
    score = transferScore(first, second, matrix, order, limit, bestScore);
    if (score < bestScore) {
      bestScore = score;
      best.set(matrix);
    }
    needed = Math.min(
      maxIterations,
      neededIterations(markInliers(first, second, best, limit, inliers) / n, 4, confidence),
    );
  }
  let inlierCount = markInliers(first, second, best, limit, inliers);
  if (bestScore < n * limit && inlierCount >= 5) {
    matrix.set(best);
    refine(first, second, matrix, inliers, maxError / 2, 10);
    if (transferScore(first, second, matrix, order, limit, bestScore) < bestScore) {
      best.set(matrix);
      inlierCount = markInliers(first, second, best, limit, inliers);
    }
  }
  return inlierCount >= 5 ? { matrix: best, inliers, inlierCount } : undefined;
}

/** H with h₃₃ = 1 of four matches; false when three of them are on a line. */
function fromFour(
  first: Float64Array,
  second: Float64Array,
  sample: Int32Array,
  a: Float64Array,
  out: Float64Array,
): boolean {
  for (let k = 0; k < 4; k++) {
    const i = sample[k] * 2;
    const x = first[i];
    const y = first[i + 1];
    const u = second[i];
    const v = second[i + 1];
    a.set([x, y, 1, 0, 0, 0, -u * x, -u * y], k * 16);
    a.set([0, 0, 0, x, y, 1, -v * x, -v * y], k * 16 + 8);
    out[k * 2] = u;
    out[k * 2 + 1] = v;
  }
  out[8] = 1;
  return solveGaussian(a, out, 8);
}

/** Squared transfer error; Infinity for a point that the homography sends through infinity. */
function transferSquare(h: Float64Array, x: number, y: number, u: number, v: number): number {
  const w = h[6] * x + h[7] * y + 1;
  if (!(w > 1e-9)) return Infinity;
  const du = (h[0] * x + h[1] * y + h[2]) / w - u;
  const dv = (h[3] * x + h[4] * y + h[5]) / w - v;
  return du * du + dv * dv;
}

function transferScore(
  first: Float64Array,
  second: Float64Array,
  h: Float64Array,
  order: Int32Array,
  limit: number,
  stopAt: number,
): number {
  let score = 0;
  for (let k = 0; k < order.length; k++) {
    const i = order[k] * 2;
    score += Math.min(limit, transferSquare(h, first[i], first[i + 1], second[i], second[i + 1]));
    if (score >= stopAt) return score;
  }
  return score;
}

function markInliers(
  first: Float64Array,
  second: Float64Array,
  h: Float64Array,
  limit: number,
  inliers: Uint8Array,
): number {
  let count = 0;
  for (let k = 0; k < inliers.length; k++) {
    const i = k * 2;
    inliers[k] = transferSquare(h, first[i], first[i + 1], second[i], second[i + 1]) < limit ? 1 : 0;
    count += inliers[k];
  }
  return count;
}

/** Damped Gauss–Newton with Cauchy weights over the eight free entries, in place. */
function refine(
  first: Float64Array,
  second: Float64Array,
  h: Float64Array,
  inliers: Uint8Array,
  scale: number,
  iterations: number,
): void {
  const hessian = new Float64Array(64);
  const gradient = new Float64Array(8);
  const ju = new Float64Array(8);
  const jv = new Float64Array(8);
  for (let iteration = 0; iteration < iterations; iteration++) {
    hessian.fill(0);
    gradient.fill(0);
    for (let k = 0; k < inliers.length; k++) {
      if (!inliers[k]) continue;
      const x = first[k * 2];
      const y = first[k * 2 + 1];
      const w = 1 / (h[6] * x + h[7] * y + 1);
      const u = (h[0] * x + h[1] * y + h[2]) * w;
      const v = (h[3] * x + h[4] * y + h[5]) * w;
      const eu = u - second[k * 2];
      const ev = v - second[k * 2 + 1];
      const weight = 1 / (1 + (eu * eu + ev * ev) / (scale * scale));
      ju[0] = x * w;
      ju[1] = y * w;
      ju[2] = w;
      ju[6] = -u * x * w;
      ju[7] = -u * y * w;
      jv[3] = x * w;
      jv[4] = y * w;
      jv[5] = w;
      jv[6] = -v * x * w;
      jv[7] = -v * y * w;
      for (let p = 0; p < 8; p++) {
        const wu = weight * ju[p];
        const wv = weight * jv[p];
        gradient[p] -= wu * eu + wv * ev;
        for (let q = 0; q <= p; q++) hessian[p * 8 + q] += wu * ju[q] + wv * jv[q];
      }
    }
    for (let p = 0; p < 8; p++) hessian[p * 9] *= 1 + 1e-9;
    if (!factorCholesky(hessian, 8)) return;
    solveCholesky(hessian, 8, gradient);
    for (let p = 0; p < 8; p++) h[p] += gradient[p];
  }
}
