/** What of arrays can be moved from one thread to another: buffers, each once. */
import type { CloudPoints } from "@cairn/cloud";

/** Of those that own their whole buffer; a window on something larger is copied instead. */
export function buffersOf(arrays: readonly ArrayBufferView[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of arrays) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffers.add(buffer);
  }
  return [...buffers];
}

export function buffersOfPoints({ positions, colors, photos, confidences, normals }: CloudPoints): ArrayBuffer[] {
  return buffersOf([positions, colors, photos, confidences, normals].filter((array) => ArrayBuffer.isView(array)));
}
