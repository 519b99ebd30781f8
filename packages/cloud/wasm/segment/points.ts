/** Planes and rest bits to coordinates and colours: the inner loop of reading a segment. `docs/spec/cloud.md`. */
import {
  ACROSS_AT,
  CHROMA_AT,
  GATHER_AT,
  KEY_BEYOND_NODE,
  KEYS_AT,
  LUMA_AT,
  LUMA_NEXT_AT,
  NO_COLOUR,
  REST_TOO_LONG,
  REST_TOO_SHORT,
  TONES_AT,
} from "../../src/segment/layout";
import { nearestOf } from "./nearest";
import { byteAt } from "./words";

const KEY_BITS: u64 = (1 << 56) - 1;
/** Every second pair of bits, four bits, eight bits. */
const PAIRS: u64 = ((<u64>0x33333333) << 32) | 0x33333333;
const FOURS: u64 = ((<u64>0x0f0f0f0f) << 32) | 0x0f0f0f0f;
const EIGHTS: u64 = ((<u64>0x00ff00ff) << 32) | 0x00ff00ff;

/**
 * Reads up to `SLACK_BYTES` behind the rest bits, whatever is there, and writes as many behind `coords` and `colors`.
 *
 * @param fold how many bits of w are folded, 0…`bits`
 * @param planes `[3, count]` symbols of keys, chroma and luma; `[4, count]` with those of folded bits
 * @param coordsU where u of the first point goes: `[count, 3]` u16 out, in which u, v and w are x, y and z in some turn
 * @param colors `[count, 3]` u8 out
 * @returns 0, or what is wrong
 */
