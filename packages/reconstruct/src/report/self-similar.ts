/**
 * Whether a photo shows the same thing many times over: windows of a façade, tiles. Such features are no good as
 * matches, for the second best is as good as the best, and what is left looks like too little overlap.
 */
import type { Features } from "../features/features.ts";

const SAMPLES = 32;
/**
 * Descriptors this alike show the same thing: their cosine. Measured on the photos of six sets and on drawn ones:
 * the nearest other feature of a photo is under it for 9 of 10 features, and over it for most on a tiled wall.
 */
const SAME_COSINE = 0.95;
const REPEATED_SHARE = 0.5;
/** One thing may give several features; another copy of it lies farther away. */
const APART_PX = 12;

const known = new WeakMap<Features, boolean>();

/** Worked out once for each photo: some 20 ms for one of 4000 features. */
export function looksRepetitive(features: Features): boolean {
  let repetitive = known.get(features);
  if (repetitive === undefined) {
    repetitive = repeatedShare(features) >= REPEATED_SHARE;
    known.set(features, repetitive);
  }
  return repetitive;
}

/** Share, 0…1, of a sample of a photo's features that look like another one of the same photo. */
function repeatedShare({ count, x, y, descriptors }: Features): number {
  if (count < SAMPLES) return 0;
  const step = Math.floor(count / SAMPLES);
  const lengths = Float64Array.from({ length: count }, (_, row) => lengthOf(descriptors, row));
  let repeated = 0;
  for (let s = 0; s < SAMPLES; s++) {
    const i = s * step;
    for (let j = 0; j < count; j++) {
      if (Math.abs(x[j] - x[i]) < APART_PX && Math.abs(y[j] - y[i]) < APART_PX) continue;
      // By the law of cosines: nearer than this is under the angle.
      const limit = lengths[i] ** 2 + lengths[j] ** 2 - 2 * SAME_COSINE * lengths[i] * lengths[j];
      if (!nearer(descriptors, 128 * i, 128 * j, limit)) continue;
      repeated++;
      break;
    }
  }
  return repeated / SAMPLES;
}

function lengthOf(descriptors: Uint8Array, row: number): number {
  let square = 0;
  for (let k = 0; k < 128; k++) square += descriptors[128 * row + k] ** 2;
  return Math.sqrt(square);
}

/** Most differ enough in the first few dimensions: the rest need not be looked at. */
function nearer(descriptors: Uint8Array, a: number, b: number, limitSquare: number): boolean {
  let square = 0;
  for (let k = 0; k < 128; k += 8) {
    for (let at = k; at < k + 8; at++) {
      const difference = descriptors[a + at] - descriptors[b + at];
      square += difference * difference;
    }
    if (square > limitSquare) return false;
  }
  return true;
}
