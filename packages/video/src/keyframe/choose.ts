/**
 * Which pictures of a video are worth reconstructing: sharp ones that see enough of what the last one saw, from
 * elsewhere. Decided by what is seen, never by a clock; the clock only bounds the rate.
 *
 * Corners of the last keyframe are followed from picture to picture. The further they have moved (parallax) and the
 * fewer are left (overlap), the more a new keyframe is due. From where one is worth having to where one must be had,
 * the sharpest picture is looked for; so a choice comes a few pictures late.
 */
import type { GrayPicture } from "../decode/frame.ts";
import { sharpnessOf } from "./sharpness.ts";
import { cornersOf, type Pyramid, pyramidOf, track } from "./track.ts";

export type KeyframeOptions = {
  /** How far what is seen has moved, in parts of the picture's width: a keyframe is due. */
  readonly dueShift?: number;
  /** The part of the corners that is still seen: with fewer a keyframe is due. */
  readonly dueOverlap?: number;
  /** How far the camera has moved by its prior, in parts of the distance to what it sees: a keyframe is due. */
  readonly dueBaseline?: number;
  /** Not more often than this, whatever happens. */
  readonly minIntervalMs?: number;
  /** At least this often, if the camera moves at all. */
  readonly maxIntervalMs?: number;
};

/** What another sensor or the model itself knows; in any frame and unit that stay the same. */
export type PosePrior = {
  readonly position: readonly [number, number, number];
  /** To what the camera sees, in the unit of `position`. */
  readonly sceneDistance: number;
};

export type Offered = {
  /** At most about 320 pixels a side: `grayOf(frame, 320)`. */
  readonly gray: GrayPicture;
  readonly timeNs: bigint;
  /** Pictures that are not are never chosen, nor followed through. */
  readonly trusted: boolean;
  readonly prior?: PosePrior;
};

export type Keyframe<T> = {
  readonly item: T;
  readonly timeNs: bigint;
  /** 0: nothing was due, it is the first, or the longest interval is over; 1: just due; more: late. */
  readonly due: number;
  /** Relative to the pictures around it; 1 is the median. */
  readonly sharpness: number;
  /** Of the corners of the keyframe before. */
  readonly overlap: number;
  /** Median, in parts of the width. */
  readonly shift: number;
};

/** From this much of `due` on the sharpest picture is looked for, until `due` is 1. */
const LOOK_FROM = 0.7;
/** A picture less sharp than this part of the median of those around it waits for a better one … */
const SHARP_ENOUGH = 0.7;
/** … until it is this late. */
const TOO_LATE = 1.6;
/** So little shift is a camera that stands still: hands tremble. */
const STILL = 0.015;
const RECENT = 45;
const FEWEST_CORNERS = 12;
/** Whatever is demanded: with fewer corners than this part the next keyframe may not be placed any more. */
const LEAST_OVERLAP = 0.4;
/** … nor when what is seen has moved further, in parts of the width. */
const MOST_SHIFT = 0.14;

type Candidate<T> = Keyframe<T> & {
  readonly pyramid: Pyramid;
  readonly prior: PosePrior | undefined;
  /** Not relative: what is usual changes while a candidate waits. */
  readonly laplacian: number;
};

export class KeyframeChooser<T> {
  readonly #options: Required<KeyframeOptions>;
  #last: { readonly timeNs: bigint; readonly corners: Float32Array; readonly prior: PosePrior | undefined } | undefined;
  /** Of `#last.corners`, in the picture `#before`. */
  #points = new Float32Array();
  #before: Pyramid | undefined;
  #best: Candidate<T> | undefined;
  #recent: number[] = [];
  #demand = 1;

