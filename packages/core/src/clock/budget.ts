/** So many a second on average, and a burst on top, by a clock that nobody sets. */

type SteadyClock = { steadyNs(): bigint };

const SYSTEM: SteadyClock = { steadyNs: () => process.hrtime.bigint() };

export class Budget {
  readonly #perS: number;
  readonly #burst: number;
  readonly #clock: SteadyClock;
  #left: number;
  #atNs: bigint;

  constructor(perS: number, burst: number, clock: SteadyClock = SYSTEM) {
    this.#perS = perS;
    this.#burst = burst;
    this.#clock = clock;
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
