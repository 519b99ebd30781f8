/**
 * Byte planes to a raw deflate stream (RFC 1951): Huffman codes of each plane's own, and repeats of one byte. A general
 * deflate looks for strings, which sorted points do not have, and keeps one table of codes over what happens to be 32 KiB;
 * this is smaller on planes, faster, costs no set-up on small ones, and its bytes do not depend on anyone's version of
 * zlib. Any inflate reads it.
 */
import { codeLengths, codesOf } from "./huffman.ts";

const END = 256;
const LITERALS = 286;
/** RFC 1951, 3.2.7: in which order the lengths of the codes for code lengths are written. */
export const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/** RFC 1951, 3.2.5, by repeat length 3…258: symbol, extra bits and how many of them. */
const REPEAT_SYMBOL = new Uint16Array(259);
const REPEAT_EXTRA = new Uint8Array(259);
const REPEAT_EXTRA_BITS = new Uint8Array(259);
for (let length = 3, symbol = 257, start = 3; length <= 258; length++) {
  const extraBits = symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >> 2;
  REPEAT_SYMBOL[length] = symbol;
  REPEAT_EXTRA[length] = length - start;
  REPEAT_EXTRA_BITS[length] = extraBits;
  if (length === 257) [symbol, start] = [285, 258];
  else if (length + 1 === start + (1 << extraBits)) [symbol, start] = [symbol + 1, length + 1];
}
const FIXED_LENGTHS = Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
const FIXED_CODES = new Uint16Array(288);
codesOf(FIXED_LENGTHS, 288, FIXED_CODES);

/** What a block needs to be written; `bits` in all, −1 before that is known. */
type Block = {
  from: number;
  to: number;
  repeats: boolean;
  readonly counts: Uint32Array;
  readonly lengths: Uint8Array;
  bits: number;
};

const newBlock = (): Block => ({
  from: 0,
  to: 0,
  repeats: false,
  counts: new Uint32Array(288),
  lengths: new Uint8Array(288),
  bits: 0,
});
const codes = new Uint16Array(288);
const tokens = new Uint8Array(320);
const tokenExtra = new Uint8Array(320);
const tokenCounts = new Uint32Array(19);
const tokenLengths = new Uint8Array(19);
const tokenCodes = new Uint16Array(19);

/** Bits on their way out; `held` holds fewer than 16 between writes. */
const out = { bytes: new Uint8Array(4096), at: 0, held: 0, heldBits: 0 };

/** Planes of fewer bytes join the next block: a table of codes of their own would be larger than they are. */
const TINY = 32;
/** Planes of more bytes than this have a block each: a table of codes is small beside what it saves. */
const LARGE = 1024;
const blocks = [newBlock(), newBlock(), newBlock()] as const;

/** @param ends where each plane ends, ascending; empty ones are allowed */
export function deflatePlanes(bytes: Uint8Array, ends: readonly number[]): Uint8Array {
  out.at = out.held = out.heldBits = 0;
  let [current, next, both]: readonly Block[] = blocks;
  count(current!, bytes, 0, ends[0] ?? 0);
  for (let i = 1; i < ends.length; i++) {
    const end = ends[i]!;
    if (end === current!.to) continue;
    count(next!, bytes, current!.to, end);
    if (joined(both!, current!, next!)) {
      [current, both] = [both, current];
    } else {
      writeBlock(current!, bytes, false);
      [current, next] = [next, current];
    }
  }
  writeBlock(current!, bytes, true);
  if (out.heldBits > 0) out.bytes[out.at++] = out.held;
  if (out.heldBits > 8) out.bytes[out.at++] = out.held >>> 8;
  return out.bytes.slice(0, out.at);
}

