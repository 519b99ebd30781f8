/**
 * What time the server has, as far as a device can tell without asking: a message cannot arrive before it is sent, so
 * the one that came fastest says most. Off by the shortest way that any message took, never by the longest.
 */

/** The wall's clock goes on while the device sleeps; the steady one is right when somebody sets the other. */
type DeviceClock = { wallMs(): number; steadyMs(): number };

const OWN: DeviceClock = { wallMs: () => Date.now(), steadyMs: () => performance.now() };
/** Beyond this one of the two clocks did something that the other did not. */
const APART_MS = 500;

export class ServerTime {
  readonly #clock: DeviceClock;
  /** Server's clock − ours, at least. */
  #wallMs = Number.NEGATIVE_INFINITY;
  #steadyMs = Number.NEGATIVE_INFINITY;

  constructor(clock: DeviceClock = OWN) {
    this.#clock = clock;
  }

  reset(): void {
    this.#wallMs = Number.NEGATIVE_INFINITY;
    this.#steadyMs = Number.NEGATIVE_INFINITY;
  }

  /** A message has come that was sent `beforeMs` before this time of the server, UTC nanoseconds. */
  heard(timeNs: string, beforeMs: number): void {
    const sentMs = msOf(timeNs) - beforeMs;
    this.#wallMs = Math.max(this.#wallMs, sentMs - this.#clock.wallMs());
    this.#steadyMs = Math.max(this.#steadyMs, sentMs - this.#clock.steadyMs());
  }

  /** Whether this time of the server has passed, by either clock; in doubt where only the wall's says so, by far. */
  passed(timeNs: string): boolean | "in doubt" {
    const endMs = msOf(timeNs);
    const byWallMs = this.#clock.wallMs() + this.#wallMs;
    const bySteadyMs = this.#clock.steadyMs() + this.#steadyMs;
    if (bySteadyMs >= endMs) return true;
    if (byWallMs < endMs) return false;
    return byWallMs - bySteadyMs > APART_MS ? "in doubt" : true;
  }
}

/** Milliseconds with what is under one: microseconds fit a double until the year 2255. */
function msOf(timeNs: string): number {
  return Number(BigInt(timeNs) / 1000n) / 1000;
}
