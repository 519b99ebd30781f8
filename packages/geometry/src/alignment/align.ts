/**
 * Lays one set of points onto another by a similarity: least squares in closed form (Umeyama 1991), and a robust
 * variant for sets where some pairs are wrong: three-point RANSAC, then reweighted least squares (Huber).
 */
import { determinant } from "../linear/determinant.ts";
import { svd3 } from "../linear/svd3.ts";
import { type Random, sampleIndices } from "../random.ts";
import type { Similarity3 } from "./similarity.ts";

/**
 * The similarity that takes `[n, 3]` source nearest to `[n, 3]` target, weighted least squares.
 * @param weights `[n]`, not negative; equal when left out
 * @returns undefined when the weighted source points are fewer than three or on one line (the turn is open)
 */
export function alignPoints(
  source: Float64Array,
  target: Float64Array,
  weights?: Float64Array,
): Similarity3 | undefined {
  const n = (source.length / 3) | 0;
  if (target.length !== source.length) throw new RangeError(`${n} points against ${target.length / 3}`);
  let total = 0;
  let used = 0;
  const sourceMean = [0, 0, 0];
  const targetMean = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const w = weights ? weights[i] : 1;
    if (w <= 0) continue;
    used++;
    total += w;
    for (let k = 0; k < 3; k++) {
      sourceMean[k] += w * source[i * 3 + k];
      targetMean[k] += w * target[i * 3 + k];
    }
  }
  if (used < 3) return undefined;
  for (let k = 0; k < 3; k++) {
    sourceMean[k] /= total;
    targetMean[k] /= total;
  }
  const covariance = new Float64Array(9); // Σ w (target − mean)(source − mean)ᵀ
  let variance = 0;
  for (let i = 0; i < n; i++) {
    const w = weights ? weights[i] : 1;
    if (w <= 0) continue;
    for (let k = 0; k < 3; k++) {
      const s = source[i * 3 + k] - sourceMean[k];
      variance += w * s * s;
      for (let row = 0; row < 3; row++) covariance[row * 3 + k] += w * (target[i * 3 + row] - targetMean[row]) * s;
    }
  }
  const u = new Float64Array(9);
  const s = new Float64Array(3);
  const v = new Float64Array(9);
  svd3(covariance, u, s, v);
  if (!(variance > 0) || !(s[1] > 1e-9 * s[0])) return undefined;
  const mirrored = determinant(u) * determinant(v) < 0; // Umeyama's S: turn the weakest axis round, never mirror
  const rotation = new Float64Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      rotation[i * 3 + j] =
        u[i * 3] * v[j * 3] + u[i * 3 + 1] * v[j * 3 + 1] + (mirrored ? -1 : 1) * u[i * 3 + 2] * v[j * 3 + 2];
    }
  }
  const scale = (s[0] + s[1] + (mirrored ? -s[2] : s[2])) / variance;
  if (!(scale > 0)) return undefined;
  const translation = new Float64Array(3);
  for (let i = 0; i < 3; i++) {
    const turned =
      rotation[i * 3] * sourceMean[0] + rotation[i * 3 + 1] * sourceMean[1] + rotation[i * 3 + 2] * sourceMean[2];
    translation[i] = targetMean[i] - scale * turned;
  }
  return { scale, rotation, translation };
}

export type RobustAlignment = {
  similarity: Similarity3;
  /** `[n]` 1 for the pairs that fit. */
  inliers: Uint8Array;
  inlierCount: number;
  /** Root mean square distance of the inliers after the alignment, target units. */
  rms: number;
};

export type RobustAlignmentOptions = {
  readonly random: Random;
  /** Largest distance of a pair that fits, target units. Left out: three times the median distance of the best try. */
  readonly maxDistance?: number;
  /** `[n]` how much each pair counts in the least squares: a camera centre more than a point, say. */
  readonly weights?: Float64Array;
  readonly iterations?: number;
};

