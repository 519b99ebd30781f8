/**
 * The times that ffmpeg is given, in whole milliseconds, which are how a picture is known again when it comes out.
 *
 * Where pictures cannot change their order a time is a count: nothing about a sender's clock can then confuse it. Where
 * they can, ffmpeg wants true times, later for what is shown later; so they follow the units' own, from a base that is
 * moved whenever a clock jumps at a key picture.
 */
import type { BackendUnit } from "./backend.ts";

/** Decoding is said to be this much before showing: more than any B pictures need. FLV has 24 bits for it. */
const DECODE_AHEAD_MS = 3000;
const LARGEST_GAP_MS = 10_000;

export class FfmpegTimes {
  readonly #reorders: boolean;
  readonly #units = new Map<number, BackendUnit>();
  #lastMs = 2 * DECODE_AHEAD_MS;
  #lastDtsMs = 0;
  #shownMs = 0;
  #guessed = false;
  #base: { readonly timeNs: bigint; readonly ms: number } | undefined;

  constructor(reorders: boolean) {
    this.#reorders = reorders;
  }

  /** Units that no picture came of yet. */
  get waiting(): number {
    return this.#units.size;
  }

  add(unit: BackendUnit): { readonly timeMs: number; readonly dtsMs: number } {
    this.#guessed ||= this.#reorders && unit.counted === true;
    let timeMs = this.#lastMs + 1;
    if (this.#reorders) {
      timeMs = this.#trueTime(unit);
      while (this.#units.has(timeMs)) timeMs++;
    }
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    this.#lastDtsMs = this.#reorders ? Math.max(this.#lastDtsMs, timeMs - DECODE_AHEAD_MS) : timeMs;
    this.#units.set(timeMs, unit);
    return { timeMs, dtsMs: Math.min(this.#lastDtsMs, timeMs) };
  }

  /**
   * The unit that a picture was made of; units long before it will have none. A sender that gives B pictures the times
   * of their coming makes ffmpeg guess: then the picture shown next has the earliest of the times that wait.
   */
  take(timeMs: number): BackendUnit | undefined {
    this.#guessed ||= this.#reorders && (timeMs < this.#shownMs || !this.#units.has(timeMs));
    const key = this.#guessed ? Math.min(...this.#units.keys()) : timeMs;
    const unit = this.#units.get(key);
    if (!unit) return undefined;
    this.#shownMs = key;
    this.#units.delete(key);
    const tooOld = unit.number - (this.#reorders ? 32 : 0);
    for (const [other, { number }] of this.#units) if (number < tooOld) this.#units.delete(other);
    return unit;
  }

  /** ffmpeg said that a unit gave no picture: the oldest, or it will show. */
  giveUpOldest(): void {
    for (const [timeMs] of this.#units) {
      this.#units.delete(timeMs);
      return;
    }
  }

  #trueTime(unit: BackendUnit): number {
    const sinceBase = this.#base ? Number(unit.timeNs - this.#base.timeNs) / 1e6 + this.#base.ms : Number.NaN;
    const jumped = !(Math.abs(sinceBase - this.#lastMs) < LARGEST_GAP_MS);
    if (!jumped) return Math.round(sinceBase);
    this.#base = { timeNs: unit.timeNs, ms: this.#lastMs + 40 };
    return this.#base.ms;
  }
}
