import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { cornerOf, edgeOf, GRID, type LayerGrid, parentOf, parseNodeKey } from "./node.ts";
import { Octree } from "./octree.ts";
import { LayerTable, type TableNode } from "./table.ts";
import { type LayerView, nodesToShow, spacingPx } from "./view.ts";

const SEED = 20261121;
const GRID_AT_TEN: LayerGrid = { origin: [-10, -10, -10], seed: "0_10_10_10", finest: -6 };

/** A layer that has grown to all sides, and where its points are kept. */
const { table, placesOf } = grow();

function grow() {
  const tree = new Octree(GRID_AT_TEN, 12);
  const grown = new LayerTable(GRID_AT_TEN);
  const places = new Map<string, Vec3[]>();
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 14; i++) {
    const spread = i < 5 ? 1 : 8;
    const centre = [0, 1, 2].map(() => 0.5 + (random() - 0.5) * spread);
    const size = 2 ** (i < 2 ? 1 : -Math.floor(random() * 6));
    const positions = Float64Array.from({ length: 6000 }, (_, at) => centre[at % 3]! + (random() - 0.5) * size);
    const { root, segments } = tree.insert({ positions, colors: new Uint8Array(6000), photos: i });
    const part = { blob: "", start: 0, end: 1, hash: "" };
    grown.applyPack({ root, parts: segments.map(({ node, count }) => ({ node, part: { ...part, points: count } })) });
    for (const { node, bits, count, coords } of segments) {
      const key = `${node.e}_${node.x}_${node.y}_${node.z}`;
      const corner = cornerOf(node, GRID_AT_TEN.origin);
      const at = (k: number, axis: 0 | 1 | 2) =>
        corner[axis] + ((coords[3 * k + axis]! + 0.5) * edgeOf(node.e)) / 2 ** bits;
      const mine = places.get(key) ?? [];
      places.set(key, mine);
      for (let k = 0; k < count; k++) mine.push([at(k, 0), at(k, 1), at(k, 2)]);
    }
  }
  return { table: grown, placesOf: ({ key }: TableNode) => places.get(key) ?? [] };
}

const unit = fc.double({ min: -1, max: 1, noNaN: true });
const place = fc.double({ min: -8, max: 6, noNaN: true });

/** Cameras in and around the layer, looking anywhere. */
const views: fc.Arbitrary<LayerView> = fc
  .record({
    position: fc.tuple(place, place, place),
    turn: fc.tuple(unit, unit, unit, unit),
    tan: fc.double({ min: 0.1, max: 1.5, noNaN: true }),
  })
  .map(({ position, turn, tan }) => {
    const length = Math.hypot(...turn);
    const [w, x, y, z] = length > 0.01 ? turn.map((v) => v / length) : [1, 0, 0, 0];
    const rows: [Vec3, Vec3, Vec3] = [
      [1 - 2 * (y! * y! + z! * z!), 2 * (x! * y! - w! * z!), 2 * (x! * z! + w! * y!)],
      [2 * (x! * y! + w! * z!), 1 - 2 * (x! * x! + z! * z!), 2 * (y! * z! - w! * x!)],
      [2 * (x! * z! - w! * y!), 2 * (y! * z! + w! * x!), 1 - 2 * (x! * x! + y! * y!)],
    ];
    return { position, axes: rows, tanX: tan, tanY: tan * 0.6, focalPx: 600 };
  });

/** Right, down, forward of the camera. */
function inCamera({ position, axes }: LayerView, at: Vec3): Vec3 {
  const along = (axis: Vec3) => axis.reduce((sum, v, i) => sum + v * (at[i]! - position[i]!), 0);
  return [along(axes[0]), along(axes[1]), along(axes[2])];
}

function isInPicture(view: LayerView, at: Vec3): boolean {
  const [x, y, z] = inCamera(view, at);
  return z > 0 && Math.abs(x) <= z * view.tanX && Math.abs(y) <= z * view.tanY;
}

function isBeyondAPlane(view: LayerView, { id }: TableNode): boolean {
  const corner = cornerOf(id, GRID_AT_TEN.origin);
  const edge = edgeOf(id.e);
  const corners = Array.from({ length: 8 }, (_, o) =>
    inCamera(view, [corner[0] + (o & 1) * edge, corner[1] + ((o >> 1) & 1) * edge, corner[2] + (o >> 2) * edge]),
  );
  const sides: ((at: Vec3) => number)[] = [
    ([x, , z]) => z * view.tanX - x,
    ([x, , z]) => z * view.tanX + x,
    ([, y, z]) => z * view.tanY - y,
    ([, y, z]) => z * view.tanY + y,
    ([, , z]) => z,
  ];
  return sides.some((side) => corners.every((at) => side(at) < -1e-9));
}

