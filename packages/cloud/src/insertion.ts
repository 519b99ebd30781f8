/**
 * One batch on its way down the tree. A node is given all points that reach it at once, keeps what it has room for and
 * hands the rest to its children, sorted by octant: what it decides depends only on the order in which points reach it,
 * so the tree is the same as point by point, and a node's cells are fetched once a batch and not once a point.
 */
import { type Batch, COARSE_SHIFT, FINE_LEVELS } from "./batch.ts";
import { CellSet } from "./cell-set.ts";
import { bitsOf, CELL_BITS, childOf, FINEST_BITS, type NodeId } from "./node.ts";
import type { CloudPoints, NodePoints } from "./points.ts";

/** What the tree knows of a node: not its points, which have left as segments, only where they are. */
export class OctreeNode {
  readonly id: NodeId;
  count = 0;
  readonly cells = new CellSet();
  readonly children: (OctreeNode | undefined)[] = new Array<OctreeNode | undefined>(8).fill(undefined);
  /** The octant that a former root keeps to itself, −1: none. */
  ceded = -1;

  constructor(id: NodeId) {
    this.id = id;
  }

  /** Made when it is first asked for. */
  child(octant: number): OctreeNode {
    this.children[octant] ??= new OctreeNode(childOf(this.id, octant));
    return this.children[octant];
  }
}

export class Descent {
  readonly segments: NodePoints[] = [];
  kept = 0;
  readonly #points: CloudPoints;
  readonly #batch: Batch;
  readonly #finest: number;
  readonly #leafCap: number;

  constructor(points: CloudPoints, batch: Batch, finest: number, leafCap: number) {
    this.#points = points;
    this.#batch = batch;
    this.#finest = finest;
    this.#leafCap = leafCap;
  }

  /** @param turn which of `batch.ways` holds the points that reach the node, from `start` to `end` */
  fill(node: OctreeNode, turn: 0 | 1, start: number, end: number): void {
    const { ways, octants, kept } = this.#batch;
    const level = node.id.e - this.#finest;
    const isCoarse = level > FINE_LEVELS;
    const coords = isCoarse ? this.#batch.coarse : this.#batch.fine;
    const bits = bitsOf(node.id.e, this.#finest);
    const shift = level + FINEST_BITS - bits - (isCoarse ? COARSE_SHIFT : 0);
    const mask = 2 ** bits - 1;
    const toCell = bits - CELL_BITS;
    const toHalf = bits - 1;
    const way = ways[turn];
    const { cells, ceded } = node;
    const ends = new Uint32Array(8);
    let room = level > 0 ? this.#leafCap - node.count : 0;
    let keeps = 0;
    let passes = 0;
    for (let i = start; i < end; i++) {
      const point = way[i]!;
      const x = (coords[3 * point]! >>> shift) & mask;
      const y = (coords[3 * point + 1]! >>> shift) & mask;
      const z = (coords[3 * point + 2]! >>> shift) & mask;
      const octant = (x >> toHalf) | ((y >> toHalf) << 1) | ((z >> toHalf) << 2);
      if (octant !== ceded && (cells.take(x >> toCell, y >> toCell, z >> toCell) || room > 0)) {
        room--;
        kept[keeps++] = point;
      } else {
        // Its own place has been read: what passes is gathered at the front.
        way[start + passes] = point;
        octants[passes++] = octant;
        ends[octant]!++;
      }
    }
    if (keeps > 0) {
      node.count += keeps;
      this.kept += keeps;
      this.segments.push(this.#collect(node.id, bits, coords, shift, keeps));
    }
    if (passes > 0 && level > 0) this.#pass(node, turn, start, passes, ends);
  }

  /** @param counts by octant; changed */
  #pass(node: OctreeNode, turn: 0 | 1, start: number, passes: number, counts: Uint32Array): void {
    const { ways, octants } = this.#batch;
    const from = ways[turn];
    const to = ways[1 - turn]!;
    for (let octant = 0, at = start; octant < 8; octant++) {
      const count = counts[octant]!;
      counts[octant] = at;
      at += count;
    }
    for (let i = 0; i < passes; i++) to[counts[octants[i]!]!++] = from[start + i]!;
    for (let octant = 0, at = start; octant < 8; octant++) {
      const end = counts[octant]!;
      if (end > at) {
        this.fill(node.child(octant), turn === 0 ? 1 : 0, at, end);
      }
      at = end;
    }
  }

  /** The first `count` of `batch.kept` as a segment. */
  #collect(node: NodeId, bits: number, coords: Uint32Array, shift: number, count: number): NodePoints {
    const { kept, source } = this.#batch;
    const { colors, photos, confidences, normals } = this.#points;
    const mask = 2 ** bits - 1;
    const out = new Uint16Array(count * 3);
    const outColors = new Uint8Array(count * 3);
    for (let i = 0; i < count; i++) {
      const point = kept[i]!;
      const at = source[point]! * 3;
      out[3 * i] = (coords[3 * point]! >>> shift) & mask;
      out[3 * i + 1] = (coords[3 * point + 1]! >>> shift) & mask;
      out[3 * i + 2] = (coords[3 * point + 2]! >>> shift) & mask;
      outColors[3 * i] = colors[at]!;
      outColors[3 * i + 1] = colors[at + 1]!;
      outColors[3 * i + 2] = colors[at + 2]!;
    }
    const one = <T extends Uint32Array | Uint8Array>(from: T, to: T): T => {
      for (let i = 0; i < count; i++) to[i] = from[source[kept[i]!]!]!;
      return to;
    };
    return {
      node,
      bits,
      count,
      coords: out,
      colors: outColors,
      photos: typeof photos === "number" ? photos : one(photos, new Uint32Array(count)),
      ...(confidences && { confidences: one(confidences, new Uint8Array(count)) }),
      ...(normals && { normals: this.#normals(normals, count) }),
    };
  }

  #normals(normals: Int8Array, count: number): Int8Array {
    const { kept, source } = this.#batch;
    const out = new Int8Array(count * 3);
    for (let i = 0; i < count; i++) {
      const at = source[kept[i]!]! * 3;
      out[3 * i] = normals[at]!;
      out[3 * i + 1] = normals[at + 1]!;
      out[3 * i + 2] = normals[at + 2]!;
    }
    return out;
  }
}
