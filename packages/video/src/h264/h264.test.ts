import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BitWriter, writePps, writeSlice, writeSps } from "../test/bits-write.ts";
import { BitReader, withoutEmulationPrevention } from "./bits.ts";
import { annexB, MAX_NAL_UNITS, nalUnits, startsWithStartCode } from "./nal.ts";
import { beyondBaseline, hasKeyPicture, hasPicture, parameterSets, readPps, readSps } from "./parameter-sets.ts";
import { readSliceHead } from "./slice.ts";

/** Payloads as an encoder makes them: no start code inside, no zero at the end. */
const nal = fc
  .tuple(fc.integer({ min: 1, max: 31 }), fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3, 255, 128), { maxLength: 40 }))
  .map(([type, payload]) => {
    const writer = new BitWriter();
    for (const byte of payload) writer.bits(byte, 8);
    return writer.nal(0x60 | type);
  });

test("VID-1 units are found after start codes of 3 and 4 bytes, with zeros between, and nothing else is", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(nal, fc.integer({ min: 2, max: 6 })), { maxLength: 8 }),
      fc.integer({ min: 0, max: 3 }),
      (units, trailing) => {
        const bytes = [
          ...units.flatMap(([unit, zeros]) => [...new Array(zeros).fill(0), 1, ...unit]),
          ...new Array(trailing).fill(0),
        ];
        const found = [...nalUnits(Uint8Array.from(bytes))];
        assert.deepEqual(
          found.map((unit) => [...unit.bytes]),
          units.map(([unit]) => [...unit]),
        );
        for (const unit of found) assert.equal(unit.type, unit.bytes[0]! & 31);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

test("VID-1 what stands before the first start code, and a message without one, is no unit", () => {
  assert.deepEqual([...nalUnits(Uint8Array.of(9, 9, 9))], []);
  assert.deepEqual([...nalUnits(new Uint8Array())], []);
  assert.deepEqual([...nalUnits(Uint8Array.of(0, 0, 1))], []);
  assert.deepEqual(
    [...nalUnits(Uint8Array.of(7, 0, 0, 1, 0x65, 8))].map(({ bytes }) => [...bytes]),
    [[0x65, 8]],
  );
});

test("VID-2 a message of more units than any picture has is read no further", () => {
  const hostile = new Uint8Array(4 * (MAX_NAL_UNITS + 500));
  for (let i = 0; i < hostile.length; i += 4) hostile.set([0, 0, 1, 9], i);
  assert.equal([...nalUnits(hostile)].length, MAX_NAL_UNITS);
});

test("VID-1 a written unit comes back out of its emulation prevention", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 1, 2, 3, 255)), (payload) => {
      const writer = new BitWriter();
      for (const byte of payload) writer.bits(byte, 8);
      const unit = writer.nal(0x67);
      assert.ok([...nalUnits(annexB([unit]))].length === 1, "no start code inside");
      assert.deepEqual([...withoutEmulationPrevention(unit.subarray(1))], [...payload, 128]);
    }),
    { seed: 2 },
  );
});

test("VID-1 numbers are read as they were written", () => {
  const field = fc.oneof(
    fc.record({ kind: fc.constant("ue" as const), value: fc.integer({ min: 0, max: 2 ** 32 - 2 }) }),
    fc.record({ kind: fc.constant("u32" as const), value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
    fc.record({ kind: fc.constant("bit" as const), value: fc.integer({ min: 0, max: 1 }) }),
  );
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const writer = new BitWriter();
      for (const { kind, value } of fields)
        kind === "ue" ? writer.ue(value) : writer.bits(value, kind === "u32" ? 32 : 1);
      const reader = new BitReader(writer.nal(0x67));
      for (const { kind, value } of fields)
        assert.equal(kind === "ue" ? reader.unsigned() : reader.bits(kind === "u32" ? 32 : 1), value);
    }),
    { seed: 3 },
  );
  const negative = new BitReader(new BitWriter().ue(0).ue(1).ue(2).ue(3).ue(4).nal(0x67));
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => negative.signed()),
    [0, 1, -1, 2, -2],
  );
});

