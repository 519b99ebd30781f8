/**
 * The homography between two views: what relates them when the scene is a plane or the camera only turned.
 * Four-point samples (Hartley & Zisserman §4.1), MSAC, Gauss–Newton, all on the Sampson error (§4.2.6): the distance of a
 * match from the nearest one that fits exactly, both photos being noisy. It is in the unit of the epipolar Sampson
 * error, so that how many matches a homography and an essential matrix explain can be compared.
 */
import { factorCholesky, solveCholesky } from "../linear/cholesky.ts";
import { solveGaussian } from "../linear/gaussian.ts";
import { sampleIndices } from "../random.ts";
import { neededIterations, shuffledIndices } from "../ransac.ts";
import type { TwoViewOptions } from "./relative-pose.ts";

export type Homography = {
  /** `[9]` row-major, last entry 1: second ~ H · first, normalised coordinates. */
  matrix: Float64Array;
  /** `[n]` 1 where the Sampson error is within `maxError`. */
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
    let score = homographyScore(first, second, matrix, order, limit, bestScore);
    if (!(score < bestScore)) continue;
    bestScore = score;
    best.set(matrix);
    markInliers(first, second, best, limit, inliers);
    refine(first, second, matrix, inliers, maxError / 2, 3);
    score = homographyScore(first, second, matrix, order, limit, bestScore);
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
    if (homographyScore(first, second, matrix, order, limit, bestScore) < bestScore) {
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

/** Squared Sampson error; Infinity for a point that the homography sends through infinity. */
export function homographySquare(h: Float64Array, x: number, y: number, u: number, v: number): number {
  const depth = h[6] * x + h[7] * y + h[8];
  if (!(depth > 1e-9)) return Infinity;
  const w = 1 / depth;
  const px = (h[0] * x + h[1] * y + h[2]) * w;
  const py = (h[3] * x + h[4] * y + h[5]) * w;
  const ux = (h[0] - px * h[6]) * w;
  const uy = (h[1] - px * h[7]) * w;
  const vx = (h[3] - py * h[6]) * w;
  const vy = (h[4] - py * h[7]) * w;
  // Noise of the first photo arrives through the derivative A of the transfer: covariance C = I + A Aᵀ.
  const c00 = 1 + ux * ux + uy * uy;
  const c01 = ux * vx + uy * vy;
  const c11 = 1 + vx * vx + vy * vy;
  const eu = px - u;
  const ev = py - v;
  return (c11 * eu * eu - 2 * c01 * eu * ev + c00 * ev * ev) / (c00 * c11 - c01 * c01);
}

/**
 * The residual whose square is the Sampson error, and its derivatives (C held still, as in Gauss–Newton with weights).
 *
 * @param out `[2, 10]`: each row nine derivatives by the entries of H, then the residual
 * @returns the squared residual, Infinity (and nothing in `out`) as `homographySquare`
 */
export function homographyResidual(
  h: Float64Array,
  x: number,
  y: number,
  u: number,
  v: number,
  out: Float64Array,
): number {
  const depth = h[6] * x + h[7] * y + h[8];
  if (!(depth > 1e-9)) return Infinity;
  const w = 1 / depth;
  const px = (h[0] * x + h[1] * y + h[2]) * w;
  const py = (h[3] * x + h[4] * y + h[5]) * w;
  const ux = (h[0] - px * h[6]) * w;
  const uy = (h[1] - px * h[7]) * w;
  const vx = (h[3] - py * h[6]) * w;
  const vy = (h[4] - py * h[7]) * w;
  // C = L Lᵀ; both rows are divided by L.
  const l00 = Math.sqrt(1 + ux * ux + uy * uy);
  const l10 = (ux * vx + uy * vy) / l00;
  const l11 = Math.sqrt(1 + vx * vx + vy * vy - l10 * l10);
  const a = w / l00;
  const b = w / l11;
  const mix = (l10 / l11) * a;
  out.fill(0);
  for (let k = 0; k < 3; k++) {
    const ray = k === 0 ? x : k === 1 ? y : 1;
    out[k] = a * ray;
    out[6 + k] = -a * px * ray;
    out[10 + k] = -mix * ray;
    out[13 + k] = b * ray;
    out[16 + k] = (mix * px - b * py) * ray;
  }
  const ru = (px - u) / l00;
  const rv = (py - v - l10 * ru) / l11;
  out[9] = ru;
  out[19] = rv;
  return ru * ru + rv * rv;
}

function homographyScore(
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
    score += Math.min(limit, homographySquare(h, first[i], first[i + 1], second[i], second[i + 1]));
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
    inliers[k] = homographySquare(h, first[i], first[i + 1], second[i], second[i + 1]) < limit ? 1 : 0;
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
  const rows = new Float64Array(20);
  for (let iteration = 0; iteration < iterations; iteration++) {
    hessian.fill(0);
    gradient.fill(0);
    for (let k = 0; k < inliers.length; k++) {
      if (!inliers[k]) continue;
      const i = k * 2;
      const square = homographyResidual(h, first[i], first[i + 1], second[i], second[i + 1], rows);
      if (square === Infinity) continue;
      const weight = 1 / (1 + square / (scale * scale));
      for (let p = 0; p < 8; p++) {
        const wu = weight * rows[p];
        const wv = weight * rows[10 + p];
        gradient[p] -= wu * rows[9] + wv * rows[19];
        for (let q = 0; q <= p; q++) hessian[p * 8 + q] += wu * rows[q] + wv * rows[10 + q];
      }
    }
    for (let p = 0; p < 8; p++) hessian[p * 9] *= 1 + 1e-9;
    if (!factorCholesky(hessian, 8)) return;
    solveCholesky(hessian, 8, gradient);
    for (let p = 0; p < 8; p++) h[p] += gradient[p];
  }
}
