/**
 * How many points are drawn: as many as the machine draws in time. Only frames that follow one another count. A view
 * that stands still may have more, step by step, until a picture takes long; as soon as it moves they are given up.
 */

const FAST_MS = 15;
const SLOW_MS = 30;
/** A frame that took longer counts as so long: one of them is a tab that slept or a garbage collection. */
const MOST_MS = 60;
/** Frames before a verdict, and before one on a machine that is far too slow. */
const PATIENCE = 8;
const LITTLE_PATIENCE = 3;
const FAR_TOO_SLOW_MS = 50;
/** A picture of a still view may take so long: whoever takes hold of it then waits for one at most. */
const STILL_MS = 1000;
const STILL_STEP = 1_000_000;
/** Fewer than these, or than it starts with, it never draws. */
const LEAST = 100_000;
/** A step that adds less than this part is not worth a picture. */
const LEAST_STEP = 0.1;

export class PointBudget {
  readonly #least: number;
  readonly #most: number;
  readonly #stillMs: number;
  #points: number;
  /** While the view stands still and has more. */
  #still: number | undefined;
  #averageMs = 0;
  #frames = 0;

  /** @param stillMs what a picture of a still view may take */
  constructor(start: number, most: number, stillMs = STILL_MS) {
    this.#points = start;
    this.#most = Math.max(most, start);
    this.#least = Math.min(LEAST, start);
    this.#stillMs = stillMs;
  }

  get points(): number {
    return this.#still ?? this.#points;
  }

  get full(): boolean {
    return this.points >= this.#most;
  }

  /** @param short the points wanted are more than the budget @returns whether the budget changed */
  frame(elapsedMs: number, short: boolean): boolean {
    if (this.#still !== undefined) return false;
    const ms = Math.min(elapsedMs, MOST_MS);
    this.#averageMs = this.#frames === 0 ? ms : this.#averageMs * 0.8 + ms * 0.2;
    const farTooSlow = this.#averageMs > FAR_TOO_SLOW_MS;
    if (++this.#frames < (farTooSlow ? LITTLE_PATIENCE : PATIENCE)) return false;
    const before = this.#points;
    if (this.#averageMs > SLOW_MS) this.#points = Math.max(this.#least, Math.round(before * (farTooSlow ? 0.5 : 0.75)));
    else if (this.#averageMs < FAST_MS && short) this.#points = Math.min(this.#most, Math.round(before * 1.15));
    if (this.#points === before) return false;
    this.#frames = 0;
    return true;
  }

  /**
   * More for a view that stands still and shows all it was given.
   * @param costMs what its picture took @returns whether another one is due
   */
  refine(costMs: number): boolean {
    const now = this.points;
    // What a point costs is taken as even: a picture of few is mostly its pixels, so steps are short of what is possible.
    const affordable = now * (this.#stillMs / Math.max(1, costMs));
    const next = Math.floor(Math.min(this.#most, now + STILL_STEP, now * 2, affordable));
    if (next < now * (1 + LEAST_STEP) && next < this.#most) return false;
    if (next <= now) return false;
    this.#still = next;
    return true;
  }

  /** The view moves: back to what can be drawn in time. */
  move(): void {
    this.#still = undefined;
  }

  /** The next frame follows no other. */
  rest(): void {
    this.#frames = 0;
  }
}
