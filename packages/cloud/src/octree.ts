/**
 * The live octree: each point goes to the coarsest node on its way that has room. A node has room for any point until
 * it holds `leafCap`, after that only where its 64³ grid has a free cell: the first point wins, the others sink. Points
 * never move, so what was sent stays right and an insertion only adds. At the finest level a taken cell merges the point
 * into the one that is there: memory follows the surface, not the number of photos.
 *
 * Points themselves are not kept: they leave as segments; what stays is which cells are taken.
 */
import type { Vec3 } from "@cairn/protocol";
import {
  bitsOf,
  childOf,
  contains,
  edgeOf,
  GRID,
  type LayerGrid,
  type NodeId,
  octantOf,
  parentOf,
  parseNodeKey,
} from "./node.ts";
import type { CloudPoints, NodePoints } from "./points.ts";

/** Points a node holds before it sends the rest to its children. */
export const LEAF_CAP = 8192;

export type Insertion = {
  readonly root: NodeId;
  /** One for each node that gained points, coarse first. */
  readonly segments: NodePoints[];
  readonly kept: number;
  /** Fell into a taken cell of the finest level. */
  readonly merged: number;
  /** NaN or infinite coordinates, or beyond what the grid can reach. */
  readonly refused: number;
  /** Of those kept, layer frame. */
  readonly min: Vec3;
  readonly max: Vec3;
};

class Node {
  readonly id: NodeId;
  count = 0;
  taken: Uint32Array | undefined;
  cells: Uint32Array | undefined = new Uint32Array(64);
  readonly children: (Node | undefined)[] = new Array<Node | undefined>(8).fill(undefined);
  /** The octant that a former root keeps, −1: none. */
  ceded = -1;
  /** Points of the insertion at work: the newest's index, linked through `next`; −1: none. */
  head = -1;

  constructor(id: NodeId) {
    this.id = id;
  }
}

export class Octree {
  readonly grid: LayerGrid;
  readonly #leafCap: number;
  #root: Node;
  kept = 0;

  constructor(grid: LayerGrid, leafCap: number = LEAF_CAP) {
    this.grid = grid;
    this.#leafCap = leafCap;
    this.#root = new Node(parseNodeKey(grid.seed));
  }

  get root(): NodeId {
    return this.#root.id;
  }

