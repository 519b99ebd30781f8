/** A segment back to points. Whatever the bytes are, it ends, takes bounded memory and throws nothing but `CairnError`. */
import type { NodePoints } from "../points.ts";
import { invalid, photoPlanes, planeBytes, readHead } from "./head.ts";
import { inflate, readPoints } from "./kernel.ts";
import { decodeNormals } from "./normals.ts";

const CONFIDENCE_STEP = 17;

/** @throws {CairnError} `request.invalid` */
export function decodeSegment(bytes: Uint8Array): NodePoints {
  const { head, headBytes } = readHead(bytes);
  const { node, bits, count, fold, photos } = head;
  const planesAt = headBytes + head.restBytes;
  const planes = inflate(bytes.subarray(planesAt), planeBytes(head));
  let at = (fold.bits ? 4 : 3) * count;
  let photoOf: Uint32Array | number = photos[0]!;
  if (photos.length > 1) {
    photoOf = new Uint32Array(count);
    for (let plane = 0; plane < photoPlanes(photos.length); plane++)
      for (let i = 0; i < count; i++) photoOf[i]! |= planes[at++]! << (8 * plane);
    for (let i = 0; i < count; i++) {
      const photo = photos[photoOf[i]!];
      if (photo === undefined) throw invalid("a photo that is not in its list", { at: i });
      photoOf[i] = photo;
    }
  }
  let confidences: Uint8Array | undefined;
  if (head.confidences) {
    confidences = planes.slice(at, at + count);
    at += count;
    for (let i = 0; i < count; i++) {
      if (confidences[i]! > 15) throw invalid("a confidence over 15", { at: i });
      confidences[i]! *= CONFIDENCE_STEP;
    }
  }
  const normals = head.normals ? decodeNormals(planes, at, count) : undefined;
  return {
    node,
    bits,
    count,
    ...readPoints(head, planes.length, bytes.subarray(headBytes, planesAt)),
    photos: photoOf,
    ...(confidences && { confidences }),
    ...(normals && { normals }),
  };
}
