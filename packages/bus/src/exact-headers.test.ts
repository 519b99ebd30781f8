/** Exact headers over a library that is made for it: what the bytes say is believed only where the library read the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keepExact, type Receiver } from "./exact-headers.ts";

const NS = 1750000000952559124n;

const field = (name: string, tag: string, value: Buffer) =>
  Buffer.concat([Buffer.from([name.length]), Buffer.from(name + tag, "latin1"), value]);

function long(name: string, value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return field(name, "l", bytes);
}

const text = (name: string, value: string) => field(name, "S", sized(Buffer.from(value)));

function sized(bytes: Buffer, length = bytes.length): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(length);
  return Buffer.concat([size, bytes]);
}

/** A header frame with these fields and what stands behind them. @param length of the table, as it says itself */
function frame(fields: Buffer, { behind = Buffer.alloc(0) as Buffer, length = fields.length } = {}): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(0x2000, 12);
  const payload = Buffer.concat([head, sized(fields, length), behind]);
  return Buffer.concat([Buffer.from([2, 0, 1]), sized(payload), Buffer.from([0xce])]);
}

/** What comes of a frame that the library reads as `headers`. */
function exact(bytes: Buffer, headers: Record<string, unknown>): Record<string, unknown> {
  const connection: Receiver = { rest: bytes, recvFrame: () => ({ fields: { headers } }) };
  keepExact(connection);
  assert.ok(connection.recvFrame());
  return headers;
}

test("GEN-39 an integer that the library rounded has its digits; what a double has the digits for stays a number", () => {
  const fields = Buffer.concat([text("a", "x"), long("ns", NS), long("few", 5n), long("least", -(2n ** 63n))]);
  const read = { a: "x", ns: Number(NS), few: 5, least: Number(-(2n ** 63n)) };
  assert.deepEqual(exact(frame(fields), read), { a: "x", ns: NS, few: 5, least: -(2n ** 63n) });
});

test("GEN-39 what the library read as something else stays as it read it; of two of a name the last counts", () => {
  const twice = Buffer.concat([long("a", NS), text("a", "later")]);
  assert.deepEqual(exact(frame(twice), { a: "later" }), { a: "later" });
  for (const other of [Number(NS) + 256, Number.NaN, 1e300, null, true, { a: 1 }]) {
    assert.deepEqual(exact(frame(long("a", NS)), { a: other }), { a: other });
  }
  const near = Buffer.concat([long("a", NS), long("a", NS + 1n)]);
  assert.deepEqual(exact(frame(near), { a: Number(NS) }), { a: NS + 1n });
  assert.deepEqual(exact(frame(long("a", NS)), {}), {});
});

test("GEN-39 a table is read up to its end, and one that says it is longer up to the frame's", () => {
  const behind = long("b", NS);
  const read = () => ({ a: Number(NS), b: Number(NS) });
  assert.deepEqual(exact(frame(long("a", NS), { behind }), read()), { a: NS, b: Number(NS) });
  assert.deepEqual(exact(frame(long("a", NS), { length: 2 ** 32 - 1 }), read()), { a: NS, b: Number(NS) });
});

test("GEN-39 a library that is made another way is told of, by name", () => {
  const [rest, recvFrame] = [Buffer.alloc(0), () => false as const];
  for (const other of [{}, { rest }, { recvFrame }, { rest: "", recvFrame }, { rest, recvFrame: 1 }]) {
    assert.throws(() => keepExact(other as unknown as Receiver), /amqplib.*recvFrame.*rest/);
  }
});
