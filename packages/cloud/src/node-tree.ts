/**
 * Nodes as a tree, level by level from the root, a byte a node: which children follow. Nodes that are only on the way to
 * others are in it too.
 */
import type { ByteReader, ByteWriter } from "./byte-columns.ts";
import { childOf, contains, type NodeId, nodeKey, octantOf } from "./node.ts";

type TreeEntry = {
  readonly id: NodeId;
  /** Bit per octant. */
  readonly children: number;
  /** Which of the given nodes it is; −1: only on the way. */
  readonly item: number;
};

type Branch = { id: NodeId; item: number; children: (Branch | undefined)[] };

/**
 * The nodes and all between them and the root, coarse first, each level in Morton order.
 * @throws {RangeError} when one is not in the root or is there twice
 */
export function treeOf(root: NodeId, items: readonly NodeId[]): TreeEntry[] {
  const branch = (id: NodeId): Branch => ({ id, item: -1, children: new Array<Branch | undefined>(8).fill(undefined) });
  const trunk = branch(root);
  for (const [item, id] of items.entries()) {
    if (!contains(root, id)) throw new RangeError(`${nodeKey(id)} is not in ${nodeKey(root)}`);
    let at = trunk;
    while (at.id.e > id.e) {
      const k = 2 ** (at.id.e - 1 - id.e);
      const octant = octantOf({ e: 0, x: Math.floor(id.x / k), y: Math.floor(id.y / k), z: Math.floor(id.z / k) });
      at.children[octant] ??= branch(childOf(at.id, octant));
      at = at.children[octant];
    }
    if (at.item >= 0) throw new RangeError(`${nodeKey(id)} is there twice`);
    at.item = item;
  }
  const order = [trunk];
  for (const { children } of order) for (const child of children) if (child) order.push(child);
  return order.map(({ id, item, children }) => ({
    id,
    item,
    children: children.reduce((mask, child, octant) => (child ? mask | (1 << octant) : mask), 0),
  }));
}

/** A root as 16 bytes: exponent and three indices. */
export function writeRoot(out: ByteWriter, { e, x, y, z }: NodeId): void {
  for (const value of [e, x, y, z]) out.u32(value);
}

export function readRoot(from: ByteReader): NodeId {
  const root = { e: from.i32(), x: from.u32(), y: from.u32(), z: from.u32() };
  return root.e < -128 || root.e > 127 ? from.fail() : root;
}

export function writeTree(out: ByteWriter, tree: readonly TreeEntry[]): void {
  for (const { children } of tree) out.u8(children);
}

/** No more nodes than bytes. */
export function readTree(from: ByteReader, root: NodeId): { id: NodeId; isLeaf: boolean }[] {
  const nodes = [{ id: root, isLeaf: true }];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!;
    const children = from.u8();
    node.isLeaf = children === 0;
    for (let octant = 0; octant < 8; octant++) {
      if (((children >> octant) & 1) === 0) continue;
      const id = childOf(node.id, octant);
      if (id.e < -128 || Math.max(id.x, id.y, id.z) >= 2 ** 32 || nodes.length > i + from.left) from.fail();
      nodes.push({ id, isLeaf: true });
    }
  }
  return nodes;
}
