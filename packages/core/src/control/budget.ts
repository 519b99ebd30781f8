/** So many a second on average, and a burst on top, by a steady clock. */
import type { ControlClock } from "./control-clock.ts";

export class Budget {
  readonly #clock: Pick<ControlClock, "steadyNs">;
  readonly #perS: number;
  readonly #burst: number;
  #left: number;
  #atNs: bigint;

  constructor(clock: Pick<ControlClock, "steadyNs">, perS: number, burst: number) {
    this.#clock = clock;
    this.#perS = perS;
    this.#burst = burst;
    this.#left = burst;
    this.#atNs = clock.steadyNs();
  }

  /** False when there is none left. */
  take(): boolean {
    const nowNs = this.#clock.steadyNs();
    this.#left = Math.min(this.#burst, this.#left + (Number(nowNs - this.#atNs) / 1e9) * this.#perS);
    this.#atNs = nowNs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
