/** Which of a planar pair's two poses is right, told by a third view: only the right one's points fit a camera there. */
import { estimateAbsolutePose } from "../absolute-pose/estimate.ts";
import type { Random } from "../random.ts";
import { evidence, type PoseCandidate } from "./classify.ts";
import { type Sight, sight } from "./front.ts";

export type ThirdViewChoice = {
  /** Of the candidate that fits best; 0 when nothing speaks for another. */
  readonly index: number;
  /** By how many standard deviations it explains the third view better than the next; above 3 is sure. */
  readonly evidence: number;
};

/**
 * @param candidates of the first two views, best first
 * @param first, second, third `[n, 2]` normalised: the same point in all three views
 * @param options.maxError normalised, as of the pair
 */
export function chooseByThirdView(
  candidates: readonly PoseCandidate[],
  first: Float64Array,
  second: Float64Array,
  third: Float64Array,
  options: { readonly random: Random; readonly maxError: number },
): ThirdViewChoice {
  if (second.length !== first.length || third.length !== first.length) {
    throw new RangeError(`${first.length / 2}, ${second.length / 2} and ${third.length / 2} rays`);
  }
  const errors = candidates.map(({ pose }) => thirdErrors(pose, first, second, third, options));
  const score = (of: Float64Array) => of.reduce((total, value) => total + value, 0);
  const ranked = errors.map((each, index) => ({ each, index })).sort((p, q) => score(p.each) - score(q.each));
  if (ranked.length < 2) return { index: 0, evidence: Infinity };
  const [best, next] = ranked;
  return { index: best.index, evidence: evidence(best.each, next.each) };
}

/** Squared errors in the third view, at most the limit, of the pair's points, its camera posed by them. */
function thirdErrors(
  pose: Float64Array,
  first: Float64Array,
  second: Float64Array,
  third: Float64Array,
  { random, maxError }: { readonly random: Random; readonly maxError: number },
): Float64Array {
  const n = first.length / 2;
  const limit = maxError * maxError;
  const errors = new Float64Array(n).fill(limit);
  const seen: Sight = { depth: 0, angle: 0 };
  const matches: number[] = [];
  const points: number[] = [];
  for (let k = 0, i = 0; k < n; k++, i += 2) {
    if (!sight(pose, first[i], first[i + 1], second[i], second[i + 1], seen)) continue;
    matches.push(k);
    points.push(first[i] * seen.depth, first[i + 1] * seen.depth, seen.depth);
  }
  const rays = Float64Array.from(matches.flatMap((k) => [third[2 * k], third[2 * k + 1]]));
  const found = estimateAbsolutePose(Float64Array.from(points), rays, { random, maxError });
  if (!found) return errors;
  const p = found.pose;
  for (const [at, k] of matches.entries()) {
    const [x, y, z] = points.slice(at * 3, at * 3 + 3);
    const depth = p[8] * x + p[9] * y + p[10] * z + p[11];
    if (!(depth > 0)) continue;
    const du = (p[0] * x + p[1] * y + p[2] * z + p[3]) / depth - third[2 * k];
    const dv = (p[4] * x + p[5] * y + p[6] * z + p[7]) / depth - third[2 * k + 1];
    errors[k] = Math.min(limit, du * du + dv * dv);
  }
  return errors;
}