describe("what comes first (docs/spec/cloud.md)", () => {
  test("CLD-14 every node once, coarse first, where no camera is", () => {
    const shown = [...nodesToShow(table, undefined)].map(({ node }) => node);
    assert.equal(new Set(shown).size, table.list.length);
    assert(table.list.length > 100, `${table.list.length} nodes`);
    const others = shown.filter(({ trunk }) => !trunk);
    for (const [i, { id }] of others.entries()) assert(i === 0 || id.e <= others[i - 1]!.id.e);
    assert.deepEqual([...nodesToShow(new LayerTable(GRID_AT_TEN), undefined)], []);
  });

  test("CLD-14 parents first, best first, all that is in the picture, nothing beyond a plane", () => {
    fc.assert(
      fc.property(views, fc.constantFrom(0, 1.4, 8), (view, finePx) => {
        const seen = new Map<string, number>();
        let last = Number.POSITIVE_INFINITY;
        for (const { node, px } of nodesToShow(table, view, finePx)) {
          assert(!seen.has(node.key));
          assert(px <= last && px >= finePx);
          last = px;
          if (node !== table.root) {
            const above = [...seen.keys()].filter((key) => table.nodes.get(key)!.children.includes(node));
            assert.equal(above.length, 1, `${node.key} before its parent`);
          }
          assert(!isBeyondAPlane(view, node), `${node.key} is out of sight`);
          seen.set(node.key, px);
        }
        for (const node of table.list) {
          if (seen.has(node.key)) continue;
          const px = spacingPx(node, view);
          const isHere = placesOf(node).some((at) => isInPicture(view, at));
          assert(px < finePx || px === 0, `${node.key} is left out`);
          assert(!isHere || px > 0, `${node.key} has a point in the picture`);
        }
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  test("CLD-14 pixels: the parent's spacing at the nearest place of the cube, never more than the parent's own", () => {
    const node = table.list.find(({ trunk, id }) => !trunk && id.e === -3)!;
    const [x, y, z] = node.centre;
    const axes: [Vec3, Vec3, Vec3] = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    const from = (distance: number): LayerView => ({
      position: [x, y, z - node.edge / 2 - distance],
      axes,
      tanX: 1,
      tanY: 1,
      focalPx: 1000,
    });
    assert(Math.abs(spacingPx(node, from(2)) - (1000 * 2 ** -2) / GRID / 2) < 1e-9);
    assert(Math.abs(spacingPx(node, from(0)) - (1000 * 2 ** -2) / GRID / 2 ** -7) < 1e-9);
    fc.assert(
      fc.property(views, (view) => {
        for (const below of table.list) {
          const above = table.list.find(({ children }) => children.includes(below));
          if (!above) continue;
          assert(spacingPx(below, view) <= spacingPx(above, view) * (1 + 1e-12));
        }
      }),
      { seed: SEED, numRuns: 10 },
    );
  });

  test("CLD-15 the first root and all above it come first, where they are in sight", () => {
    const seed = parseNodeKey(GRID_AT_TEN.seed);
    const trunk: TableNode[] = [];
    for (let id = seed; ; id = parentOf(id)) {
      const node = table.list.find(
        (one) => one.id.e === id.e && one.id.x === id.x && one.id.y === id.y && one.id.z === id.z,
      );
      assert(node);
      trunk.push(node);
      if (node === table.root) break;
    }
    assert(trunk.length >= 3);
    assert.deepEqual(table.list.filter((node) => node.trunk).length, trunk.length);
    assert.deepEqual(
      trunk.map(({ chain }) => chain),
      trunk.map((_, i) => i > 0),
    );
    fc.assert(
      fc.property(views, (view) => {
        const shown = [...nodesToShow(table, view, 50)].map(({ node }) => node);
        const inSight = trunk.filter((node) => !isBeyondAPlane(view, node));
        assert.deepEqual(new Set(shown.slice(0, inSight.length)), new Set(inSight));
      }),
      { seed: SEED, numRuns: 100 },
    );
  });
});