  constructor(options: KeyframeOptions = {}) {
    this.#options = {
      dueShift: 0.1,
      dueOverlap: 0.65,
      dueBaseline: 0.12,
      minIntervalMs: 150,
      maxIntervalMs: 4000,
      ...options,
    };
  }

  /**
   * How much more than usual a keyframe must show, 1 or more: for whoever takes them and falls behind. They come as far
   * apart as they can still be placed.
   */
  demand(factor: number): void {
    this.#demand = Math.max(1, factor);
  }

  /**
   * Takes the next picture in the order of showing. One of another size begins anew.
   * @param item whatever belongs to it; it is kept while it may be chosen, which at most one is
   * @returns the keyframe that is now certain, an earlier picture or this one, or none
   */
  offer(offered: Offered, item: T): Keyframe<T> | undefined {
    if (!offered.trusted) return undefined;
    const before = (this.#before ?? this.#best?.pyramid)?.[0];
    const { width, height } = offered.gray;
    const left = before && (before.width !== width || before.height !== height) ? this.#restart() : undefined;
    const pyramid = pyramidOf(offered.gray);
    const laplacian = sharpnessOf(offered.gray);
    const sharpness = this.#relative(laplacian);
    const last = this.#last;
    if (!last) {
      // The first ones of a video are often blurred: the first sharp one, when there is something to compare with.
      const first = this.#candidate(offered, item, pyramid, { due: 0, overlap: 1, shift: 0, sharpness }, laplacian);
      this.#prefer(first);
      if (this.#recent.length < 5) return left;
      return this.#choose(pyramid);
    }
    track(this.#before!, pyramid, this.#points);
    this.#before = pyramid;
    const seen = this.#seen(offered);
    // Of a clock that was set back nobody knows how long ago the last keyframe was: the interval begins anew.
    const sinceNs = offered.timeNs < last.timeNs ? offered.timeNs : last.timeNs;
    this.#last = { ...last, timeNs: sinceNs };
    const intervalMs = Number(offered.timeNs - sinceNs) / 1e6;
    if (intervalMs < this.#options.minIntervalMs) return undefined;
    const overdue = intervalMs >= this.#options.maxIntervalMs * this.#demand && seen.shift > STILL;
    if (seen.due >= LOOK_FROM || overdue) {
      const candidate = this.#candidate(offered, item, pyramid, { ...seen, sharpness }, laplacian);
      this.#prefer(candidate);
    }
    if (!this.#best || !(seen.due >= 1 || overdue)) return undefined;
    if (this.#best.sharpness < SHARP_ENOUGH && seen.due < TOO_LATE) return undefined;
    return this.#choose(pyramid);
  }

  /** At the end: the picture that was looked at last, if one was nearly due. */
  flush(): Keyframe<T> | undefined {
    const best = this.#best;
    this.#best = undefined;
    if (!best) return undefined;
    const { pyramid: _pyramid, prior: _prior, laplacian: _laplacian, ...keyframe } = best;
    return keyframe;
  }

  #restart(): Keyframe<T> | undefined {
    const left = this.flush();
    this.#last = undefined;
    this.#before = undefined;
    this.#recent = [];
    return left;
  }

  #prefer(candidate: Candidate<T>): void {
    if (!this.#best || candidate.laplacian > this.#best.laplacian) this.#best = candidate;
  }

  #candidate(
    offered: Offered,
    item: T,
    pyramid: Pyramid,
    seen: Pick<Keyframe<T>, "due" | "overlap" | "shift" | "sharpness">,
    laplacian: number,
  ): Candidate<T> {
    return { item, timeNs: offered.timeNs, ...seen, laplacian, pyramid, prior: offered.prior };
  }

  #choose(now: Pyramid): Keyframe<T> {
    const { pyramid, prior, laplacian: _, ...keyframe } = this.#best!;
    this.#best = undefined;
    const corners = cornersOf(pyramid[0]!);
    this.#last = { timeNs: keyframe.timeNs, corners, prior };
    this.#points = corners.slice();
    if (pyramid !== now) track(pyramid, now, this.#points);
    this.#before = now;
    return keyframe;
  }

  #seen({ gray, prior }: Offered): { due: number; overlap: number; shift: number } {
    const { corners, prior: priorThen } = this.#last!;
    const shifts: number[] = [];
    for (let i = 0; i < corners.length; i += 2) {
      const [x, y] = [this.#points[i]!, this.#points[i + 1]!];
      if (!Number.isNaN(x)) shifts.push(Math.hypot(x - corners[i]!, y - corners[i + 1]!));
    }
    const total = corners.length / 2;
    // With hardly a corner (a white wall) nothing can be said; the longest interval decides.
    const overlap = total < FEWEST_CORNERS ? 1 : shifts.length / total;
    const shift = total < FEWEST_CORNERS ? 2 * STILL : median(shifts) / gray.width;
    const { dueShift, dueOverlap, dueBaseline } = this.#options;
    const dueLoss = Math.max(1 - dueOverlap, Math.min((1 - dueOverlap) * this.#demand, 1 - LEAST_OVERLAP));
    const dueMove = Math.max(dueShift, Math.min(dueShift * this.#demand, MOST_SHIFT));
    let due = Math.max(shift / dueMove, (1 - overlap) / dueLoss);
    if (prior && priorThen) {
      const [a, b] = [prior.position, priorThen.position];
      const baseline = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) / prior.sceneDistance;
      if (Number.isFinite(baseline)) due = Math.max(due, baseline / (dueBaseline * this.#demand));
    }
    return { due, overlap, shift };
  }

  #relative(sharpness: number): number {
    this.#recent.push(sharpness);
    if (this.#recent.length > RECENT) this.#recent.shift();
    const usual = median(this.#recent);
    return usual > 0 ? sharpness / usual : 1;
  }
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
