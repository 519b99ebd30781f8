/** GLB's frame (glTF 2.0 §4.4): 12 bytes of header, a JSON chunk, a binary chunk; each chunk fills whole words. */
const MAGIC = 0x46546c67; // "glTF"
const JSON_CHUNK = 0x4e4f534a; // "JSON"
const BINARY_CHUNK = 0x004e4942; // "BIN\0"

export const HEADER_BYTES = 12;
export const CHUNK_HEAD_BYTES = 8;
/** A file says its length in 32 bits. */
export const MAX_GLB_BYTES = 2 ** 32 - 1;

/** What a chunk of `sizeBytes` fills. */
export function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 4) * 4;
}

/** All that stands before the binary chunk's bytes; `binaryBytes` of them must follow, a multiple of 4. */
export function glbHead(gltf: object, binaryBytes: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(gltf));
  const jsonBytes = padded(json.length);
  const head = new Uint8Array(HEADER_BYTES + CHUNK_HEAD_BYTES + jsonBytes + CHUNK_HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, 2, true);
  view.setUint32(8, head.length + binaryBytes, true);
  view.setUint32(12, jsonBytes, true);
  view.setUint32(16, JSON_CHUNK, true);
  head.fill(0x20, 20, 20 + jsonBytes);
  head.set(json, 20);
  view.setUint32(20 + jsonBytes, binaryBytes, true);
  view.setUint32(24 + jsonBytes, BINARY_CHUNK, true);
  return head;
}

/** @returns what is wrong with the first 20 bytes, or how long the JSON is and the file says to be */
export function readGlbHeader(bytes: Uint8Array): { jsonBytes: number; fileBytes: number } | string {
  if (bytes.length < HEADER_BYTES + CHUNK_HEAD_BYTES) return "too short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return "does not begin with glTF";
  if (view.getUint32(4, true) !== 2) return "is not version 2";
  if (view.getUint32(16, true) !== JSON_CHUNK) return "the first chunk is not JSON";
  return { fileBytes: view.getUint32(8, true), jsonBytes: view.getUint32(12, true) };
}

/** @param head the 8 bytes after the JSON chunk @returns its length, or `undefined` when it is no binary chunk */
export function readBinaryHead(head: Uint8Array): number | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return head.length === CHUNK_HEAD_BYTES && view.getUint32(4, true) === BINARY_CHUNK
    ? view.getUint32(0, true)
    : undefined;
}
