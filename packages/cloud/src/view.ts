/**
 * What a viewer sees first: nodes in the order of how far apart their parent's points are on the screen. The server
 * pushes in this order and the viewer draws in it, so they agree without a word.
 */
import type { Vec3 } from "@cairn/protocol";
import { GRID } from "./node.ts";
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
 * Nodes worth drawing, best first: a parent always before its children. Nodes out of sight are left out, and so are those
 * finer than `finePx`; whoever has enough (points, bytes) stops asking. O(log n) a node, well below a microsecond.
 * @param view left out: everything is seen, coarse first
 */
export function* nodesToShow(
  table: LayerTable,
  view: LayerView | undefined,
  finePx: number = FINE_PX,
): Generator<{ node: TableNode; px: number }> {
  if (!table.root) return;
  const waiting = new Heap();
  const consider = (node: TableNode) => {
    const px = spacingPx(node, view);
    if (px > 0 && px >= finePx) waiting.push(node, px);
  };
  consider(table.root);
  while (waiting.size > 0) {
    const px = waiting.bestPx;
    const node = waiting.pop();
    yield { node, px };
    for (const child of node.children) if (child) consider(child);
  }
}

/**
 * Pixels between neighbouring points of the node's parent where the node is nearest to the camera; 0 when out of sight.
 * Without limit for the first root and those above: what a former root keeps to its child is drawn with it, or there
 * would be a hole. Never more than for its parent.
 */
export function spacingPx(node: TableNode, view: LayerView | undefined): number {
  const px = view ? sightOf(view).px(node) : coarseness(node);
  return node.trunk && px > 0 ? Number.POSITIVE_INFINITY : px;
}

/** Stands for pixels where there is no camera: the same order, and never too fine. */
function coarseness({ edge }: TableNode): number {
  return 2 ** 80 * edge;
}

const sights = new WeakMap<LayerView, Sight>();

function sightOf(view: LayerView): Sight {
  const known = sights.get(view);
  if (known) return known;
  const sight = new Sight(view);
  sights.set(view, sight);
  return sight;
}

/** A view, made ready to be asked for many nodes. */
class Sight {
  readonly #position: Vec3;
  readonly #focalPx: number;
  /** Five planes through the camera: the four sides and the one behind. Normals point to what is seen. */
  readonly #planes: Float64Array;
  /** Of each plane: how far half a cube of edge 1 reaches along its normal. */
  readonly #reaches: Float64Array;

  constructor({ position, axes: [right, down, forward], tanX, tanY, focalPx }: LayerView) {
    this.#position = position;
    this.#focalPx = focalPx;
    const sum = (a: Vec3, k: number, b: Vec3) => a.map((value, axis) => value + k * b[axis]!);
    const back = (a: Vec3): Vec3 => [-a[0], -a[1], -a[2]];
    const normals = [
      sum(right, tanX, forward),
      sum(back(right), tanX, forward),
      sum(down, tanY, forward),
      sum(back(down), tanY, forward),
      forward,
    ];
    this.#planes = Float64Array.from(normals.flat());
    this.#reaches = Float64Array.from(normals, (normal) => normal.reduce((reach, v) => reach + Math.abs(v) / 2, 0));
  }

  px({ centre, edge }: TableNode): number {
    const x = centre[0] - this.#position[0];
    const y = centre[1] - this.#position[1];
    const z = centre[2] - this.#position[2];
    const planes = this.#planes;
    for (let plane = 0, at = 0; plane < 5; plane++, at += 3) {
      const beyond = x * planes[at]! + y * planes[at + 1]! + z * planes[at + 2]!;
      if (beyond < -edge * this.#reaches[plane]!) return 0;
    }
    // From the nearest place of the cube; a sixteenth of the edge where the camera is in it or close.
    const nearX = Math.max(Math.abs(x) - edge / 2, 0);
    const nearY = Math.max(Math.abs(y) - edge / 2, 0);
    const nearZ = Math.max(Math.abs(z) - edge / 2, 0);
    const distance = Math.max(Math.sqrt(nearX * nearX + nearY * nearY + nearZ * nearZ), edge / 16);
    return ((edge / (GRID / 2)) * this.#focalPx) / distance;
  }
}

/** A binary heap, largest first, in two arrays: nothing is made for each node. */
class Heap {
  readonly #nodes: TableNode[] = [];
  readonly #px: number[] = [];

  get size(): number {
    return this.#nodes.length;
  }

  /** Of the one that `pop` gives next. */
  get bestPx(): number {
    return this.#px[0]!;
  }

  push(node: TableNode, px: number): void {
    const nodes = this.#nodes;
    const values = this.#px;
    let i = nodes.length;
    nodes.push(node);
    values.push(px);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (values[parent]! >= px) break;
      nodes[i] = nodes[parent]!;
      values[i] = values[parent]!;
      i = parent;
    }
    nodes[i] = node;
    values[i] = px;
  }

  pop(): TableNode {
    const nodes = this.#nodes;
    const values = this.#px;
    const best = nodes[0]!;
    const node = nodes.pop()!;
    const px = values.pop()!;
    const { length } = nodes;
    if (length === 0) return best;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && values[child + 1]! > values[child]!) child++;
      if (values[child]! <= px) break;
      nodes[i] = nodes[child]!;
      values[i] = values[child]!;
      i = child;
    }
    nodes[i] = node;
    values[i] = px;
    return best;
  }
}
