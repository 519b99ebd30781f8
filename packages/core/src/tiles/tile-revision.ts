/**
 * Names of what a node's GLB holds. A node only gains parts, so each prefix of its parts is a revision: the newest is
 * what the tileset names, an older one can still be made. Nothing but the revision decides the bytes, so equal ones are
 * one tile, in whatever layer or space.
 */
import type { LayerGrid, Part, TableNode } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { POINT_GLB_VERSION } from "@cairn/formats/glb";

/** 16 hex digits. */
export type TileRevision = string;

/** Of those nodes that have been asked about; a table that is let go takes them with it. */
const known = new WeakMap<TableNode, TileRevision[]>();

/** After each part: the last is the newest. None for a node without points. */
export function revisionsOf(grid: LayerGrid, node: TableNode): readonly TileRevision[] {
  const revisions = known.get(node) ?? [];
  known.set(node, revisions);
  for (let i = revisions.length; i < node.parts.length; i++) {
    const before = revisions[i - 1] ?? `glb ${POINT_GLB_VERSION} ${grid.seed} ${grid.finest} ${node.key}`;
    revisions.push(hashOf(Buffer.from(`${before} ${node.parts[i]!.hash}`)));
  }
  return revisions;
}

/** The parts that a revision holds; `undefined` when the node never had it, or when its parts were made one since. */
export function partsOf(grid: LayerGrid, node: TableNode, revision: TileRevision): readonly Part[] | undefined {
  const count = revisionsOf(grid, node).indexOf(revision) + 1;
  return count > 0 ? node.parts.slice(0, count) : undefined;
}
