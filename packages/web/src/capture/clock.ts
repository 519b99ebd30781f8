/** One clock for pictures and motion: that of the page's own events, which never jumps, counted from 1970. */

/** @param stampMs of `performance.now`'s clock */
export function epochUs(stampMs: number): bigint {
  return BigInt(Math.round((performance.timeOrigin + stampMs) * 1000));
}

/** Now, in nanoseconds, for the server's questions about it (MOT-14). */
export function epochNowNs(): bigint {
  return epochUs(performance.now()) * 1000n;
}
