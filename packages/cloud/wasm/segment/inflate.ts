/**
 * Raw inflate (RFC 1951) of bytes that are there as a whole, to a size that is known. Bits are held 56 and more at a
 * time, which is three literals, or a repeat with all that belongs to it.
 */
import {
  CUT_OFF,
  DISTANCES_AT,
  LENGTHS_AT,
  LITERALS_AT,
  MORE_THAN_A_STREAM,
  NO_DEFLATE,
  ORDER_AT,
  QUICK_BYTES,
  STARTS_AT,
  TOO_FEW_BYTES,
  TOO_MANY_BYTES,
} from "../../src/segment/layout";
import { byteAt, halfAt } from "./words";

/** Codes of up to so many bits are looked up at once; longer ones are rare by nature and read bit by bit. */
const QUICK_BITS: u32 = 9;
const LONGEST: u32 = 15;
/** An entry of `quick` is symbol · 64 + length, so that it can be shifted by as it is; 0 where the code is longer. */
const SYMBOL_SHIFT: u32 = 6;
const END: u32 = 256;
const LENGTH_CODES: u32 = 19;

/** The next byte that comes in, and bits on their way: `heldBits` of them, the next one lowest. */
let next: u32 = 0;
let held: u64 = 0;
let heldBits: i32 = 0;
/** The next byte that goes out. */
let at: u32 = 0;
/** What stopped it; 0: nothing. */
let stopped: i32 = 0;

/**
 * Reads up to `SLACK_BYTES` behind `from + fromBytes`, whatever is there.
 * @returns 0, or what is wrong
 */
export function inflate(from: u32, fromBytes: u32, to: u32, toBytes: u32): i32 {
  const fromEnd = from + fromBytes;
  const toEnd = to + toBytes;
  next = from;
  held = heldBits = 0;
  at = to;
  stopped = 0;
  let last: u32 = 0;
  do {
    refill();
    last = take(1);
    const kind = take(2);
    if (kind === 0) {
      readStored(fromEnd, toEnd);
    } else {
      if (kind === 1) fixedCodes();
      else if (kind === 2) readCodes(fromEnd);
      else return NO_DEFLATE;
      if (stopped === 0) readBlock(fromEnd, to, toEnd);
    }
    if (stopped !== 0) return stopped;
    if (taken() > fromEnd) return CUT_OFF;
  } while (!last);
  if (at !== toEnd) return TOO_FEW_BYTES;
  return taken() === fromEnd ? 0 : MORE_THAN_A_STREAM;
}

/** Where the first byte is of which no bit was taken. */
function taken(): u32 {
  return next - (heldBits >> 3);
}

/** Then 56 bits are held, and those above are what `next` will bring again. */
function refill(): void {
  held |= load<u64>(next) << heldBits;
  next += (63 - heldBits) >> 3;
  heldBits |= 56;
}

function take(bits: u32): u32 {
  const value = <u32>held & ((1 << bits) - 1);
  held >>= bits;
  heldBits -= bits;
  return value;
}

function readStored(fromEnd: u32, toEnd: u32): void {
  const start = taken();
  const length = halfAt(start);
  const end = start + 4 + length;
  if (end > fromEnd) stopped = CUT_OFF;
  else if (length !== (halfAt(start + 2) ^ 0xffff)) stopped = NO_DEFLATE;
  else if (at + length > toEnd) stopped = TOO_MANY_BYTES;
  if (stopped) return;
  memory.copy(at, start + 4, length);
  at += length;
  next = end;
  held = heldBits = 0;
}

function fixedCodes(): void {
  memory.fill(LENGTHS_AT, 8, 144);
  memory.fill(LENGTHS_AT + 144, 9, 112);
  memory.fill(LENGTHS_AT + 256, 7, 24);
  memory.fill(LENGTHS_AT + 280, 8, 8);
  memory.fill(LENGTHS_AT + 288, 5, 32);
  makeCodes(LITERALS_AT, LENGTHS_AT, 288);
  makeCodes(DISTANCES_AT, LENGTHS_AT + 288, 32);
}