export function readPoints(
  count: u32,
  bits: i32,
  fold: u32,
  keyPrecision: i32,
  chromaPrecision: i32,
  lumaPrecision: i32,
  planes: u32,
  rest: u32,
  restBytes: u32,
  coordsU: u32,
  coordsV: u32,
  coordsW: u32,
  colors: u32,
): i32 {
  const keyTable = KEYS_AT + ((<u32>keyPrecision) << 11);
  const chromaTable = CHROMA_AT + ((<u32>chromaPrecision) << 10);
  const lumaTable = LUMA_AT + ((<u32>lumaPrecision) << 10);
  if (!findLuma(planes + count, count, chromaTable)) return NO_COLOUR;

  const keyEnd: u64 = (<u64>1) << (3 * bits - fold);
  const foldMask: i32 = (1 << fold) - 1;
  const restEnd = restBytes << 3;
  let at: u32 = 0;
  let to: u32 = 0;
  let key: u64 = 0;
  /** What the upper half of the key says; it seldom changes. */
  let high: u32 = 0;
  let farU: i32 = 0;
  let farV: i32 = 0;
  let farW: i32 = 0;
  // Of the last four points, the latest first. Before the first there are as many of nothing.
  let us = i32x4.splat(0);
  let vs = i32x4.splat(0);
  let ws = i32x4.splat(0);
  v128.store(TONES_AT, i32x4.splat(0));
  let wrong: u32 = 0;

  for (let i: u32 = 0; i < count; i++) {
    if (at > restEnd) return REST_TOO_SHORT;
    const keyEntry = load<u64>(keyTable + (byteAt(planes + i) << 3));
    const keyRestBits = keyEntry >> 56;
    key += (keyEntry & KEY_BITS) + ((load<u64>(rest + (at >> 3)) >> (at & 7)) & (((<u64>1) << keyRestBits) - 1));
    if (key >= keyEnd) return KEY_BEYOND_NODE;
    at += <u32>keyRestBits;
    const top = key >> (fold << 1);
    if (<u32>(top >> 24) !== high) {
      high = <u32>(top >> 24);
      const far = gather(high);
      farU = (far & 255) << 8;
      farV = far & 0xff00;
      farW = (far >> 8) & 0xff00;
    }
    const near = gather(<u32>top & 0xffffff);
    let u = (near & 255) | farU;
    let v = ((near >> 8) & 255) | farV;
    let w = (near >> 16) | farW;
    if (fold) {
      // The bits of u and v by turns: those of v to the upper half, then each half drawn together.
      let pair = (key & 0x55555555) | ((key & 0xaaaaaaaa) << 31);
      pair = (pair | (pair >> 1)) & PAIRS;
      pair = (pair | (pair >> 2)) & FOURS;
      pair = (pair | (pair >> 4)) & EIGHTS;
      pair |= pair >> 8;
      u = (u << fold) | (<i32>pair & foldMask);
      v = (v << fold) | (<i32>(pair >> 32) & foldMask);
      w <<= fold;
    }
    // How far each of the last four is, along.
    const along = i32x4.add(i32x4.abs(i32x4.sub(us, i32x4.splat(u))), i32x4.abs(i32x4.sub(vs, i32x4.splat(v))));
    if (fold) {
      v128.store(ACROSS_AT, ws);
      const across = load<i32>(ACROSS_AT + (nearestOf(farOf(along, v128.andnot(ws, i32x4.splat(foldMask)), w)) << 2));
      const entry = load<u64>(keyTable + (byteAt(planes + 3 * count + i) << 3));
      const restBits = entry >> 56;
      const number = (entry & KEY_BITS) + ((load<u64>(rest + (at >> 3)) >> (at & 7)) & (((<u64>1) << restBits) - 1));
      if (number > <u64>foldMask) return KEY_BEYOND_NODE;
      at += <u32>restBits;
      w |= (min(max(across - w, 0), foldMask) + signed(<i32>number)) & foldMask;
    }
    store<u16>(coordsU + to, <u16>u);
    store<u16>(coordsV + to, <u16>v);
    store<u16>(coordsW + to, <u16>w);
    to += 6;

    const back = nearestOf(farOf(along, ws, w));
    us = v128.shuffle<i32>(i32x4.splat(u), us, 0, 4, 5, 6);
    vs = v128.shuffle<i32>(i32x4.splat(v), vs, 0, 4, 5, 6);
    ws = v128.shuffle<i32>(i32x4.splat(w), ws, 0, 4, 5, 6);
    const guess = load<i32>(TONES_AT + (((i - 1 - back) & 3) << 2));

    const chroma = load<u32>(chromaTable + (byteAt(planes + count + i) << 2));
    const lumaNext = LUMA_NEXT_AT + ((<u32>(chroma >> 24)) << 2);
    const lumaAt = load<u32>(lumaNext);
    store<u32>(lumaNext, lumaAt + 1);
    const luma = load<u32>(lumaTable + (byteAt(lumaAt) << 2));
    wrong |= luma;
    const orangeBits = (chroma >> 16) & 15;
    const greenBits = (chroma >> 20) & 15;
    const lumaBits = (luma >> 8) & 15;
    let word = load<u32>(rest + (at >> 3)) >> (at & 7);
    const orange = <i32>(<i8>(guess >> 8)) + signed((chroma & 255) + (word & ((1 << orangeBits) - 1)));
    word >>= orangeBits;
    const green = <i32>(<i8>(guess >> 16)) + signed(((chroma >> 8) & 255) + (word & ((1 << greenBits) - 1)));
    word >>= greenBits;
    const tall = guess + signed((luma & 255) + (word & ((1 << lumaBits) - 1)));
    at += <u32>(orangeBits + greenBits + lumaBits);
    store<i32>(TONES_AT + ((i & 3) << 2), (tall & 255) | ((orange & 255) << 8) | ((green & 255) << 16));

    const middle = tall - (<i32>(<i8>green) >> 1);
    const blue = middle - (<i32>(<i8>orange) >> 1);
    store<u32>(colors, ((blue + orange) & 255) | (((middle + green) & 255) << 8) | ((blue & 255) << 16));
    colors += 3;
  }
  if (wrong >> 16) return NO_COLOUR;
  const read = (at + 7) >> 3;
  return read === restBytes ? 0 : read > restBytes ? REST_TOO_SHORT : REST_TOO_LONG;
}

/** How far four points are from the one at `w`. @param along without w */
function farOf(along: v128, ws: v128, w: i32): v128 {
  return i32x4.add(along, i32x4.abs(i32x4.sub(ws, i32x4.splat(w))));
}

/** Where the luma planes begin, by how many points there are of each. @returns whether all chroma symbols are ones */
function findLuma(plane: u32, count: u32, chromaTable: u32): boolean {
  // Counters of 21 bits; the fourth is what is left.
  let counts: u64 = 0;
  let wrong: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const luma = load<u32>(chromaTable + (byteAt(plane + i) << 2)) >> 24;
    wrong |= luma;
    counts += (<u64>1) << (21 * luma);
  }
  let at = plane + count;
  for (let luma: u32 = 0; luma < 4; luma++) {
    store<u32>(LUMA_NEXT_AT + (luma << 2), at);
    at += <u32>(<u32>counts & 0x1fffff);
    counts >>= 21;
  }
  return wrong < 4;
}

/** 24 bits of a key to x, y and z, a byte each. */
function gather(key: u32): i32 {
  return load<i32>(GATHER_AT + ((key & 4095) << 2)) | (load<i32>(GATHER_AT + ((key >> 12) << 2)) << 4);
}

/** 0, −1, 1, −2, … */
function signed(value: u32): i32 {
  return <i32>(value >> 1) ^ -(<i32>(value & 1));
}
