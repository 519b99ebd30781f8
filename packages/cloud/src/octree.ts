/**
 * The live octree: each point goes to the coarsest node on its way that has room. A node has room for any point until
 * it holds `leafCap`, after that only where its 64³ grid has a free cell: the first point wins, the others sink. Points
 * never move, so what was sent stays right and an insertion only adds. At the finest level a taken cell merges the point
 * into the one that is there: memory follows the surface, not the number of photos.
 *
 * Points themselves are not kept: they leave as segments; what stays is which cells are taken.
 */
import type { Vec3 } from "@cairn/protocol";
import { Batch, FINE_LEVELS } from "./batch.ts";
import { Descent, OctreeNode } from "./insertion.ts";
import {
  bitsOf,
  CELL_BITS,
  contains,
  edgeOf,
  type LayerGrid,
  type NodeId,
  octantOf,
  parentOf,
  parseNodeKey,
} from "./node.ts";
import type { CloudPoints, NodePoints } from "./points.ts";

/**
 * Points a node holds before it sends the rest to its children. Measured on a hall, a room and a stadium
 * (benchmarks/cloud-leaf.mjs): of 4,096, 8,192 and 16,384 the smallest shows 99 % of a dense picture after a fifth fewer
 * bytes than the next and a third fewer than the largest, for 2 to 9 % more bytes in a live increment.
 */
export const LEAF_CAP = 4096;

export type Insertion = {
  readonly root: NodeId;
  /** One for each node that gained points, coarse first, those of a level in Morton order. */
  readonly segments: NodePoints[];
  readonly kept: number;
  /** Fell into a taken cell of the finest level. */
  readonly merged: number;
  /** NaN or infinite coordinates, or beyond what the grid can reach. */
  readonly refused: number;
  /** Those of the refused that have finite coordinates. */
  readonly outOfReach: number;
  /** Of those not refused, layer frame; 0 where there are none. */
  readonly min: Vec3;
  readonly max: Vec3;
};

export class Octree {
  readonly grid: LayerGrid;
  readonly #leafCap: number;
  readonly #batch = new Batch();
  /** Edge of the largest root there can be: the one whose corner is the grid's origin. */
  readonly #reach: number;
  #root: OctreeNode;
  kept = 0;

  constructor(grid: LayerGrid, leafCap: number = LEAF_CAP) {
    this.grid = grid;
    this.#leafCap = leafCap;
    const seed = parseNodeKey(grid.seed);
    this.#root = new OctreeNode(seed);
    let top = seed;
    while (top.x > 0 || top.y > 0 || top.z > 0) top = parentOf(top);
    this.#reach = edgeOf(top.e);
  }

  get root(): NodeId {
    return this.#root.id;
  }

  /** O(depth) a point, without garbage for each. @throws {RangeError} when the arrays disagree about their length */
  insert(points: CloudPoints): Insertion {
    const { positions } = points;
    const n = pointsIn(points);
    const batch = this.#batch;
    batch.load(positions, this.grid, this.#reach);
    const { count, outOfReach, min, max } = batch;
    const refused = n - count;
    if (count === 0) {
      const nothing = { segments: [], kept: 0, merged: 0, min: [0, 0, 0], max: [0, 0, 0] } satisfies Partial<Insertion>;
      return { root: this.root, ...nothing, refused, outOfReach };
    }
    this.#grow(min, max);
    if (this.root.e - this.grid.finest > FINE_LEVELS) batch.coarsen(positions, this.grid);
    const descent = new Descent(points, batch, this.grid.finest, this.#leafCap);
    descent.fill(this.#root, 0, 0, count);
    batch.release();
    const { segments, kept } = descent;
    this.kept += kept;
    segments.sort((a, b) => b.node.e - a.node.e);
    return { root: this.root, segments, kept, merged: count - kept, refused, outOfReach, min, max };
  }

  /** Takes the cells of points that are already out: how a tree is brought back from its segments, in any order. */
  restore({ node: id, bits, count, coords }: NodePoints): void {
    while (!contains(this.root, id)) this.#raise();
    const node = this.#nodeAt(id);
    if (bits !== bitsOf(id.e, this.grid.finest)) throw new RangeError(`a node at ${id.e} does not have ${bits} bits`);
    const toCell = bits - CELL_BITS;
    for (let i = 0; i < count; i++) {
      node.cells.take(coords[3 * i]! >> toCell, coords[3 * i + 1]! >> toCell, coords[3 * i + 2]! >> toCell);
    }
    node.count += count;
    this.kept += count;
  }

  /** Raises the root until the box lies in it. */
  #grow(min: Vec3, max: Vec3): void {
    const { origin } = this.grid;
    const inside = ({ e, x, y, z }: NodeId) =>
      [x, y, z].every(
        (index, axis) =>
          Math.floor((min[axis]! - origin[axis]!) / edgeOf(e)) === index &&
          Math.floor((max[axis]! - origin[axis]!) / edgeOf(e)) === index,
      );
    while (!inside(this.root)) this.#raise();
  }

  #raise(): void {
    const old = this.#root;
    const root = new OctreeNode(parentOf(old.id));
    root.ceded = octantOf(old.id);
    root.children[root.ceded] = old;
    this.#root = root;
  }

  #nodeAt(id: NodeId): OctreeNode {
    let node = this.#root;
    while (node.id.e > id.e) {
      const k = 2 ** (node.id.e - 1 - id.e);
      const octant = octantOf({ e: 0, x: Math.floor(id.x / k), y: Math.floor(id.y / k), z: Math.floor(id.z / k) });
      node = node.child(octant);
    }
    return node;
  }
}

/** @throws {RangeError} when the arrays disagree */
function pointsIn({ positions, colors, photos, confidences, normals }: CloudPoints): number {
  const n = positions.length / 3;
  const fits =
    Number.isInteger(n) &&
    colors.length >= n * 3 &&
    (typeof photos === "number" || photos.length >= n) &&
    (!confidences || confidences.length >= n) &&
    (!normals || normals.length >= n * 3);
  if (!fits)
    throw new RangeError(
      `${n} points, but ${colors.length / 3} colours, or photos, confidences, normals that are too few`,
    );
  return n;
}
