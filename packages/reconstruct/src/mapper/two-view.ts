/**
 * What two-view geometry is asked about a pair of photos, and what it answers: plain data, so that any thread can do it.
 * Each pair draws its own randomness, so that neither thread nor order changes an answer.
 */
import { classifyTwoView, seededRandom, type TwoViewKind } from "@cairn/geometry";

export type TwoViewQuestion = {
  /** `[m, 2]` normalised rays of the matches, the same index in both is one match. */
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** How far from its epipolar line a match may lie, normalised. */
  readonly maxError: number;
  readonly seed: number;
};

export type TwoViewAnswer = {
  readonly kind: Exclude<TwoViewKind, "none">;
  /** `[12]` bFromA, |t| = 1; t = 0 of a rotation. */
  readonly pose: Float64Array;
  /** `[m]` 1 where a match agrees. */
  readonly inliers: Uint8Array;
  readonly inlierCount: number;
  /** Median angle between the two rays of a point. */
  readonly angleRad: number;
};

export const MIN_INLIERS = 25;
const MIN_INLIER_SHARE = 0.3;

/** @returns undefined when geometry does not bear the matches out */
export function answerTwoView({ first, second, maxError, seed }: TwoViewQuestion): TwoViewAnswer | undefined {
  const limits = { minInliers: MIN_INLIERS, minInlierShare: MIN_INLIER_SHARE };
  const { kind, candidates } = classifyTwoView(first, second, { random: seededRandom(seed), maxError, ...limits });
  if (kind === "none") return undefined;
  const { pose, inliers, inlierCount, medianAngle: angleRad } = candidates[0];
  return { kind, pose, inliers, inlierCount, angleRad };
}
