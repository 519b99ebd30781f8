/** Drawn places of textured parallelograms, photographed exactly: the depth of each pixel is known. */
import type { DenseView } from "../dense/contract.ts";
import { cross, dot, lookAt, type Vec } from "./look-at.ts";
import { randoms } from "./photos.ts";

/** The points `corner + s · right + t · down`, s and t from 0 to 1. */
export type Sheet = {
  readonly corner: Vec;
  readonly right: Vec;
  readonly down: Vec;
  /** Brightness, 0 to 1, at (s, t). */
  readonly paint: (s: number, t: number) => number;
};

export type Camera = {
  readonly eye: Vec;
  readonly target: Vec;
  readonly widthPx?: number;
  readonly heightPx?: number;
  readonly focalPx?: number;
  /** The exposure: brightness times `gain` plus `offset`. */
  readonly gain?: number;
  readonly offset?: number;
};

export type Shown = {
  readonly view: DenseView;
  /** z at each pixel's centre; 0 where there is nothing. */
  readonly depths: Float32Array;
  /** Which sheet each pixel shows; -1 where there is nothing. */
  readonly sheets: Int8Array;
};

/** Brightness of a place where there is no sheet. */
const SKY = 0.85;
const TABLE = 4096;

/** Smooth noise of two grain sizes; the finer is `grain`, in s and t. */
export function noisePaint(seed: number, grain: number): Sheet["paint"] {
  const random = randoms(seed);
  const table = Float32Array.from({ length: TABLE }, () => random());
  const lattice = (i: number, j: number): number => table[(Math.imul(i, 73) + Math.imul(j, 1031)) & (TABLE - 1)];
  const smooth = (s: number, t: number): number => {
    const i = Math.floor(s);
    const j = Math.floor(t);
    const a = s - i;
    const b = t - j;
    const top = lattice(i, j) * (1 - a) + lattice(i + 1, j) * a;
    return top * (1 - b) + (lattice(i, j + 1) * (1 - a) + lattice(i + 1, j + 1) * a) * b;
  };
  return (s, t) => 0.1 + 0.5 * smooth(s / grain, t / grain) + 0.3 * smooth(s / grain / 2.7, t / grain / 2.7);
}

/** A photo of the sheets, four samples to a pixel; `index` becomes the view's. */
export function show(sheets: readonly Sheet[], index: number, camera: Camera): Shown {
  const { eye, target, widthPx = 160, heightPx = 120, focalPx = 150, gain = 1, offset = 0 } = camera;
  const rows = lookAt(eye, target);
  const rgb = new Uint8Array(new SharedArrayBuffer(widthPx * heightPx * 3));
  const depths = new Float32Array(widthPx * heightPx);
  const seen = new Int8Array(widthPx * heightPx);
  const [right, down, forward] = rows;
  const cast = (x: number, y: number): Hit => {
    const a = (x - widthPx / 2) / focalPx;
    const b = (y - heightPx / 2) / focalPx;
    const ray: Vec = [
      right[0] * a + down[0] * b + forward[0],
      right[1] * a + down[1] * b + forward[1],
      right[2] * a + down[2] * b + forward[2],
    ];
    return nearest(sheets, eye, ray);
  };
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const i = y * widthPx + x;
      const hit = cast(x + 0.5, y + 0.5);
      depths[i] = hit.depth;
      seen[i] = hit.sheet;
      let sum = 0;
      for (const dy of [0.25, 0.75]) for (const dx of [0.25, 0.75]) sum += cast(x + dx, y + dy).value;
      const value = Math.round(255 * (gain * (sum / 4) + offset));
      rgb.fill(Math.max(0, Math.min(255, value)), 3 * i, 3 * i + 3);
    }
  }
  const cameraFromWorld = Float64Array.from(rows.flatMap((row) => [...row, -dot(row, eye)]));
  const pinhole = [focalPx, focalPx, widthPx / 2, heightPx / 2] as const;
  return { view: { view: index, widthPx, heightPx, rgb, pinhole, cameraFromWorld }, depths, sheets: seen };
}

type Hit = { readonly depth: number; readonly sheet: number; readonly value: number };

/** `ray` has a z of 1 in the camera, so that the way along it is depth. */
function nearest(sheets: readonly Sheet[], eye: Vec, ray: Vec): Hit {
  let hit: Hit = { depth: 0, sheet: -1, value: SKY };
  for (const [sheet, { corner, right, down, paint }] of sheets.entries()) {
    const from = minus(eye, corner);
    const normal = cross(right, down);
    const depth = -dot(normal, from) / dot(normal, ray);
    if (!(depth > 0) || (hit.depth > 0 && depth >= hit.depth)) continue;
    const at: Vec = [from[0] + depth * ray[0], from[1] + depth * ray[1], from[2] + depth * ray[2]];
    const area = dot(normal, normal);
    const s = dot(cross(at, down), normal) / area;
    const t = dot(cross(right, at), normal) / area;
    if (s < 0 || t < 0 || s > 1 || t > 1) continue;
    hit = { depth, sheet, value: paint(s, t) };
  }
  return hit;
}

/** Rows x (right), y (down), z (forward) of a level camera. */
const minus = (a: Vec, b: Vec): Vec => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
