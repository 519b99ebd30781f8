/**
 * A place that can be photographed: textured rectangles, seen by any pinhole camera, in a few dozen milliseconds. For
 * tests of what real kernels make of photos that are not as they should be; poses are known exactly.
 */
import { type Random, seededRandom } from "@cairn/geometry";
import type { Photo } from "../engine.ts";
import { cross, dot, unit, type Vec } from "./look-at.ts";

/** A picture `[side, side]` of grey levels that repeats, on a rectangle `corner + s · along + t · up`, s and t in 0…1. */
export type Board = {
  readonly corner: Vec;
  readonly along: Vec;
  readonly up: Vec;
  readonly texture: Float32Array;
  /** Repetitions of the picture. */
  readonly tiles?: readonly [number, number];
};

export type Camera = {
  readonly eye: Vec;
  readonly target: Vec;
  /** Clockwise turn of the camera about its axis, quarter turns. */
  readonly quarters?: number;
  readonly widthPx?: number;
  readonly heightPx?: number;
  readonly focalPx?: number;
  /** Light that reaches the film, 1 is right. */
  readonly exposure?: number;
  /** Length of the smear in pixels, along the rows. */
  readonly smearPx?: number;
};

const SIDE = 512;
export const WIDTH_PX = 640;
export const HEIGHT_PX = 480;
export const FOCAL_PX = 560;

/** Blobs of all sizes, dark and bright. */
export function blobs(seed: number, count = 1400): Float32Array {
  const random = seededRandom(seed);
  const picture = new Float32Array(SIDE * SIDE).fill(0.5);
  for (let i = 0; i < count; i++) {
    const [x, y] = [random() * SIDE, random() * SIDE];
    const sigma = 1.6 * 10 ** (random() ** 2);
    const height = (random() < 0.5 ? -1 : 1) * (0.25 + 0.3 * random());
    const stretch = 0.5 + random();
    const reach = Math.ceil(3 * sigma * Math.max(1, 1 / stretch));
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const at = wrapped(Math.floor(y) + dy) * SIDE + wrapped(Math.floor(x) + dx);
        picture[at] += height * Math.exp(-(dx * dx + dy * dy * stretch * stretch) / (2 * sigma * sigma));
      }
    }
  }
  return picture.map((value) => Math.min(0.95, Math.max(0.05, value)));
}

/** Two walls that meet, the ground, and boxes before them; 8 wide, 5 high, 6 deep. */
export function room(seed: number): Board[] {
  const wall = (corner: Vec, along: Vec, up: Vec, k: number): Board => ({
    corner,
    along,
    up,
    texture: blobs(seed * 100 + k),
  });
  return [
    wall([-4, -3, 3], [8, 0, 0], [0, 5, 0], 1),
    wall([-4, -3, -3], [0, 0, 6], [0, 5, 0], 2),
    wall([-4, 2, -3], [8, 0, 0], [0, 0, 6], 3),
    ...box([-2.2, 0.4, 0.8], 1.3, seed * 100 + 10),
    ...box([0.2, 0.8, 0.2], 1.1, seed * 100 + 20),
    ...box([1.8, 0.1, 1.6], 1.5, seed * 100 + 30),
  ];
}

/** The three sides of a cube that are seen from the front: before, left, above. */
export function box([x, y, z]: Vec, edge: number, seed: number): Board[] {
  return [
    { corner: [x, y, z], along: [edge, 0, 0], up: [0, edge, 0], texture: blobs(seed, 500) },
    { corner: [x, y, z], along: [0, 0, edge], up: [0, edge, 0], texture: blobs(seed + 1, 500) },
    { corner: [x, y, z], along: [edge, 0, 0], up: [0, 0, edge], texture: blobs(seed + 2, 500) },
    { corner: [x + edge, y, z], along: [0, 0, edge], up: [0, edge, 0], texture: blobs(seed + 3, 500) },
  ];
}

/** `n` cameras side by side before the place, all looking at its middle. */
export function walk(n: number, from = -1.5, to = 1.5): Camera[] {
  return Array.from({ length: n }, (_, i) => {
    const x = from + ((to - from) * i) / Math.max(1, n - 1);
    return { eye: [x, -0.2 + 0.15 * (i % 2), -4.5], target: [0.4 * x, 0, 1.5] };
  });
}

/** Rows x, y, z of a camera's cameraFromWorld rotation. */
export function rowsOf({ eye, target, quarters = 0 }: Camera): [Vec, Vec, Vec] {
  const z = unit([target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]]);
  let x = unit([z[2], 0, -z[0]]);
  let y: Vec = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0]];
  for (let q = 0; q < quarters; q++) [x, y] = [y, [-x[0], -x[1], -x[2]]];
  return [x, y, z];
}

