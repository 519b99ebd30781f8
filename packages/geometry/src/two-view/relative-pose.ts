/** The relative pose of two calibrated views from matches of which many may be wrong. */
import { type Random, sampleIndices } from "../random.ts";
import { neededIterations, RankedSampler, shuffledIndices } from "../ransac.ts";
import { essentialFromPose, posesFromEssential, sampsonSquare } from "./essential.ts";
import { FivePointSolver } from "./five-point.ts";
import { type Front, judgeFront } from "./front.ts";
import { refineRelativePose } from "./refine.ts";

export type RelativePose = {
  /** `[12]` secondFromFirst, |t| = 1. */
  pose: Float64Array;
  /** `[n]` 1 where the Sampson error is within `maxError`. */
  inliers: Uint8Array;
  inlierCount: number;
  /** Share of the inliers that lie in front of both cameras. About a half when the camera only turned. */
  inFront: number;
  /** Median angle between the two rays of the inliers in front, radians; 0 when there are none. */
  medianAngle: number;
};

export type TwoViewOptions = {
  readonly random: Random;
  /** Largest error of an inlier, normalised: pixels / focal length. */
  readonly maxError: number;
  readonly maxIterations?: number;
  /** Stops once this sure that a better sample would have been drawn. */
  readonly confidence?: number;
  /** All matches, the surest first, where that is known: many wrong matches then cost far less time. */
  readonly ranking?: Int32Array;
};

/** Matches that a refinement inside the loop looks at, and at the end. */
const LOCAL_MATCHES = 150;
const FINAL_MATCHES = 1000;
/** Logarithm of how much likelier a matrix must be hopeless than good to be dropped: one good one of 150 is lost. */
const HOPELESS = 5;

/**
 * @param first, second `[n, 2]` normalised, undistorted; the same index in both is one match
 * @returns undefined when no pose has at least eight inliers
 *
 * Five-point samples, MSAC scores that stop early, each new best refined on its inliers (LO-RANSAC).
 */
export function estimateRelativePose(
  first: Float64Array,
  second: Float64Array,
  options: TwoViewOptions,
): RelativePose | undefined {
  const n = first.length / 2;
  if (second.length !== first.length) throw new RangeError(`${n} rays against ${second.length / 2}`);
  if (n < 8) return undefined;
  const { random, maxError, maxIterations = 2500, confidence = 0.999, ranking } = options;
  if (ranking && ranking.length !== n) throw new RangeError(`${n} matches, ${ranking.length} ranked`);
  const sampler = ranking && new RankedSampler(ranking, 5, maxIterations);
  const fitting = new Uint8Array(n);
  const limit = maxError * maxError;
  const order = shuffledIndices(random, n);
  const solver = new FivePointSolver();
  const sample = new Int32Array(5);
  const essential = new Float64Array(9);
  const chosen = new Int32Array(n);
  const best = new Float64Array(12);
  let bestScore = n * limit;
  let found = false;
  let share = 0;
  let needed = maxIterations;

  /** Refines the pose on its inliers (a fair part of them) and keeps it when it is better than the best. */
  const polish = (pose: Float64Array, most: number, iterations: number): void => {
    essentialFromPose(pose, essential);
    const count = Math.min(most, selectInliers(first, second, essential, order, limit, chosen));
    if (count >= 8)
      refineRelativePose(first, second, pose, { scale: maxError / 2, matches: chosen, count, iterations });
    const score = essentialScore(first, second, essentialFromPose(pose, essential), order, limit, bestScore);
    if (score > bestScore) return;
    bestScore = score;
    best.set(pose);
  };

  for (let iteration = 0; iteration < needed; iteration++) {
    if (sampler) sampler.next(random, sample);
    else sampleIndices(random, n, sample);
    const solutions = solver.solve(first, second, sample);
    for (let s = 0; s < solutions; s++) {
      const candidate = solver.essentials.subarray(s * 9, s * 9 + 9);
      if (isHopeless(first, second, candidate, order, limit, share)) continue;
      const score = essentialScore(first, second, candidate, order, limit, bestScore);
      if (!(score < bestScore)) continue;
      found = true;
      bestScore = score;
      const pose = posesFromEssential(candidate).slice(0, 12); // any of the four: they share E up to sign
      best.set(pose);
      polish(pose, LOCAL_MATCHES, 4);
      const count = selectInliers(first, second, essentialFromPose(best, essential), order, limit, chosen);
      share = count / n;
      needed = Math.min(maxIterations, neededIterations(share, 5, confidence));
      if (!sampler) continue;
      fitting.fill(0);
      for (let k = 0; k < count; k++) fitting[chosen[k]] = 1;
      needed = Math.min(needed, sampler.needed(fitting, confidence));
    }
  }
  if (!found) return undefined;
  for (let round = 0; round < 3; round++) {
    const before = bestScore;
    polish(best.slice(), FINAL_MATCHES, 10);
    if (before - bestScore <= 1e-4 * before) break;
  }
  essentialFromPose(best, essential);
  const inliers = new Uint8Array(n);
  const inlierCount = selectInliers(first, second, essential, order, limit, chosen);
  if (inlierCount < 8) return undefined;
  for (let k = 0; k < inlierCount; k++) inliers[chosen[k]] = 1;

  let front: Front = { pose: best, inFront: -1, medianAngle: 0 };
  const poses = posesFromEssential(essential);
  for (let k = 0; k < 4; k++) {
    const pose = poses.slice(k * 12, k * 12 + 12);
    const judged = judgeFront(first, second, pose, chosen, inlierCount);
    if (judged.inFront > front.inFront) front = judged;
  }
  return { ...front, inliers, inlierCount };
}

