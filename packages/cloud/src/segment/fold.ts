/**
 * Surfaces are thin: where two coordinates of a point are known and the points around it, the third is nearly known too.
 * So the lowest bits of one axis may be left out of the keys (they are **folded**) and written apart, each as how far it
 * is from that of the nearest point before. The axes are turned so that `u` and `v` lie along the surface, `w` across it.
 */
import { codeLengths } from "./huffman.ts";
import type { MortonSorter } from "./morton.ts";

/** Which axis is folded, and how many of its lowest bits. */
export type Fold = { readonly axis: 0 | 1 | 2; readonly bits: number };

/** Nothing is folded; `u`, `v`, `w` are `x`, `y`, `z`. */
export const UNFOLDED: Fold = { axis: 2, bits: 0 };

/** Fewer points than this are not worth trying. */
const LEAST_POINTS = 60;
/** So many points of a node say which fold is best. */
const SAMPLE = 4096;
/** How many bits of a coordinate stay in the keys, first with each axis, then with the best one. */
const FIRST_KEPT = 2;
const THEN_KEPT = [0, 4];
/** About what a symbol takes in a table of codes. */
const SYMBOL_BITS = 5;

/** Where `u`, `v` and `w` are in a point's coordinates. */
export function turned({ axis }: Fold): readonly [number, number, number] {
  return [(axis + 1) % 3, (axis + 2) % 3, axis];
}

/**
 * What is written of each point for its folded bits.
 * @param coords `[count, 3]` @param order as sorted for this fold @param out `[count]` below `2^bits`
 */
export function foldedNumbers(coords: Uint16Array, order: Uint32Array, count: number, fold: Fold, out: Uint16Array) {
  const [uAt, vAt, wAt] = turned(fold);
  const mask = 2 ** fold.bits - 1;
  const half = 2 ** (fold.bits - 1);
  // The four points before, the latest first: u, v, w and w without the bits that are folded.
  let [u1, v1, w1, l1, u2, v2, w2, l2] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [u3, v3, w3, l3, u4, v4, w4, l4] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const j = order[i]! * 3;
    const u = coords[j + uAt]!;
    const v = coords[j + vAt]!;
    const w = coords[j + wAt]!;
    const low = w & ~mask;
    let least = Math.abs(u1 - u) + Math.abs(v1 - v) + Math.abs(l1 - low);
    let across = w1;
    let far = Math.abs(u2 - u) + Math.abs(v2 - v) + Math.abs(l2 - low);
    if (far < least) [least, across] = [far, w2];
    far = Math.abs(u3 - u) + Math.abs(v3 - v) + Math.abs(l3 - low);
    if (far < least) [least, across] = [far, w3];
    far = Math.abs(u4 - u) + Math.abs(v4 - v) + Math.abs(l4 - low);
    if (far < least) across = w4;
    const guess = Math.min(low + mask, Math.max(low, across));
    const off = ((w - guess + half) & mask) - half;
    out[i] = (off << 1) ^ (off >> 31);
    [u4, v4, w4, l4] = [u3, v3, w3, l3];
    [u3, v3, w3, l3] = [u2, v2, w2, l2];
    [u2, v2, w2, l2] = [u1, v1, w1, l1];
    [u1, v1, w1, l1] = [u, v, w, low];
  }
}

/** The fold with which the points are shortest, by what their coordinates take. */
export class FoldSearch {
  readonly #sorter: MortonSorter;
  readonly #coords = new Uint16Array(3 * SAMPLE);
  readonly #numbers = new Uint16Array(SAMPLE);
  readonly #counts = [new Uint32Array(256), new Uint32Array(256)] as const;
  readonly #lengths = new Uint8Array(256);

  constructor(sorter: MortonSorter) {
    this.#sorter = sorter;
  }

  /** @param precision of keys' symbols */
  best(coords: Uint16Array, count: number, bits: number, precision: number): Fold {
    if (count < LEAST_POINTS) return UNFOLDED;
    const sample = this.#sample(coords, count, bits);
    let best: Fold = UNFOLDED;
    let least = this.#cost(sample, bits, precision, UNFOLDED);
    const consider = (fold: Fold) => {
      const cost = this.#cost(sample, bits, precision, fold);
      if (cost >= least) return;
      least = cost;
      best = fold;
    };
    if (bits > FIRST_KEPT) for (const axis of [0, 1, 2] as const) consider({ axis, bits: bits - FIRST_KEPT });
    const { axis } = best;
    if (best.bits > 0) for (const kept of THEN_KEPT) if (bits > kept) consider({ axis, bits: bits - kept });
    return best;
  }

  /** Points in one part of the node, as close to each other as they are: in Morton order those in the middle. */
  #sample(coords: Uint16Array, count: number, bits: number): Uint16Array {
    if (count <= SAMPLE) return coords.subarray(0, 3 * count);
    const from = (count - SAMPLE) >> 1;
    const order = this.#sorter.sort(coords, count, bits);
    const sample = this.#coords;
    for (let i = 0; i < SAMPLE; i++) {
      const j = order[from + i]! * 3;
      sample[3 * i] = coords[j]!;
      sample[3 * i + 1] = coords[j + 1]!;
      sample[3 * i + 2] = coords[j + 2]!;
    }
    return sample;
  }

  /** In bits. Whole numbers throughout, so that every machine chooses the same. */
  #cost(coords: Uint16Array, bits: number, precision: number, fold: Fold): number {
    const count = coords.length / 3;
    const order = this.#sorter.sort(coords, count, bits, fold);
    const { low, high } = this.#sorter;
    const [ofKeys, ofFolded] = this.#counts;
    ofKeys.fill(0);
    ofFolded.fill(0);
    let cost = 0;
    let lowBefore = 0;
    let highBefore = 0;
    for (let i = 0; i < count; i++) {
      const j = order[i]!;
      const number = (high[j]! - highBefore) * 2 ** 24 + (low[j]! - lowBefore);
      lowBefore = low[j]!;
      highBefore = high[j]!;
      // Of a number over 2^31 the upper bits say all that a symbol does.
      const shift = number < 2 ** 31 ? 0 : 24;
      const upper = shift === 0 ? number | 0 : Math.floor(number * 2 ** -24);
      const restBits = Math.max(0, 31 - Math.clz32(upper) + shift - precision);
      cost += restBits;
      ofKeys[(restBits << precision) + (upper >> (restBits - shift))]!++;
    }
    cost += this.#codedBits(ofKeys);
    if (fold.bits === 0) return cost;
    const numbers = this.#numbers;
    foldedNumbers(coords, order, count, fold, numbers);
    for (let i = 0; i < count; i++) {
      const number = numbers[i]!;
      const restBits = Math.max(0, 31 - Math.clz32(number) - precision);
      cost += restBits;
      ofFolded[(restBits << precision) + (number >> restBits)]!++;
    }
    return cost + this.#codedBits(ofFolded);
  }

  #codedBits(counts: Uint32Array): number {
    let used = 0;
    for (let symbol = 0; symbol < 256; symbol++) if (counts[symbol]) used++;
    if (used < 2) return 0;
    codeLengths(counts, 256, 15, this.#lengths);
    let bits = used * SYMBOL_BITS;
    for (let symbol = 0; symbol < 256; symbol++) bits += counts[symbol]! * this.#lengths[symbol]!;
    return bits;
  }
}
