/**
 * For tests and benchmarks: how a camera that stands turned, picture by picture. Nothing is far enough from anything for
 * a model, but hundreds of features together tell a turn of a thousandth of a degree.
 */
import { normalisedFromPixels, rotationFromVector } from "@cairn/geometry";
import { type Extractor, openExtractor } from "../features/extractor.ts";
import type { Features } from "../features/features.ts";
import { openMatcher } from "../features/matcher.ts";

type Picture =
  Parameters<Extractor["extract"]> extends [infer A, ...unknown[]]
    ? { readonly rgb: A; readonly widthPx: number; readonly heightPx: number }
    : never;

const ROUNDS = 10;

/**
 * @param calibration as geometry has it: fx, fy, cx, cy, k1, k2
 * @returns `[12]` each, cameraFromWorld, the world being the camera at the middle picture
 */
export function standingPoses(pictures: readonly Picture[], calibration: Float64Array): Float64Array[] {
  const extractor = openExtractor();
  const matcher = openMatcher();
  const seen = pictures.map((each) => extractor.extract(each.rgb, each.widthPx, each.heightPx, { maxFeatures: 500 }));
  const rays = seen.map((features) => raysOf(features, calibration));
  const middle = seen.length >> 1;
  return seen.map((features, k) => poseOf(matcher.match(seen[middle], features), rays[middle], rays[k]));
}

function raysOf({ count, x, y }: Features, calibration: Float64Array): Float64Array {
  const pixels = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) pixels.set([x[i], y[i]], 2 * i);
  return normalisedFromPixels(calibration, pixels);
}

/** The turn v for which x' − x = J v, those far off counting less and less (Geman and McClure). */
function poseOf(pairs: Uint32Array, before: Float64Array, after: Float64Array): Float64Array {
  let v: number[] = [0, 0, 0];
  let usual = 1e-3;
  for (let round = 0; round < ROUNDS; round++) {
    const [normal, right] = [new Float64Array(9), new Float64Array(3)];
    const left: number[] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const [p, q] = [2 * pairs[i], 2 * pairs[i + 1]];
      const [x, y] = [before[p], before[p + 1]];
      const jacobian = [
        [-x * y, 1 + x * x, -y],
        [-(1 + y * y), x * y, x],
      ];
      for (const [axis, j] of jacobian.entries()) {
        const moved = after[q + axis] - before[p + axis];
        const rest = moved - j[0] * v[0] - j[1] * v[1] - j[2] * v[2];
        const weight = 1 / (1 + (rest / (2 * usual)) ** 2) ** 2;
        left.push(Math.abs(rest));
        for (let a = 0; a < 3; a++) {
          right[a] += weight * j[a] * moved;
          for (let b = 0; b < 3; b++) normal[3 * a + b] += weight * j[a] * j[b];
        }
      }
    }
    v = solved(normal, right);
    usual = Math.max(1e-5, left.sort((a, b) => a - b)[left.length >> 1]);
  }
  const r = rotationFromVector(v[0], v[1], v[2]);
  return Float64Array.of(r[0], r[1], r[2], 0, r[3], r[4], r[5], 0, r[6], r[7], r[8], 0);
}

/** Cramer's rule. */
function solved(a: Float64Array, b: Float64Array): number[] {
  const determinant = (m: Float64Array) =>
    m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
  return [0, 1, 2].map((column) => {
    const replaced = a.slice();
    for (let row = 0; row < 3; row++) replaced[3 * row + column] = b[row];
    return determinant(replaced) / determinant(a);
  });
}
