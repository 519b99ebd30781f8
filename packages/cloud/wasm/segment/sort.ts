/** Points to Morton keys, sorted by them. */
import { CHOSEN_AT, DIGITS_AT, TOO_LARGE } from "../../src/segment/encode-layout";
import { byteAt, halfAt } from "./words";

/** Groups of eight, four, two bits and single ones, with twice as much room between them. */
const EIGHTS: u64 = 0xff0000ff;
const FOURS: u64 = ((<u64>0xf0) << 32) | 0x0f00f00f;
const PAIRS: u64 = ((<u64>0xc30) << 32) | 0xc30c30c3;
const SINGLES: u64 = ((<u64>0x2492) << 32) | 0x49249249;
/** A sample is cells of the node: the upper bits of a key say in which a point is. */
const CELL_BITS: u32 = 12;

/**
 * Where nothing is folded a key here is a Morton code. Else it has the folded bits below, so that points with equal
 * keys come by those: `docs/spec/cloud.md`.
 *
 * @param bits of a coordinate, 1…16 @param fold how many bits of w are folded, 0…`bits`
 * @param coordsU where u of the first point is: `[count, 3]` u16, in which u, v and w are x, y and z in some turn
 * @param keys `[count]` u64 out, ascending @param order `[count]` u32 out: which point each is; equal keys in the points' order
 * @param spareKeys as `keys`, `spareOrder` as `order`: what is in between
 * @returns 0, or what is wrong
 */
export function sortPoints(
  count: u32,
  bits: u32,
  fold: u32,
  coordsU: u32,
  coordsV: u32,
  coordsW: u32,
  keys: u32,
  order: u32,
  spareKeys: u32,
  spareOrder: u32,
): i32 {
  // Wide digits need fewer passes, narrow ones less counting: few points want narrow ones.
  const widest: u32 = count < 400 ? 6 : count < 8000 ? 9 : 12;
  const passes: u32 = (bits * 3 + widest - 1) / widest;
  const width: u32 = (bits * 3 + passes - 1) / passes;
  const tableBytes: u32 = 4 << width;
  const tablesEnd: u32 = DIGITS_AT + passes * tableBytes;
  memory.fill(DIGITS_AT, 0, tablesEnd - DIGITS_AT);
  const mask: u64 = (1 << width) - 1;
  let all: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const u = halfAt(coordsU + 6 * i);
    const v = halfAt(coordsV + 6 * i);
    const w = halfAt(coordsW + 6 * i);
    all |= u | v | w;
    const key = keyOf(u, v, w, fold);
    store<u64>(keys + (i << 3), key);
    store<u32>(order + (i << 2), i);
    let rest = key;
    for (let table: u32 = DIGITS_AT; table < tablesEnd; table += tableBytes) {
      const digit = table + ((<u32>(rest & mask)) << 2);
      store<u32>(digit, load<u32>(digit) + 1);
      rest >>= width;
    }
  }
  if (all >> bits) return TOO_LARGE;

  let fromKeys = keys;
  let fromOrder = order;
  let toKeys = spareKeys;
  let toOrder = spareOrder;
  for (let pass: u32 = 0; pass < passes; pass++) {
    const table = DIGITS_AT + pass * tableBytes;
    const shift = pass * width;
    if (!counted(table, tableBytes, count)) continue;
    for (let i: u32 = 0; i < count; i++) {
      const key = load<u64>(fromKeys + (i << 3));
      const digit = table + ((<u32>((key >> shift) & mask)) << 2);
      const to = load<u32>(digit);
      store<u32>(digit, to + 1);
      store<u64>(toKeys + (to << 3), key);
      store<u32>(toOrder + (to << 2), load<u32>(fromOrder + (i << 2)));
    }
    const doneKeys = fromKeys;
    const doneOrder = fromOrder;
    fromKeys = toKeys;
    fromOrder = toOrder;
    toKeys = doneKeys;
    toOrder = doneOrder;
  }
  if (fromKeys === keys) return 0;
  memory.copy(keys, fromKeys, count << 3);
  memory.copy(order, fromOrder, count << 2);
  return 0;
}

/**
 * Copies some of the points: those in cells around `runs` places that are evenly spread in Morton order. Whole cells, so
 * that it does not depend on the points' order.
 *
 * @param coords `[count, 3]` u16 of `bits` bits @param aim how many there should be, about; more where a cell has more
 * @param sample `[count, 3]` u16 out
 * @returns how many there are
 */
export function takeSample(count: u32, bits: u32, coords: u32, aim: u32, runs: u32, sample: u32): u32 {
  const shift: u32 = max(bits * 3, CELL_BITS) - CELL_BITS;
  const cells: u32 = 1 << CELL_BITS;
  memory.fill(DIGITS_AT, 0, cells << 2);
  for (let i: u32 = 0; i < count; i++) {
    const cell = DIGITS_AT + (cellOf(coords + 6 * i, shift) << 2);
    store<u32>(cell, load<u32>(cell) + 1);
  }
  memory.fill(CHOSEN_AT, 0, cells);
  const run = aim / runs;
  let before: u32 = 0;
  let taken: u32 = 0;
  let wanted: u32 = 0;
  // The next run begins around the middle of its part of all points.
  let begins = count / (2 * runs);
  for (let cell: u32 = 0; cell < cells && wanted < runs; cell++) {
    const here = load<u32>(DIGITS_AT + (cell << 2));
    before += here;
    if (here === 0 || before + run / 2 <= begins) continue;
    store<u8>(CHOSEN_AT + cell, 1);
    taken += here;
    if (taken < run) continue;
    taken = 0;
    wanted++;
    begins = <u32>((<u64>count * (2 * wanted + 1)) / (2 * runs));
  }
  const start = sample;
  for (let i: u32 = 0; i < count; i++) {
    const from = coords + 6 * i;
    if (!byteAt(CHOSEN_AT + cellOf(from, shift))) continue;
    store<u32>(sample, load<u32>(from));
    store<u16>(sample + 4, load<u16>(from + 4));
    sample += 6;
  }
  return (sample - start) / 6;
}

/** Numbers how often each digit comes in the order in which points of it go. @returns whether they go anywhere: not if all have one */
function counted(table: u32, tableBytes: u32, count: u32): boolean {
  let sum: u32 = 0;
  for (let digit = table; digit < table + tableBytes; digit += 4) {
    const here = load<u32>(digit);
    if (here === count) return false;
    store<u32>(digit, sum);
    sum += here;
  }
  return true;
}

function cellOf(point: u32, shift: u32): u32 {
  const cell = keyOf(halfAt(point), halfAt(point + 2), halfAt(point + 4), 0) >> shift;
  return <u32>cell & ((1 << CELL_BITS) - 1); // sorting says so if a coordinate is too large
}

function keyOf(u: u32, v: u32, w: u32, fold: u32): u64 {
  const key = spread(u >> fold) | (spread(v >> fold) << 1) | (spread(w >> fold) << 2);
  if (fold === 0) return key;
  const mask: u32 = (1 << fold) - 1;
  const along = <u64>(spreadTwo(u & mask) | (spreadTwo(v & mask) << 1));
  return (((key << (2 * fold)) | along) << fold) | (w & mask);
}

/** Each bit of 16 to every third place. */
function spread(value: u32): u64 {
  let x = <u64>value;
  x = (x | (x << 16)) & EIGHTS;
  x = (x | (x << 8)) & FOURS;
  x = (x | (x << 4)) & PAIRS;
  return (x | (x << 2)) & SINGLES;
}

/** Each bit of 16 to every second place. */
function spreadTwo(value: u32): u32 {
  let x = (value | (value << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}
