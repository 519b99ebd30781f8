import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import type { NodePoints } from "../points.ts";
import { inflateExactly } from "../test/inflate.ts";
import { cloud, onSurface, pointsOf, randomOf } from "../test/random-points.ts";
import { decodeSegment } from "./decode.ts";
import { encodeSegment } from "./encode.ts";
import { type Fold, UNFOLDED } from "./fold.ts";
import { planeBytes, readHead, readSegmentHead } from "./head.ts";

const RUNS = { seed: 20261121, numRuns: 150 };

/** The key, and below it the folded bits. */
function keyOf([x, y, z]: readonly number[], { axis, bits }: Fold): number {
  const [u, v, w] = axis === 0 ? [y!, z!, x!] : axis === 1 ? [z!, x!, y!] : [x!, y!, z!];
  let key = 0;
  for (let bit = 15; bit >= bits; bit--) key = key * 8 + ((u >> bit) & 1) + 2 * ((v >> bit) & 1) + 4 * ((w >> bit) & 1);
  for (let bit = bits - 1; bit >= 0; bit--) key = key * 4 + ((u >> bit) & 1) + 2 * ((v >> bit) & 1);
  return key * 2 ** bits + (w % 2 ** bits);
}

/** Where each point of a segment must come from: sorted by key, those of one place as they came. The slow, plain way. */
function expectedOrder({ coords, count }: NodePoints, fold: Fold = UNFOLDED): number[] {
  const keys = Array.from({ length: count }, (_, i) => keyOf([...coords.subarray(3 * i, 3 * i + 3)], fold));
  return Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/** As `expectedOrder`, by what the segment says to be folded. */
const orderIn = (bytes: Uint8Array, points: NodePoints) => expectedOrder(points, readHead(bytes).head.fold);

const triples = (from: ArrayLike<number>, order: number[]) =>
  order.flatMap((i) => [from[3 * i]!, from[3 * i + 1]!, from[3 * i + 2]!]);

function angleBetween(a: number[], b: number[]): number {
  const dot = a.reduce((sum, part, i) => sum + part * b[i]!, 0);
  return (Math.acos(Math.min(1, dot / Math.hypot(...a) / Math.hypot(...b))) * 180) / Math.PI;
}

describe("a segment (docs/spec/cloud.md)", () => {
  test("SEG-1 every point comes back, in the order of its key, equal ones in the order they came in", () => {
    fc.assert(
      fc.property(cloud, (about) => {
        const points = pointsOf(about);
        const bytes = encodeSegment(points);
        const back = decodeSegment(bytes);
        const order = orderIn(bytes, points);
        assert.equal(back.count, points.count);
        assert.deepEqual(back.node, points.node);
        assert.equal(back.bits, points.bits);
        assert.deepEqual([...back.coords], triples(points.coords, order));
        assert.deepEqual([...back.colors], triples(points.colors, order));
      }),
      RUNS,
    );
  });

  test("SEG-11 folded or not, every point comes back with all it has, in the order of its key", () => {
    const folds = new Set<string>();
    fc.assert(
      fc.property(cloud, fc.constantFrom(0, 1, 2, 3), fc.nat(), fc.boolean(), (about, axis, seed, thorough) => {
        const scattered = pointsOf(about);
        const points = axis === 3 ? scattered : onSurface(scattered, axis, seed);
        const bytes = encodeSegment(points, { thorough });
        const { fold } = readHead(bytes).head;
        if (fold.bits > 0 && axis < 3) folds.add(`${axis}${fold.axis}`);
        const order = expectedOrder(points, fold);
        const back = decodeSegment(bytes);
        assert.deepEqual([...back.coords], triples(points.coords, order));
        assert.deepEqual([...back.colors], triples(points.colors, order));
        const unfolded = encodeSegment(points, { fold: UNFOLDED });
        const plain = decodeSegment(unfolded);
        const [here, there] = [expectedOrder(points), order];
        // What is not a place is the same as without, point by point.
        const placeOf = new Map(there.map((point, at) => [point, at]));
        const moved = here.map((point) => placeOf.get(point)!);
        const same = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined, width: number) =>
          assert.deepEqual(
            a && Array.from(a),
            b && moved.flatMap((at) => Array.from({ length: width }, (_, k) => b[at * width + k])),
          );
        if (typeof plain.photos === "number") assert.equal(back.photos, plain.photos);
        else same(plain.photos, back.photos as Uint32Array, 1);
        same(plain.confidences, back.confidences, 1);
        same(plain.normals, back.normals, 3);
        assert.deepEqual(encodeSegment(back, { thorough }), bytes);
        assert.ok(bytes.length <= unfolded.length * 1.02 + 16);
      }),
      { ...RUNS, numRuns: 200 },
    );
    for (const each of ["00", "11", "22"]) assert.ok(folds.has(each), `${[...folds]}`);
  });

  test("SEG-11 a surface takes at least a twentieth less when it is folded, across any axis", () => {
    const about = { seed: 4, count: 6000, photos: 1, confidences: false, normals: false, spread: 1 };
    for (const axis of [0, 1, 2]) {
      for (const bits of [10, 13, 16]) {
        const points = onSurface(pointsOf({ ...about, bits }), axis, 7);
        const [plain, folded] = [encodeSegment(points, { fold: UNFOLDED }), encodeSegment(points)];
        assert.equal(readHead(folded).head.fold.axis, axis);
        assert.ok(folded.length < 0.95 * plain.length, `${bits} bits: ${plain.length} to ${folded.length}`);
      }
    }
  });

  test("SEG-11 many points in few places are not folded: the plane would be longer than what it saves", () => {
    const about = { count: 900, bits: 3, spread: 0, photos: 1, confidences: false, normals: false };
    for (let seed = 1580; seed < 1600; seed++) {
      const points = pointsOf({ ...about, seed });
      const [plain, chosen] = [encodeSegment(points, { fold: UNFOLDED }), encodeSegment(points)];
      assert.ok(chosen.length <= plain.length, `seed ${seed}: ${plain.length} to ${chosen.length}`);
    }
  });

  test("SEG-1 the whole of a node's range, points that are all one, and none", () => {
    for (let bits = 1; bits <= 16; bits++) {
      const top = 2 ** bits - 1;
      const corners = Array.from({ length: 8 }, (_, i) => [(i & 1) * top, ((i >> 1) & 1) * top, (i >> 2) * top]);
      const colors = corners.flatMap(([x, y, z]) => [x! & 255, y! & 255, 255 - (z! & 255)]);
      const points = { node: { e: -5, x: 0, y: 2 ** 32 - 1, z: 3 }, bits, count: 8, photos: 0 };
      const there = { ...points, coords: Uint16Array.from(corners.flat()), colors: Uint8Array.from(colors) };
      const { coords } = decodeSegment(encodeSegment(there));
      assert.deepEqual([...coords], corners.flat(), `${bits} bits`);
    }
    const one = { node: { e: 0, x: 1, y: 2, z: 3 }, bits: 9, photos: 4 };
    const same = {
      ...one,
      count: 5000,
      coords: new Uint16Array(15000).fill(7),
      colors: new Uint8Array(15000).fill(200),
    };
    const bytes = encodeSegment(same);
    assert.deepEqual(decodeSegment(bytes), same);
    assert.ok(bytes.length < 120, `${bytes.length} bytes for one point 5,000 times`);
    const none = { ...one, count: 0, coords: new Uint16Array(0), colors: new Uint8Array(0) };
    assert.deepEqual(decodeSegment(encodeSegment(none)), none);
  });

  test("SEG-2 all colours come back, also those whose differences need nine bits", () => {
    const steps = [0, 1, 2, 85, 127, 128, 170, 254, 255];
    const colors = Uint8Array.from(steps.flatMap((r) => steps.flatMap((g) => steps.flatMap((b) => [r, g, b]))));
    for (const repeat of [1, 2, 7, 40]) {
      const all = Uint8Array.from({ length: colors.length * repeat }, (_, i) => colors[i % colors.length]!);
      const count = all.length / 3;
      const coords = Uint16Array.from({ length: all.length }, (_, i) => (i % 3 === 0 ? Math.floor(i / 3) : 0));
      const points = { node: { e: 0, x: 0, y: 0, z: 0 }, bits: 16, count, coords, colors: all, photos: 1 };
      assert.deepEqual(decodeSegment(encodeSegment(points)).colors, all);
    }
  });

  test("SEG-3 each point keeps its photo; one photo of all is one number", () => {
    fc.assert(
      fc.property(cloud, (about) => {
        const points = pointsOf(about);
        const bytes = encodeSegment(points);
        const back = decodeSegment(bytes);
        const photoOf = ({ photos }: NodePoints, i: number) => (typeof photos === "number" ? photos : photos[i]);
        const order = orderIn(bytes, points);
        assert.deepEqual(
          order.map((_, i) => photoOf(back, i)),
          order.map((i) => photoOf(points, i)),
        );
        const distinct = new Set(order.map((i) => photoOf(points, i)));
        assert.equal(typeof back.photos, distinct.size > 1 ? "object" : "number");
      }),
      RUNS,
    );
    const many = pointsOf({
      seed: 5,
      count: 70_000,
      bits: 16,
      spread: 1,
      photos: 1,
      confidences: false,
      normals: false,
    });
    const photos = Uint32Array.from({ length: many.count }, (_, i) => 2 ** 32 - 1 - i);
    const bytes = encodeSegment({ ...many, photos });
    assert.deepEqual(
      [...(decodeSegment(bytes).photos as Uint32Array)],
      orderIn(bytes, many).map((i) => photos[i]!),
    );
  });

  test("SEG-4 confidence comes back within 8 of 255, 0 and 255 as they are; all sure costs nothing", () => {
    fc.assert(
      fc.property(cloud, (about) => {
        const points = pointsOf({ ...about, confidences: true });
        const bytes = encodeSegment(points);
        const { confidences } = decodeSegment(bytes);
        orderIn(bytes, points).forEach((from, i) => {
          const wanted = points.confidences![from]!;
          const got = confidences ? confidences[i]! : 255;
          assert.ok(Math.abs(got - wanted) <= 8, `${wanted} became ${got}`);
          if (wanted === 0 || wanted === 255) assert.equal(got, wanted);
        });
      }),
      RUNS,
    );
    const sure = pointsOf({ seed: 1, count: 400, bits: 10, spread: 1, photos: 1, confidences: false, normals: false });
    const said = encodeSegment({ ...sure, confidences: new Uint8Array(400).fill(255) });
    assert.deepEqual(said, encodeSegment(sure));
  });

  test("SEG-5 normals come back within a degree, unknown ones as unknown", () => {
    fc.assert(
      fc.property(cloud, (about) => {
        const points = pointsOf({ ...about, normals: true });
        const bytes = encodeSegment(points);
        const normals = decodeSegment(bytes).normals!;
        orderIn(bytes, points).forEach((from, i) => {
          const wanted = [...points.normals!.subarray(3 * from, 3 * from + 3)];
          const got = [...normals.subarray(3 * i, 3 * i + 3)];
          if (wanted.every((part) => part === 0)) assert.deepEqual(got, [0, 0, 0]);
          else assert.ok(angleBetween(wanted, got) < 1, `${wanted} became ${got}`);
        });
      }),
      RUNS,
    );
  });

  test("SEG-6 the same points give the same bytes, whatever was encoded before; a segment read and written is itself", () => {
    fc.assert(
      fc.property(cloud, cloud, (about, other) => {
        const points = pointsOf(about);
        const bytes = encodeSegment(points);
        encodeSegment(pointsOf(other));
        assert.deepEqual(encodeSegment(points), bytes);
        assert.deepEqual(encodeSegment(decodeSegment(bytes)), bytes);
      }),
      RUNS,
    );
  });

  test("SEG-7 the head alone says node, bits and count, in 40 bytes at most where all points are from one photo", () => {
    fc.assert(
      fc.property(cloud, (about) => {
        const points = pointsOf({ ...about, photos: 1 });
        const bytes = encodeSegment(points);
        const { node, bits, count } = points;
        assert.deepEqual(readSegmentHead(bytes), { node, bits, count });
        assert.ok(readHead(bytes).headBytes <= 40);
      }),
      RUNS,
    );
  });

  test("SEG-8 any deflate of the planes is read, and what is written the browser's own reads", async () => {
    for (const seed of [1, 2, 3, 20]) {
      const about = { seed, count: 900 * seed, bits: 12, spread: 0.05, photos: seed, confidences: true, normals: true };
      const bytes = encodeSegment(pointsOf(about));
      const points = decodeSegment(bytes);
      const { head, headBytes } = readHead(bytes);
      const start = headBytes + head.restBytes;
      for (const level of [0, 1, 9]) {
        const again = deflateRawSync(inflateRawSync(bytes.subarray(start)), { level });
        const other = Buffer.concat([bytes.subarray(0, start), again]);
        assert.deepEqual(decodeSegment(other), points);
      }
      const planes = await inflateExactly(bytes.subarray(start), planeBytes(head));
      assert.ok(planes && inflateRawSync(bytes.subarray(start)).equals(planes));
    }
  });
});

