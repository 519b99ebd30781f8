import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import { randomOf } from "../test/random-points.ts";
import { deflatePlanes } from "./encode-kernel.ts";
import { inflate } from "./kernel.ts";

const RUNS = { seed: 20261121, numRuns: 120 };
const STRATEGIES = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
  constants.Z_FIXED,
  constants.Z_FILTERED,
];

/** From all one byte to noise, with runs and with strings that come again. */
const contents = fc
  .record({
    seed: fc.nat(),
    size: fc.oneof(fc.nat(300), fc.nat(70_000)),
    kinds: fc.integer({ min: 1, max: 256 }),
    run: fc.nat(400),
  })
  .map(({ seed, size, kinds, run }) => {
    const random = randomOf(seed);
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; ) {
      const length = 1 + Math.floor(random(run + 1));
      const skewed = Math.floor(random(1) ** 3 * kinds);
      if (random(1) < 0.3 && i > length) bytes.copyWithin(i, Math.floor(random(i - length)), Math.floor(random(i)));
      else bytes.fill(skewed, i, i + length);
      i += length;
    }
    return bytes;
  });

const isInvalid = (error: unknown): error is CairnError =>
  error instanceof CairnError && error.code === "request.invalid";
const same = (a: Uint8Array, b: Uint8Array) => assert.ok(Buffer.from(a).equals(b));

describe("deflate and inflate", () => {
  test("SEG-8 inflate reads whatever zlib writes", () => {
    fc.assert(
      fc.property(
        contents,
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom(...STRATEGIES),
        (bytes, level, strategy) => {
          same(inflate(deflateRawSync(bytes, { level, strategy }), bytes.length), bytes);
        },
      ),
      RUNS,
    );
  });

  test("SEG-8 zlib and inflate read what deflate writes, however it is cut into planes", () => {
    fc.assert(
      fc.property(contents, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }), (bytes, cuts) => {
        const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort((a, b) => a - b);
        const compressed = deflatePlanes(bytes, ends);
        same(inflateRawSync(compressed), bytes);
        same(inflate(compressed, bytes.length), bytes);
      }),
      RUNS,
    );
  });

  test("SEG-8 codes get no longer than 15 bits, however uneven the counts are", () => {
    const fibonacci = [1, 1];
    while (fibonacci.length < 24) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);
    const bytes = Uint8Array.from(fibonacci.flatMap((count, byte) => new Array<number>(count).fill(byte)));
    const random = randomOf(4);
    for (let i = bytes.length - 1; i > 0; i--) {
      const j = Math.floor(random(i + 1));
      [bytes[i], bytes[j]] = [bytes[j]!, bytes[i]!];
    }
    const compressed = deflatePlanes(bytes, [bytes.length]);
    same(inflateRawSync(compressed), bytes);
    same(inflate(compressed, bytes.length), bytes);
  });

  test("SEG-9 inflate takes what zlib takes and nothing else, bit by bit", () => {
    const random = randomOf(8);
    let [taken, refused] = [0, 0];
    for (let round = 0; round < 4000; round++) {
      const size = 1 + Math.floor(random(400));
      const bytes = Uint8Array.from({ length: size }, () => Math.floor(random(1) ** 4 * 256));
      const level = Math.floor(random(10));
      const compressed = round % 2 ? deflatePlanes(bytes, [size]) : deflateRawSync(bytes, { level });
      const turned = Uint8Array.from(compressed);
      turned[Math.floor(random(turned.length))]! ^= 1 << Math.floor(random(8));
      let expected: Buffer | undefined;
      try {
        expected = inflateRawSync(turned, { maxOutputLength: 2 ** 20 });
      } catch {}
      if (expected) {
        // zlib does not mind bytes behind the end; where it stopped, its own output says by what it would have been.
        try {
          same(inflate(turned, expected.length), expected);
          taken++;
        } catch (error) {
          assert.ok(isInvalid(error) && error.facts.why === "more than its planes", String(error));
        }
      } else {
        assert.throws(() => inflate(turned, size), isInvalid);
        refused++;
      }
    }
    assert.ok(taken > 1000 && refused > 200, `${taken} taken, ${refused} refused`);
  });

  test("SEG-9 inflate refuses a stream that is cut off, goes on, or makes fewer or more bytes", () => {
    const bytes = Uint8Array.from({ length: 3000 }, (_, i) => (i * i) >> 7);
    const compressed = deflateRawSync(bytes);
    for (let length = 0; length < compressed.length; length++)
      assert.throws(() => inflate(compressed.subarray(0, length), bytes.length), isInvalid);
    assert.throws(() => inflate(compressed, bytes.length + 1), isInvalid);
    assert.throws(() => inflate(compressed, bytes.length - 1), isInvalid);
    assert.throws(() => inflate(Buffer.concat([compressed, Buffer.alloc(1)]), bytes.length), isInvalid);
    assert.throws(() => inflate(deflateRawSync(new Uint8Array(2 ** 26)), 1000), isInvalid);
  });
});
