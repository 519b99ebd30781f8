/** Directions for made-up scenes: three numbers, and a camera that looks at a place. */

export type Vec = readonly [number, number, number];

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export const cross = (a: Vec, b: Vec): Vec => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

export function unit([x, y, z]: Vec): Vec {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

/** Rows of the rotation into a camera at `eye` that looks at `target`: x right, y down, z forward; the world's y is down. */
export function lookAt(eye: Vec, target: Vec): [Vec, Vec, Vec] {
  const z = unit([target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]]);
  const x = unit([z[2], 0, -z[0]]);
  return [x, cross(z, x), z];
}
