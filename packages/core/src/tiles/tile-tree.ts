/**
 * A layer's octree as tiles of OGC 3D Tiles 1.1 (22-025r4 §7): explicit tiling, refinement by addition. Tiles lie in a
 * frame of the layer's axes and unit, Z up, whose origin is the corner of the first root: a layer's own coordinates can
 * be large, and viewers keep a tile's in single precision.
 */
import {
  contains,
  cornerOf,
  edgeOf,
  type LayerTable,
  type NodeId,
  parseNodeKey,
  spacingOf,
  type TableNode,
} from "@cairn/cloud";
import type { LayerState, Vec3 } from "@cairn/protocol";
import { revisionOf } from "./tile-revision.ts";

/** A tile as its JSON says it. */
export type Tile = {
  boundingVolume: { box: number[] };
  geometricError: number;
  refine?: "ADD";
  /** Column-major. */
  transform?: number[];
  content?: { uri: string };
  children?: Tile[];
};

/** Tiles in one JSON: about 900 kB. */
export const MAX_TILES = 3000;

/** Bits of a coordinate in a tile's GLB, at most. */
const TILE_BITS = 14;
/** What must always be refined has an error of this many edges: on a screen it is a point before it is not refined. */
const ALWAYS_EDGES = 1024;

/** Corner of the first root: where a layer's tiles have their origin, layer frame. */
export function tileOrigin({ seed, origin }: Pick<LayerState, "seed" | "origin">): Vec3 {
  return cornerOf(parseNodeKey(seed), origin);
}

/** Lowest corner of a node in the frame of the tiles; exact, for both are of the dyadic grid. */
export function tileCorner(id: NodeId, seed: NodeId): Vec3 {
  const [edge, from] = [edgeOf(id.e), edgeOf(seed.e)];
  return [id.x * edge - seed.x * from, id.y * edge - seed.y * from, id.z * edge - seed.z * from];
}

export class TileTree {
  readonly #table: LayerTable;
  readonly #maxTiles: number;
  readonly #seed: NodeId;
  /** The layer's box in the frame of the tiles. */
  readonly #min: Vec3;
  readonly #max: Vec3;
  /** Tiles of the JSON that would begin at this node; 0: there is nothing. */
  readonly #weights = new Map<TableNode, number>();
  /** Nodes whose tiles are in a JSON of their own. */
  readonly #apart = new Set<TableNode>();

  constructor(table: LayerTable, layer: LayerState, maxTiles: number = MAX_TILES) {
    this.#table = table;
    this.#maxTiles = maxTiles;
    this.#seed = parseNodeKey(layer.seed);
    const origin = tileOrigin(layer);
    const { min = origin, max = origin } = layer;
    this.#min = [min[0] - origin[0], min[1] - origin[1], min[2] - origin[2]];
    this.#max = [max[0] - origin[0], max[1] - origin[1], max[2] - origin[2]];
    if (table.root) this.#weigh(table.root);
  }

  /** How many tiles the layer's first JSON has; 0 without points. */
  get weight(): number {
    return this.#table.root ? (this.#weights.get(this.#table.root) ?? 0) : 0;
  }

  /** The node whose tiles a JSON of their own may hold: any that has points below it. */
  nodeAt(key: string): TableNode | undefined {
    const node = this.#table.nodes.get(key);
    return node && this.#weights.get(node) ? node : undefined;
  }

