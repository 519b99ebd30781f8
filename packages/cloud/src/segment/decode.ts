/** A segment back to points. Whatever the bytes are, it ends, takes bounded memory and throws nothing but `CairnError`. */
import { inflateExactly } from "../inflate.ts";
import type { NodePoints } from "../points.ts";
import { type FullHead, invalid, photoPlanes, planeBytes, readHead } from "./head.ts";
import { inflate } from "./inflate.ts";
import { GATHER } from "./morton.ts";
import { decodeNormals } from "./normals.ts";
import { CHROMA_PACKED, KEY_TABLES, LUMA_PACKED, LUMA_PLANE_OF, LUMA_PLANES, NO_SYMBOL, REACH } from "./symbols.ts";

/** Raw inflate; may throw, also when it is more than `sizeBytes`. */
export type Inflate = (compressed: Uint8Array, sizeBytes: number) => Uint8Array;

const CONFIDENCE_STEP = 17;
/** Up to so many compressed bytes a stream costs more than it saves (0.1 ms each; 0.65 against 0.3 ms at 5,000 points). */
const SMALL_BYTES = 32768;
/**
 * Working memory of one call: luma, Co and Cg of each point, a byte each from the lowest; before them those of the points
 * that are pretended.
 */
let tones = new Uint32Array(0);

/** @throws {CairnError} `request.invalid` */
export function decodeSegmentWith(bytes: Uint8Array, inflateRaw: Inflate): NodePoints {
  const { head, headBytes } = readHead(bytes);
  const rest = bytes.subarray(headBytes, headBytes + head.restBytes);
  let planes: Uint8Array;
  try {
    planes = inflateRaw(bytes.subarray(headBytes + head.restBytes), planeBytes(head));
  } catch (cause) {
    throw invalid("its planes do not inflate", {}, cause);
  }
  return fromPlanes(head, rest, planes);
}

/** With what browsers have; large ones do not block while they inflate. @throws {CairnError} `request.invalid` */
export async function decodeSegment(bytes: Uint8Array): Promise<NodePoints> {
  const { head, headBytes } = readHead(bytes);
  if (bytes.length - headBytes - head.restBytes <= SMALL_BYTES) return decodeSegmentWith(bytes, inflate);
  const rest = bytes.subarray(headBytes, headBytes + head.restBytes);
  const planes = await inflateExactly(bytes.subarray(headBytes + head.restBytes), planeBytes(head));
  if (!planes) throw invalid("its planes do not inflate");
  return fromPlanes(head, rest, planes);
}

function fromPlanes(head: FullHead, rest: Uint8Array, planes: Uint8Array): NodePoints {
  const { node, bits, count, photos } = head;
  if (planes.length !== planeBytes(head)) throw invalid("its planes are too short", { sizeBytes: planes.length });
  const coords = new Uint16Array(count * 3);
  const colors = new Uint8Array(count * 3);
  readPoints(head, rest, planes, coords, colors);

  let at = 3 * count;
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
    confidences = Uint8Array.from(planes.subarray(at, at + count));
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
    coords,
    colors,
    photos: photoOf,
    ...(confidences && { confidences }),
    ...(normals && { normals }),
  };
}

