/**
 * Heads of many packs, and an index, read side by side in the one order that all of them have: coarse first, each level
 * in Morton order. Heads stay bytes and each is read once from its beginning to its end, so that hundreds of packs take
 * some kilobytes each, where a table of them takes an object for every part.
 */
import type { Digest } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import { ByteReader } from "./byte-columns.ts";
import { childOf, contains, type NodeId, nodeKey, octantOf } from "./node.ts";
import { readRoot, treeOf } from "./node-tree.ts";
import { HASH_BYTES, PACK_MAGIC } from "./pack.ts";
import type { LayerIndex, Part } from "./table.ts";

/** Reads nodes from a root on, those on the way to others too. */
export type HeadCursor = {
  readonly root: NodeId;
  /** The next node: which children follow, a bit per octant, and its parts. Not to be called after the last. */
  next(): { readonly children: number; readonly parts: readonly Part[] };
};

export type MergedNode = {
  readonly id: NodeId;
  /** In the order of the cursors. */
  readonly parts: readonly Part[];
  /** Of those, how many are the index's. */
  readonly indexed: number;
};

/**
 * @param head the pack's first bytes, kept and not changed @param blob the pack's digest
 * @throws {CairnError} `request.invalid`
 */
export function packCursor(head: Uint8Array, blob: Digest): HeadCursor {
  const from = new ByteReader(head, "pack");
  if (from.u32() !== PACK_MAGIC) from.fail();
  const count = from.u32();
  const root = readRoot(from);
  const tree = head.subarray(head.length - from.left);
  let nodes = 1;
  for (let i = 0, depth = 0; i < nodes; depth++) {
    const last = Math.max(root.x, root.y, root.z) * 2 ** depth + 2 ** depth - 1;
    if (root.e - depth < -128 || last >= 2 ** 32) from.fail();
    for (const end = nodes; i < end; i++) nodes += bitCount(from.u8());
  }
  const points = head.subarray(head.length - from.left);
  let withPoints = 0;
  for (let i = 0; i < nodes; i++) {
    if (from.varint() > 0) withPoints++;
    else if (tree[i] === 0 && nodes > 1) from.fail();
  }
  if (withPoints !== count) from.fail();
  const sizes = head.subarray(head.length - from.left);
  let end = head.length;
  for (let i = 0; i < count; i++) end += from.varint() || from.fail();
  if (from.left !== count * HASH_BYTES || !Number.isSafeInteger(end)) from.fail();
  const hashes = head.subarray(head.length - from.left);

  const columns = [tree, points, sizes, hashes].map((bytes) => new ByteReader(bytes, "pack"));
  const [childColumn, pointColumn, sizeColumn, hashColumn] = columns as [
    ByteReader,
    ByteReader,
    ByteReader,
    ByteReader,
  ];
  let at = head.length;
  return {
    root,
    next() {
      const children = childColumn.u8();
      const held = pointColumn.varint();
      if (held === 0) return { children, parts: [] };
      const start = at;
      at += sizeColumn.varint();
      return { children, parts: [{ blob, start, end: at, points: held, hash: hashColumn.hex(HASH_BYTES) }] };
    },
  };
}

export function indexCursor({ root, nodes }: LayerIndex): HeadCursor {
  const tree = treeOf(
    root,
    nodes.map(({ node }) => node),
  );
  let at = 0;
  return {
    root,
    next() {
      const { children, item } = tree[at++]!;
      return { children, parts: nodes[item]?.parts ?? [] };
    },
  };
}

/**
 * Every node of any cursor and all between it and the root, coarse first. A node's cursors are all at it when it comes.
 * @param cursors of one layer in the order of its packs, so that each root holds those before it
 * @param withIndex whether the first is the index
 * @throws {CairnError} `request.invalid` when they are not
 */
export function* mergeHeads(cursors: readonly HeadCursor[], withIndex: boolean): Generator<MergedNode> {
  const [first, last] = [cursors[0], cursors.at(-1)];
  if (!first || !last) return;
  /** Which begin at a root. */
  const begins = new Map<string, number[]>();
  for (const [number, { root }] of cursors.entries()) {
    const before = cursors[number - 1]?.root ?? root;
    if (!contains(root, before)) throw new CairnError("request.invalid", { field: "root", root: nodeKey(root) });
    const key = nodeKey(root);
    begins.set(key, [...(begins.get(key) ?? []), number]);
  }
  let level: { id: NodeId; at: number[] }[] = [{ id: last.root, at: [] }];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { id, at } of level) {
      // A root that is below came before: its parts are the older ones.
      const here = id.e >= first.root.e ? [...(begins.get(nodeKey(id)) ?? []), ...at] : at;
      const below: (number[] | undefined)[] = [];
      if (id.e > first.root.e && contains(id, first.root)) below[octantTowards(id, first.root)] = [];
      const parts: Part[] = [];
      let indexed = 0;
      for (const number of here) {
        const { children, parts: more } = cursors[number]!.next();
        for (const part of more) parts.push(part);
        if (withIndex && number === 0) indexed = more.length;
        for (let octant = 0; octant < 8; octant++) {
          if (((children >> octant) & 1) === 0) continue;
          const numbers = below[octant] ?? [];
          numbers.push(number);
          below[octant] = numbers;
        }
      }
      yield { id, parts, indexed };
      for (let octant = 0; octant < 8; octant++) {
        const numbers = below[octant];
        if (numbers) next.push({ id: childOf(id, octant), at: numbers });
      }
    }
    level = next;
  }
}

/** Of a node's octants the one in which a node below it lies. */
function octantTowards({ e }: NodeId, below: NodeId): number {
  const k = 2 ** (e - 1 - below.e);
  return octantOf({ e: 0, x: Math.floor(below.x / k), y: Math.floor(below.y / k), z: Math.floor(below.z / k) });
}

function bitCount(byte: number): number {
  let bits = 0;
  for (let rest = byte; rest > 0; rest &= rest - 1) bits++;
  return bits;
}
