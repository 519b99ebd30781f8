/** Synthetic scenes for the tests and benchmarks: cameras around a cloud, with exact truth. */
import { type Random, randomNormal } from "../random.ts";
import { rotationFromVector } from "../rotation/exponential.ts";
import { poseFromRotation } from "../rotation/pose.ts";

/** A point uniform in the box of half-sizes, about the centre. */
export function randomPoints(random: Random, n: number, half: readonly [number, number, number]): Float64Array {
  const points = new Float64Array(n * 3);
  for (let i = 0; i < n * 3; i++) points[i] = (2 * random() - 1) * half[i % 3];
  return points;
}

export function randomRotation(random: Random, largestAngle: number): Float64Array {
  const axis = [randomNormal(random), randomNormal(random), randomNormal(random)];
  const length = Math.hypot(...axis) || 1;
  const angle = largestAngle * random();
  const [x, y, z] = axis.map((value) => (value * angle) / length);
  return rotationFromVector(x, y, z);
}

/** cameraFromWorld of a camera at `eye` that looks at `target`, image y down along −`up`. */
export function lookAt(
  eye: readonly [number, number, number],
  target: readonly [number, number, number] = [0, 0, 0],
  up: readonly [number, number, number] = [0, 1, 0],
): Float64Array {
  const z = normalised([target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]]);
  const x = normalised(cross(z, up));
  const y = cross(z, x);
  const rotation = [...x, ...y, ...z];
  const translation = [x, y, z].map((axis) => -(axis[0] * eye[0] + axis[1] * eye[1] + axis[2] * eye[2]));
  return poseFromRotation(rotation, translation);
}

/** `n` cameras on an arc of `span` radians at `distance` from the origin, somewhat uneven, all looking at it. */
export function arcOfCameras(random: Random, n: number, distance: number, span: number): Float64Array {
  const poses = new Float64Array(n * 12);
  for (let i = 0; i < n; i++) {
    const angle = (n > 1 ? i / (n - 1) - 0.5 : 0) * span + 0.02 * (random() - 0.5);
    const r = distance * (1 + 0.1 * (random() - 0.5));
    const eye = [r * Math.sin(angle), distance * 0.2 * (random() - 0.3), -r * Math.cos(angle)] as const;
    poses.set(lookAt(eye, [0.02 * distance * random(), 0.02 * distance * random(), 0]), i * 12);
  }
  return poses;
}

/** `[n, 2]` normalised coordinates of `[n, 3]` points in the camera at `at`, plus noise of sigma. */
export function observe(poses: Float64Array, at: number, points: Float64Array, sigma: number, random: Random) {
  const rays = new Float64Array((points.length / 3) * 2);
  for (let i = 0, p = 0; p < points.length; i += 2, p += 3) {
    const row = (r: number) =>
      poses[at + r * 4] * points[p] +
      poses[at + r * 4 + 1] * points[p + 1] +
      poses[at + r * 4 + 2] * points[p + 2] +
      poses[at + r * 4 + 3];
    const depth = row(2);
    rays[i] = row(0) / depth + (sigma > 0 ? sigma * randomNormal(random) : 0);
    rays[i + 1] = row(1) / depth + (sigma > 0 ? sigma * randomNormal(random) : 0);
  }
  return rays;
}

/** Replaces a share of the `[n, 2]` rays by random ones; returns which (1 = wrong). */
export function addOutliers(rays: Float64Array, share: number, half: number, random: Random): Uint8Array {
  const n = rays.length / 2;
  const wrong = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    if (random() >= share) continue;
    wrong[i] = 1;
    rays[i * 2] = (2 * random() - 1) * half;
    rays[i * 2 + 1] = (2 * random() - 1) * half;
  }
  return wrong;
}

/** Largest difference of two arrays. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

function cross(a: readonly number[], b: readonly number[]): number[] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function normalised(a: readonly number[]): number[] {
  const length = Math.hypot(...a);
  return a.map((value) => value / length);
}
