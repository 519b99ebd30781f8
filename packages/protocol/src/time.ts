/** UTC nanoseconds as decimal text; never through a double. */
import type { TimeNs } from "./ids.ts";

/** The wall clock. Milliseconds are all that JavaScript's clock gives; the rest of the digits are zero. */
export function nowNs(): TimeNs {
  return msToNs(Date.now());
}

export function msToNs(ms: number): TimeNs {
  return String(BigInt(Math.floor(ms)) * 1_000_000n);
}

/** For showing and for timers only: loses what is under a millisecond. */
export function nsToMs(ns: TimeNs): number {
  return Number(BigInt(ns) / 1_000_000n);
}
