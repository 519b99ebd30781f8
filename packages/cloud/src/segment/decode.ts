/** A segment back to points. Whatever the bytes are, it ends, takes bounded memory and throws nothing but `CairnError`. */
import { inflateExactly } from "../inflate.ts";
import type { NodePoints } from "../points.ts";
import { type FullHead, invalid, photoPlanes, planeBytes, readHead } from "./head.ts";
import { GATHER } from "./morton.ts";
import { decodeNormals } from "./normals.ts";
import { LUMA_PLANE_OF, LUMA_PLANES, SYMBOL_TABLES } from "./symbols.ts";

/** Raw inflate; may throw, also when it is more than `sizeBytes`. */
export type Inflate = (compressed: Uint8Array, sizeBytes: number) => Uint8Array;

const CONFIDENCE_STEP = 17;

/** @throws {CairnError} `request.invalid` */
export function decodeSegmentWith(bytes: Uint8Array, inflate: Inflate): NodePoints {
  const { head, headBytes } = readHead(bytes);
  const rest = bytes.subarray(headBytes, headBytes + head.restBytes);
  let planes: Uint8Array;
  try {
    planes = inflate(bytes.subarray(headBytes + head.restBytes), planeBytes(head));
  } catch (cause) {
    throw invalid("its planes do not inflate", {}, cause);
  }
  return fromPlanes(head, rest, planes);
}

/** With the browser's own inflate. Also in Node. @throws {CairnError} `request.invalid` */
export async function decodeSegment(bytes: Uint8Array): Promise<NodePoints> {
  const { head, headBytes } = readHead(bytes);
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
  const keyPrecision = precision.key;
  const keysAsTheyAre = 2 << keyPrecision;
  const topMask = (1 << keyPrecision) - 1;
  const { bases: chromaBases, symbolRestBits: chromaRestBits } = SYMBOL_TABLES[precision.chroma]!;
  const { symbols: lumaSymbols, bases: lumaBases, symbolRestBits: lumaRestBits } = SYMBOL_TABLES[precision.luma]!;
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
  let luma = 0;
  let orange = 0;
  let green = 0;
  let lastLuma = 0;

  for (let i = 0, j = 0; i < count; i++, j += 3) {
    if (at > restEnd) throw invalid("its rest bits are too short", { at: i });
    const symbol = planes[i]!;
    if (symbol < keysAsTheyAre) {
      low += symbol;
    } else {
      const more = (symbol >> keyPrecision) - 1;
      const top = (symbol & topMask) | (topMask + 1);
      if (more > 47) throw invalid("a key beyond its node", { at: i });
      if (more < 24) {
        low += (words.getUint32(at >> 3, true) >>> (at & 7)) & ((1 << more) - 1);
        low += (top << more) & 0xffffff;
        high += top >> (24 - more);
        at += more;
      } else {
        low += (words.getUint32(at >> 3, true) >>> (at & 7)) & 0xffffff;
        at += 24;
        high += (words.getUint32(at >> 3, true) >>> (at & 7)) & ((1 << (more - 24)) - 1);
        high += top << (more - 24);
        at += more - 24;
      }
    }
    if (low > 0xffffff) {
      low -= 0x1000000;
      high++;
    }
    if (high >= highEnd || low >= lowEnd) throw invalid("a key beyond its node", { at: i });
    const a = GATHER[low & 4095]!;
    const b = GATHER[low >> 12]!;
    const c = GATHER[high & 4095]!;
    const d = GATHER[high >> 12]!;
    const nearNibbles = a | (b << 4);
    const farNibbles = c | (d << 4);
    coords[j] = (nearNibbles & 255) | ((farNibbles & 255) << 8);
    coords[j + 1] = ((nearNibbles >> 8) & 255) | (farNibbles & 0xff00);
    coords[j + 2] = ((nearNibbles >> 16) & 255) | ((farNibbles >> 8) & 0xff00);

    const chroma = planes[count + i]!;
    const lumaSymbol = planes[lumaAt[planeOf[chroma]!]!++]!;
    if (lumaSymbol > lastLuma) lastLuma = lumaSymbol;
    const o = chroma >> 4;
    const g = chroma & 15;
    const oBits = chromaRestBits[o]!;
    const gBits = chromaRestBits[g]!;
    const lBits = lumaRestBits[lumaSymbol]!;
    const word = words.getUint32(at >> 3, true) >>> (at & 7);
    const oDelta = chromaBases[o]! + (word & ((1 << oBits) - 1));
    const gDelta = chromaBases[g]! + ((word >> oBits) & ((1 << gBits) - 1));
    const lDelta = lumaBases[lumaSymbol]! + ((word >> (oBits + gBits)) & ((1 << lBits) - 1));
    at += oBits + gBits + lBits;
    orange = ((orange + ((oDelta >> 1) ^ -(oDelta & 1))) << 24) >> 24;
    green = ((green + ((gDelta >> 1) ^ -(gDelta & 1))) << 24) >> 24;
    luma = luma + ((lDelta >> 1) ^ -(lDelta & 1));
    const middle = luma - (green >> 1);
    const blue = middle - (orange >> 1);
    colors[j] = blue + orange;
    colors[j + 1] = middle + green;
    colors[j + 2] = blue;
  }
  if (lastLuma > lumaSymbols[255]!) throw invalid("a colour that is none");
  if ((at + 7) >> 3 !== restBits.length) throw invalid("its rest bits are too many or too few");
}
