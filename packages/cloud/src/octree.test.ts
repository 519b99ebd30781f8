import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { evenStride } from "./batch.ts";
import {
  bitsOf,
  contains,
  cornerOf,
  edgeOf,
  GRID,
  type LayerGrid,
  type NodeId,
  nodeKey,
  octantOf,
  parentOf,
  parseNodeKey,
} from "./node.ts";
import { type Insertion, Octree } from "./octree.ts";
import { planGrid } from "./plan-grid.ts";
import type { CloudPoints, NodePoints } from "./points.ts";

const SEED = 20261121;
const CAP = 24;
/** Five levels from the first root (edge 1) to the finest nodes (edge 1/16, cells 1/1024), and room to grow. */
const GRID_AT_TEN: LayerGrid = { origin: [-10, -10, -10], seed: "0_10_10_10", finest: -4 };

/** Clusters of very different sizes, some of them far from the first root, a few points that are none. */
const positionsOf = fc
  .array(
    fc.record({
      centre: fc.tuple(fc.double(range(1)), fc.double(range(1)), fc.double(range(1))),
      size: fc.integer({ min: -12, max: 2 }),
      points: fc.integer({ min: 1, max: 120 }),
      salt: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      broken: fc.constantFrom(0, 0, 0, Number.NaN, Number.POSITIVE_INFINITY, -1e30),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((clusters) =>
    Float64Array.from(
      clusters.flatMap(({ centre, size, points, salt, broken }) => {
        const random = randomOf(salt);
        return Array.from({ length: points }, (_, i) =>
          centre.map((c) => (i === 7 && broken !== 0 ? broken : c + random() * 2 ** size)),
        ).flat();
      }),
    ),
  );

function range(most: number) {
  return { min: 0, max: most, noNaN: true };
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Numbers its points in `photos`, from `first` on, so that each can be found again. */
function numbered(positions: Float64Array, first = 1): CloudPoints {
  const n = positions.length / 3;
  const colors = Uint8Array.from({ length: n * 3 }, (_, i) => (first + i) % 256);
  return { positions, colors, photos: Uint32Array.from({ length: n }, (_, i) => first + i) };
}

function insertAll(tree: Octree, batches: readonly Float64Array[]): { points: CloudPoints[]; out: Insertion[] } {
  let first = 1;
  const points = batches.map((positions) => {
    const batch = numbered(positions, first);
    first += positions.length / 3;
    return batch;
  });
  return { points, out: points.map((batch) => tree.insert(batch)) };
}

function numbersOf({ photos }: NodePoints): number[] {
  assert(typeof photos !== "number");
  return [...photos];
}

/** Where a kept point says it lies. */
function placeOf({ node, bits, coords }: NodePoints, i: number, { origin }: LayerGrid): Vec3 {
  const corner = cornerOf(node, origin);
  const step = edgeOf(node.e) / 2 ** bits;
  const at = (axis: number) => corner[axis]! + (coords[3 * i + axis]! + 0.5) * step;
  return [at(0), at(1), at(2)];
}

/** Every kept point by its number. */
function keptOf(out: readonly Insertion[]): Map<number, { segment: NodePoints; i: number }> {
  const kept = new Map<number, { segment: NodePoints; i: number }>();
  for (const { segments } of out) {
    for (const segment of segments) {
      for (const [i, number] of numbersOf(segment).entries()) {
        assert(!kept.has(number), `point ${number} is in two nodes`);
        kept.set(number, { segment, i });
      }
    }
  }
  return kept;
}

function pointsByNode(out: readonly Insertion[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { segments } of out) {
    for (const { node, count } of segments) counts.set(nodeKey(node), (counts.get(nodeKey(node)) ?? 0) + count);
  }
  return counts;
}

/** The rule word by word: one point after the other, sets of names, no integers. */
function slowly(grid: LayerGrid, cap: number, batches: readonly CloudPoints[]): Map<string, number[]> {
  const nodes = new Map<string, { taken: Set<string>; numbers: number[] }>();
  const nodeAt = (e: number, indices: readonly number[]) => {
    const key = [e, ...indices].join("_");
    const node = nodes.get(key) ?? { taken: new Set<string>(), numbers: [] };
    nodes.set(key, node);
    return node;
  };
  const seed = parseNodeKey(grid.seed);
  const top = Math.floor(Math.log2(seed.x) + 1) + seed.e;
  const indexAt = (p: readonly number[], e: number) =>
    p.map((v, axis) => Math.floor((v - grid.origin[axis]!) / 2 ** e));
  const inReach = (p: readonly number[]) => p.every(Number.isFinite) && indexAt(p, top).every((index) => index === 0);
  let root = seed;
  for (const { positions, photos } of batches) {
    const n = positions.length / 3;
    const point = (i: number) => [...positions.subarray(3 * i, 3 * i + 3)];
    const isIn = (i: number) => indexAt(point(i), root.e).join() === [root.x, root.y, root.z].join();
    const order = Array.from({ length: n }, (_, k) => (k * evenStride(n)) % n).filter((i) => inReach(point(i)));
    while (!order.every(isIn)) root = parentOf(root);
    for (const i of order) {
      for (let e = root.e; e >= grid.finest; e--) {
        const indices = indexAt(point(i), e);
        const id = { e, x: indices[0]!, y: indices[1]!, z: indices[2]! };
        const inside = indexAt(point(i), e - 1);
        const towardsSeed = contains({ e: e - 1, x: inside[0]!, y: inside[1]!, z: inside[2]! }, seed);
        if (contains(id, seed) && e > seed.e && towardsSeed) continue;
        const node = nodeAt(e, indices);
        const cell = indexAt(point(i), e - 6).join();
        const isFree = !node.taken.has(cell);
        if (!isFree && (e === grid.finest || node.numbers.length >= cap)) continue;
        node.taken.add(cell);
        node.numbers.push(typeof photos === "number" ? photos : photos[i]!);
        break;
      }
    }
  }
  return new Map(
    [...nodes].filter(([, { numbers }]) => numbers.length > 0).map(([key, { numbers }]) => [key, numbers]),
  );
}

describe("octree (docs/spec/cloud.md)", () => {
  test("CLD-2, CLD-3 a batch gives the same nodes with the same points as one point after the other", () => {
    fc.assert(
      fc.property(fc.array(positionsOf, { minLength: 1, maxLength: 4 }), (batches) => {
        const { points, out } = insertAll(new Octree(GRID_AT_TEN, CAP), batches);
        const found = new Map<string, number[]>();
        for (const { segments } of out) {
          for (const segment of segments) {
            const key = nodeKey(segment.node);
            found.set(key, [...(found.get(key) ?? []), ...numbersOf(segment)]);
          }
        }
        const expected = slowly(GRID_AT_TEN, CAP, points);
        assert.deepEqual([...found].sort(), [...expected].sort());
      }),
      { seed: SEED, numRuns: 120 },
    );
  });

  test("CLD-3 kept + merged + refused = given, and every point is found again", () => {
    fc.assert(
      fc.property(fc.array(positionsOf, { minLength: 1, maxLength: 4 }), (batches) => {
        const tree = new Octree(GRID_AT_TEN, CAP);
        const { points, out } = insertAll(tree, batches);
        const kept = keptOf(out);
        assert.equal(tree.kept, kept.size);
        const cells = new Set([...kept.values()].map(({ segment, i }) => finestCell(segment, i)));
        for (const [b, { positions, photos }] of points.entries()) {
          const { kept: keptHere, merged, refused, min, max } = out[b]!;
          assert.equal(keptHere + merged + refused, positions.length / 3);
          for (let i = 0; i < positions.length / 3; i++) {
            const place = positions.subarray(3 * i, 3 * i + 3);
            if (place.some((v) => !Number.isFinite(v) || v < -10)) continue;
            assert(place.every((v, axis) => v >= min[axis]! && v <= max[axis]!));
            assert(typeof photos !== "number");
            const mine = kept.get(photos[i]!);
            if (mine) {
              const half = edgeOf(mine.segment.node.e) / 2 ** mine.segment.bits / 2;
              const said = placeOf(mine.segment, mine.i, GRID_AT_TEN);
              assert(place.every((v, axis) => Math.abs(v - said[axis]!) <= half * 1.000001));
            } else {
              assert(cells.has(finestCellOf(place)), "merged, but with which point?");
            }
          }
        }
      }),
      { seed: SEED, numRuns: 120 },
    );
  });

  /** Only of points at the finest level. */
  function finestCell({ node, bits, coords }: NodePoints, i: number): string {
    if (node.e > GRID_AT_TEN.finest) return "";
    const cell = [0, 1, 2].map((axis) => coords[3 * i + axis]! >> (bits - 6));
    return [node.x * GRID + cell[0]!, node.y * GRID + cell[1]!, node.z * GRID + cell[2]!].join();
  }

  function finestCellOf(place: Iterable<number>): string {
    return [...place].map((v, axis) => Math.floor((v - GRID_AT_TEN.origin[axis]!) * 1024)).join();
  }

  test("CLD-4 a child has points only below a full parent, or below one that ceded it", () => {
    fc.assert(
      fc.property(fc.array(positionsOf, { minLength: 1, maxLength: 4 }), (batches) => {
        const tree = new Octree(GRID_AT_TEN, CAP);
        const counts = pointsByNode(insertAll(tree, batches).out);
        const seed = parseNodeKey(GRID_AT_TEN.seed);
        for (const key of counts.keys()) {
          const id = parseNodeKey(key);
          assert(contains(tree.root, id));
          assert(id.e >= GRID_AT_TEN.finest);
          const onChain = id.e >= seed.e && contains(id, seed);
          if (onChain || nodeKey(tree.root) === key) continue;
          const parent = parentOf(id);
          assert(contains(parent, id));
          assert((counts.get(nodeKey(parent)) ?? 0) >= CAP, `${key} below a parent that has room`);
        }
        // And a former root's region is empty in the roots above it.
        for (const { segment, i } of keptOf([...insertAll(new Octree(GRID_AT_TEN, CAP), batches).out]).values()) {
          const { node } = segment;
          if (node.e <= seed.e || !contains(node, seed)) continue;
          const place = placeOf(segment, i, GRID_AT_TEN);
          const ceded = octantOf(ancestor(seed, node.e - 1));
          const corner = cornerOf(node, GRID_AT_TEN.origin);
          const half = edgeOf(node.e - 1);
          const octant = [0, 1, 2].reduce(
            (bits, axis) => bits | (place[axis]! >= corner[axis]! + half ? 1 << axis : 0),
            0,
          );
          assert.notEqual(octant, ceded);
        }
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  function ancestor(id: NodeId, e: number): NodeId {
    let at = id;
    while (at.e < e) at = parentOf(at);
    return at;
  }

  test("CLD-5 what is no place or out of reach is refused, the rest of the batch is not", () => {
    const tree = new Octree(GRID_AT_TEN, CAP);
    const good: Vec3 = [0.5, 0.5, 0.5];
    const bad: Vec3[] = [
      [Number.NaN, 0, 0],
      [0, Number.POSITIVE_INFINITY, 0],
      [0, 0, Number.NEGATIVE_INFINITY],
      [-10.001, 0, 0],
      [0, 6, 0], // the largest root is 16 across
      [1e300, 0, 0],
    ];
    const { refused, outOfReach, kept, merged, min, max } = tree.insert(
      numbered(Float64Array.from([...bad, good].flat())),
    );
    assert.deepEqual(
      { refused, outOfReach, kept, merged, min, max },
      { refused: 6, outOfReach: 3, kept: 1, merged: 0, min: good, max: good },
    );
    assert.deepEqual(tree.root, parseNodeKey(GRID_AT_TEN.seed));
    const none = tree.insert(numbered(Float64Array.from(bad.flat())));
    assert.deepEqual([none.refused, none.segments.length, tree.kept], [6, 0, 1]);
  });

  test("CLD-5 arrays that disagree are a mistake of the caller", () => {
    const tree = new Octree(GRID_AT_TEN, CAP);
    const { positions, colors, photos } = numbered(new Float64Array(6));
    assert.throws(() => tree.insert({ positions, colors: colors.subarray(3), photos }), RangeError);
    assert.throws(() => tree.insert({ positions, colors, photos: new Uint32Array(1) }), RangeError);
    assert.throws(() => tree.insert({ positions, colors, photos, confidences: new Uint8Array(1) }), RangeError);
    assert.throws(() => tree.insert({ positions, colors, photos, normals: new Int8Array(5) }), RangeError);
    assert.equal(tree.kept, 0);
  });

  test("CLD-6 a scene that grows 1,000-fold keeps everything, to the finest step, beyond 32 bits of depth", () => {
    const grid = planGrid([0, 0, 0], [6, 6, 6], 0.00002);
    const tree = new Octree(grid, CAP);
    const random = randomOf(5);
    const first = Float64Array.from({ length: 9000 }, () => random() * 6);
    // Each ten times farther than the last; then a swarm in one place far away, so that its nodes go down to the finest.
    const far = Float64Array.from({ length: 3 * 8 }, (_, i) => 10 ** (1 + Math.floor(i / 3) / 2) * (i % 2 ? 1 : -1));
    const swarm = Float64Array.from({ length: 9000 }, () => -9_000 + random() * 0.05);
    const { points, out } = insertAll(tree, [first, far, swarm]);
    assert.deepEqual(
      out.map(({ refused, merged }) => [refused, merged]),
      [
        [0, 0],
        [0, 0],
        [0, out[2]!.merged],
      ],
    );
    assert(tree.root.e - grid.finest > 24, `${tree.root.e - grid.finest} levels`);
    assert.equal(tree.root.e - parseNodeKey(grid.seed).e >= 10, true);
    const kept = keptOf(out);
    let finest = 0;
    for (const { positions, photos } of points) {
      assert(typeof photos !== "number");
      for (const [i, number] of photos.entries()) {
        const mine = kept.get(number);
        if (!mine) continue;
        const { node, bits } = mine.segment;
        assert.equal(bits, bitsOf(node.e, grid.finest));
        const half = edgeOf(node.e) / 2 ** bits / 2;
        const said = placeOf(mine.segment, mine.i, grid);
        for (let axis = 0; axis < 3; axis++) {
          assert(Math.abs(said[axis]! - positions[3 * i + axis]!) <= half * 1.000001, `${number} in ${nodeKey(node)}`);
        }
        if (node.e <= grid.finest + 8) finest++;
      }
    }
    assert(finest > 2000, `${finest}`);
  });

  test("CLD-7 at UTM magnitude a point is where it was, to less than 1 mm", () => {
    const random = randomOf(9);
    const corner: Vec3 = [456_789.123, 6_001_234.567, 321.5];
    const positions = Float64Array.from({ length: 60_000 }, (_, i) => corner[i % 3]! + random() * 20);
    const grid = planGrid(corner, [corner[0] + 20, corner[1] + 20, corner[2] + 20], 0.004);
    const out = [new Octree(grid, 4096).insert(numbered(positions))];
    const kept = keptOf(out);
    assert.equal(out[0]!.kept, 20_000);
    let worst = 0;
    for (const [number, { segment, i }] of kept) {
      const said = placeOf(segment, i, grid);
      for (let axis = 0; axis < 3; axis++) {
        worst = Math.max(worst, Math.abs(said[axis]! - positions[3 * (number - 1) + axis]!));
      }
    }
    assert(worst < 0.001, `${worst} m`);
  });

  test("CLD-8 what a node takes first is an even sample of the batch, and the same each time", () => {
    for (const n of [1, 2, 3, 4, 5, 12, 307_200]) {
      const stride = evenStride(n);
      const seen = new Uint8Array(n);
      for (let k = 0, i = 0; k < n; k++, i = (i + stride) % n) seen[i]!++;
      assert(
        seen.every((times) => times === 1),
        `${n} points, stride ${stride}`,
      );
    }
    // 100 rows of 100: a node with room for 500 takes 5 of each row, give or take.
    const rows = Float64Array.from(
      { length: 30_000 },
      (_, i) => [((i / 3) % 100) / 100, Math.floor(i / 300) / 100, 0][i % 3]!,
    );
    const { segments } = new Octree(GRID_AT_TEN, 500).insert(numbered(rows));
    const perRow = new Uint32Array(100);
    for (const number of numbersOf(segments[0]!).slice(0, 500)) perRow[Math.floor((number - 1) / 100)]!++;
    assert(
      perRow.every((count) => count >= 3 && count <= 7),
      `${perRow}`,
    );
    const again = new Octree(GRID_AT_TEN, 500).insert(numbered(rows));
    assert.deepEqual(again.segments, segments);
  });

  test("CLD-9 the order of insertions changes no count beyond what a full node leaves open", () => {
    fc.assert(
      fc.property(fc.array(positionsOf, { minLength: 2, maxLength: 4 }), (batches) => {
        const usable = batches.map((positions) => positions.map((v) => (v > -10 && v < 6 ? v : 0)));
        const trees = [usable, usable.toReversed()].map((ordered) => {
          const tree = new Octree(GRID_AT_TEN, CAP);
          insertAll(tree, ordered);
          return tree;
        });
        const finest = new Set<string>();
        const cells = new Map<string, Set<string>>(); // of each cube above the finest with points, its cells with points
        const here = new Map<string, number>();
        for (const place of usable.flatMap((positions) => triples(positions))) {
          finest.add(finestCellOf(place));
          for (let e = GRID_AT_TEN.finest + 1; e <= trees[0]!.root.e; e++) {
            const index = (at: number) =>
              [...place].map((v, axis) => Math.floor((v - GRID_AT_TEN.origin[axis]!) / 2 ** at));
            const key = [e, ...index(e)].join("_");
            cells.set(key, (cells.get(key) ?? new Set()).add(index(e - 6).join()));
            here.set(key, (here.get(key) ?? 0) + 1);
          }
        }
        let above = 0;
        for (const [key, { size }] of cells) above += Math.min(here.get(key)!, CAP + size);
        for (const { kept, root } of trees) {
          assert(kept >= finest.size, "each cell of the finest level has a point on its way");
          assert(kept <= finest.size + above);
          assert.deepEqual(root, trees[0]!.root);
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  function triples(positions: Float64Array): Float64Array[] {
    return Array.from({ length: positions.length / 3 }, (_, i) => positions.subarray(3 * i, 3 * i + 3));
  }

  test("CLD-9 where no two points share a cell, every order keeps every point", () => {
    const lattice = Float64Array.from({ length: 3 * 20 ** 3 }, (_, i) => {
      const point = Math.floor(i / 3);
      return ([point % 20, Math.floor(point / 20) % 20, Math.floor(point / 400)][i % 3]! + 0.5) / 1024;
    });
    const half = lattice.length / 6;
    const halves = [lattice.slice(0, half * 3), lattice.slice(half * 3)];
    for (const order of [halves, halves.toReversed(), [lattice]]) {
      const tree = new Octree(GRID_AT_TEN, CAP);
      insertAll(tree, order);
      assert.equal(tree.kept, 8000);
    }
  });

  test("CLD-10 a tree brought back from its segments, in any order, goes on as if it had never stopped", () => {
    fc.assert(
      fc.property(
        fc.array(positionsOf, { minLength: 1, maxLength: 3 }),
        positionsOf,
        fc.boolean(),
        (before, after, isReversed) => {
          const tree = new Octree(GRID_AT_TEN, CAP);
          const segments = insertAll(tree, before).out.flatMap((insertion) => insertion.segments);
          const back = new Octree(GRID_AT_TEN, CAP);
          for (const segment of isReversed ? segments.toReversed() : segments) back.restore(segment);
          assert.deepEqual([back.kept, back.root], [tree.kept, tree.root]);
          assert.deepEqual(back.insert(numbered(after)), tree.insert(numbered(after)));
        },
      ),
      { seed: SEED, numRuns: 100 },
    );
  });

  test("segments carry what their points came with, coarse first, a level in Morton order", () => {
    const random = randomOf(3);
    const positions = Float32Array.from({ length: 3000 }, () => 0.4 + random() * 0.2);
    const colors = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    const confidences = Uint8Array.from({ length: 1000 }, (_, i) => i % 253);
    const normals = Int8Array.from({ length: 3000 }, (_, i) => (i % 255) - 127);
    const photos = Uint32Array.from({ length: 1000 }, (_, i) => i);
    const { segments } = new Octree(GRID_AT_TEN, CAP).insert({ positions, colors, photos, confidences, normals });
    assert(segments.length > 8, `${segments.length}`);
    for (const segment of segments) {
      for (const [at, i] of numbersOf(segment).entries()) {
        assert.equal(segment.confidences?.[at], confidences[i]);
        assert.deepEqual(segment.colors.slice(3 * at, 3 * at + 3), colors.slice(3 * i, 3 * i + 3));
        assert.deepEqual(segment.normals?.slice(3 * at, 3 * at + 3), normals.slice(3 * i, 3 * i + 3));
      }
    }
    const morton = ({ node: { x, y, z } }: NodePoints) =>
      [...Array(10).keys()].reduce(
        (key, b) => key + ((x >> b) & 1) * 8 ** b + ((y >> b) & 1) * 2 * 8 ** b + ((z >> b) & 1) * 4 * 8 ** b,
        0,
      );
    for (const [i, segment] of segments.entries()) {
      const last = segments[i - 1];
      if (!last) continue;
      assert(last.node.e > segment.node.e || (last.node.e === segment.node.e && morton(last) < morton(segment)));
    }
    const plain = new Octree(GRID_AT_TEN, CAP).insert({ positions, colors, photos: 7 });
    assert(
      plain.segments.every((segment) => segment.photos === 7 && !("normals" in segment) && !("confidences" in segment)),
    );
  });
});
