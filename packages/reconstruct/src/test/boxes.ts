/** A room-sized place of boxes on a floor before a wall, and exact depth maps of it, for tests of the dense stage. */
import { randomNormal, seededRandom } from "@cairn/geometry";
import type { DenseView, DepthMap, PosedDepth } from "../dense/contract.ts";
import { lookAt, type Vec } from "./look-at.ts";

type Box = { readonly low: Vec; readonly high: Vec };

/** y points down; the floor's top is at y = 1. What no ray meets is sky. */
export const BOXES: readonly Box[] = [
  { low: [-4, 1, -3], high: [4, 1.2, 4] },
  { low: [-3, -1.2, 2.5], high: [3, 1, 2.8] },
  { low: [-0.6, -0.1, 0], high: [0.5, 1, 1] },
  { low: [1, 0.3, -0.6], high: [1.7, 1, 0.2] },
];
/** A length to compare errors with. */
export const SCENE_SIZE = 5;

export type Spoil = {
  readonly seed: number;
  /** Standard deviation of the depth, as a part of it. */
  readonly noise?: number;
  /** Share of pixels with a depth that has nothing to do with the scene. */
  readonly wrong?: number;
  /** Share of pixels without a depth. */
  readonly missing?: number;
};

/** `n` cameras on an arc before the boxes, looking at their middle. */
export function boxViews(n: number, { widthPx = 160, spanRad = 0.9, distance = 5 } = {}): PosedDepth[] {
  const heightPx = Math.round(widthPx * 0.7);
  return Array.from({ length: n }, (_, i) => {
    const angle = n === 1 ? 0 : (i / (n - 1) - 0.5) * spanRad;
    const eye: Vec = [distance * Math.sin(angle), -0.6 - 0.3 * (i % 2), 1 - distance * Math.cos(angle)];
    return boxView(i, eye, [0.1, 0.3, 0.8], widthPx, heightPx);
  });
}

export function boxView(view: number, eye: Vec, target: Vec, widthPx: number, heightPx: number): PosedDepth {
  const f = widthPx * 0.9;
  const pinhole = [f, f, widthPx / 2 + 1.3, heightPx / 2 - 0.7] as const;
  const rows = lookAt(eye, target);
  const cameraFromWorld = new Float64Array(12);
  for (const [row, axis] of rows.entries()) cameraFromWorld.set([...axis, -dot(axis, eye)], row * 4);
  const rgb = new Uint8Array(new SharedArrayBuffer(widthPx * heightPx * 3));
  const depth: DepthMap = {
    widthPx,
    heightPx,
    depths: new Float32Array(widthPx * heightPx),
    normals: new Int8Array(widthPx * heightPx * 3),
    confidences: new Uint8Array(widthPx * heightPx),
  };
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const at = y * widthPx + x;
      const local: Vec = [(x + 0.5 - pinhole[2]) / f, (y + 0.5 - pinhole[3]) / f, 1];
      const ray = turned(rows, local);
      const hit = cast(eye, ray);
      rgb.set(hit ? paint(eye, ray, hit.z) : [205, 215, 232], at * 3);
      if (!hit) continue;
      depth.depths[at] = hit.z;
      depth.confidences[at] = 220;
      for (let k = 0; k < 3; k++) depth.normals[at * 3 + k] = Math.round(127 * rows[k][hit.axis] * hit.sign);
    }
  }
  const seen: DenseView = { view, widthPx, heightPx, rgb, pinhole, cameraFromWorld };
  return { view: seen, depth };
}

/** The same depth maps as an estimator might have found them. */
export function spoiled(
  views: readonly PosedDepth[],
  { seed, noise = 0, wrong = 0, missing = 0 }: Spoil,
): PosedDepth[] {
  return views.map(({ view, depth }, index) => {
    const random = seededRandom(seed * 1000 + index);
    const depths = depth.depths.slice();
    const confidences = depth.confidences.slice();
    for (let at = 0; at < depths.length; at++) {
      const fate = random();
      if (fate < wrong) {
        depths[at] = 1 + 8 * random();
        confidences[at] = 120 + 100 * random();
      } else if (fate < wrong + missing) depths[at] = 0;
      else depths[at] *= 1 + noise * randomNormal(random);
    }
    return { view, depth: { ...depth, depths, confidences } };
  });
}

/** Distance from a place to the nearest surface of the boxes. */
export function distanceToBoxes(x: number, y: number, z: number): number {
  let least = Infinity;
  for (const { low, high } of BOXES) {
    const p = [x, y, z];
    const outside = p.map((each, k) => Math.max(low[k] - each, 0, each - high[k]));
    const away = Math.hypot(...outside);
    const within = Math.min(...p.map((each, k) => Math.min(each - low[k], high[k] - each)));
    least = Math.min(least, away > 0 ? away : within);
  }
  return least;
}

/** Where a ray with `z = 1` in the camera first meets a box, as that z. */
function cast(eye: Vec, ray: Vec): { z: number; axis: number; sign: number } | undefined {
  let best: { z: number; axis: number; sign: number } | undefined;
  for (const { low, high } of BOXES) {
    let near = -Infinity;
    let far = Infinity;
    let axis = 0;
    for (let k = 0; k < 3; k++) {
      const [a, b] = [(low[k] - eye[k]) / ray[k], (high[k] - eye[k]) / ray[k]];
      if (Math.min(a, b) > near) [near, axis] = [Math.min(a, b), k];
      far = Math.min(far, Math.max(a, b));
    }
    if (near > far || near <= 0 || (best && best.z <= near)) continue;
    best = { z: near, axis, sign: ray[axis] > 0 ? -1 : 1 };
  }
  return best;
}

/** A colour that belongs to the place on the surface: the same from everywhere. */
function paint(eye: Vec, ray: Vec, z: number): [number, number, number] {
  const [x, y, depth] = [0, 1, 2].map((k) => eye[k] + z * ray[k]);
  const wave = (a: number, b: number, c: number) => Math.sin(a * x + 0.3) * Math.sin(b * y + 1) * Math.sin(c * depth);
  return [120 + 60 * wave(3, 4, 5), 110 + 50 * wave(5, 3, 4), 90 + 50 * wave(4, 5, 3)];
}

/** Rows x (right), y (down), z (forward) of a level camera. */
function turned(rows: readonly [Vec, Vec, Vec], [a, b, c]: Vec): Vec {
  const at = (k: number) => rows[0][k] * a + rows[1][k] * b + rows[2][k] * c;
  return [at(0), at(1), at(2)];
}

function dot(a: Vec, b: Vec): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
