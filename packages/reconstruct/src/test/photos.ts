/** Photos for the tests of features: drawn ones, exact by construction, and the reference sets where they are at hand. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

type Rgb = { readonly rgb: Uint8Array; readonly widthPx: number; readonly heightPx: number };

/** A surface to photograph: grey, 0 to 1, at any place; smooth enough to be sampled at whole pixels. */
type Surface = (x: number, y: number) => number;

/** Overlapping soft discs of many sizes at seeded places. */
export function discs(count: number, sizePx: number, seed: number): Surface {
  const random = randoms(seed);
  const places = Array.from({ length: count }, () => ({
    x: (random() * 1.6 - 0.3) * sizePx,
    y: (random() * 1.6 - 0.3) * sizePx,
    sigma: 2 * 8 ** random(),
    stretch: 0.5 + random(),
    height: random() < 0.5 ? 0.35 : -0.35,
  }));
  return (x, y) => {
    let value = 0.5;
    for (const disc of places) {
      const dx = x - disc.x;
      const dy = (y - disc.y) * disc.stretch;
      const reach = 4 * disc.sigma;
      if (Math.abs(dx) > reach || Math.abs(dy) > reach) continue;
      value += disc.height * Math.exp(-(dx * dx + dy * dy) / (2 * disc.sigma ** 2));
    }
    return value;
  };
}

/** Photographs a surface; `place` says which spot of it the pixel at (x, y) sees (first pixel's centre at 0.5). */
export function photograph(
  surface: Surface,
  widthPx: number,
  heightPx: number,
  place: (x: number, y: number) => readonly [number, number] = (x, y) => [x, y],
): Rgb {
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const value = Math.round(255 * Math.min(1, Math.max(0, surface(...place(x + 0.5, y + 0.5)))));
      rgb.fill(value, (y * widthPx + x) * 3, (y * widthPx + x + 1) * 3);
    }
  }
  return { rgb, widthPx, heightPx };
}

/** Uniform numbers from 0 to 1 (mulberry32). */
export function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The folder of a reference set; undefined where it is not at hand. */
export function dataset(name: string): URL | undefined {
  const beside = fileURLToPath(new URL("../../../../../shared/datasets/", import.meta.url));
  const path = `${process.env.CAIRN_DATASETS ?? beside}/${name}/`;
  return existsSync(path) ? new URL(`file://${path}`) : undefined;
}

export async function decode(file: URL): Promise<Rgb> {
  const { data, info } = await sharp(fileURLToPath(file)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { rgb: new Uint8Array(data), widthPx: info.width, heightPx: info.height };
}

type GroundTruth = { readonly R: readonly number[]; readonly t: readonly number[]; readonly K: readonly number[] };

/** Largest distance of a point to the other's epipolar line, pixels, both ways, by the set's `gt.json`. */
export function epipolarDistance(set: URL, first: number, second: number): (a: Point, b: Point) => number {
  const { poses } = JSON.parse(readFileSync(new URL("gt.json", set), "utf8")) as { poses: GroundTruth[] };
  const [p, q] = [poses[first], poses[second]];
  const rotation = multiply(q.R, transpose(p.R));
  const [x, y, z] = [0, 1, 2].map((row) => q.t[row] - dot(rotation.slice(3 * row, 3 * row + 3), p.t));
  const essential = multiply([0, -z, y, z, 0, -x, -y, x, 0], rotation);
  const fundamental = multiply(multiply(transpose(inverse(q.K)), essential), inverse(p.K));
  const other = transpose(fundamental);
  return (a, b) => Math.max(toLine(fundamental, a, b), toLine(other, b, a));
}

export type Point = readonly [number, number];

function toLine(fundamental: readonly number[], [x, y]: Point, [u, v]: Point): number {
  const [a, b, c] = [0, 3, 6].map((row) => fundamental[row] * x + fundamental[row + 1] * y + fundamental[row + 2]);
  return Math.abs(a * u + b * v + c) / Math.hypot(a, b);
}

/** Of a camera matrix whose centres of pixels are at whole numbers, as those of the sets are. */
function inverse(k: readonly number[]): number[] {
  return [1 / k[0], 0, -(k[2] + 0.5) / k[0], 0, 1 / k[4], -(k[5] + 0.5) / k[4], 0, 0, 1];
}

const transpose = (m: readonly number[]): number[] => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];
const dot = (a: readonly number[], b: readonly number[]): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const multiply = (a: readonly number[], b: readonly number[]): number[] =>
  [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => {
    const row = 3 * Math.floor(i / 3);
    return a[row] * b[i % 3] + a[row + 1] * b[3 + (i % 3)] + a[row + 2] * b[6 + (i % 3)];
  });
