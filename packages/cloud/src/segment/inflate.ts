/**
 * Raw inflate (RFC 1951) of bytes that are there as a whole, to a size that is known. For planes of a few KiB the set-up
 * of zlib or of a `DecompressionStream` costs more than the work; on larger ones this is as fast as zlib, for there is
 * little in them but Huffman codes. And it runs in a worker without waiting.
 */

/** Codes of up to so many bits are looked up at once; longer ones are rare by nature and read bit by bit. */
const QUICK_BITS = 10;
const LONGEST = 15;

/** A set of codes. `quick`: by the next bits, symbol · 16 + length, 0 where the code is longer. */
type Codes = {
  readonly quick: Uint16Array;
  /** How many codes have each length. */
  readonly perLength: Uint16Array;
  /** Symbols in the order of their codes. */
  readonly sorted: Uint16Array;
};

const newCodes = (symbols: number): Codes => ({
  quick: new Uint16Array(1 << QUICK_BITS),
  perLength: new Uint16Array(LONGEST + 1),
  sorted: new Uint16Array(symbols),
});
const literals = newCodes(288);
const distances = newCodes(32);
const lengthCodes = newCodes(19);
const lengths = new Uint8Array(288 + 32);
const starts = new Uint16Array(LONGEST + 2);

const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const REPEAT_BASE = new Uint16Array(29);
const REPEAT_EXTRA = new Uint8Array(29);
const DISTANCE_BASE = new Uint16Array(30);
const DISTANCE_EXTRA = new Uint8Array(30);
for (let i = 0, base = 3; i < 28; base += 1 << REPEAT_EXTRA[i++]!) {
  REPEAT_EXTRA[i] = i < 8 ? 0 : (i - 4) >> 2;
  REPEAT_BASE[i] = base;
}
REPEAT_BASE[28] = 258;
for (let i = 0, base = 1; i < 30; base += 1 << DISTANCE_EXTRA[i++]!) {
  DISTANCE_EXTRA[i] = i < 4 ? 0 : (i - 2) >> 1;
  DISTANCE_BASE[i] = base;
}

/** Bits on their way in; `bytes` has room behind its end, and `at` may run a little into it. */
const source = { bytes: new Uint8Array(0), end: 0, at: 0, held: 0, heldBits: 0 };

/**
 * @returns `sizeBytes` bytes
 * @throws {RangeError} when it is no deflate stream, makes fewer or more bytes, or ends before the input does
 */
export function inflate(compressed: Uint8Array, sizeBytes: number): Uint8Array {
  const end = compressed.length;
  if (source.bytes.length < end + 8) source.bytes = new Uint8Array((end + 8) * 2);
  source.bytes.set(compressed);
  source.bytes.fill(0, end, end + 8);
  source.end = end;
  source.at = source.held = source.heldBits = 0;
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (let last = false; !last; ) {
    last = take(1) === 1;
    const kind = take(2);
    if (kind === 0) {
      at = readStored(out, at);
    } else {
      if (kind === 1) fixedCodes();
      else if (kind === 2) readCodes();
      else throw new RangeError("a block of no kind");
      at = readBlock(out, at);
    }
    if (source.at - (source.heldBits >> 3) > end) throw new RangeError("cut off");
  }
  if (at !== sizeBytes) throw new RangeError(`${at} of ${sizeBytes} bytes`);
  if (source.at - (source.heldBits >> 3) !== end) throw new RangeError("more than a stream");
  return out;
}

/** @param bits up to 16 */
function take(bits: number): number {
  if (source.heldBits < bits) {
    const { bytes, at } = source;
    if (at > source.end + 2) throw new RangeError("cut off");
    source.held |= (bytes[at]! | (bytes[at + 1]! << 8)) << source.heldBits;
    source.heldBits += 16;
    source.at = at + 2;
  }
  const value = source.held & ((1 << bits) - 1);
  source.held >>>= bits;
  source.heldBits -= bits;
  return value;
}

function readStored(out: Uint8Array, at: number): number {
  source.at -= source.heldBits >> 3; // whole bytes that were taken too early
  source.held = source.heldBits = 0;
  const { bytes, at: from } = source;
  const length = bytes[from]! | (bytes[from + 1]! << 8);
  const inverse = bytes[from + 2]! | (bytes[from + 3]! << 8);
  if (length !== (inverse ^ 0xffff) || from + 4 + length > source.end) throw new RangeError("a stored block that lies");
  if (at + length > out.length) throw new RangeError(`more than ${out.length} bytes`);
  out.set(bytes.subarray(from + 4, from + 4 + length), at);
  source.at = from + 4 + length;
  return at + length;
}

function fixedCodes(): void {
  lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288);
  build(literals, 0, 288);
  lengths.fill(5, 0, 32);
  build(distances, 0, 32);
}

