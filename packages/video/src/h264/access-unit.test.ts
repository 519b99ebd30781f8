import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { writePps, writeSlice, writeSps } from "../test/bits-write.ts";
import { type AccessUnit, AccessUnitAssembler, MAX_ACCESS_UNIT_BYTES } from "./access-unit.ts";
import { annexB } from "./nal.ts";

const SETS = [writeSps({ columns: 40, rows: 30 }), writePps()];

/** Pictures as lists of units: a key picture every `gop`, each of `slices` slices. */
function stream(pictures: number, gop: number, slices: number): Uint8Array[][] {
  return Array.from({ length: pictures }, (_, i) => {
    const key = i % gop === 0;
    const frameNum = (i % gop) & 15;
    const parts = Array.from({ length: slices }, (_, s) => writeSlice({ first: s * 100, frameNum, key }));
    return key ? [...SETS, ...parts] : parts;
  });
}

/**
 * Collects garbage until fewer than `bytes` more than `before` are held in buffers, or 20 s have passed: V8 gives the memory
 * of dead buffers back on a thread of its own, some time after a collection.
 * @returns the bytes still held
 */
async function heldAfterGc(before: number, bytes: number): Promise<number> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let tries = 0; ; tries++) {
    gc();
    const held = process.memoryUsage().arrayBuffers - before;
    if (held < bytes || tries === 200) return held;
    await setTimeout(100);
  }
}

const timeOf = (picture: number): bigint => BigInt(picture) * 33_333_333n;
const hex = (units: readonly { data: Uint8Array }[]) => units.map(({ data }) => Buffer.from(data).toString("hex"));

test("VID-4 however a stream is cut into messages, the same access units come out", () => {
  fc.assert(
    fc.property(
      fc.record({
        pictures: fc.integer({ min: 1, max: 24 }),
        gop: fc.integer({ min: 1, max: 9 }),
        slices: fc.integer({ min: 1, max: 4 }),
      }),
      fc.infiniteStream(fc.boolean()),
      ({ pictures, gop, slices }, joins) => {
        const made = stream(pictures, gop, slices);
        const assembler = new AccessUnitAssembler();
        const out: AccessUnit[] = [];
        made.forEach((units, picture) => {
          let message: Uint8Array[] = [];
          for (const unit of units) {
            message.push(unit);
            if (joins.next().value) continue;
            out.push(...assembler.push(annexB(message), timeOf(picture)));
            message = [];
          }
          if (message.length) out.push(...assembler.push(annexB(message), timeOf(picture)));
        });
        out.push(...assembler.flush());
        assert.deepEqual(hex(out), hex(made.map((units) => ({ data: annexB(units) }))));
        assert.deepEqual(
          out.map((unit) => [unit.timeNs, unit.key]),
          made.map((_, i) => [timeOf(i), i % gop === 0]),
        );
        assert.ok(out.every((unit) => !unit.lost));
      },
    ),
    { seed: 1, numRuns: 150 },
  );
});

test("VID-4 parameter sets that come alone and earlier belong to the next picture and take its time", () => {
  const assembler = new AccessUnitAssembler();
  assert.deepEqual(assembler.push(annexB([SETS[0]!]), 1n), []);
  assert.deepEqual(assembler.push(annexB([SETS[1]!]), 2n), []);
  assert.deepEqual(assembler.push(annexB([writeSlice({ first: 0, frameNum: 0, key: true })]), 3n), []);
  const [unit] = assembler.flush();
  assert.equal(unit!.timeNs, 3n);
  assert.deepEqual(hex([unit!]), hex([{ data: annexB([...SETS, writeSlice({ first: 0, frameNum: 0, key: true })]) }]));
});