test("VID-3 a parameter set gives the size that is shown, and the codec's name", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 68 }),
      fc.constantFrom(66, 77, 100),
      fc.record({ left: fc.nat(1), right: fc.nat(3), top: fc.nat(1), bottom: fc.nat(3) }),
      (columns, rows, profileIdc, crop) => {
        const sps = readSps(writeSps({ columns, rows, profileIdc, crop }));
        assert.equal(sps.width, columns * 16 - 2 * (crop.left + crop.right));
        assert.equal(sps.height, rows * 16 - 2 * (crop.top + crop.bottom));
        assert.deepEqual([sps.cropLeft, sps.cropTop], [2 * crop.left, 2 * crop.top]);
        assert.equal(sps.codec, `avc1.${profileIdc.toString(16).toUpperCase()}C01F`);
      },
    ),
    { seed: 4 },
  );
  assert.equal(readSps(writeSps({ columns: 80, rows: 45, constraints: 0xe0 })).codec, "avc1.42E01F");
});

test("VID-2 parameter sets that claim the impossible or end early are refused, whatever the bytes", () => {
  const refused = (bytes: Uint8Array) => assert.throws(() => readSps(bytes), RangeError);
  refused(writeSps({ columns: 600, rows: 4 }));
  refused(writeSps({ columns: 512, rows: 512 }));
  refused(writeSps({ columns: 2, rows: 2, crop: { left: 8, right: 8, top: 0, bottom: 0 } }));
  refused(Uint8Array.of(0x67, 66, 0xc0));
  refused(Uint8Array.of());
  refused(Uint8Array.of(0x67, 66, 0xc0, 31, 0, 0, 0, 0, 0, 0, 0, 0));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0x67, 0x68, 0x65, 0x41), (tail, header) => {
      const bytes = Uint8Array.of(header, ...tail);
      for (const read of [
        () => readSps(bytes),
        () => readPps(bytes),
        () => readSliceHead({ type: header & 31, refIdc: 3, bytes }, 4),
      ]) {
        try {
          const result = read();
          if ("width" in result) assert.ok(result.width >= 1 && result.width <= 8192 && result.height <= 8192);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }
      // These never throw.
      parameterSets(bytes);
      hasKeyPicture(bytes);
      hasPicture(annexB([bytes]));
    }),
    { seed: 5, numRuns: 2000 },
  );
});

test("VID-3 the sets and the pictures of a message are found, and what baseline decoders cannot take is named", () => {
  const [sps, pps] = [writeSps({ columns: 40, rows: 30 }), writePps()];
  const message = annexB([sps, pps, writeSlice({ first: 0, frameNum: 0, key: true })]);
  const found = parameterSets(message);
  assert.deepEqual([[...found.sps!], [...found.pps!]], [[...sps], [...pps]]);
  assert.equal(hasKeyPicture(message), true);
  assert.equal(hasKeyPicture(annexB([sps, pps])), false);
  assert.equal(hasPicture(annexB([sps, pps])), false);
  assert.equal(hasPicture(annexB([writeSlice({ first: 0, frameNum: 1 })])), true);
  assert.deepEqual(parameterSets(annexB([writeSlice({ first: 0, frameNum: 1 })])), {});
  assert.equal(startsWithStartCode(message), true);

  const baseline = readSps(sps);
  assert.equal(beyondBaseline(baseline, [readPps(pps)]), undefined);
  assert.match(beyondBaseline(baseline, [readPps(writePps({ arithmeticCoding: true }))])!, /CABAC/);
  const high = readSps(writeSps({ columns: 40, rows: 30, profileIdc: 100, constraints: 0 }));
  assert.match(beyondBaseline(high, [])!, /high/);
  const constrainedMain = readSps(writeSps({ columns: 40, rows: 30, profileIdc: 77, constraints: 0xc0 }));
  assert.equal(beyondBaseline(constrainedMain, []), undefined);
});
