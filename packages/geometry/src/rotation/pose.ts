/**
 * Rigid poses as `[R|t]`, row-major 3×4 in 12 doubles: R at 0,1,2 4,5,6 8,9,10 and t at 3,7,11.
 * A camera's pose is always `cameraFromWorld`: x_camera = R · x_world + t. Many poses lie one after another in one
 * array `[n, 12]`; functions take the array and where the pose begins (`12 * i`).
 */
import { rotationFromVector } from "./exponential.ts";
import { quaternionFromRotation, rotationFromQuaternion } from "./quaternion.ts";

export function identityPose(): Float64Array {
  return Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0);
}

/** @param rotation `[9]` row-major @param translation `[3]` */
export function poseFromRotation(
  rotation: ArrayLike<number>,
  translation: ArrayLike<number>,
  out: Float64Array = new Float64Array(12),
  at = 0,
): Float64Array {
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) out[at + i * 4 + j] = rotation[i * 3 + j];
    out[at + i * 4 + 3] = translation[i];
  }
  return out;
}

/** @param quaternion `w, x, y, z` @param translation `[3]` */
export function poseFromQuaternion(
  quaternion: ArrayLike<number>,
  translation: ArrayLike<number>,
  out: Float64Array = new Float64Array(12),
  at = 0,
): Float64Array {
  return poseFromRotation(rotationFromQuaternion(quaternion), translation, out, at);
}

/** R of a pose, `[9]` row-major. */
export function rotationOfPose(poses: Float64Array, at = 0, out: Float64Array = new Float64Array(9)): Float64Array {
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) out[i * 3 + j] = poses[at + i * 4 + j];
  return out;
}

/** R of a pose as `w, x, y, z`, w ≥ 0. */
export function quaternionOfPose(poses: Float64Array, at = 0): Float64Array {
  return quaternionFromRotation(rotationOfPose(poses, at));
}

/** t of a pose. */
export function translationOfPose(poses: Float64Array, at = 0): Float64Array {
  return Float64Array.of(poses[at + 3], poses[at + 7], poses[at + 11]);
}

/** `cFromA = composePoses(cFromB, bFromA)`. `out` may be neither input. */
export function composePoses(
  cFromB: Float64Array,
  bFromA: Float64Array,
  out: Float64Array = new Float64Array(12),
): Float64Array {
  for (let i = 0; i < 12; i += 4) {
    const a = cFromB[i];
    const b = cFromB[i + 1];
    const c = cFromB[i + 2];
    for (let j = 0; j < 4; j++) out[i + j] = a * bFromA[j] + b * bFromA[4 + j] + c * bFromA[8 + j];
    out[i + 3] += cFromB[i + 3];
  }
  return out;
}

/** `[Rᵀ | −Rᵀ t]`. `out` may not be the input. */
export function invertPose(pose: Float64Array, out: Float64Array = new Float64Array(12)): Float64Array {
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) out[i * 4 + j] = pose[j * 4 + i];
    out[i * 4 + 3] = -(pose[i] * pose[3] + pose[4 + i] * pose[7] + pose[8 + i] * pose[11]);
  }
  return out;
}

/** The pose of camera `b` seen from camera `a`: `bFromA`, given both from the world. */
export function relativePose(
  aFromWorld: Float64Array,
  bFromWorld: Float64Array,
  out: Float64Array = new Float64Array(12),
): Float64Array {
  return composePoses(bFromWorld, invertPose(aFromWorld), out);
}

/** Where the camera stands in the world: −Rᵀ t. */
export function cameraCentre(
  poses: Float64Array,
  at = 0,
  out: Float64Array = new Float64Array(3),
  outAt = 0,
): Float64Array {
  const x = poses[at + 3];
  const y = poses[at + 7];
  const z = poses[at + 11];
  for (let i = 0; i < 3; i++) {
    out[outAt + i] = -(poses[at + i] * x + poses[at + 4 + i] * y + poses[at + 8 + i] * z);
  }
  return out;
}

/** R · (x, y, z) + t. */
export function transformPoint(
  poses: Float64Array,
  at: number,
  x: number,
  y: number,
  z: number,
  out: Float64Array = new Float64Array(3),
  outAt = 0,
): Float64Array {
  for (let i = 0; i < 3; i++) {
    const row = at + i * 4;
    out[outAt + i] = poses[row] * x + poses[row + 1] * y + poses[row + 2] * z + poses[row + 3];
  }
  return out;
}

/** Angle of the rotation between two poses, radians, 0…π. */
export function rotationAngle(a: Float64Array, aAt: number, b: Float64Array, bAt: number): number {
  // |R_a − R_b|_F = 2√2 sin(θ/2): accurate for small angles, where the trace formula is not.
  let square = 0;
  for (let i = 0; i < 12; i++) if (i % 4 < 3) square += (a[aAt + i] - b[bAt + i]) ** 2;
  return 2 * Math.asin(Math.min(1, Math.sqrt(square / 8)));
}

/**
 * Moves a pose by a small step in the camera's own frame: R' = exp(ω) R, t' = exp(ω) t + v.
 * A pure ω turns the camera on the spot (its centre stays), which decouples turning from moving in the solvers.
 *
 * @param step ω at `stepAt`, v at `stepAt + 3`
 * @param scratch `[9]`, overwritten
 */
export function retractPose(
  poses: Float64Array,
  at: number,
  step: Float64Array,
  stepAt: number,
  out: Float64Array,
  outAt: number,
  scratch: Float64Array = new Float64Array(9),
): void {
  const e = rotationFromVector(step[stepAt], step[stepAt + 1], step[stepAt + 2], scratch);
  for (let j = 0; j < 4; j++) {
    const x = poses[at + j]; // column by column, so `out` may be the input
    const y = poses[at + 4 + j];
    const z = poses[at + 8 + j];
    out[outAt + j] = e[0] * x + e[1] * y + e[2] * z;
    out[outAt + 4 + j] = e[3] * x + e[4] * y + e[5] * z;
    out[outAt + 8 + j] = e[6] * x + e[7] * y + e[8] * z;
  }
  out[outAt + 3] += step[stepAt + 3];
  out[outAt + 7] += step[stepAt + 4];
  out[outAt + 11] += step[stepAt + 5];
}

/** Takes the rounding errors of many steps out of R (Gram–Schmidt on its rows); t stays. */
export function orthonormalisePose(poses: Float64Array, at = 0): void {
  const p = poses;
  const n0 = 1 / Math.hypot(p[at], p[at + 1], p[at + 2]);
  for (let j = 0; j < 3; j++) p[at + j] *= n0;
  const dot = p[at] * p[at + 4] + p[at + 1] * p[at + 5] + p[at + 2] * p[at + 6];
  for (let j = 0; j < 3; j++) p[at + 4 + j] -= dot * p[at + j];
  const n1 = 1 / Math.hypot(p[at + 4], p[at + 5], p[at + 6]);
  for (let j = 0; j < 3; j++) p[at + 4 + j] *= n1;
  p[at + 8] = p[at + 1] * p[at + 6] - p[at + 2] * p[at + 5];
  p[at + 9] = p[at + 2] * p[at + 4] - p[at] * p[at + 6];
  p[at + 10] = p[at] * p[at + 5] - p[at + 1] * p[at + 4];
}
