/**
 * Byte planes to a raw deflate stream (RFC 1951): Huffman codes of each plane's own, and repeats of one byte. A general
 * deflate looks for strings, which sorted points do not have, and keeps one table of codes over what happens to be 32 KiB;
 * this is smaller on planes, faster, costs no set-up on small ones, and its bytes do not depend on anyone's version of
 * zlib. Any inflate reads it.
 */
import {
  BLOCK_BYTES,
  BLOCKS_AT,
  CODED_AT,
  CODES_AT,
  ORDER_AT,
  TOKEN_CODES_AT,
  TOKEN_COUNTS_AT,
  TOKEN_EXTRA_AT,
  TOKEN_LENGTHS_AT,
  TOKENS_AT,
} from "../../src/segment/encode-layout";
import { codeLengths, codesOf } from "./huffman";
import { byteAt, halfAt } from "./words";

const END: u32 = 256;
const LITERALS: u32 = 286;
const TOKENS: u32 = 19;

/** Planes of fewer bytes join the next block: a table of codes of their own would be larger than they are. */
const TINY: u32 = 32;
/** Planes of more bytes than this have a block each: a table of codes is small beside what it saves. */
const LARGE: u32 = 1024;

/** Where the parts of a block are: how often each symbol comes, how long its code is, then what it spans. */
const LENGTHS = 288 * 4;
const FROM = LENGTHS + 288;
const TO = FROM + 4;
const REPEATS = FROM + 8;
/** In all; `UNKNOWN` before that is known. */
const BITS = FROM + 12;
const UNKNOWN: u32 = u32.MAX_VALUE;

/** Bits on their way out; fewer than 32 are held between writes. */
let outAt: u32 = 0;
let held: u64 = 0;
let heldBits: u32 = 0;

/**
 * @param planes bytes @param ends u32 each: where each of `n` planes ends, from the first on, ascending; empty ones are allowed
 * @param out where the stream goes: no more than twice the bytes and 300 a plane
 * @returns how many bytes it has
 */
export function deflatePlanes(planes: u32, ends: u32, n: u32, out: u32): u32 {
  outAt = out;
  held = 0;
  heldBits = 0;
  let current: u32 = BLOCKS_AT;
  let next: u32 = current + BLOCK_BYTES;
  let both: u32 = next + BLOCK_BYTES;
  count(current, planes, planes + (n > 0 ? load<u32>(ends) : 0));
  for (let i: u32 = 1; i < n; i++) {
    const end = planes + load<u32>(ends + (i << 2));
    const from = load<u32>(current, TO);
    if (end === from) continue;
    count(next, from, end);
    const before = current;
    if (joined(both, current, next)) {
      current = both;
      both = before;
    } else {
      writeBlock(current, false);
      current = next;
      next = before;
    }
  }
  writeBlock(current, true);
  store<u32>(outAt, <u32>held);
  return outAt + ((heldBits + 7) >> 3) - out;
}

function countOf(block: u32, symbol: u32): u32 {
  return load<u32>(block + (symbol << 2));
}

function lengthOf(block: u32, symbol: u32): u32 {
  return byteAt(block + LENGTHS + symbol);
}

function more(block: u32, symbol: u32, much: u32): void {
  const at = block + (symbol << 2);
  store<u32>(at, load<u32>(at) + much);
}

/** Counts what a plane has of each symbol. */
function count(block: u32, from: u32, to: u32): void {
  memory.fill(block, 0, LENGTHS);
  store<u32>(block, from, FROM);
  store<u32>(block, to, TO);
  store<u32>(block, UNKNOWN, BITS);
  let same: u32 = 0;
  let before: u32 = 256;
  for (let at = from; at < to; at++) {
    const byte = byteAt(at);
    more(block, byte, 1);
    same += <u32>(byte === before);
    before = byte;
  }
  const repeats = to - from > 16 && same * 4 > (to - from) * 3;
  store<u32>(block, <u32>repeats, REPEATS);
  if (repeats) {
    memory.fill(block, 0, LENGTHS);
    for (let at = from; at < to; ) {
      const byte = byteAt(at);
      const run = runAt(at, to);
      at += run;
      more(block, byte, 1);
      for (let left: i32 = run - 1; left > 0; left -= 258) {
        if (left < 3) more(block, byte, left);
        else more(block, repeatSymbol(min(258, left)), 1);
      }
    }
  }
  store<u32>(block + (END << 2), 1);
}

/** How many bytes from `at` on are the same. */
function runAt(at: u32, to: u32): u32 {
  const byte = byteAt(at);
  let run: u32 = 1;
  while (at + run < to && byteAt(at + run) === byte) run++;
  return run;
}