function readCodes(): void {
  const literalCount = take(5) + 257;
  const distanceCount = take(5) + 1;
  const lengthCount = take(4) + 4;
  if (literalCount > 286 || distanceCount > 30) throw new RangeError("too many codes");
  lengths.fill(0, 0, 19);
  for (let i = 0; i < lengthCount; i++) lengths[ORDER[i]!] = take(3);
  if (build(lengthCodes, 0, 19) !== 0) throw new RangeError("codes of lengths are not whole");
  for (let i = 0; i < literalCount + distanceCount; ) {
    const token = readSymbol(lengthCodes);
    if (token < 16) {
      lengths[i++] = token;
      continue;
    }
    if (token === 16 && i === 0) throw new RangeError("no length to repeat");
    const value = token === 16 ? lengths[i - 1]! : 0;
    const to = i + (token === 16 ? 3 + take(2) : token === 17 ? 3 + take(3) : 11 + take(7));
    if (to > literalCount + distanceCount) throw new RangeError("too many lengths");
    lengths.fill(value, i, to);
    i = to;
  }
  if (lengths[256] === 0) throw new RangeError("a block without an end");
  const single = (codes: Codes) => codes.perLength[0] === codes.sorted.length - 1 && codes.perLength[1] === 1;
  if (build(literals, 0, literalCount) !== 0 && !single(literals)) throw new RangeError("codes are not whole");
  const distancesLeft = build(distances, literalCount, distanceCount);
  const none = distances.perLength[0] === distances.sorted.length;
  if (distancesLeft !== 0 && !single(distances) && !none) throw new RangeError("codes of distances are not whole");
}

/** Makes codes of `lengths[from…from + count]`. @returns places that no code has @throws {RangeError} too many codes */
function build(codes: Codes, from: number, count: number): number {
  const { quick, perLength, sorted } = codes;
  perLength.fill(0);
  for (let i = 0; i < count; i++) perLength[lengths[from + i]!]!++;
  perLength[0] = sorted.length - count + perLength[0]!;
  let left = 1;
  starts[1] = 0;
  for (let length = 1; length <= LONGEST; length++) {
    left = left * 2 - perLength[length]!;
    if (left < 0) throw new RangeError("too many codes of a length");
    starts[length + 1] = starts[length]! + perLength[length]!;
  }
  for (let i = 0; i < count; i++) {
    const length = lengths[from + i]!;
    if (length > 0) sorted[starts[length]!++] = i;
  }
  quick.fill(0);
  // Codes count upwards with their first bit highest; in the stream that bit comes first, so the table counts mirrored.
  for (let length = 1, i = 0, code = 0; length <= QUICK_BITS; length++, code <<= 1) {
    for (let n = perLength[length]!; n > 0; n--, code++, i++) {
      let mirrored = 0;
      for (let bit = 0; bit < length; bit++) mirrored |= ((code >> bit) & 1) << (length - 1 - bit);
      const entry = (sorted[i]! << 4) | length;
      for (let place = mirrored; place < 1 << QUICK_BITS; place += 1 << length) quick[place] = entry;
    }
  }
  return left;
}

function readSymbol(codes: Codes): number {
  if (source.heldBits < LONGEST) {
    const { bytes, at } = source;
    if (at > source.end + 2) throw new RangeError("cut off");
    source.held |= (bytes[at]! | (bytes[at + 1]! << 8)) << source.heldBits;
    source.heldBits += 16;
    source.at = at + 2;
  }
  const entry = codes.quick[source.held & ((1 << QUICK_BITS) - 1)]!;
  if (entry === 0) return readLongSymbol(codes);
  source.held >>>= entry & 15;
  source.heldBits -= entry & 15;
  return entry >> 4;
}

/** Bit by bit, from the shortest code on. */
function readLongSymbol({ perLength, sorted }: Codes): number {
  for (let length = 1, code = 0, first = 0, index = 0; length <= LONGEST; length++) {
    code |= take(1);
    const count = perLength[length]!;
    if (code - count < first) return sorted[index + code - first]!;
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  throw new RangeError("a code that is none");
}

/** @returns where the next byte goes */
function readBlock(out: Uint8Array, from: number): number {
  const { bytes } = source;
  const { quick } = literals;
  const size = out.length;
  let at = from;
  let next = source.at;
  let held = source.held;
  let heldBits = source.heldBits;
  for (;;) {
    if (heldBits < LONGEST) {
      if (next > source.end + 2) throw new RangeError("cut off");
      held |= (bytes[next]! | (bytes[next + 1]! << 8)) << heldBits;
      heldBits += 16;
      next += 2;
    }
    const entry = quick[held & ((1 << QUICK_BITS) - 1)]!;
    const symbol = entry >> 4;
    if (entry !== 0 && symbol < 256) {
      if (at === size) throw new RangeError(`more than ${size} bytes`);
      held >>>= entry & 15;
      heldBits -= entry & 15;
      out[at++] = symbol;
      continue;
    }
    source.at = next;
    source.held = held;
    source.heldBits = heldBits;
    const other = readSymbol(literals);
    if (other === 256) return at;
    if (other < 256) {
      if (at === size) throw new RangeError(`more than ${size} bytes`);
      out[at++] = other;
    } else {
      at = readRepeat(out, at, other - 257);
    }
    next = source.at;
    held = source.held;
    heldBits = source.heldBits;
  }
}

function readRepeat(out: Uint8Array, at: number, symbol: number): number {
  if (symbol > 28) throw new RangeError("a length that is none");
  const length = REPEAT_BASE[symbol]! + take(REPEAT_EXTRA[symbol]!);
  const place = readSymbol(distances);
  if (place > 29) throw new RangeError("a distance that is none");
  const distance = DISTANCE_BASE[place]! + take(DISTANCE_EXTRA[place]!);
  if (distance > at) throw new RangeError("a repeat of what was before the beginning");
  if (at + length > out.length) throw new RangeError(`more than ${out.length} bytes`);
  if (distance === 1) return out.fill(out[at - 1]!, at, at + length) && at + length;
  for (let i = at; i < at + length; i++) out[i] = out[i - distance]!;
  return at + length;
}
