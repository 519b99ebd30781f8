/** Huffman codes as RFC 1951 wants them: lengths with a limit, codes that follow from the lengths. */
import { PER_LENGTH_AT, SORTED_AT, WEIGHTS_AT } from "../../src/segment/encode-layout";
import { byteAt } from "./words";

/**
 * Lengths of the shortest codes with none over `limit` bits (nearly: over-long ones are shortened as zlib does).
 *
 * @param counts how often each symbol comes, u32 below 2^22; at least two come at all
 * @param lengths a byte each out, 0 for a symbol that never comes
 */
export function codeLengths(counts: u32, symbols: u32, limit: u32, lengths: u32): void {
  let used: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    store<u8>(lengths + symbol, 0);
    const count = load<u32>(counts + (symbol << 2));
    if (count) store<u32>(SORTED_AT + (used++ << 2), (count << 9) | symbol);
  }
  sortAscending(used);
  for (let i: u32 = 0; i < used << 2; i += 4) store<u32>(WEIGHTS_AT + i, load<u32>(SORTED_AT + i) >> 9);
  weightsToLengths(used);

  memory.fill(PER_LENGTH_AT, 0, 256);
  for (let i: u32 = 0; i < used; i++) add(PER_LENGTH_AT + (min(limit, weight(i)) << 2), 1);
  let room: i32 = 1 << limit;
  for (let length: u32 = 1; length <= limit; length++) room -= perLength(length) << (limit - length);
  for (; room < 0; room++) {
    // Too many codes of the longest kind: one leaves, and shares the place of a shorter one.
    add(PER_LENGTH_AT + (limit << 2), -1);
    let length = limit - 1;
    while (perLength(length) === 0) length--;
    add(PER_LENGTH_AT + (length << 2), -1);
    add(PER_LENGTH_AT + ((length + 1) << 2), 2);
  }
  let at: u32 = SORTED_AT;
  for (let length = limit; length > 0; length--) {
    for (let n = perLength(length); n > 0; n--) {
      store<u8>(lengths + (load<u32>(at) & 511), <u8>length);
      at += 4;
    }
  }
}

/** @param codes u16 out, each with its first bit lowest, as deflate writes them */
export function codesOf(lengths: u32, symbols: u32, codes: u32): void {
  memory.fill(PER_LENGTH_AT, 0, 256);
  for (let symbol: u32 = 0; symbol < symbols; symbol++) add(PER_LENGTH_AT + (byteAt(lengths + symbol) << 2), 1);
  let code: i32 = 0;
  for (let length: u32 = 1; length <= 15; length++) {
    const next = code + perLength(length);
    store<i32>(PER_LENGTH_AT + (length << 2), code);
    code = next << 1;
  }
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const length = byteAt(lengths + symbol);
    if (length === 0) continue;
    store<u16>(codes + (symbol << 1), <u16>reversed(perLength(length), length));
    add(PER_LENGTH_AT + (length << 2), 1);
  }
}

function perLength(length: u32): i32 {
  return load<i32>(PER_LENGTH_AT + (length << 2));
}

function add(at: u32, much: i32): void {
  store<i32>(at, load<i32>(at) + much);
}

function reversed(code: u32, length: u32): u32 {
  let out: u32 = 0;
  for (let left = length; left > 0; left--) {
    out = (out << 1) | (code & 1);
    code >>= 1;
  }
  return out;
}

/** Shell's sort with the gaps of Ciura (2001). */
function sortAscending(count: u32): void {
  for (let gap: u32 = 57; gap > 0; gap = gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : gap > 1 ? 1 : 0) {
    for (let i = gap; i < count; i++) {
      const value = load<u32>(SORTED_AT + (i << 2));
      let at = i;
      for (; at >= gap; at -= gap) {
        const before = load<u32>(SORTED_AT + ((at - gap) << 2));
        if (before <= value) break;
        store<u32>(SORTED_AT + (at << 2), before);
      }
      store<u32>(SORTED_AT + (at << 2), value);
    }
  }
}

function weight(i: u32): u32 {
  return load<u32>(WEIGHTS_AT + (i << 2));
}

function setWeight(i: u32, value: u32): void {
  store<u32>(WEIGHTS_AT + (i << 2), value);
}

/** Ascending weights to code lengths, in place. Moffat & Katajainen, In-Place Calculation of Minimum-Redundancy Codes. */
function weightsToLengths(n: u32): void {
  setWeight(0, weight(0) + weight(1));
  let root: u32 = 0;
  let leaf: u32 = 2;
  for (let next: u32 = 1; next < n - 1; next++) {
    for (let half: u32 = 0; half < 2; half++) {
      const before = half ? weight(next) : 0;
      if (leaf >= n || (root < next && weight(root) < weight(leaf))) {
        setWeight(next, before + weight(root));
        setWeight(root++, next);
      } else {
        setWeight(next, before + weight(leaf++));
      }
    }
  }
  setWeight(n - 2, 0);
  for (let next: i32 = <i32>n - 3; next >= 0; next--) setWeight(next, weight(weight(next)) + 1);
  let free: i32 = 1;
  let inner: i32 = 0;
  let at: i32 = <i32>n - 2;
  let next: i32 = <i32>n - 1;
  for (let depth: u32 = 0; free > 0; depth++) {
    while (at >= 0 && weight(at) === depth) {
      inner++;
      at--;
    }
    while (free > inner) {
      setWeight(next--, depth);
      free--;
    }
    free = 2 * inner;
    inner = 0;
  }
}
