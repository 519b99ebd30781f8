/** Seeded randomness: whatever draws is handed a `Random`, so the same input and seed give the same result. */

/** The next number, uniform in [0, 1). */
export type Random = () => number;

/** Mulberry32 (T. Ettinger): 32 bits of state, passes gjrand's tests at the lengths used here. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Fills `out` with different indices below `n`. Meant for a handful out of many: it redraws on a repeat. */
export function sampleIndices(random: Random, n: number, out: Int32Array): void {
  const count = out.length;
  if (count > n) throw new RangeError(`cannot draw ${count} different indices below ${n}`);
  for (let i = 0; i < count; ) {
    const drawn = Math.floor(random() * n);
    let j = 0;
    while (j < i && out[j] !== drawn) j++;
    if (j === i) out[i++] = drawn;
  }
}

/** A standard normal number (Box & Muller 1958; one of the pair is dropped to keep no state). */
export function randomNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
