/** Planes and rest bits to coordinates and colours: the inner loop of reading a segment. `docs/spec/cloud.md`. */
import {
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
import { byteAt } from "./words";

const KEY_BITS: u64 = (1 << 56) - 1;

/**
 * Reads up to `SLACK_BYTES` behind the rest bits, whatever is there, and writes as many behind `coords` and `colors`.
 *
 * @param planes `[3, count]` symbols of keys, chroma and luma
 * @param coords `[count, 3]` u16 out
 * @param colors `[count, 3]` u8 out
 * @returns 0, or what is wrong
 */
export function readPoints(
  count: u32,
  bits: i32,
  keyPrecision: i32,
  chromaPrecision: i32,
  lumaPrecision: i32,
  planes: u32,
  rest: u32,
  restBytes: u32,
  coords: u32,
  colors: u32,
): i32 {
  const keyTable = KEYS_AT + ((<u32>keyPrecision) << 11);
  const chromaTable = CHROMA_AT + ((<u32>chromaPrecision) << 10);
  const lumaTable = LUMA_AT + ((<u32>lumaPrecision) << 10);
  if (!findLuma(planes + count, count, chromaTable)) return NO_COLOUR;

  const keyEnd: u64 = (<u64>1) << (3 * bits);
  const restEnd = restBytes << 3;
  let at: u32 = 0;
  let key: u64 = 0;
  /** What the upper half of the key says; it seldom changes. */
  let high: u32 = 0;
  let farX: i32 = 0;
  let farY: i32 = 0;
  let farZ: i32 = 0;
  // Of the last four points, the latest first. Before the first there are as many of nothing.
  let xs = i32x4.splat(0);
  let ys = i32x4.splat(0);
  let zs = i32x4.splat(0);
  v128.store(TONES_AT, i32x4.splat(0));
  let wrong: u32 = 0;

  for (let i: u32 = 0; i < count; i++) {
    if (at > restEnd) return REST_TOO_SHORT;
    const keyEntry = load<u64>(keyTable + (byteAt(planes + i) << 3));
    const keyRestBits = keyEntry >> 56;
    key += (keyEntry & KEY_BITS) + ((load<u64>(rest + (at >> 3)) >> (at & 7)) & (((<u64>1) << keyRestBits) - 1));
    if (key >= keyEnd) return KEY_BEYOND_NODE;
    at += <u32>keyRestBits;
    if (<u32>(key >> 24) !== high) {
      high = <u32>(key >> 24);
      const far = gather(high);
      farX = (far & 255) << 8;
      farY = far & 0xff00;
      farZ = (far >> 8) & 0xff00;
    }
    const near = gather(<u32>key & 0xffffff);
    const x = (near & 255) | farX;
    const y = ((near >> 8) & 255) | farY;
    const z = (near >> 16) | farZ;
    store<u64>(coords, <u64>(<u32>(x | (y << 16))) | ((<u64>z) << 32));
    coords += 6;

    // How far it is from each of the last four, with its place below, so that of equally near ones the latest wins.
    const x4 = i32x4.splat(x);
    const y4 = i32x4.splat(y);
    const z4 = i32x4.splat(z);
    let far = i32x4.add(
      i32x4.add(i32x4.abs(i32x4.sub(xs, x4)), i32x4.abs(i32x4.sub(ys, y4))),
      i32x4.abs(i32x4.sub(zs, z4)),
    );
    far = v128.or(i32x4.shl(far, 2), i32x4(0, 1, 2, 3));
    far = i32x4.min_s(far, v128.shuffle<i32>(far, far, 2, 3, 0, 1));
    far = i32x4.min_s(far, v128.shuffle<i32>(far, far, 1, 0, 3, 2));
    xs = v128.shuffle<i32>(x4, xs, 0, 4, 5, 6);
    ys = v128.shuffle<i32>(y4, ys, 0, 4, 5, 6);
    zs = v128.shuffle<i32>(z4, zs, 0, 4, 5, 6);
    const guess = load<i32>(TONES_AT + (((i - 1 - <u32>i32x4.extract_lane(far, 0)) & 3) << 2));

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