/** RFC 1951, 3.2.5: how many extra bits a repeat of 3…258 bytes has. */
function repeatExtraBits(length: u32): u32 {
  return length < 11 || length === 258 ? 0 : 29 - clz(length - 3);
}

function repeatSymbol(length: u32): u32 {
  const extraBits = repeatExtraBits(length);
  return length === 258 ? 285 : 257 + 4 * extraBits + ((length - 3) >> extraBits);
}

/** Whether the planes `a` and `b`, neighbours, are better one block; then it is at `into`. */
function joined(into: u32, a: u32, b: u32): boolean {
  const aBytes = load<u32>(a, TO) - load<u32>(a, FROM);
  const bBytes = load<u32>(b, TO) - load<u32>(b, FROM);
  const repeats = load<u32>(a, REPEATS) | load<u32>(b, REPEATS);
  const smaller = min(aBytes, bBytes);
  if (repeats) {
    // A repeat would reach over the seam; planes that repeat are few symbols, apart is as good.
    if (aBytes > 0) return false;
    join(into, a, b);
    store<u32>(into, load<u32>(b, REPEATS), REPEATS);
    return true;
  }
  if (smaller > LARGE) return false;
  join(into, a, b);
  if (smaller < TINY) return true;
  plan(into);
  plan(a);
  plan(b);
  return load<u32>(into, BITS) <= load<u32>(a, BITS) + load<u32>(b, BITS);
}

function join(into: u32, a: u32, b: u32): void {
  for (let at: u32 = 0; at < LITERALS << 2; at += 4) store<u32>(into + at, load<u32>(a + at) + load<u32>(b + at));
  store<u32>(into + (END << 2), 1);
  store<u32>(into, load<u32>(a, FROM), FROM);
  store<u32>(into, load<u32>(b, TO), TO);
  store<u32>(into, 0, REPEATS);
  store<u32>(into, UNKNOWN, BITS);
}

/** Chooses the codes of a block and says what it takes, if that is not known. */
function plan(block: u32): void {
  if (load<u32>(block, BITS) !== UNKNOWN) return;
  let used: u32 = 0;
  for (let symbol: u32 = 0; symbol < LITERALS; symbol++) used += <u32>(countOf(block, symbol) !== 0);
  if (used < 2) store<u32>(block, 1); // codes need two symbols; only an empty block has one
  codeLengths(block, LITERALS, 15, block + LENGTHS);
  const repeats = load<u32>(block, REPEATS);
  let dynamic: u32 = 3 + headerBits(block);
  let fixed: u32 = 3;
  for (let symbol: u32 = 0; symbol < LITERALS; symbol++) {
    const times = countOf(block, symbol);
    dynamic += times * lengthOf(block, symbol);
    fixed += times * fixedLength(symbol);
    // Of a repeat its extra bits and its distance, which is one bit.
    if (symbol > END) dynamic += times * (extraBitsOf(symbol) + 1);
  }
  if (!repeats && fixed <= dynamic) {
    for (let symbol: u32 = 0; symbol < 288; symbol++) store<u8>(block + LENGTHS + symbol, <u8>fixedLength(symbol));
    dynamic = fixed;
  }
  store<u32>(block, dynamic, BITS);
}

/** RFC 1951, 3.2.6. */
function fixedLength(symbol: u32): u32 {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}

function extraBitsOf(symbol: u32): u32 {
  return symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >> 2;
}

/** How many literals and repeats have a code length written. */
function literalsOf(block: u32): u32 {
  let literals = LITERALS;
  while (literals > 257 && lengthOf(block, literals - 1) === 0) literals--;
  return literals;
}

let tokens: u32 = 0;

function putToken(token: u32, extra: u32): void {
  store<u8>(TOKENS_AT + tokens, <u8>token);
  store<u8>(TOKEN_EXTRA_AT + tokens++, <u8>extra);
  more(TOKEN_COUNTS_AT, token, 1);
}

/** Makes tokens of a block's code lengths. */
function tokenize(block: u32): void {
  store<u16>(block + LENGTHS + LITERALS, 0);
  const literals = literalsOf(block);
  memory.fill(TOKEN_COUNTS_AT, 0, TOKENS << 2);
  tokens = 0;
  for (let i: u32 = 0; i < literals; ) {
    const length = lengthOf(block, i);
    let run: i32 = runAt(block + LENGTHS + i, block + LENGTHS + literals);
    i += run;
    if (length === 0) {
      for (; run >= 11; run -= min(138, run)) putToken(18, min(138, run) - 11);
      if (run >= 3) {
        putToken(17, run - 3);
        run = 0;
      }
    } else {
      putToken(length, 0);
      for (run--; run >= 3; run -= min(6, run)) putToken(16, min(6, run) - 3);
    }
    for (; run > 0; run--) putToken(length, 0);
  }
  putToken(load<u32>(block, REPEATS), 0); // the one distance there is: 1
}

