import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import {
  bitsOf,
  childOf,
  contains,
  cornerOf,
  edgeOf,
  nodeKey,
  octantOf,
  parentOf,
  parseNodeKey,
  spacingOf,
} from "./node.ts";
import { type Box, planGrid, planGridFor } from "./plan-grid.ts";

const SEED = 20261121;
const index = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const nodeIds = fc.record(
  { e: fc.integer({ min: -60, max: 60 }), x: index, y: index, z: index },
  { noNullPrototype: true },
);

describe("nodes (docs/spec/cloud.md)", () => {
  test("CLD-1 ids nest: a child lies in its parent, in its octant, and is known by its text", () => {
    fc.assert(
      fc.property(nodeIds, fc.integer({ min: 0, max: 7 }), (id, octant) => {
        const child = childOf(id, octant);
        assert.deepEqual(parentOf(child), id);
        assert.equal(octantOf(child), octant);
        assert(contains(id, child) && contains(id, id) && !contains(child, id));
        assert(!contains({ ...id, x: id.x + 1 }, child));
        assert.deepEqual(parseNodeKey(nodeKey(child)), child);
        const [corner, inner] = [cornerOf(id, [0, 0, 0]), cornerOf(child, [0, 0, 0])];
        for (let axis = 0; axis < 3; axis++) {
          const isUpper = ((octant >> axis) & 1) === 1;
          assert.equal(inner[axis], corner[axis]! + (isUpper ? edgeOf(child.e) : 0));
        }
      }),
      { seed: SEED },
    );
    for (const text of ["", "1_2_3", "1_2_3_-4", "a_1_1_1", "0_1_1_1_1", "0_99999999999_0_0", "0.5_1_1_1"]) {
      assert.throws(() => parseNodeKey(text), RangeError);
    }
  });

  test("CLD-7 bits: one step for eight levels above the finest, then 16", () => {
    assert.deepEqual(
      [-5, -4, -3, 3, 4, 5, 30].map((e) => bitsOf(e, -4)),
      [8, 8, 9, 15, 16, 16, 16],
    );
    assert.equal(spacingOf(6), 1);
  });

  const coordinate = fc.double({ min: -1e7, max: 1e7, noNaN: true });
  const extent = fc.double({ min: 1e-3, max: 1e5, noNaN: true });

  test("CLD-6 a planned grid's seed contains its data in the middle and leaves room all around", () => {
    fc.assert(
      fc.property(coordinate, coordinate, coordinate, extent, (x, y, z, size) => {
        const [min, max]: [Vec3, Vec3] = [
          [x, y, z],
          [x + size, y + size / 3, z],
        ];
        const { origin, seed, finest } = planGrid(min, max);
        const id = parseNodeKey(seed);
        const edge = edgeOf(id.e);
        assert(edge >= size * 1.25 && edge <= size * 2.6);
        assert(finest < id.e);
        const corner = cornerOf(id, origin);
        for (let axis = 0; axis < 3; axis++) {
          assert(corner[axis]! <= min[axis]! && corner[axis]! + edge >= max[axis]!);
          assert(min[axis]! - origin[axis]! > 10_000 * edge);
        }
      }),
      { seed: SEED },
    );
  });

  test("CLD-6 a grid planned for one place, at 0 or far away, is one to go on with", () => {
    const place: Vec3 = [456_789, 6_001_234, 321];
    for (const at of [place, [0, 0, 0] satisfies Vec3]) assert.equal(edgeOf(parseNodeKey(planGrid(at, at).seed).e), 2);
    const almost: Vec3 = [place[0] + 1e-9, place[1], place[2]];
    assert(edgeOf(parseNodeKey(planGrid(place, almost).seed).e) > 1e-6);
    assert.equal(spacingOf(planGrid(place, [place[0] + 20, place[1], place[2]], 0.004).finest), 2 ** -8);
  });

  test("CLD-6 whatever finite numbers a box has, its grid's nodes fit a segment's byte", () => {
    const any = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(any, any, fc.option(any.filter((spacing) => spacing > 0)), (a, b, spacing) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { origin, seed, finest } = planGrid([low, low, low], [high, high, high], spacing ?? undefined);
        assert(origin.every(Number.isFinite), String(origin));
        const { e } = parseNodeKey(seed);
        assert(finest >= -128 && finest <= e && e + 15 <= 127, `${finest} to ${e}`);
      }),
      {
        seed: SEED,
        examples: [
          [-1.7e308, 1.7e308, null],
          [1.7e308, 1.7e308, 5e-324],
          [0, 5e-324, 1e300],
        ],
      },
    );
  });

  test("CLD-6 a grid for data that is known is fine at its bulk, and all of it is in reach", () => {
    const box = (at: Vec3, size: number): Box => ({ min: at, max: [at[0] + size, at[1] + size, at[2] + size] });
    const around = (...boxes: Box[]): Box => ({
      min: [0, 1, 2].map((axis) => Math.min(...boxes.map(({ min }) => min[axis]!))) as Vec3,
      max: [0, 1, 2].map((axis) => Math.max(...boxes.map(({ max }) => max[axis]!))) as Vec3,
    });
    const far = fc.double({ min: -1e8, max: 1e8, noNaN: true });
    const width = fc.double({ min: 1, max: 1e5, noNaN: true });
    fc.assert(
      fc.property(coordinate, coordinate, coordinate, width, far, far, (x, y, z, size, a, b) => {
        const bulk = box([x, y, z], size);
        const all = around(bulk, box([a, b, a], 1));
        const { origin, seed, finest } = planGridFor(bulk, all, 1 / 256);
        const id = parseNodeKey(seed);
        assert(edgeOf(id.e) <= size * 2.6, "what lies far away makes no first root larger");
        assert(spacingOf(finest) <= 1 / 256, "nor its cells");
        let top = id;
        while (top.x > 0) top = parentOf(top);
        const at = { e: finest, x: id.x * 2 ** (id.e - finest), y: 0, z: 0 };
        assert(nodeKey(parseNodeKey(nodeKey(at))) === nodeKey(at) && at.x < 2 ** 31);
        for (const axis of [0, 1, 2]) {
          assert(all.min[axis]! >= origin[axis]! && all.max[axis]! < origin[axis]! + edgeOf(top.e), `${seed}`);
        }
      }),
      { seed: SEED },
    );
    // Data that grows as usual has the grid that it always had.
    const usual = box([500_000, 6_000_000, 100], 50);
    assert.deepEqual(planGridFor(usual, usual, 1 / 256), planGrid(usual.min, usual.max, 1 / 256));
    // Wider than the cells allow: they yield, and no more than they must.
    const wide = box([0, 0, 0], 1e10);
    const { finest } = planGridFor(wide, wide, 1 / 256);
    assert(spacingOf(finest) > 1 / 256 && spacingOf(finest) < 2, `${spacingOf(finest)}`);
    // One that lies beyond all measure changes nothing for the others.
    const absurd = around(usual, box([1e30, 0, 0], 1));
    const grid = planGridFor(usual, absurd, 1 / 256);
    assert.deepEqual([parseNodeKey(grid.seed).e, spacingOf(grid.finest)], [6, 1 / 256]);
  });

  test("CLD-6 whatever finite numbers both boxes have, the grid's nodes fit a segment's byte", () => {
    const any = fc.double({ noNaN: true, noDefaultInfinity: true });
    const some = fc.oneof(any, coordinate, extent);
    fc.assert(
      fc.property(some, some, some, some, some, (a, b, c, d, spacing) => {
        const [least, low, high, most] = [a, b, c, d].sort((p, q) => p - q) as [number, number, number, number];
        const bulk: Box = { min: [low, low, low], max: [high, high, high] };
        const all: Box = { min: [least, least, least], max: [most, most, most] };
        const { origin, seed, finest } = planGridFor(bulk, all, Math.abs(spacing) || 1);
        assert(origin.every(Number.isFinite), String(origin));
        const { e, x } = parseNodeKey(seed);
        const bits = Math.ceil(Math.log2(x + 1));
        assert(finest >= -128 && finest <= e && e + bits <= 127 && bits + e - finest <= 31, `${finest} to ${e}, ${x}`);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});
