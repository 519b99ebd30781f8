/**
 * How well the photos agree on one small piece of a plane: normalised cross-correlation of a window laid onto that
 * plane. Within the window pixels count by how like the middle they are, since what differs may lie on something else
 * (Yoon and Kweon, "Adaptive support-weight approach for correspondence search", PAMI 2006).
 */

const NOT_SEEN: f32 = -2;
/** A source that does not show the piece speaks against it a little: of those that see it, fewer must be fooled. */
const MISSING: f32 = 0.1;

let photo: usize = 0;
let photoWidth: i32 = 0;
let photoHeight: i32 = 0;
let photoStride: i32 = 0;
let reach: i32 = 0;
let sampleBytes: usize = 0; // of one table: samples · 4
let offsets: usize = 0;
let likeness: f32 = 0;
let noise: f32 = 0;
let workspace: usize = 0;

let sources: usize = 0;
let sourceCount: i32 = 0;
let mostSources: i32 = 0;

/** Of the pixel last prepared: its variance, weighted, without noise. */
export let variance: f32 = 0;
/** The sources whose scores made up the last one given, one bit each. */
export let agreeing: i32 = 0;

/**
 * @param quads the photo, packed
 * @param radius of the window: no sample is further from the middle, right, left, up or down
 * @param table `[3, samples]`: right, down (f32); where that is from the middle (i32 bytes). `samples` a multiple of 4
 * @param alikeBy difference in brightness from the middle, of 255, by which a pixel counts a quarter
 * @param noiseVariance added to all variances: what is not more than noise does not correlate
 * @param scratch `[3, samples]` f32
 */
export function setPatch(
  quads: usize,
  width: i32,
  height: i32,
  stride: i32,
  radius: i32,
  samples: i32,
  table: usize,
  alikeBy: f32,
  noiseVariance: f32,
  scratch: usize,
): void {
  photo = quads;
  photoWidth = width;
  photoHeight = height;
  photoStride = stride;
  reach = radius;
  sampleBytes = (<usize>samples) << 2;
  offsets = table;
  likeness = 1 / (alikeBy * alikeBy);
  noise = noiseVariance;
  workspace = scratch;
}

/**
 * @param table `[count]` of `{ quads, width, height, stride: i32; turn: [9], shift: [3] f32 }`: the source's pixel of
 *   the photo's pixel p (homogeneous) at inverse depth w is `turn · p + shift · w`
 * @param best how many of the sources count, at most 3: those that agree most
 */
export function setSources(table: usize, count: i32, best: i32): void {
  sources = table;
  sourceCount = count;
  mostSources = best;
}

/** The score of one piece; for one-off use. -2 when no source of those in `mask` shows it. */
export function evaluate(x: i32, y: i32, inverse: f32, across: f32, down: f32, mask: i32): f32 {
  prepare(x, y);
  return score(<f32>x, <f32>y, inverse, across, down, mask);
}

