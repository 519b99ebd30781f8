/**
 * Points in the order of a Morton curve: 16 bits an axis, so a cell of any of 16 levels is one run of the order. What is
 * done run by run needs no tables of cells, and neighbours in space are neighbours in memory.
 */

export const LEVELS = 16;

/** The cube that the curve fills. */
export type Cube = { readonly corner: readonly [number, number, number]; readonly edge: number };

export type MortonOrder = {
  /** `[n]` places of the points, along the curve. */
  readonly order: Uint32Array;
  /** `[n]` of each but the first, how many levels of cells it shares with the one before, 0…16; the first shares none. */
  readonly shared: Uint8Array;
};

/** Bits of a byte, two apart. */
const SPREAD = Uint32Array.from({ length: 256 }, (_, byte) => {
  let spread = 0;
  for (let bit = 0; bit < 8; bit++) spread |= ((byte >> bit) & 1) << (3 * bit);
  return spread;
});

/** @param positions `[n, 3]`; what lies outside of the cube counts as on its side */
export function mortonOrder(positions: Float32Array, count: number, cube: Cube): MortonOrder {
  const [cornerX, cornerY, cornerZ] = cube.corner;
  const scale = 2 ** LEVELS / cube.edge;
  const high = new Uint32Array(count); // 8 coarser levels
  const low = new Uint32Array(count); // 8 finer ones
  for (let i = 0, p = 0; i < count; i++, p += 3) {
    const x = clamped((positions[p] - cornerX) * scale);
    const y = clamped((positions[p + 1] - cornerY) * scale);
    const z = clamped((positions[p + 2] - cornerZ) * scale);
    high[i] = SPREAD[x >> 8] | (SPREAD[y >> 8] << 1) | (SPREAD[z >> 8] << 2);
    low[i] = SPREAD[x & 255] | (SPREAD[y & 255] << 1) | (SPREAD[z & 255] << 2);
  }
  let order: Uint32Array = Uint32Array.from({ length: count }, (_, i) => i);
  let spare: Uint32Array = new Uint32Array(count);
  for (const [keys, shift] of [
    [low, 0],
    [low, 12],
    [high, 0],
    [high, 12],
  ] as const) {
    sortByDigit(keys, shift, order, spare);
    [order, spare] = [spare, order];
  }
  const shared = new Uint8Array(count);
  for (let i = 1; i < count; i++) {
    const [a, b] = [order[i - 1], order[i]];
    const coarse = high[a] ^ high[b];
    const fine = low[a] ^ low[b];
    shared[i] = coarse ? levelsBefore(coarse) : fine ? 8 + levelsBefore(fine) : LEVELS;
  }
  return { order, shared };
}

function clamped(value: number): number {
  return value > 0 ? Math.min(value | 0, 65535) : 0;
}

/** Of 24 bits, groups of three before the first that is set. */
function levelsBefore(difference: number): number {
  return ((Math.clz32(difference) - 8) / 3) | 0;
}

/** One stable pass of a radix sort over 12 bits. */
function sortByDigit(keys: Uint32Array, shift: number, from: Uint32Array, to: Uint32Array): void {
  const starts = new Uint32Array(4097);
  for (let i = 0; i < keys.length; i++) starts[((keys[i] >>> shift) & 4095) + 1]++;
  for (let digit = 1; digit < 4097; digit++) starts[digit] += starts[digit - 1];
  for (let i = 0; i < from.length; i++) {
    const point = from[i];
    to[starts[(keys[point] >>> shift) & 4095]++] = point;
  }
}

/** `[17]` how many cells of each level hold points. */
export function cellsByLevel({ shared }: MortonOrder): Uint32Array {
  const cells = new Uint32Array(LEVELS + 1);
  for (let i = 0; i < shared.length; i++) {
    for (let level = LEVELS; level > shared[i]; level--) cells[level]++;
  }
  cells[0] = shared.length > 0 ? 1 : 0;
  for (let level = 1; level <= LEVELS; level++) cells[level] = Math.max(cells[level], cells[0]);
  return cells;
}
