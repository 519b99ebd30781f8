import assert from "node:assert/strict";
import { test } from "node:test";
import { BadPacket, readVideoPacket, writeVideoPacket } from "@cairn/protocol";
import fc from "fast-check";
import { HUB_FLAG, type HubPacketType, readHubPacket, writeHubPacket } from "./hub.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/[ |]/g, ""), "hex"));
const hexOf = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const refused = (packet: Uint8Array, cause: RegExp): void =>
  assert.throws(
    () => readHubPacket(packet),
    (error) => error instanceof BadPacket && error instanceof RangeError && cause.test(error.cause),
  );

const SPS = "00 00 00 19 | 01 | 00 00 00 00 00 0F 42 40 | 00 00 00 01 67 42 C0 1F DA 01 40 16";
const KEY = "00 00 00 1B | 03 | 00 00 00 00 00 0F C4 75 | 00 00 00 06 | 00 00 00 01 | 00 00 00 01 65 88";
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test("HUB-11 an SPS with the short header is read", () => {
  const { data, ...rest } = readHubPacket(bytes(SPS));
  assert.deepEqual(rest, { type: 1, timestampUs: 1_000_000n, flags: 0, form: 13 });
  assert.equal(hexOf(data), "000000016742c01fda014016");
});

test("HUB-12 a PPS with either header is read", () => {
  const short = readHubPacket(writeHubPacket({ type: 2, timestampUs: 7n, data: bytes("00 00 01 68 CE 38 80") }));
  assert.deepEqual([short.type, short.form, hexOf(short.data)], [2, 13, "00000168ce3880"]);
  const long = readHubPacket(
    writeHubPacket({ type: 2, timestampUs: 7n, data: bytes("00 00 01 68 CE"), form: 21, flags: 2 }),
  );
  assert.deepEqual([long.form, long.flags, hexOf(long.data)], [21, 2, "00000168ce"]);
});

test("HUB-13 a key frame is read", () => {
  const { data, ...rest } = readHubPacket(bytes(KEY));
  assert.deepEqual(rest, { type: 3, timestampUs: 1_033_333n, flags: 1, form: 21 });
  assert.equal(hexOf(data), "000000016588");
});

test("HUB-14 a frame keeps its 64-bit time and its flags", () => {
  const packet = {
    type: 4,
    timestampUs: 2n ** 64n - 1n,
    flags: HUB_FLAG.end | HUB_FLAG.partial,
    data: bytes("00 00 01 41 9A"),
  } as const;
  const { data, ...rest } = readHubPacket(writeHubPacket(packet));
  assert.deepEqual(rest, { type: 4, timestampUs: 2n ** 64n - 1n, flags: 12, form: 21 });
  assert.equal(hexOf(data), "000001419a");
});

test("HUB-15 a configuration with either header is read, and one that is no parameter set is left as it is", () => {
  const avcC = "01 42 C0 1F FF E1";
  const box = readHubPacket(writeHubPacket({ type: 5, timestampUs: 1n, data: bytes(avcC), form: 21 }));
  assert.equal(hexOf(box.data), hexOf(bytes(avcC)));
  const both = readHubPacket(
    writeHubPacket({ type: 5, timestampUs: 1n, data: bytes("00 00 00 01 67 42 00 00 00 01 68 CE") }),
  );
  assert.deepEqual([both.form, both.data.length], [13, 12]);
});

test("HUB-16 the header's length is told by start codes and the data size", () => {
  // A start code at 13 that is at once the right data size, and a start code at 21: the long header.
  const both = new Uint8Array(21 + 256);
  new DataView(both.buffer).setUint32(0, both.length);
  both[4] = 1;
  both.set([0, 0, 1, 0], 13);
  both.set([0, 0, 0, 1, 0x67], 21);
  assert.equal(readHubPacket(both).form, 21);
  // The same, without a start code at 21: the short one.
  both.set([9, 9, 9, 9], 21);
  assert.equal(readHubPacket(both).form, 13);
  // No start code in a long packet: it gets one.
  const bare = readHubPacket(writeHubPacket({ type: 1, timestampUs: 0n, data: bytes("67 42 C0 1F"), form: 21 }));
  assert.equal(hexOf(bare.data), "000000016742c01f");
  const pps = readHubPacket(writeHubPacket({ type: 2, timestampUs: 0n, data: bytes("68 CE"), form: 21 }));
  assert.equal(hexOf(pps.data), "0000000168ce");
  const set = readHubPacket(writeHubPacket({ type: 5, timestampUs: 0n, data: bytes("67 42 C0 1F"), form: 21 }));
  assert.equal(hexOf(set.data), "000000016742c01f");
  // No start code in a short one: refused.
  refused(writeHubPacket({ type: 1, timestampUs: 0n, data: bytes("67 42 C0 1F"), form: 13 }), /no start code/);
  refused(writeHubPacket({ type: 1, timestampUs: 0n, data: new Uint8Array(30).fill(7), form: 13 }), /data size/);
});