/** Weights of the pixels around one, for the scores of all pieces there. */
export function prepare(x: i32, y: i32): void {
  const middle = photo + ((<usize>(y * photoStride + x)) << 2);
  const brightness = <f32>load<u8>(middle);
  const weights = workspace;
  const values = workspace + sampleBytes;
  const places = offsets + 2 * sampleBytes;
  const inside = x >= reach && y >= reach && x < photoWidth - reach && y < photoHeight - reach;
  const byte = i32x4.splat(255);
  const one = f32x4.splat(1);
  const like = f32x4.splat(likeness);
  const here = f32x4.splat(brightness);
  let weightSum = f32x4.splat(0);
  let sum = weightSum;
  let squares = weightSum;
  for (let at: usize = 0; at < sampleBytes; at += 16) {
    let there = i32x4.splat(-1);
    let value: v128;
    if (inside) {
      value = v128.load32_zero(middle + <usize>load<i32>(places + at));
      value = v128.load32_lane(middle + <usize>load<i32>(places + at, 4), value, 1);
      value = v128.load32_lane(middle + <usize>load<i32>(places + at, 8), value, 2);
      value = v128.load32_lane(middle + <usize>load<i32>(places + at, 12), value, 3);
    } else {
      const column = f32x4.add(v128.load(offsets + at), f32x4.splat(<f32>x));
      const row = f32x4.add(v128.load(offsets + sampleBytes + at), f32x4.splat(<f32>y));
      const zero = f32x4.splat(0);
      there = v128.and(
        v128.and(f32x4.ge(column, zero), f32x4.lt(column, f32x4.splat(<f32>photoWidth))),
        v128.and(f32x4.ge(row, zero), f32x4.lt(row, f32x4.splat(<f32>photoHeight))),
      );
      const place = v128.and(v128.load(places + at), there);
      value = v128.load32_zero(middle + <usize>i32x4.extract_lane(place, 0));
      value = v128.load32_lane(middle + <usize>i32x4.extract_lane(place, 1), value, 1);
      value = v128.load32_lane(middle + <usize>i32x4.extract_lane(place, 2), value, 2);
      value = v128.load32_lane(middle + <usize>i32x4.extract_lane(place, 3), value, 3);
    }
    value = f32x4.convert_i32x4_s(v128.and(value, byte));
    const difference = f32x4.sub(value, here);
    const doubt = f32x4.add(one, f32x4.mul(f32x4.mul(difference, difference), like));
    const weight = v128.and(f32x4.div(one, f32x4.mul(doubt, doubt)), there);
    const weighted = f32x4.mul(weight, value);
    v128.store(weights + at, weight);
    v128.store(values + at, value);
    weightSum = f32x4.add(weightSum, weight);
    sum = f32x4.add(sum, weighted);
    squares = f32x4.add(squares, f32x4.mul(weighted, value));
  }
  const all: f32 = 1 / max<f32>(total(weightSum), 1e-6);
  const mean = total(sum) * all;
  variance = max<f32>(0, total(squares) * all - mean * mean);
  // Weights that sum to one, and weighted differences from the mean: those sum to nothing, so that the source's mean
  // need not be known for its covariance.
  const share = f32x4.splat(all);
  const middling = f32x4.splat(mean);
  for (let at: usize = 0; at < sampleBytes; at += 16) {
    const weight = f32x4.mul(v128.load(weights + at), share);
    v128.store(weights + at, weight);
    v128.store(values + at, f32x4.mul(weight, f32x4.sub(v128.load(values + at), middling)));
  }
}

/**
 * Mean of the best scores of the sources in `mask`, for the pixel last prepared.
 *
 * @param inverse inverse depth at the pixel; `across`, `down` its slope
 */
export function score(x: f32, y: f32, inverse: f32, across: f32, down: f32, mask: i32): f32 {
  let first = NOT_SEEN;
  let second = NOT_SEEN;
  let third = NOT_SEEN;
  let firstBit = 0;
  let secondBit = 0;
  let thirdBit = 0;
  for (let s = 0; s < sourceCount; s++) {
    const bit = 1 << s;
    if ((mask & bit) === 0) continue;
    const value = correlation(sources + ((<usize>s) << 6), x, y, inverse, across, down);
    if (value > first) {
      third = second;
      thirdBit = secondBit;
      second = first;
      secondBit = firstBit;
      first = value;
      firstBit = bit;
    } else if (value > second) {
      third = second;
      thirdBit = secondBit;
      second = value;
      secondBit = bit;
    } else if (value > third) {
      third = value;
      thirdBit = bit;
    }
  }
  agreeing = firstBit;
  if (first === NOT_SEEN || mostSources === 1) return first;
  if (second === NOT_SEEN) return first - MISSING * <f32>(mostSources - 1);
  agreeing |= secondBit;
  if (mostSources === 2) return (first + second) * 0.5;
  if (third === NOT_SEEN) return (first + second) * 0.5 - MISSING;
  agreeing |= thirdBit;
  return (first + second + third) * <f32>(1.0 / 3.0);
}

/**
 * Of one source. The plane's homography is replaced by its derivative at the middle: over a window of 7 pixels on a
 * surface less steep than 60° that moves no sample by 0.05 pixels.
 */