/** The photo of a camera; what it sees past all boards is a plain sky. */
export function photographOf(boards: readonly Board[], camera: Camera, image: string, random: Random): Photo {
  const { widthPx = WIDTH_PX, heightPx = HEIGHT_PX, focalPx = FOCAL_PX, exposure = 1, smearPx = 0, eye } = camera;
  const [x, y, z] = rowsOf(camera);
  const light = new Float32Array(widthPx * heightPx);
  const planes = boards.map((board) => planeOf(board, eye));
  for (let row = 0; row < heightPx; row++) {
    for (let column = 0; column < widthPx; column++) {
      const u = (column + 0.5 - widthPx / 2) / focalPx;
      const v = (row + 0.5 - heightPx / 2) / focalPx;
      const d0 = u * x[0] + v * y[0] + z[0];
      const d1 = u * x[1] + v * y[1] + z[1];
      const d2 = u * x[2] + v * y[2] + z[2];
      let nearest = Infinity;
      let value = 0.8;
      for (const plane of planes) {
        const t = plane.distance / (d0 * plane.n0 + d1 * plane.n1 + d2 * plane.n2);
        if (!(t > 0.05 && t < nearest)) continue;
        const s = plane.s + t * (d0 * plane.s0 + d1 * plane.s1 + d2 * plane.s2);
        if (s < 0 || s > 1) continue;
        const w = plane.w + t * (d0 * plane.w0 + d1 * plane.w1 + d2 * plane.w2);
        if (w < 0 || w > 1) continue;
        nearest = t;
        value = sampled(plane.texture, s * plane.across, w * plane.down);
      }
      light[row * widthPx + column] = value;
    }
  }
  const seen = smearPx > 0 ? smeared(light, widthPx, heightPx, smearPx) : light;
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let i = 0; i < seen.length; i++) {
    const noise = 1.5 * (random() + random() - 1);
    // Film is about as steep as a square root; too much light burns out.
    const value = Math.min(255, Math.max(0, Math.round(255 * Math.sqrt(exposure) * seen[i] + noise)));
    rgb[3 * i] = value;
    rgb[3 * i + 1] = value;
    rgb[3 * i + 2] = value;
  }
  const size = { widthPx, heightPx, fullWidthPx: widthPx, fullHeightPx: heightPx };
  return { image, name: `${image}.jpg`, digest: image, rgb, ...size };
}

function planeOf({ corner, along, up, texture, tiles = [1, 1] }: Board, eye: Vec) {
  const [n0, n1, n2] = cross(along, up);
  const to: Vec = [corner[0] - eye[0], corner[1] - eye[1], corner[2] - eye[2]];
  const [s0, s1, s2] = along.map((a) => a / dot(along, along));
  const [w0, w1, w2] = up.map((a) => a / dot(up, up));
  return {
    distance: dot([n0, n1, n2], to),
    ...{ n0, n1, n2, s0, s1, s2, w0, w1, w2 },
    s: -dot([s0, s1, s2], to),
    w: -dot([w0, w1, w2], to),
    texture,
    across: tiles[0] * SIDE,
    down: tiles[1] * SIDE,
  };
}

/** Bilinear, and around the edges. */
function sampled(picture: Float32Array, x: number, y: number): number {
  const [i, j] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - i, y - j];
  const [a, b] = [wrapped(j) * SIDE, wrapped(j + 1) * SIDE];
  const [p, q] = [wrapped(i), wrapped(i + 1)];
  return (
    (1 - fy) * ((1 - fx) * picture[a + p] + fx * picture[a + q]) +
    fy * ((1 - fx) * picture[b + p] + fx * picture[b + q])
  );
}

function smeared(light: Float32Array, widthPx: number, heightPx: number, smearPx: number): Float32Array {
  const half = Math.round(smearPx / 2);
  const out = new Float32Array(light.length);
  for (let row = 0; row < heightPx; row++) {
    for (let column = 0; column < widthPx; column++) {
      let sum = 0;
      for (let dy = -half; dy <= half; dy += 2) {
        for (let dx = -half; dx <= half; dx += 2) {
          const r = Math.min(heightPx - 1, Math.max(0, row + dy));
          const c = Math.min(widthPx - 1, Math.max(0, column + dx));
          sum += light[r * widthPx + c];
        }
      }
      out[row * widthPx + column] = sum / (Math.floor((2 * half) / 2) + 1) ** 2;
    }
  }
  return out;
}

const wrapped = (i: number): number => ((i % SIDE) + SIDE) % SIDE;
