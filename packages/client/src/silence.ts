/** Notices a line that is dead though nobody closed it: asks for a sign of life, and gives it up when none comes. */
import { unref } from "./unref.ts";

const SILENCE_MS = 25_000;

export class Silence {
  readonly #silenceMs: number;
  readonly #ask: () => void;
  readonly #giveUp: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param silenceMs without any message: then `ask` is called, and `giveUp` half of it later
   */
  constructor(silenceMs: number = SILENCE_MS, { ask, giveUp }: { ask: () => void; giveUp: () => void }) {
    this.#silenceMs = silenceMs;
    this.#ask = ask;
    this.#giveUp = giveUp;
  }

  /** The line begins, or something was heard on it: any message is a sign of life. */
  heard(): void {
    this.stop();
    this.#after(this.#silenceMs, () => {
      this.#after(this.#silenceMs / 2, this.#giveUp);
      this.#ask();
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #after(delayMs: number, work: () => void): void {
    this.#timer = setTimeout(work, delayMs);
    unref(this.#timer);
  }
}
