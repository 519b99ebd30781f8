/** A pack: the segments of one insertion as one blob, with a head that says where each is (docs/spec/cloud.md). */
import type { Digest } from "@cairn/protocol";
import { ByteReader, ByteWriter } from "./byte-columns.ts";
import type { NodeId } from "./node.ts";
import { readRoot, readTree, treeOf, writeRoot, writeTree } from "./node-tree.ts";
import { readSegmentHead } from "./segment/head.ts";
import type { PackHead } from "./table.ts";

export const PACK_MAGIC = 0x314b5043; // "CPK1", little endian
export const HASH_BYTES = 8;

/**
 * The segments in the order of the tree, coarse first, after a head.
 * @param segments at most one a node @param hash first 8 bytes of SHA-256 as 16 hex digits
 */
export function encodePack(
  root: NodeId,
  segments: readonly Uint8Array[],
  hash: (bytes: Uint8Array) => string,
): { bytes: Uint8Array; headBytes: number } {
  const heads = segments.map(readSegmentHead);
  const tree = treeOf(
    root,
    heads.map(({ node }) => node),
  );
  const ordered = tree.filter(({ item }) => item >= 0).map(({ item }) => segments[item]!);
  const out = new ByteWriter();
  out.u32(PACK_MAGIC);
  out.u32(segments.length);
  writeRoot(out, root);
  writeTree(out, tree);
  for (const { item } of tree) out.varint(item < 0 ? 0 : heads[item]!.count);
  for (const { length } of ordered) out.varint(length);
  for (const segment of ordered) out.hex(hash(segment));
  const headBytes = out.length;
  for (const segment of ordered) out.raw(segment);
  return { bytes: out.finish(), headBytes };
}

/** @param head the pack's first `headBytes` @param blob the pack's digest @throws {CairnError} `request.invalid` */
export function decodePackHead(head: Uint8Array, blob: Digest): PackHead {
  const from = new ByteReader(head, "pack");
  if (from.u32() !== PACK_MAGIC) from.fail();
  const count = from.u32();
  const root = readRoot(from);
  const nodes: { node: NodeId; points: number }[] = [];
  const tree = readTree(from, root);
  for (const { id, isLeaf } of tree) {
    const points = from.varint();
    if (points > 0) nodes.push({ node: id, points });
    else if (isLeaf && tree.length > 1) from.fail();
  }
  if (nodes.length !== count || from.left < count * (HASH_BYTES + 1)) from.fail();
  const sizes = nodes.map(() => from.varint() || from.fail());
  let at = head.length;
  const parts = nodes.map(({ node, points }, i) => {
    const start = at;
    at += sizes[i]!;
    return { node, part: { blob, start, end: at, points, hash: from.hex(HASH_BYTES) } };
  });
  if (from.left > 0 || !Number.isSafeInteger(at)) from.fail();
  return { root, parts };
}
