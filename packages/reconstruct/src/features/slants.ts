/**
 * A photo as it would look from the side. SIFT finds a wall again that is turned by some 40 degrees; what two photos see
 * from farther apart looks alike when one of them is turned and narrowed to how the other sees it (ASIFT: Morel and Yu,
 * "ASIFT: A New Framework for Fully Affine Invariant Image Comparison", 2009). Which way is not known, so a few
 * slants are tried.
 */
import type { Extractor } from "./extractor.ts";
import type { Grey } from "./grey.ts";

/**
 * How much narrower, and at every so many degrees of turn (Morel and Yu's steps). With 2√2 as well eight more
 * looks found no more (castle-P19, every second photo, 1000 px: 19 pairs of 45 with, 21 without; 18 by SIFT alone).
 */
const TILTS = [Math.SQRT2, 2];
const TURN_STEP_DEG = 72;
/** Blur that narrowing by t asks for: what a camera farther to the side would not see (Morel and Yu, 2009). */
const blurOf = (tilt: number) => 0.8 * Math.sqrt(tilt * tilt - 1);
const BLUR_SIGMAS = 2.5;
/** Places between two pixels that the blur tells apart. */
const PHASES = 16;
/** Without it a quarter turn would lose the picture's first row. */
const ROUNDING_PX = 1e-6;
const MAX_FEATURES = 3000;
/** A description reaches so many times the feature's scale; what looks beyond the picture's edge is left out. */
const REACH = 6;

/** Features of one photo in all its slants, one slant behind the other. */
export type Slants = {
  readonly count: number;
  /** Pixels of the decoded photo, as `Features`. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** In the direction in which the look was narrowed: the coarser one. */
  readonly scale: Float32Array;
  /** `[count, 128]` as `Features`. */
  readonly descriptors: Uint8Array;
  /** `[looks + 1]` the first of each look, and the end. */
  readonly first: Uint32Array;
};

type Look = { readonly tilt: number; readonly turnRad: number };

const LOOKS: readonly Look[] = TILTS.flatMap((tilt) => {
  const looks: Look[] = [];
  for (let deg = 0; deg < 180; deg += TURN_STEP_DEG / tilt) looks.push({ tilt, turnRad: (deg * Math.PI) / 180 });
  return looks;
});

/** @param breathe awaited between looks; lets a cancellation in */
export async function extractSlants(
  extractor: Extractor,
  picture: Grey,
  breathe: () => Promise<void>,
): Promise<Slants> {
  const found: { x: number[]; y: number[]; scale: number[]; rows: Uint8Array[] } = {
    x: [],
    y: [],
    scale: [],
    rows: [],
  };
  const first = new Uint32Array(LOOKS.length + 1);
  for (const [index, look] of LOOKS.entries()) {
    if (index > 0) await breathe();
    const { rgb, widthPx, heightPx, back } = slanted(picture, look);
    const features = extractor.extract(rgb, widthPx, heightPx, { maxFeatures: MAX_FEATURES });
    for (let i = 0; i < features.count; i++) {
      const [x, y] = back(features.x[i], features.y[i]);
      const reach = REACH * features.scale[i];
      if (x < reach || y < reach || x > picture.widthPx - reach || y > picture.heightPx - reach) continue;
      found.x.push(x);
      found.y.push(y);
      found.scale.push(features.scale[i] * look.tilt);
      found.rows.push(features.descriptors.subarray(128 * i, 128 * i + 128));
    }
    first[index + 1] = found.x.length;
  }
  return allocated(found, first);
}

type Slanted = {
  /** `[heightPx, widthPx, 3]`, grey: as the extractor takes photos. */
  readonly rgb: Uint8Array;
  readonly widthPx: number;
  readonly heightPx: number;
  /** Where a place in it is in the picture. */
  readonly back: (x: number, y: number) => readonly [x: number, y: number];
};

