/**
 * Whether a photo shows the same thing many times over: windows of a façade, tiles. Such features are no good as
 * matches, for the second best is as good as the best, and what is left looks like too little overlap.
 */
import type { Features } from "../features/features.ts";

const SAMPLES = 60;
/** Squared length of a descriptor. */
const SQUARE = 512 ** 2;
/**
 * Descriptors this alike show the same thing: their cosine. Measured on the photos of six sets and on drawn ones:
 * the nearest other feature of a photo is under it for 9 of 10 features, and over it for most on a tiled wall.
 */
const SAME_COSINE = 0.95;
const REPEATED_SHARE = 0.5;
/** One thing may give several features; another copy of it lies farther away. */
const APART_PX = 12;

export function looksRepetitive(features: Features): boolean {
  return repeatedShare(features) >= REPEATED_SHARE;
}

/** Share, 0…1, of a photo's features that look like another one of the same photo. */
export function repeatedShare({ count, x, y, descriptors }: Features): number {
  if (count < SAMPLES) return 0;
  const step = Math.floor(count / SAMPLES);
  let repeated = 0;
  for (let s = 0; s < SAMPLES; s++) {
    const i = s * step;
    let best = 0;
    for (let j = 0; j < count; j++) {
      if (Math.abs(x[j] - x[i]) < APART_PX && Math.abs(y[j] - y[i]) < APART_PX) continue;
      let dot = 0;
      for (let k = 0; k < 128; k++) dot += descriptors[128 * i + k] * descriptors[128 * j + k];
      if (dot > best) best = dot;
    }
    if (best >= SAME_COSINE * SQUARE) repeated++;
  }
  return repeated / SAMPLES;
}
