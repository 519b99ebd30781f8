/** What folding costs and says: `docs/spec/cloud.md`, "Folded keys". */
import { COUNTS_AT, LAST_AT, LOGARITHMS_AT } from "../../src/segment/encode-layout";
import { halfAt } from "./words";

/** About what a symbol takes in a table of codes, in bits. */
const SYMBOL_BITS = 5;
/** 1 in what logarithms are given in. */
const ONE_BIT = 4096;

/** Before the first point there are four at (0, 0, 0). */
export function forgetLast(): void {
  memory.fill(LAST_AT, 0, 64);
}

/**
 * What is written of the `i`th point for its folded bits, below `2^fold`.
 * The four points before are in a ring: u, v, w and w without its folded bits of each.
 */
export function foldedNumber(i: u32, fold: u32, u: i32, v: i32, w: i32): u32 {
  const mask: i32 = (1 << fold) - 1;
  const half: i32 = (1 << fold) >> 1;
  const low = w & ~mask;
  let least: i32 = i32.MAX_VALUE;
  let across: i32 = 0;
  for (let back: u32 = 1; back <= 4; back++) {
    const last = LAST_AT + (((i - back) & 3) << 4);
    const far = abs(load<i32>(last) - u) + abs(load<i32>(last, 4) - v) + abs(load<i32>(last, 12) - low);
    const nearer = far < least;
    across = nearer ? load<i32>(last, 8) : across;
    least = nearer ? far : least;
  }
  const here = LAST_AT + ((i & 3) << 4);
  store<i32>(here, u);
  store<i32>(here, v, 4);
  store<i32>(here, w, 8);
  store<i32>(here, low, 12);
  const guess = min(low + mask, max(low, across));
  const off = ((w - guess + half) & mask) - half;
  return (off << 1) ^ (off >> 31);
}

/** Across which axis sorted points differ least from the one before. @param coords `[count, 3]` u16 */
export function thinAxis(count: u32, coords: u32, order: u32): u32 {
  let sums = i32x4.splat(0);
  let before = i32x4.splat(0);
  for (let i: u32 = 0; i < count; i++) {
    const at = coords + load<u32>(order + (i << 2)) * 6;
    const point = i32x4(halfAt(at), halfAt(at + 2), halfAt(at + 4), 0);
    if (i > 0) sums = i32x4.add(sums, i32x4.abs(i32x4.sub(point, before)));
    before = point;
  }
  const x = i32x4.extract_lane(sums, 0);
  const y = i32x4.extract_lane(sums, 1);
  const z = i32x4.extract_lane(sums, 2);
  return x <= y && x <= z ? 0 : y <= z ? 1 : 2;
}

/**
 * About what the coordinates of all points take when they are written so, in bits, by some of them.
 *
 * @param sample how many are sorted in `keys` and `order` @param count how many there are in all
 */
export function costOf(
  sample: u32,
  count: u32,
  precision: u32,
  fold: u32,
  coordsU: u32,
  coordsV: u32,
  coordsW: u32,
  keys: u32,
  order: u32,
): f64 {
  memory.fill(COUNTS_AT, 0, 2 << 10);
  forgetLast();
  let rest: u32 = 0;
  let before: u64 = 0;
  for (let i: u32 = 0; i < sample; i++) {
    const key = load<u64>(keys + (i << 3)) >> fold;
    rest += countNumber(COUNTS_AT, key - before, precision);
    before = key;
    if (fold === 0) continue;
    const j = load<u32>(order + (i << 2)) * 6;
    const number = foldedNumber(i, fold, halfAt(coordsU + j), halfAt(coordsV + j), halfAt(coordsW + j));
    rest += countNumber(COUNTS_AT + 1024, number, precision);
  }
  const coded = codedBits(COUNTS_AT, sample) + (fold ? codedBits(COUNTS_AT + 1024, sample) : 0);
  const tables = tableBits(COUNTS_AT) + (fold ? tableBits(COUNTS_AT + 1024) : 0);
  return Math.floor(((<f64>rest + coded) * <f64>count) / <f64>sample) + tables;
}

/** How many bits of a number its symbol does not say. */
export function restBitsOf(number: u64, precision: u32): u32 {
  return <u32>max(0, 63 - <i32>clz<u64>(number | 1) - <i32>precision);
}

/** Counts the symbol of a number. @returns how many rest bits it has */
function countNumber(counts: u32, number: u64, precision: u32): u32 {
  const restBits = restBitsOf(number, precision);
  const at = counts + (((restBits << precision) + <u32>(number >> restBits)) << 2);
  store<u32>(at, load<u32>(at) + 1);
  return restBits;
}

/** Bits of `all` symbols in codes as short as can be: their entropy (Shannon 1948), whole, the same on every machine. */
function codedBits(counts: u32, all: u32): f64 {
  let sum: u64 = 0;
  for (let symbol: u32 = 0; symbol < 256; symbol++) {
    const count = load<u32>(counts + (symbol << 2));
    if (count) sum += <u64>count * <u64>(logarithm(all) - logarithm(count));
  }
  return <f64>(sum / ONE_BIT);
}

function tableBits(counts: u32): u32 {
  let used: u32 = 0;
  for (let symbol: u32 = 0; symbol < 256; symbol++) used += <u32>(load<u32>(counts + (symbol << 2)) !== 0);
  return used * SYMBOL_BITS;
}

/** Of base 2, in `ONE_BIT`ths; what a number has below its eight bits after the first counts for nothing. */
function logarithm(value: u32): u32 {
  const bits = 31 - clz(value);
  const fraction = ((value << (31 - bits)) >> 23) & 255;
  return bits * ONE_BIT + halfAt(LOGARITHMS_AT + (fraction << 1));
}
