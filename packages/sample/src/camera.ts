/** The camera and the walk: 18 photos on an arc round the scene at eye height, from one side of the ruin to the other. */
import { groundHeight } from "./ground.ts";
import { randomStream } from "./noise.ts";

export const PHOTOS = 18;
export const WIDTH = 1440;
export const HEIGHT = 960;
/** Pixels. The 35 mm equivalent is 28.2 mm; a camera writes 28 into EXIF. */
export const FOCAL_PX = 1128;
export const FOCAL_35MM = 28;

/** World→camera, OpenCV axes (x right, y down, z forward); pixels with centres at 0.5. */
export type Camera = {
  /** `[9]` row-major */
  readonly R: number[];
  readonly t: number[];
  readonly centre: readonly [number, number, number];
  /** What the photographer's camera chose by itself. */
  readonly exposure: number;
  readonly whiteBalance: readonly [number, number, number];
};

export function cameraAt(index: number): Camera {
  const random = randomStream(9001 + index * 17);
  const jitter = (size: number): number => (random() * 2 - 1) * size;
  const angle = ((-104 + (index * 208) / (PHOTOS - 1) + jitter(1.3)) * Math.PI) / 180;
  const distance = 6.35 + 0.35 * Math.sin(index * 0.9) + jitter(0.15);
  const x = 0.35 + distance * Math.sin(angle);
  const z = 0.5 + distance * Math.cos(angle);
  const y = groundHeight(x, z) + 1.62 + 0.16 * Math.sin(index * 1.7) + jitter(0.06);
  const target = [0.4 + jitter(0.14), 1.28 + jitter(0.06), 0.5 + jitter(0.14)];
  const forward = unit([target[0] - x, target[1] - y, target[2] - z]);
  const level = unit([-forward[2], 0, forward[0]]);
  const down = cross(forward, level);
  const roll = jitter(0.017);
  const right = level.map((each, i) => each * Math.cos(roll) + down[i] * Math.sin(roll));
  const below = cross(forward, right);
  const R = [...right, ...below, ...forward];
  const t = [0, 3, 6].map((row) => -(R[row] * x + R[row + 1] * y + R[row + 2] * z));
  const warm = jitter(0.018);
  return { R, t, centre: [x, y, z], exposure: 1 + jitter(0.09), whiteBalance: [1 + warm, 1, 1 - warm] };
}

function unit(v: number[]): number[] {
  const length = Math.hypot(...v);
  return v.map((each) => each / length);
}

function cross(a: number[], b: number[]): number[] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