describe("bytes that are no segment", () => {
  const isInvalid = (error: unknown) => error instanceof CairnError && error.code === "request.invalid";
  const about = { seed: 9, count: 700, bits: 11, spread: 0.05, photos: 5, confidences: true, normals: true };
  const plain = encodeSegment(pointsOf(about), { fold: UNFOLDED });
  const folded = encodeSegment(onSurface(pointsOf(about), 1, 6));
  assert.ok(readHead(folded).head.fold.bits > 0 && readHead(plain).head.fold.bits === 0);

  test("SEG-9 cut off anywhere is refused", () => {
    for (const good of [plain, folded]) {
      for (let length = 0; length < good.length; length++)
        assert.throws(() => decodeSegment(good.subarray(0, length)), isInvalid, `${length} bytes`);
    }
  });

  test("SEG-9 a head that lies about sizes is refused before memory is taken for it", () => {
    const number = (value: number) => {
      const bytes: number[] = [];
      for (let rest = value; ; rest = Math.floor(rest / 128)) {
        bytes.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) return bytes;
      }
    };
    const start = [0x43, 0x53, 1, 0, 0, 12, 0];
    const node = [1, 2, 3];
    const lies = {
      "a million points in nothing": [...start, ...node, ...number(1_000_000), 0, 0, 3, 0],
      "more points than a segment has": [...start, ...node, ...number(2 ** 32 - 1), 0, 0, 3, 0],
      "more rest bits than bytes": [...start, ...node, ...number(500), 0, ...number(4000), 3, 0],
      "photos without end": [...start.with(3, 1), ...node, 9, ...number(2 ** 31), 1, 1, 1, 3, 0],
      "a number without end": [...start, ...new Array<number>(12).fill(255)],
      "17 bits": [...start.with(5, 17), ...node, 0, 0, 0, 3, 0],
      "folded along no axis": [...start.with(3, 8), 3 | (4 << 2), ...node, 0, 0, 0, 3, 0],
      "more bits folded than there are": [...start.with(3, 8), 13 << 2, ...node, 0, 0, 0, 3, 0],
      "none folded": [...start.with(3, 8), 0, ...node, 0, 0, 0, 3, 0],
      "unknown flags": [...start.with(3, 16), ...node, 0, 0, 0, 3, 0],
      "another version": [...start.with(2, 2), ...node, 0, 0, 0, 3, 0],
    };
    for (const [what, bytes] of Object.entries(lies)) {
      assert.throws(() => readHead(Uint8Array.from(bytes)), isInvalid, what);
      assert.throws(() => decodeSegment(Uint8Array.from(bytes)), isInvalid, what);
    }
  });

  test("SEG-9 what inflates to more than the points need is stopped there", () => {
    const { head, headBytes } = readHead(plain);
    const bomb = deflateRawSync(new Uint8Array(64 * 2 ** 20));
    const bytes = Buffer.concat([plain.subarray(0, headBytes + head.restBytes), bomb]);
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(() => decodeSegment(bytes), isInvalid);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 2 ** 20);
  });

  for (const [what, good] of [
    ["plain", plain],
    ["folded", folded],
  ] as const)
    test(`SEG-9 with any bits turned it is points or an error, never a crash: ${what}`, () => {
      const random = randomOf(31);
      let refused = 0;
      const { headBytes, head } = readHead(good);
      const points = decodeSegment(good);
      for (let round = 0; round < 4000; round++) {
        const bytes = good.slice();
        // A third of the time only the head, which is short, and a third only the rest bits, which carry no structure.
        const [from, to] = [
          [0, headBytes],
          [headBytes, headBytes + head.restBytes],
          [0, bytes.length],
        ][round % 3]!;
        for (let flips = 1 + random(3); flips > 0; flips--) {
          const bit = Math.floor((from! + random(to! - from!)) * 8);
          bytes[bit >> 3]! ^= 1 << (bit & 7);
        }
        try {
          const { count, coords, bits } = decodeSegment(bytes);
          assert.equal(coords.length, count * 3);
          for (const value of coords) assert.ok(value >> bits === 0);
        } catch (error) {
          if (!isInvalid(error)) throw error;
          refused++;
        }
      }
      assert.ok(refused > 1300, `${refused} of 4000 refused`);
      // What was refused left nothing behind: the tables lie in the same memory.
      assert.deepEqual(decodeSegment(good), points);
    });

  test("SEG-9 noise is refused", () => {
    const random = randomOf(77);
    for (let round = 0; round < 3000; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(random(300)) }, () => Math.floor(random(256)));
      if (round % 2)
        bytes.set([0x43, 0x53, 1, Math.floor(random(16)), 0, 1 + Math.floor(random(16)), 0].slice(0, bytes.length));
      try {
        decodeSegment(bytes);
      } catch (error) {
        if (!isInvalid(error)) throw error;
      }
    }
  });
});

describe("points that are not a node's", () => {
  test("SEG-1 are a mistake of the caller", () => {
    const points = { node: { e: 0, x: 0, y: 0, z: 0 }, bits: 4, count: 1, photos: 0, colors: new Uint8Array(3) };
    assert.throws(() => encodeSegment({ ...points, coords: Uint16Array.of(16, 0, 0) }), RangeError);
    assert.throws(() => encodeSegment({ ...points, coords: new Uint16Array(0) }), RangeError);
    assert.throws(
      () => encodeSegment({ ...points, coords: new Uint16Array(3), colors: new Uint8Array(2) }),
      RangeError,
    );
    assert.throws(() => encodeSegment({ ...points, coords: new Uint16Array(3), bits: 17 }), RangeError);
    const node = { e: 0, x: -1, y: 0, z: 0 };
    assert.throws(() => encodeSegment({ ...points, coords: new Uint16Array(3), node }), RangeError);
  });
});
