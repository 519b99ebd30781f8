/** A segment: coloured points of one node as bytes, the form in which they are stored and travel. */
import { CairnError } from "@cairn/protocol";
import type { NodeId } from "./node.ts";
import type { NodePoints } from "./points.ts";

const MAGIC = 0x32475343; // "CSG2", little endian
const HEAD_BYTES = 28;

export type SegmentHead = { readonly node: NodeId; readonly bits: number; readonly count: number };

/** @param deflate raw deflate */
export function encodeSegment(points: NodePoints, deflate: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const { node, bits, count, coords, colors, photos } = points;
  const planes = new Uint8Array(count * 13);
  const view = new DataView(planes.buffer);
  for (let i = 0; i < count * 3; i++) view.setUint16(i * 2, coords[i]!, true);
  planes.set(colors.subarray(0, count * 3), count * 6);
  for (let i = 0; i < count; i++)
    view.setUint32(count * 9 + i * 4, typeof photos === "number" ? photos : photos[i]!, true);
  const packed = deflate(planes);
  const bytes = new Uint8Array(HEAD_BYTES + packed.length);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, MAGIC, true);
  head.setUint32(4, count, true);
  head.setInt8(8, node.e);
  head.setUint8(9, bits);
  head.setUint32(12, node.x, true);
  head.setUint32(16, node.y, true);
  head.setUint32(20, node.z, true);
  bytes.set(packed, HEAD_BYTES);
  return bytes;
}

/** @throws {CairnError} `request.invalid` when it is not a segment's beginning */
export function readSegmentHead(bytes: Uint8Array): SegmentHead {
  const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD_BYTES || head.getUint32(0, true) !== MAGIC) {
    throw new CairnError("request.invalid", { field: "segment", sizeBytes: bytes.length });
  }
  const node = {
    e: head.getInt8(8),
    x: head.getUint32(12, true),
    y: head.getUint32(16, true),
    z: head.getUint32(20, true),
  };
  return { node, bits: head.getUint8(9), count: head.getUint32(4, true) };
}

/** @param inflate raw inflate of what `compressedOf` returns */
export function decodeSegmentWith(bytes: Uint8Array, inflate: (bytes: Uint8Array) => Uint8Array): NodePoints {
  return fromPlanes(bytes, inflate(bytes.subarray(HEAD_BYTES)));
}

/** With the browser's own inflate. Also in Node. @throws {CairnError} `request.invalid` */
export async function decodeSegment(bytes: Uint8Array): Promise<NodePoints> {
  const stream = new Blob([bytes.slice(HEAD_BYTES)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return fromPlanes(bytes, new Uint8Array(await new Response(stream).arrayBuffer()));
}

function fromPlanes(bytes: Uint8Array, planes: Uint8Array): NodePoints {
  const { node, bits, count } = readSegmentHead(bytes);
  if (planes.length !== count * 13) throw new CairnError("request.invalid", { field: "segment", points: count });
  const view = new DataView(planes.buffer, planes.byteOffset, planes.byteLength);
  const coords = new Uint16Array(count * 3);
  const photos = new Uint32Array(count);
  for (let i = 0; i < count * 3; i++) coords[i] = view.getUint16(i * 2, true);
  for (let i = 0; i < count; i++) photos[i] = view.getUint32(count * 9 + i * 4, true);
  return { node, bits, count, coords, colors: planes.slice(count * 6, count * 9), photos };
}
