/**
 * Seeded randomness: a number stream for placing things, and smooth 3D value noise for shapes and surfaces.
 * All of it is integer hashing and polynomials, so every machine gets the same picture.
 */

/** A stream of numbers in [0, 1). Source: mulberry32, public domain. */
export function randomStream(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number in [0, 1) that belongs to three integers. */
export function hash01(a: number, b: number, c: number): number {
  let h = Math.imul(a, 0x8da6b343) ^ Math.imul(b, 0xd8163841) ^ Math.imul(c, 0xcb1ab31f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}

const PERMUTATION = new Uint8Array(1024);
const VALUE = new Float64Array(256);
{
  const random = randomStream(20_261);
  const order = Array.from({ length: 256 }, (_, i) => i);
  for (let i = 255; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  for (let i = 0; i < 1024; i++) PERMUTATION[i] = order[i & 255];
  for (let i = 0; i < 256; i++) VALUE[i] = random() * 2 - 1;
}

/** Value and gradient of the noise last asked for by `noiseGrad`: `[value, d/dx, d/dy, d/dz]`. */
export const sample = new Float64Array(4);

/** Smooth noise in [-1, 1] with unit lattice; leaves value and gradient in `sample`. Repeats every 256. */
export function noiseGrad(x: number, y: number, z: number): void {
  const fx = Math.floor(x);
  const fy = Math.floor(y);
  const fz = Math.floor(z);
  const u = x - fx;
  const v = y - fy;
  const w = z - fz;
  const i = fx & 255;
  const j = fy & 255;
  const k = fz & 255;
  const p00 = PERMUTATION[PERMUTATION[i] + j];
  const p10 = PERMUTATION[PERMUTATION[i + 1] + j];
  const p01 = PERMUTATION[PERMUTATION[i] + j + 1];
  const p11 = PERMUTATION[PERMUTATION[i + 1] + j + 1];
  const a = VALUE[PERMUTATION[p00 + k]];
  const b = VALUE[PERMUTATION[p10 + k]];
  const c = VALUE[PERMUTATION[p01 + k]];
  const d = VALUE[PERMUTATION[p11 + k]];
  const e = VALUE[PERMUTATION[p00 + k + 1]];
  const f = VALUE[PERMUTATION[p10 + k + 1]];
  const g = VALUE[PERMUTATION[p01 + k + 1]];
  const h = VALUE[PERMUTATION[p11 + k + 1]];
  const su = u * u * u * (u * (u * 6 - 15) + 10);
  const sv = v * v * v * (v * (v * 6 - 15) + 10);
  const sw = w * w * w * (w * (w * 6 - 15) + 10);
  const du = 30 * u * u * (u * (u - 2) + 1);
  const dv = 30 * v * v * (v * (v - 2) + 1);
  const dw = 30 * w * w * (w * (w - 2) + 1);
  const k1 = b - a;
  const k2 = c - a;
  const k3 = e - a;
  const k4 = a - b - c + d;
  const k5 = a - c - e + g;
  const k6 = a - b - e + f;
  const k7 = b + c + e + h - a - d - f - g;
  sample[0] = a + k1 * su + k2 * sv + k3 * sw + k4 * su * sv + k5 * sv * sw + k6 * sw * su + k7 * su * sv * sw;
  sample[1] = du * (k1 + k4 * sv + k6 * sw + k7 * sv * sw);
  sample[2] = dv * (k2 + k5 * sw + k4 * su + k7 * sw * su);
  sample[3] = dw * (k3 + k6 * su + k5 * sv + k7 * su * sv);
}

/** Smooth noise in [-1, 1]. */
export function noise(x: number, y: number, z: number): number {
  noiseGrad(x, y, z);
  return sample[0];
}

/** Several octaves of noise, each about half as long and `gain` as strong; the axes change places so that lattices don't align. */
export function fractal(x: number, y: number, z: number, octaves: number, gain = 0.5): number {
  let sum = 0;
  let strength = 1;
  for (let octave = 0; octave < octaves; octave++) {
    sum += strength * noise(x, y, z);
    strength *= gain;
    const px = x;
    x = y * 2.03 + 17.3;
    y = z * 2.03 - 9.1;
    z = px * 2.03 + 5.7;
  }
  return sum;
}

/** 0 below `a`, 1 above `b`, smooth between. */
export function smoothstep(a: number, b: number, x: number): number {
  const t = Math.min(1, Math.max(0, (x - a) / (b - a)));
  return t * t * (3 - 2 * t);
}