  /** Lowest and highest corner, frame of the tiles. */
  boxOf({ id }: TableNode): { min: Vec3; max: Vec3 } {
    const edge = edgeOf(id.e);
    const low = tileCorner(id, this.#seed);
    // A point lies in the middle of its step, which may be past the box of what was inserted. Outward to a short number.
    const step = edge / 2 ** TILE_BITS;
    const unit = edge / 1024;
    const min = low.map((value, axis) => {
      return Math.max(value, value + Math.floor((this.#min[axis]! - step - value) / unit) * unit);
    });
    const max = low.map((value, axis) => {
      return Math.min(value + edge, value + Math.ceil((this.#max[axis]! + step - value) / unit) * unit);
    });
    return { min: min as Vec3, max: max as Vec3 };
  }

  /**
   * The tiles from `node` down, as far as they belong into one JSON.
   * @param base what leads from the JSON to the folder of the layer's tiles
   */
  tilesFrom(node: TableNode, base: string): Tile {
    const { ceded, children } = this.#below(node);
    const boundingVolume = boxVolume(this.boxOf(node));
    const revision = revisionOf(this.#table.grid, node);
    const own: Tile = {
      boundingVolume,
      geometricError: children.length ? spacingOf(node.id.e) : 0,
      ...(revision !== undefined && { content: { uri: `${base}${node.key}/${revision}.glb` } }),
      ...(children.length > 0 && { children: children.map((child) => this.#child(child, base)) }),
    };
    if (!ceded) return own;
    // A former root keeps its part of the space to itself: it and its parent are two halves of one, always shown together.
    const halves = [...(own.content || own.children ? [own] : []), this.tilesFrom(ceded, base)];
    return { boundingVolume, geometricError: this.errorOf(node), children: halves };
  }

  /** A tile in place of those from `node` down, which are in a JSON of their own. */
  reference(node: TableNode, base: string): Tile {
    return {
      boundingVolume: boxVolume(this.boxOf(node)),
      geometricError: this.errorAbove(node),
      content: { uri: `${base}${node.key}/tileset.json` },
    };
  }

  /** What is missing on the screen while a node is shown and nothing below it, as a length in the layer's unit. */
  errorOf(node: TableNode): number {
    const { ceded, children } = this.#below(node);
    if (ceded) return ALWAYS_EDGES * edgeOf(node.id.e);
    return children.length ? spacingOf(node.id.e) : 0;
  }

  /** The same while the node is not shown either. */
  errorAbove(node: TableNode): number {
    if (node === this.#table.root) return Math.max(edgeOf(node.id.e), 2 * this.errorOf(node));
    const ceded = contains(node.id, this.#seed);
    return ceded ? ALWAYS_EDGES * edgeOf(node.id.e + 1) : spacingOf(node.id.e + 1);
  }

  #child(node: TableNode, base: string): Tile {
    return this.#apart.has(node) ? this.reference(node, base) : this.tilesFrom(node, base);
  }

  /** Children with anything in them; of a former root's parent, that root by itself. */
  #below(node: TableNode): { children: TableNode[]; ceded: TableNode | undefined } {
    const children = node.children.filter((child) => child !== undefined).filter((child) => this.#weights.get(child));
    const ceded = node.chain ? children.find((child) => contains(child.id, this.#seed)) : undefined;
    return { children: children.filter((child) => child !== ceded), ceded };
  }

  /** Counts tiles from the leaves up; where a JSON would hold too many, its largest branches get one of their own. */
  #weigh(node: TableNode): number {
    const branches = node.children
      .filter((child) => child !== undefined)
      .map((child) => ({ child, weight: this.#weigh(child) }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight);
    let weight = branches.reduce((sum, branch) => sum + branch.weight, node.chain ? 2 : 1);
    for (const branch of branches) {
      if (weight <= this.#maxTiles) break;
      // Halves of one are not torn apart; a former root has cut its own branches already.
      if (node.chain && contains(branch.child.id, this.#seed)) continue;
      this.#apart.add(branch.child);
      weight -= branch.weight - 1;
    }
    if (branches.length === 0 && node.points === 0) weight = 0;
    this.#weights.set(node, weight);
    return weight;
  }
}

/** Centre and half axes (22-025r4 §7.3.1). */
export function boxVolume({ min, max }: { min: Vec3; max: Vec3 }): { box: number[] } {
  const half = (axis: 0 | 1 | 2) => (max[axis] - min[axis]) / 2;
  const centre = (axis: 0 | 1 | 2) => (max[axis] + min[axis]) / 2;
  return { box: [centre(0), centre(1), centre(2), half(0), 0, 0, 0, half(1), 0, 0, 0, half(2)] };
}
