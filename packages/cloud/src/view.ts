/**
 * What a viewer sees first: nodes in the order of how far apart their parent's points are on the screen. The server
 * pushes in this order and the viewer draws in it, so they agree without a word.
 */
import type { Vec3 } from "@cairn/protocol";
import { cornerOf, edgeOf, GRID } from "./node.ts";
import type { LayerTable, TableNode } from "./table.ts";

/** A camera in the layer's frame. */
export type LayerView = {
  readonly position: Vec3;
  /** Rows: right, down, forward; unit vectors, layer frame. */
  readonly axes: readonly [Vec3, Vec3, Vec3];
  /** Half the field of view: tangents, right and down. */
  readonly tanX: number;
  readonly tanY: number;
  /** Pixels per unit of tangent. */
  readonly focalPx: number;
};

/** Points this far apart on the screen look closed: finer nodes add nothing. */
export const FINE_PX = 1.4;

/**
 * Nodes worth drawing, best first: a parent always before its children. Ends when the rest is finer than `finePx`;
 * whoever has enough (points, bytes) stops asking. A binary heap: O(log n) a node.
 * @param view left out: everything is seen, coarse first
 */
export function* nodesToShow(
  table: LayerTable,
  view: LayerView | undefined,
  finePx: number = FINE_PX,
): Generator<{ node: TableNode; px: number }> {
  if (!table.root) return;
  const heap = new Heap();
  heap.push(table.root, Number.POSITIVE_INFINITY);
  for (let next = heap.pop(); next; next = heap.pop()) {
    yield next;
    for (const child of next.node.children) {
      if (!child) continue;
      // What a former root keeps to its child is seen with it, or there would be a hole.
      const px =
        next.node.chain && (child.chain || child.key === table.grid.seed) ? next.px : spacingPx(table, child, view);
      if (px >= finePx) heap.push(child, px);
    }
  }
}

/** Pixels between neighbouring points of the node's parent where they are nearest to the camera; 0 when out of sight. */
export function spacingPx({ grid }: LayerTable, { id }: TableNode, view: LayerView | undefined): number {
  const edge = edgeOf(id.e);
  const spacing = (2 * edge) / GRID;
  if (!view) return 1e6 * spacing;
  const corner = cornerOf(id, grid.origin);
  const radius = edge * 0.8660254;
  const dx = corner[0] + edge / 2 - view.position[0];
  const dy = corner[1] + edge / 2 - view.position[1];
  const dz = corner[2] + edge / 2 - view.position[2];
  const [right, down, forward] = view.axes;
  const z = dx * forward[0] + dy * forward[1] + dz * forward[2];
  if (z < -radius) return 0;
  const x = Math.abs(dx * right[0] + dy * right[1] + dz * right[2]);
  const y = Math.abs(dx * down[0] + dy * down[1] + dz * down[2]);
  // Distance of the centre beyond the frustum's side planes.
  if ((x - z * view.tanX) / Math.hypot(1, view.tanX) > radius) return 0;
  if ((y - z * view.tanY) / Math.hypot(1, view.tanY) > radius) return 0;
  const distance = Math.max(Math.hypot(dx, dy, dz) - radius, edge / 16);
  return (spacing * view.focalPx) / distance;
}

class Heap {
  readonly #items: { node: TableNode; px: number }[] = [];

  push(node: TableNode, px: number): void {
    const items = this.#items;
    let i = items.length;
    items.push({ node, px });
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (items[parent]!.px >= px) break;
      items[i] = items[parent]!;
      i = parent;
    }
    items[i] = { node, px };
  }

  pop(): { node: TableNode; px: number } | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (!top || !last || items.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.px > items[child]!.px) child++;
      if (items[child]!.px <= last.px) break;
      items[i] = items[child]!;
      i = child;
    }
    items[i] = last;
    return top;
  }
}
