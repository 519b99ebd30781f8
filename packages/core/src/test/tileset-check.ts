/** Holds a tileset against what 3D Tiles 1.1 asks of one with explicit tiling (22-025r4 §7): shape, boxes, errors. */
import assert from "node:assert/strict";

export type CheckedTile = {
  boundingVolume: { box: number[] };
  geometricError: number;
  refine?: string;
  transform?: number[];
  content?: { uri: string };
  children?: CheckedTile[];
};
export type CheckedTileset = { asset: { version: string }; geometricError: number; root: CheckedTile };

const TILE_KEYS = ["boundingVolume", "geometricError", "refine", "transform", "content", "children"];

export function checkTileset(tileset: CheckedTileset): void {
  assert.deepEqual(Object.keys(tileset).sort(), ["asset", "geometricError", "root"]);
  assert.equal(tileset.asset.version, "1.1");
  assert.ok(isLength(tileset.geometricError));
  assert.equal(tileset.root.refine, "ADD");
  assert.ok(tileset.root.geometricError <= tileset.geometricError);
  checkTile(tileset.root);
}

function checkTile(tile: CheckedTile): void {
  assert.deepEqual(
    Object.keys(tile).filter((key) => !TILE_KEYS.includes(key)),
    [],
  );
  assert.ok(isLength(tile.geometricError), `geometricError ${tile.geometricError}`);
  assert.ok(tile.refine === undefined || tile.refine === "ADD");
  const { box } = tile.boundingVolume;
  assert.equal(box.length, 12);
  assert.ok(box.every(Number.isFinite));
  if (tile.transform) {
    assert.equal(tile.transform.length, 16);
    assert.ok(tile.transform.every(Number.isFinite));
    assert.deepEqual(
      [3, 7, 11, 15].map((at) => tile.transform![at]),
      [0, 0, 0, 1],
    );
  }
  if (tile.content) {
    assert.deepEqual(Object.keys(tile.content), ["uri"]);
    // A tile with external tiles must not have children of its own.
    if (tile.content.uri.endsWith(".json")) assert.equal(tile.children, undefined);
  }
  if (!tile.children) return;
  assert.ok(tile.children.length > 0, "children, if any, are at least one");
  for (const child of tile.children) {
    const scale = child.transform ? Math.hypot(child.transform[0]!, child.transform[1]!, child.transform[2]!) : 1;
    assert.ok(child.geometricError * scale <= tile.geometricError * (1 + 1e-12), "errors do not grow downward");
    for (const corner of cornersOf(child)) assertInside(corner, box);
    checkTile(child);
  }
}

function isLength(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function cornersOf({ boundingVolume: { box }, transform }: CheckedTile): number[][] {
  return Array.from({ length: 8 }, (_, i) => {
    const sign = (axis: number) => ((i >> axis) & 1 ? 1 : -1);
    const at = (k: number) => box[k]! + sign(0) * box[3 + k]! + sign(1) * box[6 + k]! + sign(2) * box[9 + k]!;
    const [x, y, z] = [at(0), at(1), at(2)];
    if (!transform) return [x, y, z];
    const m = transform;
    return [0, 1, 2].map((row) => m[row]! * x + m[4 + row]! * y + m[8 + row]! * z + m[12 + row]!);
  });
}

/** Boxes here have axes along those of their frame. */
function assertInside(corner: readonly number[], box: readonly number[]): void {
  for (const axis of [0, 1, 2]) {
    const half = box[3 + 4 * axis]!;
    const beyond = Math.abs(corner[axis]! - box[axis]!) - half;
    const slack = 1e-12 * (Math.abs(box[axis]!) + half);
    assert.ok(beyond <= slack, `a child's box is ${beyond} outside of its parent's`);
  }
}
