/** How things look: colour and fine relief of each material, all from noise in space, so that it is the same from every side. */

import { offPath } from "./ground.ts";
import { BLADE, FLOWER, STONE } from "./mesh.ts";
import { fractal, hash01, noise, noiseGrad, sample, smoothstep } from "./noise.ts";
import { stoneOffset } from "./scene.ts";

/** Linear r, g, b and the normal at the place last painted. */
export const paint = { r: 0, g: 0, b: 0, nx: 0, ny: 0, nz: 0 };

const ROCKS = [
  [0.4, 0.375, 0.33],
  [0.47, 0.385, 0.28],
  [0.31, 0.305, 0.3],
  [0.44, 0.33, 0.25],
  [0.5, 0.465, 0.4],
];

function mix(r: number, g: number, b: number, t: number): void {
  paint.r += (r - paint.r) * t;
  paint.g += (g - paint.g) * t;
  paint.b += (b - paint.b) * t;
}

/** Leaves colour and normal in `paint`. `owner` as in `Mesh.owners`; normal unit, facing the viewer; metres. */
export function paintAt(owner: number, x: number, y: number, z: number, nx: number, ny: number, nz: number): void {
  paint.nx = nx;
  paint.ny = ny;
  paint.nz = nz;
  const material = owner & 3;
  const thing = owner >>> 2;
  if (material === STONE) paintStone(thing, x, y, z);
  else if (material === BLADE) paintBlade(thing, x, z);
  else if (material === FLOWER) {
    const kind = hash01(thing, 5, 1);
    paint.r = kind < 0.45 ? 0.8 : 0.78;
    paint.g = kind < 0.45 ? 0.78 : kind < 0.8 ? 0.56 : 0.4;
    paint.b = kind < 0.45 ? 0.72 : kind < 0.8 ? 0.06 : 0.62;
  } else paintGround(x, y, z);
}

let reliefX = 0;
let reliefY = 0;
let reliefZ = 0;

/** Adds an octave to the relief; answers its value. */
function relief(x: number, y: number, z: number, frequency: number, strength: number): number {
  noiseGrad(x * frequency, y * frequency, z * frequency);
  reliefX += sample[1] * strength;
  reliefY += sample[2] * strength;
  reliefZ += sample[3] * strength;
  return sample[0];
}

function tilt(): void {
  const along = reliefX * paint.nx + reliefY * paint.ny + reliefZ * paint.nz;
  const x = paint.nx - (reliefX - along * paint.nx);
  const y = paint.ny - (reliefY - along * paint.ny);
  const z = paint.nz - (reliefZ - along * paint.nz);
  const length = Math.hypot(x, y, z);
  paint.nx = x / length;
  paint.ny = y / length;
  paint.nz = z / length;
}

function paintStone(stone: number, wx: number, wy: number, wz: number): void {
  const [ox, oy, oz] = stoneOffset(stone);
  const x = wx + ox;
  const y = wy + oy;
  const z = wz + oz;
  const up = paint.ny;
  const rock = ROCKS[Math.floor(hash01(stone, 1, 2) * ROCKS.length)];
  const shade = 0.78 + 0.4 * hash01(stone, 3, 4);
  reliefX = reliefY = reliefZ = 0;
  const broad = relief(x, y, z, 5, 0.1);
  const middle = relief(y, z, x, 14, 0) * 0.6 + relief(x, z, y, 23, 0) * 0.5;
  const coarse = relief(x, y, z, 37, 0.2);
  const grain = relief(x, y, z, 83, 0.22);
  const fine = relief(x, y, z, 171, 0.12);
  const strata = noise(x * 3 + broad, y * 26 + broad * 2.2, z * 3) * (hash01(stone, 8, 8) < 0.5 ? 0.16 : 0.03);
  const tone = shade * (1 + 0.24 * broad + 0.26 * middle + 0.26 * coarse + 0.22 * grain + 0.16 * fine + strata);
  paint.r = rock[0] * tone;
  paint.g = rock[1] * tone;
  paint.b = rock[2] * tone;
  // Iron stains, then cracks where the noise crosses zero.
  mix(0.36, 0.19, 0.08, 0.5 * smoothstep(0.25, 0.8, noise(x * 2.7, y * 2.7, z * 2.7 + 40) + 0.3 * middle));
  const crack = Math.abs(noise(x * 6 + 0.4 * middle, y * 6, z * 6 + 11) + 0.2 * coarse);
  mix(
    0.05,
    0.043,
    0.036,
    0.8 * (1 - smoothstep(0.008, 0.035, crack)) * smoothstep(0, 0.4, noise(x * 3, y * 3 + 9, z * 3)),
  );
  if (fine + grain > 1.0) mix(0.72, 0.69, 0.63, 0.6);
  else if (fine + grain < -1.0) mix(0.06, 0.055, 0.05, 0.6);
  lichen(x, y, z, up, hash01(stone, 6, 7), coarse);
  const damp = smoothstep(
    0.15,
    0.75,
    up * 0.55 + 0.75 * fractal(wx * 2.1, wy * 2.1 + 30, wz * 2.1, 3) - 0.25 * wy + 0.12,
  );
  const green = 0.75 + 0.5 * grain;
  mix(0.115 * green, 0.135 * green, 0.035 * green, 0.85 * damp);
  tilt();
}

