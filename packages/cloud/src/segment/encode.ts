/**
 * Points of one node to a segment. Sorted points are close to each other, so what is written is how far each is from
 * the one before: as a symbol, which is Huffman coded, and rest bits, which are not worth it (`symbols.ts`).
 */
import type { NodePoints } from "../points.ts";
import { deflatePlanes } from "./deflate.ts";
import { type Fold, FoldSearch, foldedNumbers, UNFOLDED } from "./fold.ts";
import { MAX_SEGMENT_POINTS, photoPlanes, writeHead } from "./head.ts";
import { MortonSorter } from "./morton.ts";
import { encodeNormals } from "./normals.ts";
import { LUMA_PLANE_OF, LUMA_PLANES, type Precision, precisionFor, REACH, SYMBOL_TABLES } from "./symbols.ts";

const sorter = new MortonSorter();
const search = new FoldSearch(sorter);
/** Working memory of one call; it grows to the largest segment seen. */
let planes = new Uint8Array(0);
let lumas = new Uint8Array(0);
let across = new Uint16Array(0);
let rest = new Uint8Array(0);
/** Luma, Co and Cg of each sorted point, a byte each from the lowest; before them those of the points that are pretended. */
let tones = new Uint32Array(0);
let restBytes = 0;

/** Tried when thorough: more symbols say more of how noise is spread, where they are worth the room of their codes. */
const FINER_LUMA = 4;
/** Confidence goes in steps of 17: 0, 17, … 255. */
const CONFIDENCE_STEP = 17;
const SURE = 255 / CONFIDENCE_STEP;

type EncodeOptions = {
  /** Looks for how the points are shortest, which takes five times as long: for what is kept, not for what is awaited. */
  readonly thorough?: boolean;
};

/**
 * The same points in the same order give the same bytes, everywhere.
 * @throws {RangeError} when a coordinate, the node or the number of points is beyond what a segment takes
 */
export function encodeSegment(points: NodePoints, { thorough = false }: EncodeOptions = {}): Uint8Array {
  const { bits, count } = points;
  if (!(count >= 0 && count <= MAX_SEGMENT_POINTS)) throw new RangeError(`${count} points in one segment`);
  if (!(bits >= 1 && bits <= 16)) throw new RangeError(`${bits} bits`);
  const precision = precisionFor(count);
  const fold = thorough ? search.best(points.coords, count, bits, precision.key) : UNFOLDED;
  const bytes = write(points, precision, fold);
  if (!thorough || precision.luma >= FINER_LUMA) return bytes;
  const finer = write(points, { ...precision, luma: FINER_LUMA }, fold);
  return finer.length < bytes.length ? finer : bytes;
}

function write(points: NodePoints, precision: Precision, fold: Fold): Uint8Array {
  const { node, bits, count } = points;
  const order = sorter.sort(points.coords, count, bits, fold);
  const photos = distinctPhotos(points);
  const confidences = points.confidences && hasDoubt(points.confidences, count) ? points.confidences : undefined;
  reserve(count, 1 + photoPlanes(photos.length) + (confidences ? 1 : 0) + (points.normals ? 2 : 0));

  const ends = writePoints(points, order, precision, fold);
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
    fold,
    photos,
    confidences: confidences !== undefined,
    normals: points.normals !== undefined,
    restBytes,
  });
  const bytes = new Uint8Array(head.length + restBytes + compressed.length);
  bytes.set(head);
  bytes.set(rest.subarray(0, restBytes), head.length);
  bytes.set(compressed, head.length + restBytes);
  return bytes;
}