function correlation(source: usize, x: f32, y: f32, inverse: f32, across: f32, down: f32): f32 {
  const shiftX = load<f32>(source, 52);
  const shiftY = load<f32>(source, 56);
  const shiftZ = load<f32>(source, 60);
  const a0 = load<f32>(source, 16);
  const a1 = load<f32>(source, 20);
  const a3 = load<f32>(source, 28);
  const a4 = load<f32>(source, 32);
  const a6 = load<f32>(source, 40);
  const a7 = load<f32>(source, 44);
  const z = a6 * x + a7 * y + load<f32>(source, 48) + shiftZ * inverse;
  if (!(z > 0)) return NOT_SEEN;
  const perZ: f32 = 1 / z;
  const u = (a0 * x + a1 * y + load<f32>(source, 24) + shiftX * inverse) * perZ;
  const v = (a3 * x + a4 * y + load<f32>(source, 36) + shiftY * inverse) * perZ;
  const zx = a6 + shiftZ * across;
  const zy = a7 + shiftZ * down;
  const ux = (a0 + shiftX * across - u * zx) * perZ;
  const uy = (a1 + shiftX * down - u * zy) * perZ;
  const vx = (a3 + shiftY * across - v * zx) * perZ;
  const vy = (a4 + shiftY * down - v * zy) * perZ;
  const extentX = (abs(ux) + abs(uy)) * <f32>reach;
  const extentY = (abs(vx) + abs(vy)) * <f32>reach;
  const right = <f32>(load<i32>(source, 4) - 1);
  const low = <f32>(load<i32>(source, 8) - 1);
  if (!(u - extentX >= 0 && v - extentY >= 0 && u + extentX < right && v + extentY < low)) return NOT_SEEN;

  // Adding 1.5 · 2²³ rounds to whole numbers; of what is half a pixel less that is the pixel to the left or above.
  // Adding 2²³ to a whole number leaves it in the low bits: its address, once the high ones are taken off the base.
  const base = <usize>(<u32>load<u32>(source) - 0x2c00_0000);
  const stride = f32x4.splat(<f32>load<i32>(source, 12));
  const whole = f32x4.splat(12_582_912);
  const address = f32x4.splat(8_388_608);
  const half = f32x4.splat(0.5);
  const byte = i32x4.splat(255);
  const u4 = f32x4.splat(u - 0.5);
  const v4 = f32x4.splat(v - 0.5);
  const ux4 = f32x4.splat(ux);
  const uy4 = f32x4.splat(uy);
  const vx4 = f32x4.splat(vx);
  const vy4 = f32x4.splat(vy);
  let sum = f32x4.splat(0);
  let squares = sum;
  let products = sum;
  const downs = offsets + sampleBytes;
  const values = workspace + sampleBytes;
  for (let at: usize = 0; at < sampleBytes; at += 16) {
    const i = v128.load(offsets + at);
    const j = v128.load(downs + at);
    const atU = f32x4.add(u4, f32x4.add(f32x4.mul(i, ux4), f32x4.mul(j, uy4)));
    const atV = f32x4.add(v4, f32x4.add(f32x4.mul(i, vx4), f32x4.mul(j, vy4)));
    const column = f32x4.sub(f32x4.add(atU, whole), whole);
    const row = f32x4.sub(f32x4.add(atV, whole), whole);
    const place = i32x4.shl(f32x4.add(f32x4.add(f32x4.mul(row, stride), column), address), 2);
    let quad = v128.load32_zero(base + <usize>i32x4.extract_lane(place, 0));
    quad = v128.load32_lane(base + <usize>i32x4.extract_lane(place, 1), quad, 1);
    quad = v128.load32_lane(base + <usize>i32x4.extract_lane(place, 2), quad, 2);
    quad = v128.load32_lane(base + <usize>i32x4.extract_lane(place, 3), quad, 3);
    const across = f32x4.add(f32x4.sub(atU, column), half);
    const below = f32x4.add(f32x4.sub(atV, row), half);
    const a = f32x4.convert_i32x4_s(v128.and(quad, byte));
    const b = f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(quad, 8), byte));
    const c = f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(quad, 16), byte));
    const d = f32x4.convert_i32x4_s(i32x4.shr_u(quad, 24));
    const upper = f32x4.add(a, f32x4.mul(f32x4.sub(b, a), across));
    const lower = f32x4.add(c, f32x4.mul(f32x4.sub(d, c), across));
    const sample = f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), below));
    const weighted = f32x4.mul(sample, v128.load(workspace + at));
    sum = f32x4.add(sum, weighted);
    squares = f32x4.add(squares, f32x4.mul(weighted, sample));
    products = f32x4.add(products, f32x4.mul(v128.load(values + at), sample));
  }
  const mean = total(sum);
  const spread = max<f32>(0, total(squares) - mean * mean) + noise;
  return total(products) / sqrt(spread * (variance + noise));
}

/** Sum of the lanes. */
function total(sums: v128): f32 {
  const halves = f32x4.add(sums, i32x4.shuffle(sums, sums, 2, 3, 0, 1));
  return f32x4.extract_lane(halves, 0) + f32x4.extract_lane(halves, 1);
}
