/** What a device's timestamps count, told by how many digits they have: a time of this century in each unit. */

const FACTOR: Readonly<Record<number, bigint>> = { 10: 1_000_000_000n, 13: 1_000_000n, 16: 1000n };

/** Nanoseconds of 10 digits of seconds, 13 of milliseconds, 16 of microseconds; anything else counts them already. */
export function nsByDigits(timestamp: bigint): bigint {
  return timestamp * (FACTOR[timestamp.toString().length] ?? 1n);
}
