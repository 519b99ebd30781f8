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
  planGrid,
  spacingOf,
} from "./node.ts";

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
});
