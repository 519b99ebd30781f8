/** Several parts of one node as one, in their order: what compaction makes of them. */
import type { NodePoints } from "./points.ts";

/** @throws {RangeError} when they are not of one node and one step */
export function concatPoints(parts: readonly NodePoints[]): NodePoints {
  const [first] = parts;
  if (!first) throw new RangeError("no parts");
  const { node, bits } = first;
  for (const part of parts) {
    if (part.node.e !== node.e || part.bits !== bits) throw new RangeError("parts of different nodes");
  }
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const coords = new Uint16Array(count * 3);
  const colors = new Uint8Array(count * 3);
  const photos = sameNumber(parts) ?? new Uint32Array(count);
  const confidences = parts.some((part) => part.confidences) ? new Uint8Array(count).fill(255) : undefined;
  const normals = parts.some((part) => part.normals) ? new Int8Array(count * 3) : undefined;
  let at = 0;
  for (const part of parts) {
    coords.set(part.coords.subarray(0, part.count * 3), at * 3);
    colors.set(part.colors.subarray(0, part.count * 3), at * 3);
    if (typeof photos !== "number") {
      if (typeof part.photos === "number") photos.fill(part.photos, at, at + part.count);
      else photos.set(part.photos.subarray(0, part.count), at);
    }
    if (part.confidences) confidences?.set(part.confidences.subarray(0, part.count), at);
    if (part.normals) normals?.set(part.normals.subarray(0, part.count * 3), at * 3);
    at += part.count;
  }
  return {
    node,
    bits,
    count,
    coords,
    colors,
    photos,
    ...(confidences && { confidences }),
    ...(normals && { normals }),
  };
}

/** The photo that all points of all parts came from. */
function sameNumber(parts: readonly NodePoints[]): number | undefined {
  const photos = parts[0]?.photos;
  return typeof photos === "number" && parts.every((part) => part.photos === photos) ? photos : undefined;
}