/** Counts what a plane has of each symbol. */
function count(block: Block, bytes: Uint8Array, from: number, to: number): void {
  const { counts } = block;
  counts.fill(0);
  block.from = from;
  block.to = to;
  block.bits = -1;
  let same = 0;
  let before = -1;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    counts[byte]!++;
    if (byte === before) same++;
    before = byte;
  }
  block.repeats = to - from > 16 && same * 4 > (to - from) * 3;
  if (block.repeats) {
    counts.fill(0);
    forRuns(bytes, from, to, (byte, run) => {
      counts[byte]!++;
      for (let left = run - 1; left > 0; left -= 258) {
        if (left < 3) counts[byte]! += left;
        else counts[REPEAT_SYMBOL[Math.min(258, left)]!]!++;
      }
    });
  }
  counts[END] = 1;
}

/** Whether the planes `a` and `b`, neighbours, are better one block; then it is in `into`. */
function joined(into: Block, a: Block, b: Block): boolean {
  // A repeat would reach over the seam; planes that repeat are few symbols, apart is as good.
  if (a.repeats || b.repeats) return a.from === a.to && joinedAnyway(into, a, b, b.repeats);
  const smaller = Math.min(a.to - a.from, b.to - b.from);
  if (smaller < TINY) return joinedAnyway(into, a, b, false);
  if (smaller > LARGE) return false;
  joinedAnyway(into, a, b, false);
  for (const block of [into, a, b]) if (block.bits < 0) plan(block);
  return into.bits <= a.bits + b.bits;
}

function joinedAnyway(into: Block, a: Block, b: Block, repeats: boolean): true {
  for (let i = 0; i < LITERALS; i++) into.counts[i] = a.counts[i]! + b.counts[i]!;
  into.counts[END] = 1;
  into.from = a.from;
  into.to = b.to;
  into.repeats = repeats;
  into.bits = -1;
  return true;
}

/** Chooses the codes of a block and says what it takes. */
function plan(block: Block): void {
  const { counts, lengths } = block;
  let used = 0;
  for (let i = 0; i < LITERALS && used < 2; i++) if (counts[i]) used++;
  if (used < 2) counts[0] = 1; // codes need two symbols; only an empty block has one
  codeLengths(counts, LITERALS, 15, lengths);
  let dynamic = 3 + headerBits(block);
  let fixed = 3;
  for (let i = 0; i < LITERALS; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    dynamic += count * lengths[i]!;
    fixed += count * FIXED_LENGTHS[i]!;
  }
  for (let length = 3; block.repeats && length <= 258; length++) {
    const symbol = REPEAT_SYMBOL[length]!;
    if (symbol !== REPEAT_SYMBOL[length - 1]) dynamic += counts[symbol]! * (REPEAT_EXTRA_BITS[length]! + 1);
  }
  if (block.repeats) fixed = Infinity;
  if (fixed <= dynamic) lengths.set(FIXED_LENGTHS);
  block.bits = Math.min(fixed, dynamic);
}

const isFixed = ({ lengths }: Block) => lengths[287] !== 0;

/** Fills the tokens of a block's code lengths. @returns how many */
function tokenize(block: Block): number {
  const { lengths, repeats } = block;
  lengths[286] = lengths[287] = 0;
  let literals = LITERALS;
  while (literals > 257 && lengths[literals - 1] === 0) literals--;
  tokenCounts.fill(0);
  let n = 0;
  const put = (token: number, extra: number) => {
    tokens[n] = token;
    tokenExtra[n++] = extra;
    tokenCounts[token]!++;
  };
  for (let i = 0; i < literals; ) {
    const length = lengths[i]!;
    let run = 1;
    while (i + run < literals && lengths[i + run] === length) run++;
    i += run;
    if (length === 0) {
      for (; run >= 11; run -= Math.min(138, run)) put(18, Math.min(138, run) - 11);
      if (run >= 3) {
        put(17, run - 3);
        run = 0;
      }
    } else {
      put(length, 0);
      for (run--; run >= 3; run -= Math.min(6, run)) put(16, Math.min(6, run) - 3);
    }
    for (; run > 0; run--) put(length, 0);
  }
  put(repeats ? 1 : 0, 0); // the one distance there is: 1
  return n;
}

const TOKEN_EXTRA_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7];

/** Codes the tokens. @returns how many code lengths of codes are written */
function codeTokens(): number {
  codeLengths(tokenCounts, 19, 7, tokenLengths);
  let written = 19;
  while (written > 4 && tokenLengths[ORDER[written - 1]!] === 0) written--;
  return written;
}