/** Writes planes of keys, chroma, luma and folded bits, and the rest bits. @returns where each plane ends */
function writePoints(
  { count, coords, colors }: NodePoints,
  order: Uint32Array,
  precision: Precision,
  fold: Fold,
): number[] {
  const { low, high } = sorter;
  const keyPrecision = precision.key;
  const keysAsTheyAre = 2 << keyPrecision;
  const chromaTable = SYMBOL_TABLES[precision.chroma]!;
  const lumaTable = SYMBOL_TABLES[precision.luma]!;
  const { symbols: chromaSymbols, restBits: chromaRestBits } = chromaTable;
  const { symbols: lumaSymbols, restBits: lumaRestBits } = lumaTable;
  const [keyPlane, lumaPlane, target] = [planes, lumas, rest];
  const isFolded = fold.bits > 0;
  if (isFolded) foldedNumbers(coords, order, count, fold, across);
  let at = 0;
  let held = 0;
  let heldBits = 0; // below 8 between points
  let lowBefore = 0;
  let highBefore = 0;
  const tone = tones;
  // The last points: a colour is guessed from the nearest of them. Before the first there are as many of nothing.
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
  tone.fill(0, 0, REACH);

  for (let i = 0; i < count; i++) {
    const index = order[i]!;
    const lowKey = low[index]!;
    const highKey = high[index]!;
    let lowDelta = lowKey - lowBefore;
    let highDelta = highKey - highBefore;
    if (lowDelta < 0) {
      lowDelta += 0x1000000;
      highDelta--;
    }
    lowBefore = lowKey;
    highBefore = highKey;
    if (highDelta === 0) {
      if (lowDelta < keysAsTheyAre) {
        keyPlane[i] = lowDelta;
      } else {
        const bits = 31 - Math.clz32(lowDelta) - keyPrecision;
        keyPlane[i] = (bits << keyPrecision) + (lowDelta >> bits);
        held |= (lowDelta & ((1 << bits) - 1)) << heldBits;
        heldBits += bits;
      }
    } else {
      const bits = 55 - Math.clz32(highDelta) - keyPrecision;
      if (bits < 24) {
        keyPlane[i] = (bits << keyPrecision) + ((highDelta << (24 - bits)) | (lowDelta >> bits));
        held |= (lowDelta & ((1 << bits) - 1)) << heldBits;
        heldBits += bits;
      } else {
        const more = bits - 24;
        keyPlane[i] = (bits << keyPrecision) + (highDelta >> more);
        held |= lowDelta << heldBits;
        for (heldBits += 24; heldBits >= 8; heldBits -= 8) {
          target[at++] = held;
          held >>>= 8;
        }
        held |= (highDelta & ((1 << more) - 1)) << heldBits;
        heldBits += more;
      }
    }
    for (; heldBits >= 8; heldBits -= 8) {
      target[at++] = held;
      held >>>= 8;
    }

    if (isFolded) {
      const number = across[i]!;
      const bits = Math.max(0, 31 - Math.clz32(number) - keyPrecision);
      keyPlane[3 * count + i] = (bits << keyPrecision) + (number >> bits);
      held |= (number & ((1 << bits) - 1)) << heldBits;
      heldBits += bits;
      for (; heldBits >= 8; heldBits -= 8) {
        target[at++] = held;
        held >>>= 8;
      }
    }

    // YCoCg-R in bytes that wrap: each step can be undone modulo 256, so no ninth bit is needed. Malvar & Sullivan,
    // YCoCg-R: A Color Space with RGB Reversibility and Low Dynamic Range (JVT-I014, 2003).
    const j = index * 3;
    const blue = colors[j + 2]!;
    const orange = ((colors[j]! - blue) << 24) >> 24;
    const middle = blue + (orange >> 1);
    const green = ((colors[j + 1]! - middle) << 24) >> 24;
    const luma = middle + (green >> 1);
    const x = coords[j]!;
    const y = coords[j + 1]!;
    const z = coords[j + 2]!;
    // Lowest two bits: how many points further back than the last.
    let nearest = (Math.abs(x - x1) + Math.abs(y - y1) + Math.abs(z - z1)) << 2;
    let less = (((Math.abs(x - x2) + Math.abs(y - y2) + Math.abs(z - z2)) << 2) | 1) - nearest;
    nearest += less & (less >> 31); // the smaller, without a branch that nobody can foresee
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
    tone[i + REACH] = (luma & 255) | ((orange & 255) << 8) | ((green & 255) << 16);
    const lumaDelta = ((luma - guess) << 24) >> 24;
    const orangeDelta = ((orange - (guess >> 8)) << 24) >> 24;
    const greenDelta = ((green - (guess >> 16)) << 24) >> 24;
    // Signs alternate, so that small numbers of both signs are small: 0, −1, 1, −2, …
    const o = (orangeDelta << 1) ^ (orangeDelta >> 31);
    const g = (greenDelta << 1) ^ (greenDelta >> 31);
    const l = (lumaDelta << 1) ^ (lumaDelta >> 31);
    keyPlane[count + i] = (chromaSymbols[o]! << 4) | chromaSymbols[g]!;
    lumaPlane[i] = lumaSymbols[l]!;
    const oBits = chromaRestBits[o]!;
    const gBits = chromaRestBits[g]!;
    const lBits = lumaRestBits[l]!;
    held |= (o & ((1 << oBits) - 1)) << heldBits;
    held |= (g & ((1 << gBits) - 1)) << (heldBits + oBits);
    held |= (l & ((1 << lBits) - 1)) << (heldBits + oBits + gBits);
    heldBits += oBits + gBits + lBits;
    for (; heldBits >= 8; heldBits -= 8) {
      target[at++] = held;
      held >>>= 8;
    }
  }
  if (heldBits > 0) target[at++] = held;
  restBytes = at;

  const ends = [count, 2 * count];
  const planeOf = LUMA_PLANE_OF[precision.chroma]!;
  const starts = new Uint32Array(LUMA_PLANES + 1);
  for (let i = 0; i < count; i++) starts[planeOf[keyPlane[count + i]!]! + 1]!++;
  starts[0] = 2 * count;
  for (let plane = 0; plane < LUMA_PLANES; plane++) {
    starts[plane + 1]! += starts[plane]!;
    ends.push(starts[plane + 1]!);
  }
  for (let i = 0; i < count; i++) keyPlane[starts[planeOf[keyPlane[count + i]!]!]!++] = lumaPlane[i]!;
  if (isFolded) ends.push(4 * count);
  return ends;
}

function reserve(count: number, morePlanes: number): void {
  if (planes.length < count * (3 + morePlanes)) planes = new Uint8Array(count * (3 + morePlanes) * 2);
  if (lumas.length >= count && rest.length >= count * 9 + 16) return;
  lumas = new Uint8Array(count * 2);
  across = new Uint16Array(count * 2);
  tones = new Uint32Array(count * 2 + REACH);
  rest = new Uint8Array(count * 9 * 2 + 16); // 48 bits of a key and three times 7 of a colour, and what is held
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
