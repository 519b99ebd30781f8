/**
 * The focal length when nobody tells it. Wrong by a third, a scene can come out wrong with sub-pixel errors and nothing
 * to show for it; so before anything is built, two-view geometry is asked: under the right focal length most matches
 * of the strongest pairs lie closely on their epipolar lines. On real photos one pair is mostly enough to tell focal
 * lengths 15 % apart. Bundle adjustment makes the estimate precise later.
 */
import { estimateRelativePose, seededRandom } from "@cairn/geometry";
import { type Lens, TYPICAL_FOCAL } from "./lens.ts";
import { type Pair, pairSeed } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** Tried focal lengths as parts of the long side: evenly spaced in the logarithm. */
const FOCAL_STEPS = [0.5, 0.58, 0.68, 0.79, 0.92, 1.07, 1.25, 1.46, 1.7, 1.98] as const;
const TIGHT_ERROR_PX = 0.7;
const STRONGEST = 6;
const MIN_MATCHES = 60;
const MAX_MATCHES = 500;
/** A factor of e^0.45 from the typical lens costs one sigma: enough to settle what the photos leave open. */
const PRIOR_SIGMA = 0.45;
/** Matches of one pair share their errors: what the inlier counts say is weaker than if they were independent. */
const TEMPER = 0.15;
/** Focal lengths this much less likely than the best are ruled out. */
const RULED_OUT = 4;

export type FocalVote = {
  /** Most likely focal length as a part of the long side. */
  readonly part: number;
  /** Range of those that are not ruled out. */
  readonly low: number;
  readonly high: number;
};

/** Asks the strongest pairs of a lens; undefined when it has none. Other lenses of these pairs are taken as they are. */
export function voteFocal(
  scene: Scene,
  pairs: readonly Pair[],
  lens: number,
  { longSidePx }: Pick<Lens, "longSidePx">,
  seed: number,
): FocalVote | undefined {
  const { views } = scene;
  const strongest = pairs
    .filter((pair) => (views[pair.a].lens === lens || views[pair.b].lens === lens) && pair.kind !== "rotation")
    .filter((pair) => pair.kept.length / 2 >= MIN_MATCHES)
    .sort((p, q) => weight(q) - weight(p) || p.a - q.a || p.b - q.b)
    .slice(0, STRONGEST);
  if (strongest.length === 0) return undefined;
  const scores = FOCAL_STEPS.map((part) => {
    let score = -0.5 * (Math.log(part / TYPICAL_FOCAL) / PRIOR_SIGMA) ** 2;
    for (const pair of strongest) score += TEMPER * tightInliers(scene, pair, lens, part * longSidePx, seed);
    return score;
  });
  const best = scores.indexOf(Math.max(...scores));
  const open = FOCAL_STEPS.filter((_, i) => scores[i] > scores[best] - RULED_OUT);
  const half = Math.sqrt(FOCAL_STEPS[1] / FOCAL_STEPS[0]);
  return { part: peak(scores, best), low: open[0] / half, high: open[open.length - 1] * half };
}

const weight = (pair: Pair) => pair.kept.length * (pair.kind === "planar" ? 0.3 : 1) * Math.min(1, pair.angleRad / 0.1);

function tightInliers(scene: Scene, pair: Pair, lens: number, focalPx: number, seed: number): number {
  const step = Math.max(1, Math.ceil(pair.matches.length / 2 / MAX_MATCHES));
  const n = Math.floor(pair.matches.length / 2 / step);
  const side = (view: number, which: 0 | 1) => {
    const { pixels, lens: own } = scene.views[view];
    const from = own === lens ? pixels : scene.rays(view);
    const scale = own === lens ? 1 / focalPx : 1;
    const rays = new Float64Array(n * 2);
    for (let k = 0; k < n; k++) {
      const feature = pair.matches[2 * k * step + which];
      rays[2 * k] = from[2 * feature] * scale;
      rays[2 * k + 1] = from[2 * feature + 1] * scale;
    }
    return rays;
  };
  const random = seededRandom(pairSeed(seed, pair.a, pair.b));
  const found = estimateRelativePose(side(pair.a, 0), side(pair.b, 1), { random, maxError: TIGHT_ERROR_PX / focalPx });
  return found ? found.inlierCount * step : 0;
}

/** Top of the parabola through the best step and its neighbours, in the logarithm; at most half a step away. */
function peak(scores: readonly number[], best: number): number {
  const ratio = Math.log(FOCAL_STEPS[1] / FOCAL_STEPS[0]);
  const [before, top, after] = [scores[best - 1], scores[best], scores[best + 1]];
  if (before === undefined || after === undefined) return FOCAL_STEPS[best];
  const bend = before - 2 * top + after;
  const shift = bend < 0 ? (before - after) / (2 * bend) : 0;
  return FOCAL_STEPS[best] * Math.exp(ratio * Math.min(0.5, Math.max(-0.5, shift)));
}
