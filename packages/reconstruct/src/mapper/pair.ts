/**
 * Two photos that see the same thing: their matches, checked by two-view geometry, and what kind of pair they are.
 * The signals and limits were measured on real and synthetic pairs; they separate cleanly:
 *
 * | pair              | inliers of matches | homography / essential | median angle |
 * | ----------------- | ------------------ | ---------------------- | ------------ |
 * | no overlap        | < 25 or < 30 %     | –                      | –            |
 * | turned on the spot| ~100 %             | 1.00                   | 0.01°        |
 * | flat scene        | ~100 %             | 0.99–1.00              | > 2°         |
 * | general           | 80–97 %            | ~0.5                   | > 2°         |
 */
import type { TwoViewKind } from "@cairn/geometry";
import type { Scene } from "./scene.ts";
import { answerTwoView, MIN_INLIERS, type TwoViewAnswer, type TwoViewQuestion } from "./two-view.ts";

export type Pair = {
  /** Views, `a < b`. */
  readonly a: number;
  readonly b: number;
  /** `[m, 2]` features of a and b that look alike, before any geometry. */
  readonly matches: Int32Array;
  /** `[k, 2]` those that agree with the two-view geometry. */
  readonly kept: Int32Array;
  /** `[12]` bFromA, |t| = 1; t = 0 of a rotation. */
  readonly pose: Float64Array;
  /** Median angle between the two rays of a point. */
  readonly angleRad: number;
  readonly kind: Exclude<TwoViewKind, "none">;
  /** Decoded focal lengths under which it was checked. */
  readonly focals: readonly [number, number];
  /** How far from its epipolar line a match could lie to be kept, decoded pixels. */
  readonly errorPx: number;
  /** Whether another reading of it was sought (`second-reading.ts`). */
  readonly readTwice?: boolean;
};

/** Packs a pair and a seed into one number, so that each pair draws its own, order-free randomness. */
export function pairSeed(seed: number, a: number, b: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(a + 1, 0xc2b2ae35) ^ Math.imul(b + 1, 0x27d4eb2f)) >>> 0;
}

/** Matches of two photos, that of the earlier one first, and how far from its epipolar line each may lie. */
export type Matched = Pick<Pair, "a" | "b" | "matches" | "errorPx">;

/** @returns undefined when geometry does not bear the matches out */
export function verifyPair(
  scene: Scene,
  a: number,
  b: number,
  matches: Int32Array,
  errorPx: number,
  seed: number,
): Pair | undefined {
  const matched = { a, b, matches, errorPx };
  const question = questionOf(scene, matched, seed);
  return question && pairOf(scene, matched, answerTwoView(question));
}

/** What is to be asked under the lenses as they are now; nothing where matches are too few. */
export function questionOf(
  scene: Scene,
  { a, b, matches, errorPx }: Matched,
  seed: number,
): TwoViewQuestion | undefined {
  if (matches.length / 2 < MIN_INLIERS) return undefined;
  const [first, second] = matchedRays(scene.rays(a), scene.rays(b), matches);
  const maxError = (2 * errorPx) / (scene.focal(a) + scene.focal(b));
  return { first, second, maxError, seed: pairSeed(seed, a, b) };
}

/** @param scene with the lenses under which it was asked */
export function pairOf(scene: Scene, matched: Matched, answer: TwoViewAnswer | undefined): Pair | undefined {
  if (!answer) return undefined;
  const { a, b, matches } = matched;
  const { kind, pose, inliers, inlierCount, angleRad } = answer;
  const kept = new Int32Array(inlierCount * 2);
  for (let i = 0, k = 0; i < inliers.length; i++) {
    if (!inliers[i]) continue;
    kept[k++] = matches[2 * i];
    kept[k++] = matches[2 * i + 1];
  }
  return { ...matched, kept, pose, angleRad, kind, focals: [scene.focal(a), scene.focal(b)] };
}

/** The rays of both sides of each match, `[m, 2]` each. */
export function matchedRays(
  raysA: Float64Array,
  raysB: Float64Array,
  matches: Int32Array,
): [first: Float64Array, second: Float64Array] {
  const first = new Float64Array(matches.length);
  const second = new Float64Array(matches.length);
  for (let k = 0; k < matches.length; k += 2) {
    first[k] = raysA[2 * matches[k]];
    first[k + 1] = raysA[2 * matches[k] + 1];
    second[k] = raysB[2 * matches[k + 1]];
    second[k + 1] = raysB[2 * matches[k + 1] + 1];
  }
  return [first, second];
}

/** How much a pair can carry the start of a model. */
export function startScore(pair: Pair): number {
  if (pair.kind === "rotation") return 0;
  const wide = Math.min(1, pair.angleRad / ((8 * Math.PI) / 180));
  // A flat pair leaves its focal length and its tilt open to each other; better begin elsewhere.
  return (pair.kept.length / 2) * wide * (pair.kind === "planar" ? 0.3 : 1);
}
