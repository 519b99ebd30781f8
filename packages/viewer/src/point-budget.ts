/** How many points are drawn: as many as the machine draws in time. Only frames that follow one another count. */

const FAST_MS = 15;
const SLOW_MS = 30;
/** Frames before a verdict: one slow frame is a garbage collection, not a slow GPU. */
const PATIENCE = 8;

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
    // Longer than that is a tab that slept.
    if (elapsedMs > 1000) return false;
    this.#averageMs = this.#frames === 0 ? elapsedMs : this.#averageMs * 0.8 + Math.min(elapsedMs, 2 * SLOW_MS) * 0.2;
    if (++this.#frames < PATIENCE) return false;
    const before = this.#points;
    if (this.#averageMs > SLOW_MS) this.#points = Math.max(this.#least, Math.round(before * 0.75));
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