function headerBits(block: Block): number {
  tokenize(block);
  let bits = 14 + 3 * codeTokens();
  for (let token = 0; token < 19; token++)
    bits += tokenCounts[token]! * (tokenLengths[token]! + TOKEN_EXTRA_BITS[token]!);
  return bits;
}

function writeBlock(block: Block, bytes: Uint8Array, last: boolean): void {
  if (block.bits < 0) plan(block);
  reserve(Math.ceil(block.bits / 8) + 8);
  put(last ? 1 : 0, 1);
  if (isFixed(block)) {
    put(1, 2);
    writeLiterals(bytes, block.from, block.to, FIXED_CODES, FIXED_LENGTHS);
    put(FIXED_CODES[END]!, FIXED_LENGTHS[END]!);
    return;
  }
  put(2, 2);
  writeHeader(block);
  const { lengths } = block;
  codesOf(lengths, LITERALS, codes);
  if (block.repeats) {
    forRuns(bytes, block.from, block.to, (byte, run) => {
      put(codes[byte]!, lengths[byte]!);
      for (let left = run - 1; left > 0; left -= 258) {
        if (left < 3) {
          for (; left > 0; left--) put(codes[byte]!, lengths[byte]!);
          break;
        }
        const length = Math.min(258, left);
        const symbol = REPEAT_SYMBOL[length]!;
        put(codes[symbol]!, lengths[symbol]!);
        put(REPEAT_EXTRA[length]!, REPEAT_EXTRA_BITS[length]!);
        put(0, 1); // distance 1
      }
    });
  } else {
    writeLiterals(bytes, block.from, block.to, codes, lengths);
  }
  put(codes[END]!, lengths[END]!);
}

function writeHeader(block: Block): void {
  const n = tokenize(block);
  const written = codeTokens();
  codesOf(tokenLengths, 19, tokenCodes);
  let literals = LITERALS;
  while (literals > 257 && block.lengths[literals - 1] === 0) literals--;
  put(literals - 257, 5);
  put(0, 5);
  put(written - 4, 4);
  for (let i = 0; i < written; i++) put(tokenLengths[ORDER[i]!]!, 3);
  for (let i = 0; i < n; i++) {
    const token = tokens[i]!;
    put(tokenCodes[token]!, tokenLengths[token]!);
    if (token >= 16) put(tokenExtra[i]!, TOKEN_EXTRA_BITS[token]!);
  }
}

function writeLiterals(
  bytes: Uint8Array,
  from: number,
  to: number,
  literalCodes: Uint16Array,
  lengths: Uint8Array,
): void {
  const target = out.bytes;
  let { at, held, heldBits } = out;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    held |= literalCodes[byte]! << heldBits;
    heldBits += lengths[byte]!;
    if (heldBits >= 16) {
      target[at++] = held;
      target[at++] = held >>> 8;
      held >>>= 16;
      heldBits -= 16;
    }
  }
  out.at = at;
  out.held = held;
  out.heldBits = heldBits;
}

/** @param bits up to 16 */
function put(value: number, bits: number): void {
  out.held |= value << out.heldBits;
  out.heldBits += bits;
  if (out.heldBits < 16) return;
  out.bytes[out.at++] = out.held;
  out.bytes[out.at++] = out.held >>> 8;
  out.held >>>= 16;
  out.heldBits -= 16;
}

function reserve(sizeBytes: number): void {
  if (out.at + sizeBytes <= out.bytes.length) return;
  const larger = new Uint8Array(Math.max(out.at + sizeBytes, out.bytes.length * 2));
  larger.set(out.bytes.subarray(0, out.at));
  out.bytes = larger;
}

function forRuns(bytes: Uint8Array, from: number, to: number, take: (byte: number, run: number) => void): void {
  for (let i = from; i < to; ) {
    const byte = bytes[i]!;
    let run = 1;
    while (i + run < to && bytes[i + run] === byte) run++;
    take(byte, run);
    i += run;
  }
}
