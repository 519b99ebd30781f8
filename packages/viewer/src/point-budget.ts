/** How many points are drawn: as many as the machine draws in time. Only frames that follow one another count. */

const FAST_MS = 15;
const SLOW_MS = 30;
/** A frame that took longer counts as so long: one of them is a tab that slept or a garbage collection. */
const MOST_MS = 60;
/** Frames before a verdict, and before one on a machine that is far too slow. */
const PATIENCE = 8;
const LITTLE_PATIENCE = 3;
const FAR_TOO_SLOW_MS = 50;

export class PointBudget {
  readonly #least: number;
  readonly #most: number;
  #points: number;
  #averageMs = 0;
  #frames = 0;

  constructor(start: number, most: number, least = Math.min(100_000, start)) {
    this.#points = start;
    this.#most = Math.max(most, start);
    this.#least = least;
  }

  get points(): number {
    return this.#points;
  }

  /** @param short the points wanted are more than the budget @returns whether the budget changed */
  frame(elapsedMs: number, short: boolean): boolean {
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

  /** The next frame follows no other. */
  rest(): void {
    this.#frames = 0;
  }
}
