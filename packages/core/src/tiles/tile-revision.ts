/**
 * Names of what a node's GLB holds. A node only gains parts, so the first so many of its parts are a revision: all of
 * them are what the tileset names, fewer can still be made. Nothing but the revision decides the bytes, so equal ones
 * are one tile, in whatever layer or space.
 */
import type { LayerGrid, Part, TableNode } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { POINT_GLB_VERSION } from "@cairn/formats/glb";

/** 16 hex digits. */
export type TileRevision = string;

/** The newest of those nodes that have been asked about; a table that is let go takes them with it. */
const newest = new WeakMap<TableNode, { readonly parts: number; readonly revision: TileRevision }>();

/** Of all parts; `undefined` for a node without points. */
export function revisionOf(grid: LayerGrid, node: TableNode): TileRevision | undefined {
  const parts = node.parts.length;
  if (parts === 0) return undefined;
  const known = newest.get(node);
  if (known?.parts === parts) return known.revision;
  const revision = revisionOfFirst(grid, node, parts);
  newest.set(node, { parts, revision });
  return revision;
}

/** The parts that a revision holds; `undefined` when the node never had it, or when its parts were made one since. */
export function partsOf(grid: LayerGrid, node: TableNode, revision: TileRevision): readonly Part[] | undefined {
  for (let count = node.parts.length; count > 0; count--) {
    const held = count === node.parts.length ? revisionOf(grid, node) : revisionOfFirst(grid, node, count);
    if (held === revision) return node.parts.slice(0, count);
  }
  return undefined;
}

function revisionOfFirst(grid: LayerGrid, node: TableNode, count: number): TileRevision {
  const hashes = node.parts.slice(0, count).map(({ hash }) => hash);
  return hashOf(Buffer.from(`glb ${POINT_GLB_VERSION} ${grid.seed} ${grid.finest} ${node.key} ${hashes.join(" ")}`));
}