/** @param coords `[count, 3]` out @param colors `[count, 3]` out */
function readPoints(
  { bits, count, precision }: FullHead,
  restBits: Uint8Array,
  planes: Uint8Array,
  coords: Uint16Array,
  colors: Uint8Array,
): void {
  const { low: keyLow, high: keyHigh, restBits: keyRestBits } = KEY_TABLES[precision.key]!;
  const packedChroma = CHROMA_PACKED[precision.chroma]!;
  const packedLuma = LUMA_PACKED[precision.luma]!;
  const planeOf = LUMA_PLANE_OF[precision.chroma]!;
  const lumaAt = new Uint32Array(LUMA_PLANES + 2);
  for (let i = count; i < 2 * count; i++) lumaAt[planeOf[planes[i]!]! + 1]!++;
  if (lumaAt[LUMA_PLANES + 1]) throw invalid("a colour that is none");
  lumaAt[0] = 2 * count;
  for (let plane = 0; plane < LUMA_PLANES; plane++) lumaAt[plane + 1]! += lumaAt[plane]!;

  // A copy with room behind: the last point reads whole words, and a hostile one past the end.
  const rest = new Uint8Array(restBits.length + 16);
  rest.set(restBits);
  const words = new DataView(rest.buffer);
  const restEnd = restBits.length * 8;
  const highEnd = bits > 8 ? 2 ** (3 * (bits - 8)) : 1;
  const lowEnd = bits > 8 ? 0x1000000 : 2 ** (3 * bits);
  let at = 0;
  let low = 0;
  let high = 0;
  /** What the upper word of the key says; it seldom changes. */
  let highBefore = 0;
  let farX = 0;
  let farY = 0;
  let farZ = 0;
  if (tones.length < REACH + count) tones = new Uint32Array(REACH + 2 * count);
  const tone = tones;
  tone.fill(0, 0, REACH);
  let x1 = 0;
  let y1 = 0;
  let z1 = 0;
  let x2 = 0;
  let y2 = 0;
  let z2 = 0;
  let x3 = 0;
  let y3 = 0;
  let z3 = 0;
  let x4 = 0;
  let y4 = 0;
  let z4 = 0;
  let wrong = 0;

  for (let i = 0, j = 0; i < count; i++, j += 3) {
    if (at > restEnd) throw invalid("its rest bits are too short", { at: i });
    const symbol = planes[i]!;
    const more = keyRestBits[symbol]!;
    low += keyLow[symbol]!;
    high += keyHigh[symbol]!;
    if (more < 24) {
      low += (words.getUint32(at >> 3, true) >>> (at & 7)) & ((1 << more) - 1);
      at += more;
    } else {
      if (more > 47) throw invalid("a key beyond its node", { at: i });
      low += (words.getUint32(at >> 3, true) >>> (at & 7)) & 0xffffff;
      at += 24;
      high += (words.getUint32(at >> 3, true) >>> (at & 7)) & ((1 << (more - 24)) - 1);
      at += more - 24;
    }
    if (low > 0xffffff) {
      low -= 0x1000000;
      high++;
    }
    if (high >= highEnd || low >= lowEnd) throw invalid("a key beyond its node", { at: i });
    if (high !== highBefore) {
      const far = GATHER[high & 4095]! | (GATHER[high >> 12]! << 4);
      farX = (far & 255) << 8;
      farY = far & 0xff00;
      farZ = (far >> 8) & 0xff00;
      highBefore = high;
    }
    const near = GATHER[low & 4095]! | (GATHER[low >> 12]! << 4);
    const x = (near & 255) | farX;
    const y = ((near >> 8) & 255) | farY;
    const z = (near >> 16) | farZ;
    coords[j] = x;
    coords[j + 1] = y;
    coords[j + 2] = z;

    const chroma = planes[count + i]!;
    const lumaSymbol = planes[lumaAt[planeOf[chroma]!]!++]!;
    const both = packedChroma[chroma]!;
    const oBits = (both >> 16) & 15;
    const gBits = both >> 20;
    const tall = packedLuma[lumaSymbol]!;
    const lBits = (tall >> 8) & 15;
    wrong |= tall;
    const word = words.getUint32(at >> 3, true) >>> (at & 7);
    const oDelta = (both & 255) + (word & ((1 << oBits) - 1));
    const gDelta = ((both >> 8) & 255) + ((word >> oBits) & ((1 << gBits) - 1));
    const lDelta = (tall & 255) + ((word >> (oBits + gBits)) & ((1 << lBits) - 1));
    at += oBits + gBits + lBits;
    let nearest = (Math.abs(x - x1) + Math.abs(y - y1) + Math.abs(z - z1)) << 2;
    let less = (((Math.abs(x - x2) + Math.abs(y - y2) + Math.abs(z - z2)) << 2) | 1) - nearest;
    nearest += less & (less >> 31);
    less = (((Math.abs(x - x3) + Math.abs(y - y3) + Math.abs(z - z3)) << 2) | 2) - nearest;
    nearest += less & (less >> 31);
    less = (((Math.abs(x - x4) + Math.abs(y - y4) + Math.abs(z - z4)) << 2) | 3) - nearest;
    nearest += less & (less >> 31);
    x4 = x3;
    y4 = y3;
    z4 = z3;
    x3 = x2;
    y3 = y2;
    z3 = z2;
    x2 = x1;
    y2 = y1;
    z2 = z1;
    x1 = x;
    y1 = y;
    z1 = z;
    const guess = tone[i + REACH - 1 - (nearest & 3)]!;
    const luma = guess + ((lDelta >> 1) ^ -(lDelta & 1));
    const orange = (((guess >> 8) + ((oDelta >> 1) ^ -(oDelta & 1))) << 24) >> 24;
    const green = (((guess >> 16) + ((gDelta >> 1) ^ -(gDelta & 1))) << 24) >> 24;
    tone[i + REACH] = (luma & 255) | ((orange & 255) << 8) | ((green & 255) << 16);
    const middle = luma - (green >> 1);
    const blue = middle - (orange >> 1);
    colors[j] = blue + orange;
    colors[j + 1] = middle + green;
    colors[j + 2] = blue;
  }
  if (wrong & NO_SYMBOL) throw invalid("a colour that is none");
  if ((at + 7) >> 3 !== restBits.length) throw invalid("its rest bits are too many or too few");
}