function tokenExtraBits(token: u32): u32 {
  return token < 16 ? 0 : token === 16 ? 2 : token === 17 ? 3 : 7;
}

/** Codes the tokens. @returns how many code lengths of codes are written */
function codeTokens(): u32 {
  codeLengths(TOKEN_COUNTS_AT, TOKENS, 7, TOKEN_LENGTHS_AT);
  let written = TOKENS;
  while (written > 4 && byteAt(TOKEN_LENGTHS_AT + byteAt(ORDER_AT + written - 1)) === 0) written--;
  return written;
}

function headerBits(block: u32): u32 {
  tokenize(block);
  let bits = 14 + 3 * codeTokens();
  for (let token: u32 = 0; token < TOKENS; token++)
    bits += countOf(TOKEN_COUNTS_AT, token) * (byteAt(TOKEN_LENGTHS_AT + token) + tokenExtraBits(token));
  return bits;
}

function writeBlock(block: u32, last: boolean): void {
  plan(block);
  put(<u32>last, 1);
  const from = load<u32>(block, FROM);
  const to = load<u32>(block, TO);
  const lengths = block + LENGTHS;
  if (lengthOf(block, 287) !== 0) {
    put(1, 2);
    codesOf(lengths, 288, CODES_AT);
  } else {
    put(2, 2);
    writeHeader(block);
    codesOf(lengths, LITERALS, CODES_AT);
  }
  if (load<u32>(block, REPEATS)) writeRepeats(block, from, to);
  else writeLiterals(lengths, from, to);
  putSymbol(lengths, END);
}

function writeHeader(block: u32): void {
  tokenize(block);
  const written = codeTokens();
  codesOf(TOKEN_LENGTHS_AT, TOKENS, TOKEN_CODES_AT);
  put(literalsOf(block) - 257, 5);
  put(0, 5);
  put(written - 4, 4);
  for (let i: u32 = 0; i < written; i++) put(byteAt(TOKEN_LENGTHS_AT + byteAt(ORDER_AT + i)), 3);
  for (let i: u32 = 0; i < tokens; i++) {
    const token = byteAt(TOKENS_AT + i);
    put(halfAt(TOKEN_CODES_AT + (token << 1)), byteAt(TOKEN_LENGTHS_AT + token));
    put(byteAt(TOKEN_EXTRA_AT + i), tokenExtraBits(token));
  }
}

function writeLiterals(lengths: u32, from: u32, to: u32): void {
  // Of each byte its code, and above it how long that is.
  for (let byte: u32 = 0; byte < 256; byte++)
    store<u32>(CODED_AT + (byte << 2), halfAt(CODES_AT + (byte << 1)) | (byteAt(lengths + byte) << 16));
  for (let at = from; at < to; at++) {
    const coded = load<u32>(CODED_AT + (byteAt(at) << 2));
    put(coded & 0xffff, coded >> 16);
  }
}

function writeRepeats(block: u32, from: u32, to: u32): void {
  const lengths = block + LENGTHS;
  for (let at = from; at < to; ) {
    const byte = byteAt(at);
    const run = runAt(at, to);
    at += run;
    putSymbol(lengths, byte);
    for (let left: i32 = run - 1; left > 0; left -= 258) {
      if (left < 3) {
        for (; left > 0; left--) putSymbol(lengths, byte);
        break;
      }
      const length: u32 = min(258, left);
      const extraBits = repeatExtraBits(length);
      putSymbol(lengths, repeatSymbol(length));
      put((length - 3) & ((1 << extraBits) - 1), extraBits);
      put(0, 1); // distance 1
    }
  }
}

function putSymbol(lengths: u32, symbol: u32): void {
  put(halfAt(CODES_AT + (symbol << 1)), byteAt(lengths + symbol));
}

/** @param bits up to 16 */
function put(value: u32, bits: u32): void {
  held |= (<u64>value) << heldBits;
  heldBits += bits;
  if (heldBits < 32) return;
  store<u32>(outAt, <u32>held);
  outAt += 4;
  held >>= 32;
  heldBits -= 32;
}