function readCodes(fromEnd: u32): void {
  const literals = take(5) + 257;
  const distances = take(5) + 1;
  const given = <u32>take(4) + 4;
  stopped = NO_DEFLATE; // until it is known to be none of the many ways to be wrong
  if (literals > 286 || distances > 30) return;
  memory.fill(LENGTHS_AT, 0, LENGTH_CODES);
  refill();
  for (let i: u32 = 0; i < given; i++) {
    if (i === 12) refill();
    store<u8>(LENGTHS_AT + byteAt(ORDER_AT + i), <u8>take(3));
  }
  if (makeCodes(DISTANCES_AT, LENGTHS_AT, LENGTH_CODES) !== 0) return;
  for (let i: u32 = 0; i < literals + distances; ) {
    if (next > fromEnd + 8) return;
    refill();
    const entry = lookUp(DISTANCES_AT, held);
    held >>= entry;
    heldBits -= entry & 63;
    const token = entry >> SYMBOL_SHIFT;
    const place = LENGTHS_AT + i;
    if (token < 16) {
      store<u8>(place, <u8>token);
      i++;
      continue;
    }
    if (token === 16 && i === 0) return;
    const value = token === 16 ? byteAt(place - 1) : 0;
    const times = token === 16 ? 3 + take(2) : token === 17 ? 3 + take(3) : 11 + take(7);
    i += times;
    if (i > literals + distances) return;
    memory.fill(place, <u8>value, times);
  }
  if (byteAt(LENGTHS_AT + END) === 0) return;
  // A code that is alone may leave the other bit unused, and there may be no distances at all.
  const literalsLeft = makeCodes(LITERALS_AT, LENGTHS_AT, literals);
  if (literalsLeft < 0 || (literalsLeft > 0 && countOf(LITERALS_AT) !== 1)) return;
  const distancesLeft = makeCodes(DISTANCES_AT, LENGTHS_AT + literals, distances);
  if (distancesLeft < 0 || (distancesLeft > 0 && countOf(DISTANCES_AT) > 1)) return;
  stopped = 0;
}

/** How many codes there are, where one is as good as many: one of a single bit is 1, none 0. */
function countOf(codes: u32): u32 {
  let longer: u32 = 0;
  for (let length: u32 = 2; length <= LONGEST; length++) longer |= halfAt(codes + QUICK_BYTES + (length << 1));
  return longer ? 2 : halfAt(codes + QUICK_BYTES + 2);
}

/** Makes codes of `count` lengths. @returns places that no code has, in 2^15ths; negative where there are too few */
function makeCodes(codes: u32, lengths: u32, count: u32): i32 {
  const perLength = codes + QUICK_BYTES;
  const sorted = perLength + 32;
  memory.fill(perLength, 0, 32);
  for (let i: u32 = 0; i < count; i++) {
    const counter = perLength + (byteAt(lengths + i) << 1);
    store<u16>(counter, <u16>(halfAt(counter) + 1));
  }
  let left = 1 << LONGEST;
  let start: u32 = 0;
  for (let length: u32 = 1; length <= LONGEST; length++) {
    const n = halfAt(perLength + (length << 1));
    store<u16>(STARTS_AT + (length << 1), <u16>start);
    start += n;
    left -= n << (LONGEST - length);
  }
  if (left < 0) return left;
  for (let i: u32 = 0; i < count; i++) {
    const length = byteAt(lengths + i);
    if (length === 0) continue;
    const counter = STARTS_AT + (length << 1);
    const place = halfAt(counter);
    store<u16>(counter, <u16>(place + 1));
    store<u16>(sorted + ((<u32>place) << 1), <u16>i);
  }
  memory.fill(codes, 0, 2 << QUICK_BITS);
  // Codes count upwards with their first bit highest; in the stream that bit comes first, so the table counts mirrored.
  let mirrored: u32 = 0;
  let symbolAt = sorted;
  for (let length: u32 = 1; length <= QUICK_BITS; length++) {
    for (let n = halfAt(perLength + (length << 1)); n > 0; n--) {
      const entry = <u16>((halfAt(symbolAt) << SYMBOL_SHIFT) | length);
      for (let place = mirrored; place < 1 << QUICK_BITS; place += 1 << length) store<u16>(codes + (place << 1), entry);
      symbolAt += 2;
      // One more, from the other end: ones above the highest zero become zeros, and that zero one.
      let bit: u32 = 1 << (length - 1);
      while (mirrored & bit) {
        mirrored ^= bit;
        bit >>= 1;
      }
      mirrored |= bit;
    }
  }
  return left;
}

