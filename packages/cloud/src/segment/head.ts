/** The head of a segment: which node, how many points, and what is in the planes. `docs/spec/cloud.md`. */
import { CairnError } from "@cairn/protocol/errors";
import { MAX_BITS, type NodeId } from "../node.ts";
import { type Fold, UNFOLDED } from "./fold.ts";
import type { Precision } from "./symbols.ts";

/** Most points of a segment: what a decoder must be ready to hold. */
export const MAX_SEGMENT_POINTS = 2 ** 20;

export type SegmentHead = { readonly node: NodeId; readonly bits: number; readonly count: number };

/** All that the head says. */
export type FullHead = SegmentHead & {
  readonly precision: Precision;
  readonly fold: Fold;
  /** One photo: all points are from it. More: ascending, points say which by index. */
  readonly photos: readonly number[];
  readonly confidences: boolean;
  readonly normals: boolean;
  readonly restBytes: number;
};

/** Of one point: 47 bits of a key, 7 of each of three colours. */
const MAX_REST_BYTES = 9;

const MAGIC = [0x43, 0x53]; // "CS"
const VERSION = 1;
const HAS_PHOTOS = 1;
const HAS_CONFIDENCES = 2;
const HAS_NORMALS = 4;
const IS_FOLDED = 8;
/** Up to the first number of variable length. */
const FIXED_BYTES = 7;

export function invalid(why: string, facts: Readonly<Record<string, number>> = {}, cause?: unknown): CairnError {
  return new CairnError("request.invalid", { field: "segment", why, ...facts }, cause);
}

/** How many bytes a point's place in the list of photos takes. */
export function photoPlanes(photos: number): number {
  return photos < 2 ? 0 : photos <= 0x100 ? 1 : photos <= 0x10000 ? 2 : 3;
}

/** Bytes of all planes after inflation. */
export function planeBytes({ count, fold, photos, confidences, normals }: FullHead): number {
  return count * ((fold.bits ? 4 : 3) + photoPlanes(photos.length) + (confidences ? 1 : 0) + (normals ? 2 : 0));
}

export function writeHead(head: FullHead): Uint8Array {
  const { node, bits, count, precision, fold, photos, confidences, normals, restBytes } = head;
  const bytes = [
    ...MAGIC,
    VERSION,
    (photos.length > 1 ? HAS_PHOTOS : 0) |
      (confidences ? HAS_CONFIDENCES : 0) |
      (normals ? HAS_NORMALS : 0) |
      (fold.bits ? IS_FOLDED : 0),
    node.e & 255,
    bits,
    precision.key | (precision.chroma << 2) | (precision.luma << 3),
    ...(fold.bits ? [fold.axis | (fold.bits << 2)] : []),
  ];
  const put = (value: number) => {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** 32)) throw new RangeError(`${value} is no u32`);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
    bytes.push(rest);
  };
  if (!(node.e >= -128 && node.e <= 127)) throw new RangeError(`exponent ${node.e}`);
  for (const value of [node.x, node.y, node.z, count]) put(value);
  if (photos.length > 1) put(photos.length);
  photos.forEach((photo, i) => {
    put(i ? photo - photos[i - 1]! - 1 : photo);
  });
  put(restBytes);
  return Uint8Array.from(bytes);
}

/** @throws {CairnError} `request.invalid` when it is not a segment's beginning */
export function readSegmentHead(bytes: Uint8Array): SegmentHead {
  const { node, bits, count } = readHead(bytes).head;
  return { node, bits, count };
}

/**
 * Takes no more memory than `bytes`, whatever they say.
 * @returns the head and how long it is @throws {CairnError} `request.invalid`
 */
export function readHead(bytes: Uint8Array): { head: FullHead; headBytes: number } {
  if (bytes.length < FIXED_BYTES || bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1] || bytes[2] !== VERSION)
    throw invalid("does not begin like one", { sizeBytes: bytes.length });
  const [flags, exponent, bits, precision] = [bytes[3]!, bytes[4]!, bytes[5]!, bytes[6]!];
  if (flags > 15 || bits < 1 || bits > MAX_BITS || (precision & 3) > 2 || precision > 63)
    throw invalid("its head is not one", { flags, bits, precision });
  let at = FIXED_BYTES;
  const fold = flags & IS_FOLDED ? foldOf(bytes[at++], bits) : UNFOLDED;
  const take = () => {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      if (byte === 0 && scale > 1) break;
      value += (byte & 127) * scale;
      if (byte < 128 && value < 2 ** 32) return value;
    }
    throw invalid("a number in its head is cut off or too long", { at });
  };
  const node = { e: (exponent << 24) >> 24, x: take(), y: take(), z: take() };
  const count = take();
  if (count > MAX_SEGMENT_POINTS) throw invalid("too many points", { count });
  const distinct = flags & HAS_PHOTOS ? take() : 1;
  if (flags & HAS_PHOTOS && (distinct < 2 || distinct > count || distinct > bytes.length))
    throw invalid("a list of photos that cannot be", { photos: distinct });
  const photos = [take()];
  while (photos.length < distinct) {
    const photo = photos.at(-1)! + 1 + take();
    if (photo >= 2 ** 32) throw invalid("a photo's number is too large");
    photos.push(photo);
  }
  const restBytes = take();
  const head: FullHead = {
    node,
    bits,
    count,
    precision: { key: precision & 3, chroma: (precision >> 2) & 1, luma: precision >> 3 },
    fold,
    photos,
    confidences: (flags & HAS_CONFIDENCES) !== 0,
    normals: (flags & HAS_NORMALS) !== 0,
    restBytes,
  };
  const compressedBytes = bytes.length - at - restBytes;
  if (restBytes > count * MAX_REST_BYTES) throw invalid("too many rest bits", { count, restBytes });
  // Deflate makes a byte of 1032 at most (a repeat of 258 in 2 bits), so a lie about the count is seen before memory is taken for it.
  if (compressedBytes < 1 || planeBytes(head) > compressedBytes * 1032)
    throw invalid("shorter than its head says", { count, restBytes, sizeBytes: bytes.length });
  return { head, headBytes: at };
}

function foldOf(byte: number | undefined, bits: number): Fold {
  const axis = (byte ?? 3) & 3;
  const folded = (byte ?? 0) >> 2;
  if (axis === 3 || folded < 1 || folded > bits) throw invalid("folded as nothing can be", { axis, folded, bits });
  return { axis: axis as Fold["axis"], bits: folded };
}
