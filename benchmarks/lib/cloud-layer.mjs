/** A layer as the cloud benchmarks make it, without a server: batches in, packs and compacted nodes out. */
import { encodePack, encodeSegment, LayerTable, nodeKey, Octree } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";

/** CPU of this process since an earlier call, ms. */
export function cpuMs(since = undefined) {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

export class GrowingLayer {
  constructor(grid, leafCap) {
    this.tree = new Octree(grid, leafCap);
    this.grid = grid;
    /** Of each insertion: points given, kept and merged, segments, bytes of head and pack, CPU ms to insert and to encode. */
    this.insertions = [];
    /** Of each node: its points in the order in which they came. */
    this.nodes = new Map();
  }

  insert(points) {
    const start = process.cpuUsage();
    const { root, segments, kept, merged } = this.tree.insert(points);
    const insertMs = cpuMs(start);
    const middle = process.cpuUsage();
    const encoded = segments.map((segment) => encodeSegment(segment));
    const encodeMs = cpuMs(middle);
    const { bytes, headBytes } = encodePack(root, encoded, hashOf);
    for (const segment of segments) {
      const key = nodeKey(segment.node);
      const parts = this.nodes.get(key) ?? [];
      this.nodes.set(key, parts);
      parts.push(segment);
    }
    const given = points.positions.length / 3;
    const sizes = { segments: segments.length, headBytes, sizeBytes: bytes.length };
    this.insertions.push({ given, kept, merged, ...sizes, insertMs, encodeMs });
  }

  /** Every node as one segment, as after compaction: the table of it, and the points of each node by its key. */
  compact() {
    const nodes = [];
    const points = new Map();
    for (const [key, segments] of this.nodes) {
      const merged = mergeSegments(segments);
      points.set(key, merged);
      const sizeBytes = encodeSegment(merged).length;
      const part = { blob: "", start: 0, end: sizeBytes, points: merged.count, hash: "" };
      nodes.push({ node: merged.node, parts: [part] });
    }
    const table = new LayerTable(this.grid);
    table.applyIndex({ root: this.tree.root, nodes }, this.insertions.length);
    return { table, points };
  }
}

/** All points of a node's segments as one. */
export function mergeSegments(segments) {
  const count = segments.reduce((sum, segment) => sum + segment.count, 0);
  const { node, bits } = segments[0];
  const coords = new Uint16Array(count * 3);
  const colors = new Uint8Array(count * 3);
  const photos = new Uint32Array(count);
  let at = 0;
  for (const segment of segments) {
    coords.set(segment.coords, at * 3);
    colors.set(segment.colors, at * 3);
    if (typeof segment.photos === "number") photos.fill(segment.photos, at, at + segment.count);
    else photos.set(segment.photos, at);
    at += segment.count;
  }
  return { node, bits, count, coords, colors, photos };
}
