/** A layer's index as bytes: every compacted node and where its segments are (docs/spec/cloud.md). */
import type { Digest } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import { ByteReader, ByteWriter } from "./byte-columns.ts";
import { readRoot, readTree, treeOf, writeRoot, writeTree } from "./node-tree.ts";
import { inflate } from "./segment/kernel.ts";
import type { IndexNode, LayerIndex, Part } from "./table.ts";

const MAGIC = 0x31584943; // "CIX1", little endian
const HASH_BYTES = 8;
const DIGEST_BYTES = 32;
/** No more bytes of columns than this a part, for any tree: what says more lies. */
const COLUMN_BYTES_PER_PART = 64;
const COLUMN_BYTES = 4096;

/** @param deflate raw deflate @throws {RangeError} when a node is not in the root or is there twice */
export function encodeLayerIndex({ root, nodes }: LayerIndex, deflate: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const tree = treeOf(
    root,
    nodes.map(({ node }) => node),
  );
  const partsOf = tree.map(({ item }) => (item < 0 ? [] : nodes[item]!.parts));
  const parts = partsOf.flat();
  const blobs = new Map<Digest, number>();
  for (const { blob } of parts) if (!blobs.has(blob)) blobs.set(blob, blobs.size);

  const columns = new ByteWriter();
  writeTree(columns, tree);
  for (const { length } of partsOf) columns.varint(length);
  let last = 0;
  for (const { blob } of parts) {
    const number = blobs.get(blob)!;
    columns.signed(number - last);
    last = number;
  }
  const ends = new Float64Array(blobs.size);
  for (const { blob, start, end } of parts) {
    const number = blobs.get(blob)!;
    columns.signed(start - ends[number]!);
    ends[number] = end;
  }
  for (const { start, end } of parts) columns.varint(end - start);
  for (const { points } of parts) columns.varint(points);

  const out = new ByteWriter();
  out.u32(MAGIC);
  out.u32(parts.length);
  out.u32(blobs.size);
  out.u32(columns.length);
  writeRoot(out, root);
  for (const blob of blobs.keys()) out.hex(blob);
  for (const { hash } of parts) out.hex(hash);
  out.raw(deflate(columns.finish()));
  return out.finish();
}

/** @throws {CairnError} `request.invalid` */
export async function decodeLayerIndex(bytes: Uint8Array): Promise<LayerIndex> {
  const head = new ByteReader(bytes, "index");
  if (head.u32() !== MAGIC) head.fail();
  const [partCount, blobCount, columnBytes] = [head.u32(), head.u32(), head.u32()];
  const root = readRoot(head);
  if (partCount * HASH_BYTES + blobCount * DIGEST_BYTES > head.left) head.fail();
  if (columnBytes > COLUMN_BYTES + partCount * COLUMN_BYTES_PER_PART) head.fail();
  const blobs = Array.from({ length: blobCount }, () => head.hex(DIGEST_BYTES));
  const hashes = Array.from({ length: partCount }, () => head.hex(HASH_BYTES));
  const columns = new ByteReader(inflated(head, columnBytes), "index");

  const tree = readTree(columns, root);
  const counts = tree.map(() => columns.varint());
  if (counts.reduce((sum, count) => sum + count, 0) !== partCount) columns.fail();
  let last = 0;
  const numbers = hashes.map(() => {
    last += columns.signed();
    return last >= 0 && last < blobCount ? last : columns.fail();
  });
  const gaps = hashes.map(() => columns.signed());
  const sizes = hashes.map(() => columns.varint() || columns.fail());
  const points = hashes.map(() => columns.varint() || columns.fail());
  if (columns.left > 0) columns.fail();

  const ends = new Float64Array(blobCount);
  const parts = hashes.map((hash, i): Part => {
    const number = numbers[i]!;
    const start = ends[number]! + gaps[i]!;
    const end = start + sizes[i]!;
    if (start < 0 || !Number.isSafeInteger(end)) columns.fail();
    ends[number] = end;
    return { blob: blobs[number]!, start, end, points: points[i]!, hash };
  });
  const nodes: IndexNode[] = [];
  let at = 0;
  for (const [i, { id, isLeaf }] of tree.entries()) {
    const count = counts[i]!;
    if (count > 0) nodes.push({ node: id, parts: parts.slice(at, at + count) });
    else if (isLeaf && tree.length > 1) columns.fail();
    at += count;
  }
  return { root, nodes };
}

/** As segments are inflated: the platform's own streams differ in whether they take what follows the end. */
function inflated(head: ByteReader, sizeBytes: number): Uint8Array {
  const compressed = head.rest();
  try {
    return inflate(compressed, sizeBytes).slice();
  } catch (error) {
    if (error instanceof CairnError) head.fail();
    throw error;
  }
}
