/**
 * Points of one node to a segment. Sorted points are close to each other, so what is written is how far each is from
 * the one before: as a symbol, which is Huffman coded, and rest bits, which are not worth it (`symbols.ts`).
 */
import type { NodePoints } from "../points.ts";
import { deflatePlanes, type EncodeOptions, writePoints } from "./encode-kernel.ts";
import { type Fold, UNFOLDED } from "./fold.ts";
import { MAX_SEGMENT_POINTS, photoPlanes, writeHead } from "./head.ts";
import { encodeNormals } from "./normals.ts";
import { type Precision, precisionFor } from "./symbols.ts";

/** Tried when thorough: more symbols say more of how noise is spread, where they are worth the room of their codes. */
const FINER_LUMA = 4;
/** Confidence goes in steps of 17: 0, 17, … 255. */
const CONFIDENCE_STEP = 17;
const SURE = 255 / CONFIDENCE_STEP;

/**
 * The same points in the same order give the same bytes, everywhere.
 * @throws {RangeError} when a coordinate, the node or the number of points is beyond what a segment takes
 */
export function encodeSegment(points: NodePoints, how: EncodeOptions = {}): Uint8Array {
  const { bits, count } = points;
  if (!(count >= 0 && count <= MAX_SEGMENT_POINTS)) throw new RangeError(`${count} points in one segment`);
  if (!(bits >= 1 && bits <= 16)) throw new RangeError(`${bits} bits`);
  const precision = precisionFor(count);
  let best = write(points, precision, how);
  const consider = (other: Written) => {
    if (other.bytes.length < best.bytes.length) best = other;
  };
  if (how.thorough) {
    if (best.fold.bits > 0) consider(write(points, precision, { fold: UNFOLDED }));
    if (precision.luma < FINER_LUMA) consider(write(points, { ...precision, luma: FINER_LUMA }, { fold: best.fold }));
  }
  return best.bytes;
}

type Written = { readonly bytes: Uint8Array; readonly fold: Fold };

function write(points: NodePoints, precision: Precision, how: EncodeOptions): Written {
  const { node, bits, count } = points;
  const photos = distinctPhotos(points);
  const confidences = points.confidences && hasDoubt(points.confidences, count) ? points.confidences : undefined;
  const morePlanes = photoPlanes(photos.length) + (confidences ? 1 : 0) + (points.normals ? 2 : 0);
  const written = writePoints(points, precision, morePlanes, how);
  const { order, planes, ends, rest } = written;

  let at = ends.at(-1)!;
  if (photos.length > 1 && typeof points.photos !== "number") {
    const places = new Map(photos.map((photo, place) => [photo, place]));
    for (let plane = 0; plane < photoPlanes(photos.length); plane++) {
      for (let i = 0; i < count; i++) planes[at++] = places.get(points.photos[order[i]!]!)! >> (8 * plane);
      ends.push(at);
    }
  }
  if (confidences) {
    for (let i = 0; i < count; i++) planes[at++] = Math.round(confidences[order[i]!]! / CONFIDENCE_STEP);
    ends.push(at);
  }
  if (points.normals) {
    encodeNormals(points.normals, order, count, planes, at);
    ends.push(at + count, at + 2 * count);
  }
  const compressed = deflatePlanes(planes, ends);
  const head = writeHead({
    node,
    bits,
    count,
    precision,
    fold: written.fold,
    photos,
    confidences: confidences !== undefined,
    normals: points.normals !== undefined,
    restBytes: rest.length,
  });
  const bytes = new Uint8Array(head.length + rest.length + compressed.length);
  bytes.set(head);
  bytes.set(rest, head.length);
  bytes.set(compressed, head.length + rest.length);
  return { bytes, fold: written.fold };
}

/** Ascending. */
function distinctPhotos({ photos, count }: NodePoints): number[] {
  if (typeof photos === "number") return [photos];
  if (count === 0) return [0];
  const distinct = new Set<number>();
  let before = -1;
  for (let i = 0; i < count; i++) {
    const photo = photos[i]!;
    if (photo !== before) distinct.add(photo);
    before = photo;
  }
  return [...distinct].sort((a, b) => a - b);
}

/** Whether any point is less than sure. */
function hasDoubt(confidences: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (Math.round(confidences[i]! / CONFIDENCE_STEP) < SURE) return true;
  return false;
}
