/** The system's clock in nanoseconds: Node gives its time in whole milliseconds, and a steady clock beside it. */

/** Beyond this the system's clock was set; below, it is what milliseconds hide. */
const SET_NS = 3_000_000n;

export type SystemTime = {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Never goes back, ns from anywhere. */
  steadyNs(): bigint;
};

const NODE: SystemTime = { wallMs: () => Date.now(), steadyNs: () => process.hrtime.bigint() };

export class WallClock {
  readonly #system: SystemTime;
  readonly #onSet: () => void;
  /** Wall − steady. */
  #baseNs: bigint;

  /** @param onSet told when somebody set the system's clock, or the machine slept */
  constructor(onSet: () => void, system: SystemTime = NODE) {
    this.#onSet = onSet;
    this.#system = system;
    this.#baseNs = this.#wallNs() - system.steadyNs();
  }

  steadyNs(): bigint {
    return this.#system.steadyNs();
  }

  /** ns since 1970; steps where the system's clock is set. */
  nowNs(): bigint {
    const before = this.#system.steadyNs();
    const wallNs = this.#wallNs();
    const after = this.#system.steadyNs();
    const error = wallNs - (this.#baseNs + after);
    // Nothing is learnt from a look that was interrupted.
    const interrupted = after - before > SET_NS / 4n;
    if (!interrupted && (error > SET_NS || error < -SET_NS)) {
      this.#baseNs = wallNs - after;
      this.#onSet();
    }
    return this.#baseNs + after;
  }

  /** In the middle of the millisecond. */
  #wallNs(): bigint {
    return BigInt(Math.floor(this.#system.wallMs())) * 1_000_000n + 500_000n;
  }
}
