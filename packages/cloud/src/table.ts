/**
 * What is known of a layer: its nodes and where their bytes are. Built from the layer's index (compacted nodes) and the
 * heads of the packs that came after it. Server and viewer hold the same table, so both can say what comes first.
 */
import type { Digest, Vec3 } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import {
  contains,
  cornerOf,
  edgeOf,
  type LayerGrid,
  type NodeId,
  type NodeKey,
  nodeKey,
  octantOf,
  parentOf,
  parseNodeKey,
} from "./node.ts";

/** One segment's bytes: a range of a blob. A node's parts are in the order in which its points came. */
export type Part = {
  readonly blob: Digest;
  /** First byte, and the one after the last. */
  readonly start: number;
  readonly end: number;
  readonly points: number;
  /** First 8 bytes of the SHA-256 of the segment, 16 hex digits: the same points are the same bytes. */
  readonly hash: string;
};

export type TableNode = {
  readonly id: NodeId;
  readonly key: NodeKey;
  /** Layer frame. */
  readonly centre: Vec3;
  /** Layer units. */
  readonly edge: number;
  /** 0, 1, 2, … in the order in which the table learnt of them. */
  readonly ordinal: number;
  readonly parts: Part[];
  /** Of all parts. */
  points: number;
  /** By octant. */
  readonly children: (TableNode | undefined)[];
  /** Lies on the way from the root to the first root: its child there is drawn with it, for it holds no points there. */
  readonly chain: boolean;
  /** The first root, or on the chain above it: drawn whenever it is in sight. */
  readonly trunk: boolean;
  /** The newest pack that brought points; −1 for those of the index. */
  pack: number;
};

export type IndexNode = { readonly node: NodeId; readonly parts: readonly Part[] };

/** A layer's compacted nodes. */
export type LayerIndex = { readonly root: NodeId; readonly nodes: readonly IndexNode[] };

/** What one insertion added: at most one part a node. */
export type PackHead = {
  readonly root: NodeId;
  readonly parts: readonly { readonly node: NodeId; readonly part: Part }[];
};

export class LayerTable {
  readonly grid: LayerGrid;
  readonly nodes = new Map<NodeKey, TableNode>();
  /** In order of `ordinal`. */
  readonly list: TableNode[] = [];
  /** Packs the table has taken: the index's, and those after it. */
  packs = 0;
  points = 0;
  #root: TableNode | undefined;
  readonly #seed: NodeId;

  constructor(grid: LayerGrid) {
    this.grid = grid;
    this.#seed = parseNodeKey(grid.seed);
  }

  /** `undefined` before the first points. */
  get root(): TableNode | undefined {
    return this.#root;
  }

  /** Into an empty table. @param packs how many packs are in the index @throws {CairnError} `request.invalid` */
  applyIndex(index: LayerIndex, packs: number): void {
    this.#expectRoot(index.root);
    for (const { node, parts } of index.nodes) for (const part of parts) this.#add(node, part, -1);
    this.#root = this.#ensure(index.root);
    this.packs = packs;
  }

  /** Packs come in order. Returns the nodes that gained a part. @throws {CairnError} `request.invalid` */
  applyPack(head: PackHead): TableNode[] {
    this.#expectRoot(head.root);
    const pack = this.packs++;
    const touched = head.parts.map(({ node, part }) => this.#add(node, part, pack));
    this.#root = this.#ensure(head.root);
    return touched;
  }

  /** Of another layer, or altered. */
  #expectRoot(root: NodeId): void {
    if (!contains(root, this.#seed)) throw new CairnError("request.invalid", { field: "root", root: nodeKey(root) });
  }

  #add(id: NodeId, part: Part, pack: number): TableNode {
    const node = this.#ensure(id);
    node.parts.push(part);
    node.points += part.points;
    node.pack = pack;
    this.points += part.points;
    return node;
  }

  /** The node, hung below its parent; parents that have no points yet are made on the way up to the root. */
  #ensure(id: NodeId): TableNode {
    const key = nodeKey(id);
    const known = this.nodes.get(key);
    if (known) return known;
    const trunk = contains(id, this.#seed);
    const chain = trunk && id.e > this.#seed.e;
    const edge = edgeOf(id.e);
    const [x, y, z] = cornerOf(id, this.grid.origin);
    const node: TableNode = {
      id,
      key,
      centre: [x + edge / 2, y + edge / 2, z + edge / 2],
      edge,
      ordinal: this.list.length,
      parts: [],
      points: 0,
      children: new Array<TableNode | undefined>(8).fill(undefined),
      chain,
      trunk,
      pack: -1,
    };
    this.nodes.set(key, node);
    this.list.push(node);
    // Everything outside of the first root hangs below some former root; the topmost hangs below nothing.
    if (!trunk) {
      this.#ensure(parentOf(id)).children[octantOf(id)] = node;
    } else {
      const above = this.nodes.get(nodeKey(parentOf(id)));
      if (above) above.children[octantOf(id)] = node;
      const below = chain ? this.#towardsSeed(id) : undefined;
      if (below) node.children[octantOf(below)] = this.#ensure(below);
    }
    return node;
  }

  #towardsSeed(id: NodeId): NodeId {
    const k = 2 ** (id.e - 1 - this.#seed.e);
    return {
      e: id.e - 1,
      x: Math.floor(this.#seed.x / k),
      y: Math.floor(this.#seed.y / k),
      z: Math.floor(this.#seed.z / k),
    };
  }
}