/** @returns the entry of the next symbol, also of a long one; 0 where it is none */
function lookUp(codes: u32, bits: u64): u32 {
  const entry = halfAt(codes + ((<u32>bits & ((1 << QUICK_BITS) - 1)) << 1));
  return entry !== 0 ? entry : lookUpLong(codes, <u32>bits);
}

function lookUpLong(codes: u32, bits: u32): u32 {
  let code: u32 = 0;
  let first: u32 = 0;
  let index: u32 = 0;
  for (let length: u32 = 1; length <= LONGEST; length++) {
    code |= bits & 1;
    bits >>= 1;
    const count = halfAt(codes + QUICK_BYTES + (length << 1));
    if (code < first + count)
      return (halfAt(codes + QUICK_BYTES + 32 + ((index + code - first) << 1)) << SYMBOL_SHIFT) | length;
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  return 0;
}

function readBlock(fromEnd: u32, toStart: u32, toEnd: u32): void {
  let source = next;
  let bits = held;
  let count = heldBits;
  let to = at;
  for (;;) {
    if (source > fromEnd + 8) {
      stopped = CUT_OFF;
      return;
    }
    bits |= load<u64>(source) << count;
    source += (63 - count) >> 3;
    count |= 56;
    let entry = lookUp(LITERALS_AT, bits);
    if (entry < END << SYMBOL_SHIFT && to + 3 <= toEnd && entry !== 0) {
      store<u8>(to++, <u8>(entry >> SYMBOL_SHIFT));
      bits >>= entry;
      count -= entry & 63;
      entry = lookUp(LITERALS_AT, bits);
      if (entry < END << SYMBOL_SHIFT && entry !== 0) {
        store<u8>(to++, <u8>(entry >> SYMBOL_SHIFT));
        bits >>= entry;
        count -= entry & 63;
        entry = lookUp(LITERALS_AT, bits);
        if (entry < END << SYMBOL_SHIFT && entry !== 0) {
          store<u8>(to++, <u8>(entry >> SYMBOL_SHIFT));
          bits >>= entry;
          count -= entry & 63;
          continue;
        }
      }
      bits |= load<u64>(source) << count;
      source += (63 - count) >> 3;
      count |= 56;
    }
    if (entry === 0) {
      stopped = NO_DEFLATE;
      return;
    }
    bits >>= entry;
    count -= entry & 63;
    const symbol = entry >> SYMBOL_SHIFT;
    if (symbol < END) {
      if (to === toEnd) {
        stopped = TOO_MANY_BYTES;
        return;
      }
      store<u8>(to++, <u8>symbol);
      continue;
    }
    if (symbol === END) break;

    // RFC 1951, 3.2.5: lengths 3…258 and distances in groups of four and two of equally many extra bits.
    const place = symbol - 257;
    let length: u32 = 3 + place;
    if (place === 28) {
      length = 258;
    } else if (place >= 8) {
      const extraBits = (place >> 2) - 1;
      length = 3 + ((4 + (place & 3)) << extraBits) + (<u32>bits & ((1 << extraBits) - 1));
      bits >>= extraBits;
      count -= extraBits;
    }
    entry = lookUp(DISTANCES_AT, bits);
    bits >>= entry;
    count -= entry & 63;
    const far = entry >> SYMBOL_SHIFT;
    let distance: u32 = 1 + far;
    if (far >= 4) {
      const extraBits = (far >> 1) - 1;
      distance = 1 + ((2 + (far & 1)) << extraBits) + (<u32>bits & ((1 << extraBits) - 1));
      bits >>= extraBits;
      count -= extraBits;
    }
    if (entry === 0 || far > 29 || place > 28 || distance > to - toStart) {
      stopped = NO_DEFLATE;
      return;
    }
    if (to + length > toEnd) {
      stopped = TOO_MANY_BYTES;
      return;
    }
    if (distance === 1) memory.fill(to, <u8>byteAt(to - 1), length);
    else for (let i: u32 = 0; i < length; i++) store<u8>(to + i, <u8>byteAt(to + i - distance));
    to += length;
  }
  next = source;
  held = bits;
  heldBits = count;
  at = to;
}