/** Turned, blurred along the new x and narrowed by the tilt; grey 0 where the picture has nothing. */
export function slanted(picture: Grey, { tilt, turnRad }: Look): Slanted {
  const [cos, sin] = [Math.cos(turnRad), Math.sin(turnRad)];
  const { widthPx: w, heightPx: h } = picture;
  const corners = [0, 1, 2, 3].map((k) => [(k & 1) * w, (k >> 1) * h]);
  const left = Math.min(...corners.map(([x, y]) => cos * x - sin * y));
  const top = Math.min(...corners.map(([x, y]) => sin * x + cos * y));
  const turnedWidth = Math.ceil(Math.max(...corners.map(([x, y]) => cos * x - sin * y)) - left);
  const heightPx = Math.ceil(Math.max(...corners.map(([x, y]) => sin * x + cos * y)) - top);
  const widthPx = Math.max(1, Math.floor(turnedWidth / tilt));
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  const taps = tapsOf(blurOf(tilt));
  const reach = taps[0].length / 2 - 1;
  // The row with room on both sides, so that the blur need not ask where it is.
  const row = new Float64Array(turnedWidth + taps[0].length);
  for (let y = 0; y < heightPx; y++) {
    row.fill(0);
    const { from, to } = turnRow(picture, row.subarray(reach, reach + turnedWidth), left, y + 0.5 + top, cos, sin);
    const end = Math.min(widthPx, Math.ceil((to + reach) / tilt));
    for (let x = Math.max(0, Math.floor((from - reach) / tilt)); x < end; x++) {
      const at = (x + 0.5) * tilt - 0.5;
      const whole = Math.floor(at);
      const between = taps[Math.floor((at - whole) * PHASES)];
      let sum = 0;
      for (let k = 0; k < between.length; k++) sum += between[k] * row[whole + k];
      const to = 3 * (y * widthPx + x);
      rgb[to] = rgb[to + 1] = rgb[to + 2] = sum + 0.5;
    }
  }
  const back = (x: number, y: number) => {
    const [u, v] = [x * tilt + left, y + top];
    return [cos * u + sin * v, cos * v - sin * u] as const;
  };
  return { rgb, widthPx, heightPx, back };
}

/**
 * One row of the turned picture, between pixels by bilinear interpolation.
 * @returns where the picture has something; elsewhere the row stays as it is
 */
function turnRow(
  { grey, widthPx, heightPx }: Grey,
  row: Float64Array,
  left: number,
  v: number,
  cos: number,
  sin: number,
): { from: number; to: number } {
  // Pixel i is at (x0 + i cos, y0 − i sin), counted from the middle of the first pixel.
  const x0 = cos * (left + 0.5) + sin * v - 0.5;
  const y0 = cos * v - sin * (left + 0.5) - 0.5;
  const [fromX, toX] = within(x0, cos, widthPx - 1);
  const [fromY, toY] = within(y0, -sin, heightPx - 1);
  const from = Math.max(0, Math.ceil(Math.max(fromX, fromY)));
  const to = Math.min(row.length, Math.floor(Math.min(toX, toY)) + 1);
  for (let i = from; i < to; i++) {
    const x = x0 + i * cos;
    const y = y0 - i * sin;
    const column = Math.min(widthPx - 2, x | 0);
    const line = Math.min(heightPx - 2, y | 0);
    const p = x - column;
    const at = line * widthPx + column;
    const upper = grey[at] + p * (grey[at + 1] - grey[at]);
    const lower = grey[at + widthPx] + p * (grey[at + widthPx + 1] - grey[at + widthPx]);
    row[i] = upper + (y - line) * (lower - upper);
  }
  return { from, to };
}

/** For which i start + i step is from 0 to most, or beyond by no more than rounding. */
function within(start: number, step: number, most: number): readonly [from: number, to: number] {
  const [least, end] = [-ROUNDING_PX, most + ROUNDING_PX];
  if (Math.abs(step) < 1e-9) {
    return start >= least && start <= end ? [-Infinity, Infinity] : [Infinity, -Infinity];
  }
  const [p, q] = [(least - start) / step, (end - start) / step];
  return [Math.min(p, q), Math.max(p, q)];
}

/** A whole Gaussian about each of some places between two taps; each sums to 1. */
function tapsOf(sigma: number): readonly Float64Array[] {
  const reach = Math.ceil(BLUR_SIGMAS * sigma);
  return Array.from({ length: PHASES }, (_, phase) => {
    const middle = reach + (phase + 0.5) / PHASES;
    const length = 2 * reach + 2;
    const taps = Float64Array.from({ length }, (_, k) => Math.exp(-((k - middle) ** 2) / (2 * sigma ** 2)));
    const sum = taps.reduce((total, tap) => total + tap, 0);
    return taps.map((tap) => tap / sum);
  });
}

/** All arrays in one shared buffer: threads read the same bytes. */
function allocated(
  found: { readonly x: number[]; readonly y: number[]; readonly scale: number[]; readonly rows: readonly Uint8Array[] },
  first: Uint32Array,
): Slants {
  const count = found.x.length;
  const buffer = new SharedArrayBuffer(count * (3 * 4 + 128));
  const floats = (index: number, values: readonly number[]) => {
    const array = new Float32Array(buffer, 4 * count * index, count);
    array.set(values);
    return array;
  };
  const [x, y, scale] = [floats(0, found.x), floats(1, found.y), floats(2, found.scale)];
  const descriptors = new Uint8Array(buffer, 12 * count, 128 * count);
  for (const [i, row] of found.rows.entries()) descriptors.set(row, 128 * i);
  return { count, x, y, scale, descriptors, first };
}
