import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cornerOf,
  edgeOf,
  type LayerGrid,
  LayerTable,
  type NodeId,
  nodeKey,
  parentOf,
  parseNodeKey,
} from "@cairn/cloud";
import { CairnError, emptyState, type LayerState, type SpaceState, type Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { type CheckedTile, checkTileset } from "../test/tileset-check.ts";
import { partsOf, revisionOf } from "./tile-revision.ts";
import { TileTree } from "./tile-tree.ts";
import { branchTileset, rootTileset, type TiledLayer, type Tileset } from "./tileset.ts";

const SEED: NodeId = { e: 3, x: 21845, y: 21845, z: 21845 };
const GRID: LayerGrid = { origin: [-174_760.5, 6_000_000, 12.25], seed: nodeKey(SEED), finest: -8 };

/** Nodes of a tree that grew: former roots, and branches below the first one and beside it. */
const trees = fc
  .record({
    growth: fc.integer({ min: 0, max: 4 }),
    paths: fc.array(fc.array(fc.nat(7), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 60 }),
  })
  .map(({ growth, paths }) => {
    let root = SEED;
    for (let i = 0; i < growth; i++) root = parentOf(root);
    const nodes = new Map<string, NodeId>();
    const add = (id: NodeId) => nodes.set(nodeKey(id), id);
    for (const path of paths) {
      let id = path[0]! < 4 ? root : SEED;
      add(id);
      for (const octant of path) {
        id = {
          e: id.e - 1,
          x: 2 * id.x + (octant & 1),
          y: 2 * id.y + ((octant >> 1) & 1),
          z: 2 * id.z + (octant >> 2),
        };
        add(id);
      }
    }
    return { root, nodes: [...nodes.values()] };
  });

function tableOf({ root, nodes }: { root: NodeId; nodes: readonly NodeId[] }): LayerTable {
  const table = new LayerTable(GRID);
  table.applyPack({
    root,
    parts: nodes.map((node, i) => ({
      node,
      part: { blob: "b", start: i, end: i + 1, points: 5, hash: i.toString(16).padStart(16, "0") },
    })),
  });
  return table;
}

/** Every node's points lie about its middle. */
function layerOf(table: LayerTable, more: Partial<LayerState> = {}): LayerState {
  const min: Vec3 = [Infinity, Infinity, Infinity];
  const max: Vec3 = [-Infinity, -Infinity, -Infinity];
  for (const { id } of table.list.filter(({ points }) => points > 0)) {
    for (const [axis, corner] of cornerOf(id, GRID.origin).entries()) {
      min[axis] = Math.min(min[axis]!, corner + edgeOf(id.e) * 0.47);
      max[axis] = Math.max(max[axis]!, corner + edgeOf(id.e) * 0.53);
    }
  }
  return { layer: 1, kind: "import", name: "Layer", ...GRID, points: table.points, min, max, packs: [], ...more };
}

/** Every JSON of a tileset by its address, as a client would find them. */
function documentsOf(state: SpaceState, layers: readonly TiledLayer[], maxTiles?: number): Map<string, Tileset> {
  const documents = new Map([["tileset.json", rootTileset(state, layers, maxTiles)]]);
  for (const [name, { root }] of documents) {
    for (const tile of tilesOf(root)) {
      if (!tile.content?.uri.endsWith("tileset.json")) continue;
      const link = new URL(tile.content.uri, `http://x/${name}`).pathname.slice(1);
      const [, number, key] = link.split("/");
      assert.ok(!documents.has(link), `${link} is linked to twice`);
      documents.set(link, branchTileset(layers.find(({ layer }) => layer.layer === Number(number))!, key!));
    }
  }
  return documents;
}

function* tilesOf(tile: CheckedTile): Generator<CheckedTile> {
  yield tile;
  for (const child of tile.children ?? []) yield* tilesOf(child);
}

test("TIL-6 TIL-8 however a tree grew and wherever it is cut: valid, boxes in boxes, every node once", () => {
  const transform = {
    scale: 2,
    rotation: [0.5, 0.5, -0.5, 0.5] as [number, number, number, number],
    translation: [1, 2, 3] as Vec3,
  };
  fc.assert(
    fc.property(trees, fc.integer({ min: 12, max: 100 }), fc.boolean(), (tree, maxTiles, moved) => {
      const table = tableOf(tree);
      const layer = layerOf(table, moved ? { transform } : {});
      const tiled = { layer, table, tree: new TileTree(table, layer, maxTiles) };
      const documents = documentsOf(emptyState(), [tiled], maxTiles);
      const seen: string[] = [];
      for (const [name, document] of documents) {
        checkTileset(document);
        const tiles = [...tilesOf(document.root)];
        assert.ok(tiles.length <= maxTiles + 10 * (tree.root.e - SEED.e + 1), `${tiles.length} tiles of ${maxTiles}`);
        for (const { content } of tiles) {
          const link = content && new URL(content.uri, `http://x/${name}`).pathname.slice(1);
          if (link?.endsWith(".glb")) seen.push(link);
        }
      }
      const expected = tree.nodes.map((id) => {
        const node = table.nodes.get(nodeKey(id))!;
        return `tiles/1/${node.key}/${revisionOf(table.grid, node)}.glb`;
      });
      assert.deepEqual(seen.sort(), expected.sort());
    }),
    { numRuns: 150, seed: 8 },
  );
});

test("TIL-7 the ceded child of a former root is never behind a tile that may stay unrefined", () => {
  const root = parentOf(parentOf(SEED));
  const table = tableOf({ root, nodes: [root, parentOf(SEED), SEED] });
  const layer = layerOf(table);
  const { root: all } = rootTileset(emptyState(), [{ layer, table, tree: new TileTree(table, layer) }]);
  const [top] = all.children!;
  const pathTo = (tile: CheckedTile, key: string): CheckedTile[] | undefined => {
    if (tile.content?.uri.includes(`/${key}/`)) return [];
    for (const child of tile.children ?? []) {
      const path = pathTo(child, key);
      if (path) return [tile, ...path];
    }
    return undefined;
  };
  const above = pathTo(top!, nodeKey(SEED))!;
  assert.equal(above.length, 2);
  for (const tile of above) {
    assert.equal(tile.content, undefined);
    assert.ok(tile.geometricError > 64 * 2 * tile.boundingVolume.box[3]!);
  }
});

test("TIL-8 a tree of 40,000 nodes: no JSON above 1 MiB, few of them", () => {
  const nodes: NodeId[] = [];
  const grow = (id: NodeId, depth: number) => {
    nodes.push(id);
    // A surface: half of the octants, others at each node.
    for (let octant = 0; depth > 0 && octant < 8; octant++) {
      if ((octant + id.x + id.y) % 2 === 0) continue;
      grow(
        { e: id.e - 1, x: 2 * id.x + (octant & 1), y: 2 * id.y + ((octant >> 1) & 1), z: 2 * id.z + (octant >> 2) },
        depth - 1,
      );
    }
  };
  grow(SEED, 7);
  assert.ok(nodes.length > 20_000);
  for (let i = 0; nodes.length < 40_000; i++)
    nodes.push({ ...parseNodeKey(nodeKey(nodes[i]!)), e: -6, x: SEED.x * 512 + i, y: SEED.y * 512, z: SEED.z * 512 });
  const table = tableOf({ root: SEED, nodes });
  const layer = layerOf(table);
  const documents = documentsOf(emptyState(), [{ layer, table, tree: new TileTree(table, layer) }]);
  const sizes = [...documents.values()].map((document) => JSON.stringify(document).length);
  assert.ok(Math.max(...sizes) < 2 ** 20, `the largest has ${Math.max(...sizes)} bytes`);
  assert.ok(documents.size < 120, `${documents.size} JSONs`);
});

test("TIL-9 revisions: the first parts of a node have one, equal content the same, other content another", () => {
  const table = tableOf({ root: SEED, nodes: [SEED] });
  const node = table.root!;
  const first = revisionOf(GRID, node)!;
  const part = { blob: "c", start: 0, end: 9, points: 2, hash: "ff".repeat(8) };
  table.applyPack({ root: SEED, parts: [{ node: SEED, part }] });
  const both = revisionOf(GRID, node)!;
  assert.notEqual(both, first);
  const pointsOf = (revision: string) => partsOf(GRID, node, revision)?.map(({ points }) => points);
  assert.deepEqual([pointsOf(first), pointsOf(both), pointsOf("0".repeat(16))], [[5], [5, 2], undefined]);
  const same = tableOf({ root: SEED, nodes: [SEED] });
  assert.equal(revisionOf(GRID, same.root!), first);
  const below = { e: 2, x: 2 * SEED.x, y: 2 * SEED.y, z: 2 * SEED.z };
  const elsewhere = tableOf({ root: SEED, nodes: [below] });
  assert.equal(revisionOf(GRID, elsewhere.root!), undefined);
  assert.notEqual(revisionOf(GRID, elsewhere.nodes.get(nodeKey(below))!), first);
});

test("TIL-6 a space without points is a valid tileset with an empty root; a node that is not there is tile.gone", () => {
  const empty = rootTileset(emptyState(), []);
  checkTileset(empty);
  assert.equal(empty.root.children, undefined);
  const table = tableOf({ root: SEED, nodes: [SEED] });
  const layer = layerOf(table);
  const tiled = { layer, table, tree: new TileTree(table, layer) };
  for (const key of ["3_1_1_1", "nonsense", "__proto__"]) {
    assert.throws(
      () => branchTileset(tiled, key),
      (error: unknown) => error instanceof CairnError && error.code === "tile.gone",
    );
  }
});
