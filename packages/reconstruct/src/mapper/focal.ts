/**
 * The focal length when nobody tells it. Wrong by a third, a scene can come out wrong with sub-pixel errors and nothing
 * to show for it; so before anything is built, two-view geometry is asked: under the right focal length most matches
 * of the strongest pairs lie closely on their epipolar lines. On real photos one pair is mostly enough to tell focal
 * lengths 15 % apart. Bundle adjustment makes the estimate precise later.
 */
import { estimateRelativePose, neededIterations, seededRandom } from "@cairn/geometry";
import { type Lens, TYPICAL_FOCAL } from "./lens.ts";
import { type Pair, pairSeed } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** Tried focal lengths as parts of the long side: evenly spaced in the logarithm. */
const FOCAL_STEPS = [0.5, 0.58, 0.68, 0.79, 0.92, 1.07, 1.25, 1.46, 1.7, 1.98] as const;
/** The likely ones first: how much must be explained is then soon known. */
const FROM_TYPICAL = [...FOCAL_STEPS.keys()].sort((p, q) => fromTypical(p) - fromTypical(q));
const CONFIDENCE = 0.999;
/** Where fewer than 37 % are tightly explained a pair tells no focal length from another. */
const MOST_ITERATIONS = 1000;
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
  /** Range of those that are not ruled out: from 0, or without an end, where the shortest or longest tried is not. */
  readonly low: number;
  readonly high: number;
};

/**
 * Asks pairs for focal lengths. What two photos of one lens say depends on nothing but their matches: it is kept, for
 * the strongest pairs of a scene that grows are mostly those of the last time.
 */
export class FocalVotes {
  readonly #seed: number;
  /** Per matches of two photos of one lens, that lens and what each step got. */
  readonly #said = new WeakMap<Int32Array, { readonly lens: number; readonly counts: Float64Array }>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Asks the strongest pairs of a lens; undefined when it has none. Other lenses of these pairs are taken as they are. */
  of(
    scene: Scene,
    pairs: readonly Pair[],
    lens: number,
    { longSidePx }: Pick<Lens, "longSidePx">,
  ): FocalVote | undefined {
    const { views } = scene;
    const strongest = pairs
      .filter((pair) => (views[pair.a].lens === lens || views[pair.b].lens === lens) && pair.kind !== "rotation")
      .filter((pair) => pair.kept.length / 2 >= MIN_MATCHES)
      .sort((p, q) => weight(q) - weight(p) || p.a - q.a || p.b - q.b)
      .slice(0, STRONGEST);
    if (strongest.length === 0) return undefined;
    const scores = FOCAL_STEPS.map((part) => -0.5 * (Math.log(part / TYPICAL_FOCAL) / PRIOR_SIGMA) ** 2);
    for (const pair of strongest) {
      const counts = this.#ask(scene, pair, lens, longSidePx);
      for (const [step, count] of counts.entries()) scores[step] += TEMPER * count;
    }
    const best = scores.indexOf(Math.max(...scores));
    const open = FOCAL_STEPS.filter((_, i) => scores[i] > scores[best] - RULED_OUT);
    const half = Math.sqrt(FOCAL_STEPS[1] / FOCAL_STEPS[0]);
    const [shortest, longest] = [open[0], open[open.length - 1]];
    return {
      part: peak(scores, best),
      low: shortest === FOCAL_STEPS[0] ? 0 : shortest / half,
      high: longest === FOCAL_STEPS[FOCAL_STEPS.length - 1] ? Number.POSITIVE_INFINITY : longest * half,
    };
  }

  /** @returns per step, the matches that are tightly explained */
  #ask(scene: Scene, pair: Pair, lens: number, longSidePx: number): Float64Array {
    const kept = this.#said.get(pair.matches);
    if (kept?.lens === lens) return kept.counts;
    const counts = tightInliers(scene, pair, lens, longSidePx, this.#seed);
    const { views } = scene;
    if (views[pair.a].lens === lens && views[pair.b].lens === lens) this.#said.set(pair.matches, { lens, counts });
    return counts;
  }
}

function fromTypical(step: number): number {
  return Math.abs(Math.log(FOCAL_STEPS[step] / TYPICAL_FOCAL));
}

const weight = (pair: Pair) => pair.kept.length * (pair.kind === "planar" ? 0.3 : 1) * Math.min(1, pair.angleRad / 0.1);

/**
 * A focal length that explains less than the best is soon said to: samples are drawn until one that explains as much
 * would have been found; the wrong ones, under which few matches fit, took nine tenths of the time.
 */
function tightInliers(scene: Scene, pair: Pair, lens: number, longSidePx: number, seed: number): Float64Array {
  const step = Math.max(1, Math.ceil(pair.matches.length / 2 / MAX_MATCHES));
  const n = Math.floor(pair.matches.length / 2 / step);
  const side = (view: number, which: 0 | 1, focalPx: number) => {
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
  const counts = new Float64Array(FOCAL_STEPS.length);
  let most = 0;
  for (const at of FROM_TYPICAL) {
    const focalPx = FOCAL_STEPS[at] * longSidePx;
    const random = seededRandom(pairSeed(seed, pair.a, pair.b));
    const maxIterations = Math.min(MOST_ITERATIONS, neededIterations(most / n, 5, CONFIDENCE));
    const found = estimateRelativePose(side(pair.a, 0, focalPx), side(pair.b, 1, focalPx), {
      random,
      maxError: TIGHT_ERROR_PX / focalPx,
      maxIterations,
      confidence: CONFIDENCE,
    });
    if (!found) continue;
    most = Math.max(most, found.inlierCount);
    counts[at] = found.inlierCount * step;
  }
  return counts;
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