test("HUB-16 what is written is read, in both forms, with any data that begin with a start code", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<HubPacketType>(1, 2, 3, 4, 5),
      u64,
      fc.nat(15),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom("000001", "00000001"),
      fc.boolean(),
      (type, timestampUs, flags, tail, startCode, short) => {
        const form = short && type !== 3 && type !== 4 ? 13 : 21;
        const data = Uint8Array.from([...bytes(startCode), ...tail]);
        const sent = { type, timestampUs, flags: form === 21 ? flags : 0, data, form } as const;
        const packet = writeHubPacket(sent);
        const trap =
          form === 13 && packet.length >= 24 && packet.length - 21 === new DataView(packet.buffer).getUint32(13);
        if (trap) return; // two headers fit; the test above has it
        assert.deepEqual(readHubPacket(packet), sent);
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test("HUB-19 what does not hold together is refused with its cause", () => {
  const key = bytes(KEY);
  const changed = (offset: number, value: number): Uint8Array => {
    const copy = key.slice();
    copy[offset] = value;
    return copy;
  };
  refused(new Uint8Array(), /0 bytes/);
  refused(key.subarray(0, 12), /12 bytes/);
  refused(key.subarray(0, 20), /it says 27 bytes and has 20/);
  refused(bytes("00 00 00 12 | 03 | 00 00 00 00 00 0F C4 75 | 00 00 00 06 01"), /its header has 21/);
  refused(changed(3, 0x1c), /it says 28 bytes and has 27/);
  refused(changed(16, 5), /data size 5, 6 bytes follow/);
  refused(changed(4, 0), /unknown type 0/);
  refused(changed(4, 6), /unknown type 6/);
});

test("HUB-19 any bytes are read or refused, and what is read lies within them", () => {
  const almost = fc.tuple(fc.uint8Array({ minLength: 13, maxLength: 64 }), fc.nat(6)).map(([raw, type]) => {
    new DataView(raw.buffer).setUint32(0, raw.length);
    raw[4] = type;
    if (raw.length >= 21 && raw[5]! & 1) new DataView(raw.buffer).setUint32(13, raw.length - 21);
    return raw;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), almost), (raw) => {
      try {
        const { data, form } = readHubPacket(raw);
        assert.ok(data.length === raw.length - form || data.length === raw.length - form + 4);
      } catch (error) {
        assert.ok(error instanceof BadPacket);
      }
    }),
    { seed: 2, numRuns: 3000 },
  );
});

test("VID-7 a native packet is read as it was written, and anything else is refused", () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      fc.nat(2 ** 32 - 1),
      u64,
      fc.uint8Array({ maxLength: 50 }),
      (flags, number, timeNs, data) => {
        const packet = { flags, number, timeNs, data };
        assert.deepEqual(readVideoPacket(writeVideoPacket(packet)), packet);
      },
    ),
    { seed: 3 },
  );
  assert.equal(
    hexOf(writeVideoPacket({ flags: 1, number: 258, timeNs: 1_000_000_000n, data: bytes("00 00 01 65") })),
    ["0101000002010000", "00ca9a3b00000000", "04000000", "00000165"].join(""),
  );
  const good = writeVideoPacket({ flags: 1, number: 0, timeNs: 0n, data: new Uint8Array(4) });
  for (const [offset, value] of [
    [0, 2],
    [2, 1],
    [16, 3],
  ] as const) {
    const bad = good.slice();
    bad[offset] = value;
    assert.throws(() => readVideoPacket(bad), BadPacket);
  }
  assert.throws(() => readVideoPacket(good.subarray(0, 19)), BadPacket);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (raw) => {
      try {
        readVideoPacket(raw);
      } catch (error) {
        assert.ok(error instanceof BadPacket);
      }
    }),
    { seed: 4 },
  );
});
