/** Sorted points to symbols and rest bits: the inner loop of writing a segment. `docs/spec/cloud.md`. */
import { LAST_TONES_AT, LUMA_ENDS_AT, LUMA_NEXT_AT, LUMA_PLANE_AT, SYMBOLS_AT } from "../../src/segment/encode-layout";
import { foldedNumber, forgetLast, restBitsOf } from "./fold";
import { nearestOf } from "./nearest";
import { byteAt, halfAt } from "./words";

/** Rest bits on their way out; fewer than eight are held between numbers. */
let restAt: u32 = 0;
let held: u64 = 0;
let heldBits: u32 = 0;

/**
 * Writes up to `SPARE_BYTES` behind the rest bits.
 *
 * @param fold how many bits of w are folded @param keys, `order` as `sortPoints` gives them
 * @param coords `[count, 3]` u16, which `coordsU`, `coordsV`, `coordsW` are turns of @param colors `[count, 3]` u8
 * @param planes `[3, count]` out: symbols of keys, chroma and luma; `[4, count]` with those of folded bits
 * @param lumas `[count]` bytes for what is in between @param rest out
 * @returns how many bytes of rest bits; where each luma plane ends, from the first plane on, is in the memory
 */
export function writePoints(
  count: u32,
  fold: u32,
  keyPrecision: u32,
  chromaPrecision: u32,
  lumaPrecision: u32,
  coords: u32,
  coordsU: u32,
  coordsV: u32,
  coordsW: u32,
  colors: u32,
  keys: u32,
  order: u32,
  planes: u32,
  lumas: u32,
  rest: u32,
): u32 {
  const chromaTable = SYMBOLS_AT + (chromaPrecision << 9);
  const lumaTable = SYMBOLS_AT + (lumaPrecision << 9);
  const lumaPlanes = LUMA_PLANE_AT + (chromaPrecision << 8);
  restAt = rest;
  held = 0;
  heldBits = 0;
  forgetLast();
  memory.fill(LAST_TONES_AT, 0, 16);
  let before: u64 = 0;
  // x, y and z of the last four points, the latest first. Before the first there are as many of nothing.
  let xs = i32x4.splat(0);
  let ys = i32x4.splat(0);
  let zs = i32x4.splat(0);
  /** Counters of 21 bits, by luma plane; the last plane has what is left. */
  let inPlanes: u64 = 0;

  for (let i: u32 = 0; i < count; i++) {
    const index = load<u32>(order + (i << 2));
    const key = load<u64>(keys + (i << 3)) >> fold;
    store<u8>(planes + i, put(key - before, keyPrecision));
    before = key;
    const j = 6 * index;
    if (fold) {
      const number = foldedNumber(i, fold, halfAt(coordsU + j), halfAt(coordsV + j), halfAt(coordsW + j));
      store<u8>(planes + 3 * count + i, put(number, keyPrecision));
    }

    const x: i32 = halfAt(coords + j);
    const y: i32 = halfAt(coords + j + 2);
    const z: i32 = halfAt(coords + j + 4);
    const far = i32x4.add(
      i32x4.add(i32x4.abs(i32x4.sub(xs, i32x4.splat(x))), i32x4.abs(i32x4.sub(ys, i32x4.splat(y)))),
      i32x4.abs(i32x4.sub(zs, i32x4.splat(z))),
    );
    const guess = load<i32>(LAST_TONES_AT + (((i - 1 - nearestOf(far)) & 3) << 2));
    xs = v128.shuffle<i32>(i32x4.splat(x), xs, 0, 4, 5, 6);
    ys = v128.shuffle<i32>(i32x4.splat(y), ys, 0, 4, 5, 6);
    zs = v128.shuffle<i32>(i32x4.splat(z), zs, 0, 4, 5, 6);

    // YCoCg-R in bytes that wrap: each step can be undone modulo 256, so no ninth bit is needed. Malvar & Sullivan,
    // YCoCg-R: A Color Space with RGB Reversibility and Low Dynamic Range (JVT-I014, 2003).
    const color = colors + 3 * index;
    const blue: i32 = byteAt(color + 2);
    const orange = <i32>(<i8>(byteAt(color) - blue));
    const middle = blue + (orange >> 1);
    const green = <i32>(<i8>(byteAt(color + 1) - middle));
    const luma = middle + (green >> 1);
    store<u32>(LAST_TONES_AT + ((i & 3) << 2), (luma & 255) | ((orange & 255) << 8) | ((green & 255) << 16));
    const o = alternating(orange - (guess >> 8));
    const g = alternating(green - (guess >> 16));
    const l = alternating(luma - guess);
    const oSymbol = halfAt(chromaTable + (o << 1));
    const gSymbol = halfAt(chromaTable + (g << 1));
    const lSymbol = halfAt(lumaTable + (l << 1));
    const chroma = ((oSymbol & 15) << 4) | (gSymbol & 15);
    store<u8>(planes + count + i, <u8>chroma);
    store<u8>(lumas + i, <u8>lSymbol);
    inPlanes += (<u64>1) << (21 * <u64>byteAt(lumaPlanes + chroma));
    putRest(o, oSymbol >> 8);
    putRest(g, gSymbol >> 8);
    putRest(l, lSymbol >> 8);
    flush();
  }
  sortLuma(count, inPlanes, planes, lumas, lumaPlanes);
  if (heldBits) store<u8>(restAt++, <u8>held);
  return restAt - rest;
}

/** Luma goes behind the chroma, plane by plane. @param inPlanes how many points are in each but the last, in 21 bits */
function sortLuma(count: u32, inPlanes: u64, planes: u32, lumas: u32, lumaPlanes: u32): void {
  const chroma = planes + count;
  let at = chroma + count;
  for (let plane: u32 = 0; plane < 4; plane++) {
    store<u32>(LUMA_NEXT_AT + (plane << 2), at);
    at += <u32>inPlanes & 0x1fffff;
    inPlanes >>= 21;
    store<u32>(LUMA_ENDS_AT + (plane << 2), plane < 3 ? at - planes : 3 * count);
  }
  for (let i: u32 = 0; i < count; i++) {
    const next = LUMA_NEXT_AT + (byteAt(lumaPlanes + byteAt(chroma + i)) << 2);
    const to = load<u32>(next);
    store<u32>(next, to + 1);
    store<u8>(to, <u8>byteAt(lumas + i));
  }
}

/** Rest bits of a number of a key. @returns its symbol */
function put(number: u64, precision: u32): u8 {
  const restBits = restBitsOf(number, precision);
  held |= (number & (((<u64>1) << restBits) - 1)) << heldBits;
  heldBits += restBits;
  flush();
  return <u8>((restBits << precision) + <u32>(number >> restBits));
}

function putRest(number: u32, bits: u32): void {
  held |= (<u64>(number & ((1 << bits) - 1))) << heldBits;
  heldBits += bits;
}

/** Leaves fewer than eight bits. */
function flush(): void {
  store<u64>(restAt, held);
  restAt += heldBits >> 3;
  held >>= heldBits & 56;
  heldBits &= 7;
}

/** Of a number modulo 256, −128…127: 0, −1, 1, −2, … to 0, 1, 2, 3, … so that small ones of both signs are small. */
function alternating(value: i32): u32 {
  const byte = <i32>(<i8>value);
  return (byte << 1) ^ (byte >> 31);
}
