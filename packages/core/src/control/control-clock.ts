/** The times that steering goes by: the server's, which may jump forward, and a steady one, which nobody sets. */

export interface ControlClock {
  /** UTC, ns since 1970. */
  nowNs(): bigint;
  /** ns from anywhere. */
  steadyNs(): bigint;
  /** Runs `task` once, `delayMs` later by the steady clock or a little after. Returns how to call it off. */
  after(delayMs: number, task: () => void): () => void;
}

/** With Node's timers, which keep no process alive. */
export function controlClock(clock: Pick<ControlClock, "nowNs" | "steadyNs">): ControlClock {
  return {
    nowNs: () => clock.nowNs(),
    steadyNs: () => clock.steadyNs(),
    after(delayMs, task) {
      const timer = setTimeout(task, delayMs).unref();
      return () => clearTimeout(timer);
    },
  };
}

/**
 * An end that is reached when either clock says so: the server's may be set forward, and goes on slowly after it was set
 * back (ServerClock), so neither alone keeps a promise of so many milliseconds.
 */
export class Deadline {
  readonly #clock: ControlClock;
  /** By the server's clock. */
  readonly ns: bigint;
  readonly #steadyNs: bigint;
  readonly #beganNs: bigint;

  constructor(clock: ControlClock, inMs: number) {
    this.#clock = clock;
    const inNs = BigInt(Math.round(inMs * 1e6));
    this.ns = clock.nowNs() + inNs;
    this.#beganNs = clock.steadyNs();
    this.#steadyNs = this.#beganNs + inNs;
  }

  /** Since it was set. */
  get ageMs(): number {
    return Number(this.#clock.steadyNs() - this.#beganNs) / 1e6;
  }

  /** 0 when it has passed. */
  get remainingMs(): number {
    const left = this.ns - this.#clock.nowNs();
    const steadyLeft = this.#steadyNs - this.#clock.steadyNs();
    return Math.max(0, Number(left < steadyLeft ? left : steadyLeft) / 1e6);
  }

  get passed(): boolean {
    return this.remainingMs === 0;
  }

  /** Runs `task` once it has passed; a jump of the server's clock alone is noticed at the next look. Returns how to call it off. */
  whenPassed(task: () => void): () => void {
    const left = Number(this.#steadyNs - this.#clock.steadyNs()) / 1e6;
    let cancel = this.#clock.after(Math.max(0, left), () => {
      // A timer may be a little early.
      if (this.passed) task();
      else cancel = this.whenPassed(task);
    });
    return () => cancel();
  }
}