test("VID-5 whole pictures are handed out at once when the sender says so, or has long sent nothing else", () => {
  const made = stream(40, 4, 3);
  const told = new AccessUnitAssembler();
  made.forEach((units, i) => {
    assert.equal(told.push(annexB(units), timeOf(i), { ends: true })[0]?.timeNs, timeOf(i));
  });
  const eager = new AccessUnitAssembler({ eager: true });
  const lateBy: number[] = [];
  const out: AccessUnit[] = [];
  made.forEach((units, i) => {
    out.push(...eager.push(annexB(units), timeOf(i)));
    lateBy.push(i + 1 - out.length);
  });
  assert.deepEqual(lateBy.slice(0, 8), new Array(8).fill(1));
  assert.deepEqual(lateBy.slice(10), new Array(30).fill(0));
  assert.deepEqual(hex(out), hex(made.map((units) => ({ data: annexB(units) }))));
});

test("VID-5 a sender that begins to cut pictures up costs one damaged picture, then its pictures are whole again", () => {
  const eager = new AccessUnitAssembler({ eager: true });
  const made = stream(40, 4, 3);
  const out: AccessUnit[] = [];
  made.forEach((units, i) => {
    if (i < 20) out.push(...eager.push(annexB(units), timeOf(i)));
    else for (const unit of units) out.push(...eager.push(annexB([unit]), timeOf(i)));
  });
  out.push(...eager.flush());
  const whole = hex(made.map((units) => ({ data: annexB(units) })));
  assert.equal(out.length, made.length);
  assert.deepEqual(hex(out).filter((each, i) => each !== whole[i]).length, 1);
  assert.deepEqual(
    out.flatMap((unit, i) => (unit.lost ? [i] : [])),
    [21],
  );
});

test("VID-6 losses are told: messages that are missing, headers that cannot be read, pictures over the limit", () => {
  const assembler = new AccessUnitAssembler();
  const made = stream(6, 6, 1);
  const push = (i: number) => assembler.push(annexB(made[i]!), timeOf(i), { ends: true });
  assert.equal(push(0)[0]!.lost, undefined);
  assembler.miss();
  assert.equal(push(2)[0]!.lost, true);
  assert.equal(push(3)[0]!.lost, undefined);
  assert.equal(assembler.push(annexB([Uint8Array.of(0x41, 0, 0, 0x80)]), 9n, { ends: true })[0]!.lost, true);

  const huge = new Uint8Array(MAX_ACCESS_UNIT_BYTES).fill(7);
  huge.set(writeSlice({ first: 0, frameNum: 4 }));
  assert.deepEqual(assembler.push(annexB([huge]), timeOf(4), { ends: true }), []);
  assert.equal(push(5)[0]!.lost, true);
});

test("VID-2 whatever comes, the assembler throws nothing and keeps no more than a picture may have", () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 6 }).map(annexB),
    fc.constantFrom(...stream(3, 2, 2).flat()).map((unit) => annexB([unit])),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(message, fc.bigInt({ min: 0n, max: 5n })), { maxLength: 40 }),
      fc.boolean(),
      (messages, eager) => {
        const assembler = new AccessUnitAssembler({ eager });
        let given = 0;
        let taken = 0;
        for (const [data, timeNs] of messages) {
          given += 2 * data.length; // start codes of 3 bytes come out as 4
          for (const unit of assembler.push(data, timeNs)) taken += unit.data.length;
        }
        for (const unit of assembler.flush()) taken += unit.data.length;
        assert.ok(taken <= given, `${taken} of ${given}`);
      },
    ),
    { seed: 2, numRuns: 300 },
  );
});

test("VID-2 small units of large messages are kept without their messages", async () => {
  const assembler = new AccessUnitAssembler();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 40; i++) {
    const message = new Uint8Array(4 * 1024 * 1024);
    message.set([0, 0, 1, 6, 5]);
    assembler.push(message, timeOf(i));
  }
  const held = await heldAfterGc(before, 16 * 2 ** 20);
  assert.ok(held < 16 * 2 ** 20, `${held} bytes held for 40 units of 2 bytes`);
  assert.deepEqual(assembler.flush(), []);
});
