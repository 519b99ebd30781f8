/** Essential matrices and the relative poses they stand for. */
import { svd3 } from "../linear/svd3.ts";

/** E = [t]× R of a pose secondFromFirst: second ray · E · first ray = 0. */
export function essentialFromPose(pose: Float64Array, out: Float64Array = new Float64Array(9)): Float64Array {
  const x = pose[3];
  const y = pose[7];
  const z = pose[11];
  for (let j = 0; j < 3; j++) {
    out[j] = y * pose[8 + j] - z * pose[4 + j];
    out[3 + j] = z * pose[j] - x * pose[8 + j];
    out[6 + j] = x * pose[4 + j] - y * pose[j];
  }
  return out;
}

/** The four poses, |t| = 1, of an essential matrix (Hartley & Zisserman §9.6.2). @returns `[4, 12]` */
export function posesFromEssential(essential: Float64Array): Float64Array {
  const u = new Float64Array(9);
  const s = new Float64Array(3);
  const v = new Float64Array(9);
  svd3(essential, u, s, v);
  const poses = new Float64Array(48);
  for (let k = 0; k < 4; k++) {
    const turn = k < 2 ? 1 : -1;
    const sign = k % 2 === 0 ? 1 : -1;
    const at = k * 12;
    // U W Vᵀ with W = [0 −1 0; 1 0 0; 0 0 1] or its transpose, made a proper rotation.
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        poses[at + i * 4 + j] =
          turn * (u[i * 3 + 1] * v[j * 3] - u[i * 3] * v[j * 3 + 1]) + u[i * 3 + 2] * v[j * 3 + 2];
      }
    }
    const p = poses;
    const determinant =
      p[at] * (p[at + 5] * p[at + 10] - p[at + 6] * p[at + 9]) -
      p[at + 1] * (p[at + 4] * p[at + 10] - p[at + 6] * p[at + 8]) +
      p[at + 2] * (p[at + 4] * p[at + 9] - p[at + 5] * p[at + 8]);
    for (let i = 0; i < 3; i++) {
      if (determinant < 0) for (let j = 0; j < 3; j++) p[at + i * 4 + j] *= -1;
      p[at + i * 4 + 3] = sign * u[i * 3 + 2];
    }
  }
  return poses;
}

/** Squared Sampson error of one match, normalised units: to first order its squared distance from the epipolar set. */
export function sampsonSquare(e: Float64Array, x: number, y: number, u: number, v: number): number {
  const a = e[0] * x + e[1] * y + e[2];
  const b = e[3] * x + e[4] * y + e[5];
  const c = e[6] * x + e[7] * y + e[8];
  const d = e[0] * u + e[3] * v + e[6];
  const f = e[1] * u + e[4] * v + e[7];
  const r = u * a + v * b + c;
  return (r * r) / (a * a + b * b + d * d + f * f + 1e-300);
}

/** The signed Sampson error of one match. @param byEntry `[9]` out: its derivatives by the entries of E */
export function sampsonResidual(
  e: Float64Array,
  x: number,
  y: number,
  u: number,
  v: number,
  byEntry: Float64Array,
): number {
  const a = e[0] * x + e[1] * y + e[2];
  const b = e[3] * x + e[4] * y + e[5];
  const c = e[6] * x + e[7] * y + e[8];
  const d = e[0] * u + e[3] * v + e[6];
  const f = e[1] * u + e[4] * v + e[7];
  const inverse = 1 / Math.sqrt(a * a + b * b + d * d + f * f + 1e-300);
  const r = (u * a + v * b + c) * inverse;
  // r = n / s: ∂r/∂E = (∂n/∂E − r / s · ½ ∂s²/∂E) / s
  const q = r * inverse;
  byEntry[0] = (u * x - q * (a * x + d * u)) * inverse;
  byEntry[1] = (u * y - q * (a * y + f * u)) * inverse;
  byEntry[2] = (u - q * a) * inverse;
  byEntry[3] = (v * x - q * (b * x + d * v)) * inverse;
  byEntry[4] = (v * y - q * (b * y + f * v)) * inverse;
  byEntry[5] = (v - q * b) * inverse;
  byEntry[6] = (x - q * d) * inverse;
  byEntry[7] = (y - q * f) * inverse;
  byEntry[8] = inverse;
  return r;
}