/**
 * Wald's sequential test (Matas & Chum, "Randomized RANSAC with Sequential Probability Ratio Test", 2005): looks at
 * matches only until it is clear that far fewer fit than the best pose explains. A good sample's own matrix, before any
 * refinement, explains less than the refined best; so it is held to a half of that, and hopeless is a fifth of the half.
 */
function isHopeless(
  first: Float64Array,
  second: Float64Array,
  e: Float64Array,
  order: Int32Array,
  limit: number,
  bestShare: number,
): boolean {
  const good = 0.5 * bestShare;
  if (good === 0) return false;
  const ifInlier = Math.log(0.2);
  const ifOutlier = Math.log((1 - 0.2 * good) / (1 - good));
  let likelihood = 0;
  for (let k = 0; k < order.length; k++) {
    const i = order[k] * 2;
    const fits = sampsonSquare(e, first[i], first[i + 1], second[i], second[i + 1]) < limit;
    likelihood += fits ? ifInlier : ifOutlier;
    if (likelihood > HOPELESS) return true;
    // As sure of the opposite: the score will say how good it is.
    if (likelihood < -HOPELESS) return false;
  }
  return false;
}

function essentialScore(
  first: Float64Array,
  second: Float64Array,
  e: Float64Array,
  order: Int32Array,
  limit: number,
  stopAt: number,
): number {
  const [e0, e1, e2, e3, e4, e5, e6, e7, e8] = e;
  let score = 0;
  for (let k = 0; k < order.length; k++) {
    const i = order[k] * 2;
    const x = first[i];
    const y = first[i + 1];
    const u = second[i];
    const v = second[i + 1];
    const a = e0 * x + e1 * y + e2;
    const b = e3 * x + e4 * y + e5;
    const d = e0 * u + e3 * v + e6;
    const f = e1 * u + e4 * v + e7;
    const r = u * a + v * b + e6 * x + e7 * y + e8;
    const square = r * r;
    const weight = a * a + b * b + d * d + f * f;
    score += square < limit * weight ? square / weight : limit;
    if (score >= stopAt) return score;
  }
  return score;
}

/** Indices of the inliers, in the shuffled order: any prefix is a fair part of them. */
function selectInliers(
  first: Float64Array,
  second: Float64Array,
  e: Float64Array,
  order: Int32Array,
  limit: number,
  chosen: Int32Array,
): number {
  let count = 0;
  for (let k = 0; k < order.length; k++) {
    const i = order[k] * 2;
    if (sampsonSquare(e, first[i], first[i + 1], second[i], second[i + 1]) < limit) chosen[count++] = order[k];
  }
  return count;
}