/** @returns undefined when fewer than three pairs fit any similarity */
export function alignPointsRobust(
  source: Float64Array,
  target: Float64Array,
  options: RobustAlignmentOptions,
): RobustAlignment | undefined {
  const n = (source.length / 3) | 0;
  if (n < 3) return undefined;
  const { random, weights, iterations = 100 } = options;
  const sample = new Int32Array(3);
  const sampleSource = new Float64Array(9);
  const sampleTarget = new Float64Array(9);
  const distances = new Float64Array(n);
  const sorted = new Float64Array(n);

  // Least median of squares over the tries needs no threshold (Rousseeuw 1984).
  let best = alignPoints(source, target, weights);
  let bestMedian = best ? median(best) : Infinity;
  for (let i = 0; i < iterations; i++) {
    sampleIndices(random, n, sample);
    for (let k = 0; k < 9; k++) {
      const from = sample[(k / 3) | 0] * 3 + (k % 3);
      sampleSource[k] = source[from];
      sampleTarget[k] = target[from];
    }
    const tried = alignPoints(sampleSource, sampleTarget);
    if (!tried) continue;
    const middle = median(tried);
    if (middle < bestMedian) {
      best = tried;
      bestMedian = middle;
    }
  }
  if (!best) return undefined;

  // 1.4826 · median estimates one sigma of normal residuals; the floor keeps exact data from rejecting rounding.
  const floor = 1e-12 * extent(target);
  let limit = options.maxDistance ?? Math.max(floor, 3 * 1.4826 * bestMedian);
  const inliers = new Uint8Array(n);
  const huber = new Float64Array(n);
  let inlierCount = 0;
  for (let round = 0; round < 5; round++) {
    alignmentDistances(best, source, target, distances);
    if (options.maxDistance === undefined) limit = Math.max(floor, 3 * 1.4826 * medianOf(distances, sorted));
    inlierCount = 0;
    for (let i = 0; i < n; i++) {
      inliers[i] = distances[i] <= limit ? 1 : 0;
      inlierCount += inliers[i];
      const knee = limit / 2;
      huber[i] = inliers[i] * (weights ? weights[i] : 1) * (distances[i] > knee ? knee / distances[i] : 1);
    }
    const refined: Similarity3 | undefined = inlierCount >= 3 ? alignPoints(source, target, huber) : undefined;
    if (!refined) return undefined;
    best = refined;
  }
  alignmentDistances(best, source, target, distances);
  let sum = 0;
  inlierCount = 0;
  for (let i = 0; i < n; i++) {
    inliers[i] = distances[i] <= limit ? 1 : 0;
    if (!inliers[i]) continue;
    sum += distances[i] ** 2;
    inlierCount++;
  }
  if (inlierCount < 3) return undefined;
  return { similarity: best, inliers, inlierCount, rms: Math.sqrt(sum / inlierCount) };

  function median(similarity: Similarity3): number {
    alignmentDistances(similarity, source, target, distances);
    return medianOf(distances, sorted);
  }
}

/** Distance of each transformed source point from its target. @param out `[n]` */
export function alignmentDistances(
  { scale, rotation: r, translation: t }: Similarity3,
  source: Float64Array,
  target: Float64Array,
  out: Float64Array,
): void {
  for (let i = 0, p = 0; p + 2 < source.length; i++, p += 3) {
    const x = source[p];
    const y = source[p + 1];
    const z = source[p + 2];
    out[i] = Math.hypot(
      scale * (r[0] * x + r[1] * y + r[2] * z) + t[0] - target[p],
      scale * (r[3] * x + r[4] * y + r[5] * z) + t[1] - target[p + 1],
      scale * (r[6] * x + r[7] * y + r[8] * z) + t[2] - target[p + 2],
    );
  }
}

function medianOf(values: Float64Array, scratch: Float64Array): number {
  scratch.set(values);
  scratch.sort();
  return scratch[scratch.length >> 1];
}

/** Largest coordinate, a scale for rounding. */
function extent(points: Float64Array): number {
  let largest = 0;
  for (const value of points) largest = Math.max(largest, Math.abs(value));
  return largest;
}