  insert(points: CloudPoints): Insertion {
    const n = points.positions.length / 3;
    const { positions } = points;
    const low: Vec3 = [Infinity, Infinity, Infinity];
    const high: Vec3 = [-Infinity, -Infinity, -Infinity];
    const usable = new Uint8Array(n);
    let refused = 0;
    for (let i = 0; i < n; i++) {
      const [x, y, z] = [positions[3 * i]!, positions[3 * i + 1]!, positions[3 * i + 2]!];
      if (!this.#reaches(x, y, z)) {
        refused++;
        continue;
      }
      usable[i] = 1;
      for (let axis = 0; axis < 3; axis++) {
        const value = positions[3 * i + axis]!;
        if (value < low[axis]!) low[axis] = value;
        if (value > high[axis]!) high[axis] = value;
      }
    }
    if (refused === n)
      return { root: this.root, segments: [], kept: 0, merged: 0, refused, min: [0, 0, 0], max: [0, 0, 0] };
    this.#grow(low, high);
    const touched: Node[] = [];
    const next = new Int32Array(n);
    const coords = new Uint16Array(n * 3);
    let kept = 0;
    for (let i = 0; i < n; i++) if (usable[i] && this.#place(positions, i, coords, next, touched)) kept++;
    this.kept += kept;
    touched.sort((a, b) => b.id.e - a.id.e);
    const segments = touched.map((node) => this.#collect(node, points, coords, next));
    return { root: this.root, segments, kept, merged: n - refused - kept, refused, min: low, max: high };
  }

  /** Marks the cells of points that are already out: how a tree is brought back from its segments. */
  restore(points: NodePoints): void {
    this.#growTo(points.node);
    const node = this.#nodeAt(points.node);
    const shift = points.bits - 6;
    for (let i = 0; i < points.count; i++) {
      const [x, y, z] = [points.coords[3 * i]!, points.coords[3 * i + 1]!, points.coords[3 * i + 2]!];
      this.#take(node, ((z >> shift) * GRID + (y >> shift)) * GRID + (x >> shift));
    }
    this.kept += points.count;
  }

  #reaches(x: number, y: number, z: number): boolean {
    const { origin } = this.grid;
    const most = edgeOf(this.#root.id.e) * 2 ** 12 * 32768;
    const ok = (value: number, from: number) => value - from >= 0 && value - from < most;
    return ok(x, origin[0]) && ok(y, origin[1]) && ok(z, origin[2]);
  }

  #grow(low: Vec3, high: Vec3): void {
    const { origin } = this.grid;
    for (;;) {
      const edge = edgeOf(this.#root.id.e);
      const { x, y, z } = this.#root.id;
      const inside = [x, y, z].every(
        (index, axis) =>
          Math.floor((low[axis]! - origin[axis]!) / edge) === index &&
          Math.floor((high[axis]! - origin[axis]!) / edge) === index,
      );
      if (inside) return;
      this.#raise();
    }
  }

  #growTo(id: NodeId): void {
    while (!contains(this.#root.id, id)) this.#raise();
  }

  #raise(): void {
    const old = this.#root;
    const root = new Node(parentOf(old.id));
    root.ceded = octantOf(old.id);
    root.children[root.ceded] = old;
    this.#root = root;
  }

  #nodeAt(id: NodeId): Node {
    let node = this.#root;
    while (node.id.e > id.e) {
      const k = 2 ** (node.id.e - 1 - id.e);
      const octant = octantOf({ e: 0, x: Math.floor(id.x / k), y: Math.floor(id.y / k), z: Math.floor(id.z / k) });
      node = node.children[octant] ??= new Node(childOf(node.id, octant));
    }
    return node;
  }

  #take(node: Node, cell: number): void {
    if (node.count < this.#leafCap && node.id.e > this.grid.finest) {
      let cells = node.cells!;
      if (node.count === cells.length) {
        const more = new Uint32Array(Math.min(this.#leafCap, cells.length * 2));
        more.set(cells);
        node.cells = cells = more;
      }
      cells[node.count++] = cell;
      return;
    }
    if (!node.taken) this.#close(node);
    node.taken![cell >>> 5]! |= 1 << (cell & 31);
    node.count++;
  }

  /** From a list of cells to a grid of bits. */
  #close(node: Node): void {
    node.taken = new Uint32Array(GRID ** 3 / 32);
    const cells = node.cells!;
    for (let i = 0; i < node.count; i++) node.taken[cells[i]! >>> 5]! |= 1 << (cells[i]! & 31);
    node.cells = undefined;
  }

  #place(
    positions: Float32Array | Float64Array,
    i: number,
    coords: Uint16Array,
    next: Int32Array,
    touched: Node[],
  ): boolean {
    const { origin, finest } = this.grid;
    let node = this.#root;
    const px = positions[3 * i]! - origin[0];
    const py = positions[3 * i + 1]! - origin[1];
    const pz = positions[3 * i + 2]! - origin[2];
    for (;;) {
      const scale = 65536 / edgeOf(node.id.e);
      const x = Math.floor(px * scale - node.id.x * 65536);
      const y = Math.floor(py * scale - node.id.y * 65536);
      const z = Math.floor(pz * scale - node.id.z * 65536);
      const octant = (x >> 15) | ((y >> 15) << 1) | ((z >> 15) << 2);
      if (octant !== node.ceded) {
        const cell = ((z >> 10) * GRID + (y >> 10)) * GRID + (x >> 10);
        const open = node.count < this.#leafCap && node.id.e > finest;
        if (!open && !node.taken) this.#close(node);
        if (open || (node.taken![cell >>> 5]! & (1 << (cell & 31))) === 0) {
          this.#take(node, cell);
          const shift = 16 - bitsOf(node.id.e, finest);
          coords[3 * i] = x >> shift;
          coords[3 * i + 1] = y >> shift;
          coords[3 * i + 2] = z >> shift;
          if (node.head < 0) touched.push(node);
          next[i] = node.head;
          node.head = i;
          return true;
        }
        if (node.id.e <= finest) return false;
      }
      node = node.children[octant] ??= new Node(childOf(node.id, octant));
    }
  }

  #collect(node: Node, points: CloudPoints, coords: Uint16Array, next: Int32Array): NodePoints {
    const members: number[] = [];
    for (let i = node.head; i >= 0; i = next[i]!) members.push(i);
    members.reverse();
    node.head = -1;
    const count = members.length;
    const triple = <T extends Uint16Array | Uint8Array | Int8Array>(from: T, to: T): T => {
      members.forEach((i, at) => {
        for (let axis = 0; axis < 3; axis++) to[at * 3 + axis] = from[i * 3 + axis]!;
      });
      return to;
    };
    const { photos, confidences, normals } = points;
    return {
      node: node.id,
      bits: bitsOf(node.id.e, this.grid.finest),
      count,
      coords: triple(coords, new Uint16Array(count * 3)),
      colors: triple(points.colors, new Uint8Array(count * 3)),
      photos: typeof photos === "number" ? photos : Uint32Array.from(members, (i) => photos[i]!),
      ...(confidences && { confidences: Uint8Array.from(members, (i) => confidences[i]!) }),
      ...(normals && { normals: triple(normals, new Int8Array(count * 3)) }),
    };
  }
}
