/**
 * Text that comes in pieces which were cut anywhere, also between the two halves (UTF-16) that some letters have. Alone a
 * half has no bytes in UTF-8: at a piece's edge it is written as three, and two that meet become their letter again when
 * all pieces are there in their order.
 */

const BYTES = 3;
const REPLACEMENT = Buffer.from("\ufffd");

/** A half at an edge may meet its other one; one anywhere else has none, and becomes U+FFFD. */
export function bytesOfPiece(text: string): Buffer {
  const first = isLow(text.charCodeAt(0)) ? 1 : 0;
  const last = text.length > first && isHigh(text.charCodeAt(text.length - 1)) ? text.length - 1 : text.length;
  if (first === 0 && last === text.length) return Buffer.from(text);
  const edge = (at: number) => halfBytes(text.charCodeAt(at));
  return Buffer.concat([
    ...(first > 0 ? [edge(0)] : []),
    Buffer.from(text.slice(first, last)),
    ...(last < text.length ? [edge(last)] : []),
  ]);
}

/** The bytes of all pieces as UTF-8. What is yielded is lent until the next is asked for. */
export async function* joinHalves(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let kept = Buffer.alloc(0);
  for await (const piece of pieces) {
    const bytes =
      kept.length > 0 ? Buffer.concat([kept, piece]) : Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const end = settledEnd(bytes);
    if (end > 0) yield* joined(bytes.subarray(0, end));
    kept = Buffer.from(bytes.subarray(end));
  }
  if (kept.length > 0) yield* joined(kept);
}

function* joined(bytes: Buffer): Generator<Buffer> {
  let from = 0;
  for (let at = nextHalf(bytes, 0); at >= 0; at = nextHalf(bytes, from)) {
    if (at > from) yield bytes.subarray(from, at);
    const [one, other] = [halfAt(bytes, at), halfAt(bytes, at + BYTES)];
    const isPair = isHigh(one) && isLow(other);
    yield isPair ? Buffer.from(String.fromCharCode(one, other)) : REPLACEMENT;
    from = at + (isPair ? 2 : 1) * BYTES;
  }
  if (from < bytes.length) yield bytes.subarray(from);
}

/** Up to where nothing depends on what comes: a half at the end may be cut, or be the first of two. */
function settledEnd(bytes: Buffer): number {
  let at = Math.max(0, bytes.length - 2 * BYTES + 1);
  for (at = bytes.indexOf(LEAD, at); at >= 0; at = bytes.indexOf(LEAD, at)) {
    const isHalf = at + 1 === bytes.length || bytes[at + 1]! >= FROM_HERE;
    const half = halfAt(bytes, at);
    if (isHalf && (Number.isNaN(half) || (isHigh(half) && at + 2 * BYTES > bytes.length))) return at;
    at += BYTES;
  }
  return bytes.length;
}

/** Well-formed UTF-8 has the first byte of a half, too, but never with such a second one. */
const LEAD = 0xed;
const FROM_HERE = 0xa0;

function nextHalf(bytes: Buffer, from: number): number {
  let at = bytes.indexOf(LEAD, from);
  while (at >= 0 && !(bytes[at + 1]! >= FROM_HERE && at + BYTES <= bytes.length)) at = bytes.indexOf(LEAD, at + 1);
  return at;
}

/** NaN where there is none, or not the whole of one. */
function halfAt(bytes: Buffer, at: number): number {
  if (at + BYTES > bytes.length || bytes[at] !== LEAD || bytes[at + 1]! < FROM_HERE) return Number.NaN;
  return 0xd000 | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f);
}

function halfBytes(half: number): Buffer {
  return Buffer.of(LEAD, 0x80 | ((half >> 6) & 0x3f), 0x80 | (half & 0x3f));
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
