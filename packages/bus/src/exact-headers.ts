/**
 * Headers that are 64-bit integers, digit for digit. The library reads each into a double, which loses digits above 2^53,
 * where every time in nanoseconds is: what it read so is replaced by a bigint from the bytes of the frame. Rule GEN-39.
 */

type Table = Record<string, unknown>;
type Frame = { readonly fields?: { readonly headers?: Table } };

/** What the library's connection has, though its types do not tell. */
export type Receiver = { rest: Buffer; recvFrame(): Frame | false };

const FRAME_HEAD_BYTES = 7;
const FRAME_END_BYTES = 1;
const HEADER_FRAME = 2;
/** In a header frame: class, weight and size of the body. */
const FLAGS_AT = 12;
const CONTENT_TYPE = 0x8000;
const CONTENT_ENCODING = 0x4000;
const HEADERS = 0x2000;

/** Bytes of a value by its tag; those of the tags in `LONG` begin with how many follow. */
const BYTES: Readonly<Record<string, number>> = {
  t: 1,
  b: 1,
  B: 1,
  s: 2,
  u: 2,
  I: 4,
  i: 4,
  f: 4,
  D: 5,
  l: 8,
  d: 8,
  T: 8,
  V: 0,
};
const LONG = new Set(["S", "x", "A", "F"]);

/** From now on messages of this connection have exact headers. @throws {Error} when the library is made another way */
export function keepExact(connection: Receiver): void {
  const receive = connection.recvFrame;
  if (typeof receive !== "function" || !Buffer.isBuffer(connection.rest)) {
    throw new Error("this version of amqplib has no `recvFrame` and `rest`, by which headers keep their digits");
  }
  // With too little to read it reads on and calls itself: the inner call sees the whole frame, the outer one does not.
  connection.recvFrame = function (this: Receiver) {
    const bytes = this.rest;
    const frame = receive.call(this);
    const headers = frame ? frame.fields?.headers : undefined;
    const payload = headers && headerFrame(bytes);
    // Of two of a name the library keeps the last.
    if (headers && payload) for (const [name, value] of new Map(integers(payload))) correct(headers, name, value);
    return frame;
  };
}

/** What a double has the digits for stays a number, and what is another value than the library read is none of ours. */
function correct(headers: Table, name: string, value: bigint): void {
  const read = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (read === Number(value) && !Number.isSafeInteger(read)) headers[name] = value;
}

function headerFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < FRAME_HEAD_BYTES || bytes[0] !== HEADER_FRAME) return undefined;
  const end = FRAME_HEAD_BYTES + bytes.readUInt32BE(3);
  return bytes.length < end + FRAME_END_BYTES ? undefined : bytes.subarray(FRAME_HEAD_BYTES, end);
}

/** Not those in tables and lists: no header that counts is one. */
function* integers(payload: Buffer): Generator<[name: string, value: bigint]> {
  const flags = payload.readUInt16BE(FLAGS_AT);
  if (!(flags & HEADERS)) return;
  let at = FLAGS_AT + 2;
  for (const before of [CONTENT_TYPE, CONTENT_ENCODING]) if (flags & before) at += 1 + payload.readUInt8(at);
  // One that says it is longer ends with the frame, as the library has it.
  const table = payload.subarray(at + 4, at + 4 + payload.readUInt32BE(at));
  at = 0;
  while (at < table.length) {
    const from = at + 1;
    at = from + table.readUInt8(at);
    const name = table.toString("utf8", from, at);
    const tag = String.fromCharCode(table.readUInt8(at++));
    if (tag === "l") yield [name, table.readBigInt64BE(at)];
    const bytes = LONG.has(tag) ? 4 + table.readUInt32BE(at) : BYTES[tag];
    if (bytes === undefined) return; // the library does not read it either
    at += bytes;
  }
}

/** As the library writes them: a bigint is none of its own types. */
export function asWritten(headers: Readonly<Record<string, string | number | bigint>>): Table {
  const written = (value: string | number | bigint) => (typeof value === "bigint" ? { "!": "int64", value } : value);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, written(value)]));
}