/** Rosettes of crust lichen, pale grey-green or orange, ragged at the rim. */
function lichen(x: number, y: number, z: number, up: number, amount: number, ragged: number): void {
  const patch = noise(x * 2.3, y * 2.3 + 60, z * 2.3) + 0.35 * up + amount * 0.9 - 0.55;
  if (patch < 0) return;
  for (let scale = 0; scale < 2; scale++) {
    const f = scale === 0 ? 9 : 21;
    const ix = Math.round(x * f);
    const iy = Math.round(y * f);
    const iz = Math.round(z * f);
    for (let c = 0; c < 8; c++) {
      const cx = ix - (c & 1);
      const cy = iy - ((c >> 1) & 1);
      const cz = iz - (c >> 2);
      const h = hash01(cx * 2 + scale, cy, cz);
      if (h > 0.5) continue;
      const dx = x * f - cx - 0.5 - (hash01(cx, cy, cz + 900) - 0.5) * 0.6;
      const dy = y * f - cy - 0.5 - (hash01(cx, cy + 900, cz) - 0.5) * 0.6;
      const dz = z * f - cz - 0.5 - (hash01(cx + 900, cy, cz) - 0.5) * 0.6;
      const r = 0.16 + 0.3 * h + 0.1 * Math.min(patch, 1);
      const distance = Math.hypot(dx, dy, dz) * (1 + 0.3 * ragged);
      if (distance > r) continue;
      const rim = 0.8 + 0.35 * smoothstep(0.3, 0.95, distance / r) + 0.22 * ragged;
      const cover = 0.82 * smoothstep(r, r * 0.85, distance);
      if (hash01(cx, cz, cy) < 0.22) mix(0.52 * rim, 0.29 * rim, 0.045 * rim, cover);
      else if (hash01(cz, cx, cy) < 0.3) mix(0.12 * rim, 0.12 * rim, 0.11 * rim, cover * 0.8);
      else mix(0.5 * rim, 0.52 * rim, 0.42 * rim, cover);
    }
  }
}

function paintBlade(tuft: number, x: number, z: number): void {
  const kind = hash01(tuft, 2, 9);
  const dry = smoothstep(0.1, 0.9, fractal(x * 0.5, 7.7, z * 0.5, 3) + kind - 0.45);
  const shade = 0.75 + 0.55 * hash01(tuft, 4, 4);
  paint.r = (0.12 + 0.25 * dry) * shade;
  paint.g = (0.19 + 0.12 * dry) * shade;
  paint.b = (0.04 + 0.055 * dry) * shade;
}

function paintGround(x: number, y: number, z: number): void {
  const distance = Math.hypot(x, z);
  reliefX = reliefY = reliefZ = 0;
  const patches = fractal(x * 0.55, 7.7, z * 0.55, 4);
  if (distance > 30) {
    const heath = fractal(x * 0.05, y * 0.05, z * 0.05, 5, 0.62);
    const tufts = fractal(x * 0.55, y * 0.55, z * 0.55, 3, 0.7);
    const tone = 1 + 0.32 * heath + 0.3 * tufts;
    paint.r = 0.13 * tone;
    paint.g = 0.15 * tone;
    paint.b = 0.052 * tone;
    mix(
      0.15 * tone,
      0.1 * tone,
      0.085 * tone,
      smoothstep(-0.1, 0.7, fractal(x * 0.021, 3, z * 0.021, 4) + 0.25 * tufts),
    );
    const rocky = smoothstep(0.42, 0.62, fractal(x * 0.06, y * 0.13, z * 0.06, 5, 0.6) + 0.22 * tufts - 0.1);
    mix(0.23 * tone, 0.215 * tone, 0.19 * tone, rocky * 0.85);
    return;
  }
  const coarse = relief(x, y, z, 17, 0.16);
  const grain = relief(x, y, z, 53, 0.28);
  const fine = relief(x, y, z, 131, 0.22);
  const tone = 1 + 0.3 * coarse + 0.36 * grain + 0.26 * fine;
  paint.r = 0.105 * tone;
  paint.g = 0.145 * tone;
  paint.b = 0.035 * tone;
  mix(0.27 * tone, 0.24 * tone, 0.105 * tone, smoothstep(-0.2, 0.8, patches + 0.3 * coarse));
  const bare = 1 - offPath(x, z) + smoothstep(0.25, 0.6, fractal(x * 1.3 + 8, 1.1, z * 1.3, 4) + 0.2 * coarse);
  mix(0.25 * tone, 0.19 * tone, 0.125 * tone, Math.min(1, bare) * 0.92);
  if (bare > 0.3 && fine + 0.7 * grain > 0.75) mix(0.47, 0.44, 0.39, 0.6);
  tilt();
}
