/** Morton order: coordinates interleaved to one key of up to 48 bits, held in two words of 24, and sorted by it. */
import { type Fold, turned, UNFOLDED } from "./fold.ts";

/** The bits of a byte, each three places apart. */
const SPREAD = new Uint32Array(256);
/** The bits of a byte, each two places apart. */
const SPREAD_TWO = new Uint16Array(256);
/** 12 bits of a key → x, y and z in 4 bits each, at bit 0, 8 and 16. */
export const GATHER = new Uint32Array(4096);
for (let i = 0; i < 256; i++) {
  for (let b = 0; b < 8; b++) {
    SPREAD[i]! |= ((i >> b) & 1) << (3 * b);
    SPREAD_TWO[i]! |= ((i >> b) & 1) << (2 * b);
  }
}
for (let i = 0; i < 4096; i++)
  for (let b = 0; b < 12; b++) GATHER[i]! |= ((i >> b) & 1) << (((b / 3) | 0) + 8 * (b % 3));

/** Working memory of one sort; grows to the largest it has seen. */
export class MortonSorter {
  /** Key bits 0…23 and 24…47 of each point, in the points' own order. */
  low = new Uint32Array(0);
  high = new Uint32Array(0);
  #folded = new Uint32Array(0);
  #order = new Uint32Array(0);
  #spare = new Uint32Array(0);
  readonly #starts = new Uint32Array(4096);

  /**
   * @param coords `[count, 3]`, each below `2^bits`
   * @param fold its bits are not in the keys; they say the order of equal keys
   * @returns indices of the points by key, those in one place in their own order; valid until the next call
   * @throws {RangeError} when a coordinate has more bits
   */
  sort(coords: Uint16Array, count: number, bits: number, fold: Fold = UNFOLDED): Uint32Array {
    if (coords.length < count * 3) throw new RangeError(`coords holds ${coords.length / 3} of ${count} points`);
    if (this.low.length < count) {
      const capacity = Math.max(1024, 2 ** Math.ceil(Math.log2(count)));
      this.low = new Uint32Array(capacity);
      this.high = new Uint32Array(capacity);
      this.#folded = new Uint32Array(capacity);
      this.#order = new Uint32Array(capacity);
      this.#spare = new Uint32Array(capacity);
    }
    const { low, high } = this;
    const all = fold.bits === 0 ? this.#interleave(coords, count) : this.#interleaveFolded(coords, count, fold);
    if (all >>> bits) throw new RangeError(`a coordinate has more than ${bits} bits`);

    // Bits in which keys differ at all: the others need no pass.
    let differsLow = 0;
    let differsHigh = 0;
    const [low0, high0] = [low[0]!, high[0]!];
    for (let i = 1; i < count; i++) {
      differsLow |= low[i]! ^ low0;
      differsHigh |= high[i]! ^ high0;
    }
    for (let i = 0; i < count; i++) this.#order[i] = i;
    const width = digitBits(count);
    for (let shift = 0; shift < fold.bits; shift += width) this.#pass(this.#folded, count, shift, width, -1);
    for (let shift = 0; shift < 24; shift += width) this.#pass(low, count, shift, width, differsLow);
    for (let shift = 0; shift < 24; shift += width) this.#pass(high, count, shift, width, differsHigh);
    return this.#order;
  }

  /** @returns the bits that any coordinate has */
  #interleave(coords: Uint16Array, count: number): number {
    const { low, high } = this;
    let all = 0;
    for (let i = 0, j = 0; i < count; i++, j += 3) {
      const x = coords[j]!;
      const y = coords[j + 1]!;
      const z = coords[j + 2]!;
      all |= x | y | z;
      low[i] = SPREAD[x & 255]! | (SPREAD[y & 255]! << 1) | (SPREAD[z & 255]! << 2);
      high[i] = SPREAD[x >> 8]! | (SPREAD[y >> 8]! << 1) | (SPREAD[z >> 8]! << 2);
    }
    return all;
  }

  /** Lowest the folded bits of u and v by turns, above them the other bits of all three. */
  #interleaveFolded(coords: Uint16Array, count: number, fold: Fold): number {
    const { low, high } = this;
    const folded = this.#folded;
    const [uAt, vAt, wAt] = turned(fold);
    const mask = 2 ** fold.bits - 1;
    const scale = 4 ** fold.bits;
    let all = 0;
    for (let i = 0, j = 0; i < count; i++, j += 3) {
      const u = coords[j + uAt]!;
      const v = coords[j + vAt]!;
      const w = coords[j + wAt]!;
      all |= u | v | w;
      folded[i] = w & mask;
      const [a, b, c] = [u >> fold.bits, v >> fold.bits, w >> fold.bits];
      const upper = SPREAD[a & 255]! | (SPREAD[b & 255]! << 1) | (SPREAD[c & 255]! << 2);
      const top = SPREAD[a >> 8]! | (SPREAD[b >> 8]! << 1) | (SPREAD[c >> 8]! << 2);
      const [p, q] = [u & mask, v & mask];
      const lower = SPREAD_TWO[p & 255]! | (SPREAD_TWO[q & 255]! << 1);
      const middle = SPREAD_TWO[p >> 8]! | (SPREAD_TWO[q >> 8]! << 1);
      const key = (top * 2 ** 24 + upper) * scale + middle * 2 ** 16 + lower;
      const over = Math.floor(key * 2 ** -24);
      high[i] = over;
      low[i] = key - over * 2 ** 24;
    }
    return all;
  }

  /** One stable pass of a radix sort over `width` bits of the key. */
  #pass(keys: Uint32Array, count: number, shift: number, width: number, differs: number): void {
    const mask = (1 << width) - 1;
    if (((differs >>> shift) & mask) === 0) return;
    const starts = this.#starts;
    const order = this.#order;
    const spare = this.#spare;
    starts.fill(0, 0, mask + 1);
    for (let i = 0; i < count; i++) starts[(keys[i]! >>> shift) & mask]!++;
    for (let digit = 0, sum = 0; digit <= mask; digit++) {
      const next = sum + starts[digit]!;
      starts[digit] = sum;
      sum = next;
    }
    for (let i = 0; i < count; i++) {
      const index = order[i]!;
      spare[starts[(keys[index]! >>> shift) & mask]!++] = index;
    }
    this.#order = spare;
    this.#spare = order;
  }
}

/** Wide digits need fewer passes, narrow ones less counting: few points want narrow ones. */
function digitBits(count: number): number {
  return count < 400 ? 6 : count < 8000 ? 8 : 12;
}
