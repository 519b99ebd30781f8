/** Rotation vectors (axis × angle, radians) and rotation matrices: the exponential map of SO(3) and its inverse. */
import { quaternionFromRotation } from "./quaternion.ts";

/** Rodrigues' formula; by its series below 1e-4 rad, where (1 − cos θ) / θ² would lose digits. */
export function rotationFromVector(
  x: number,
  y: number,
  z: number,
  out: Float64Array = new Float64Array(9),
): Float64Array {
  const square = x * x + y * y + z * z;
  let a: number; // sin θ / θ
  let b: number; // (1 − cos θ) / θ²
  if (square < 1e-8) {
    a = 1 - square / 6;
    b = 0.5 - square / 24;
  } else {
    const angle = Math.sqrt(square);
    a = Math.sin(angle) / angle;
    b = (1 - Math.cos(angle)) / square;
  }
  out[0] = 1 - b * (y * y + z * z);
  out[1] = b * x * y - a * z;
  out[2] = b * x * z + a * y;
  out[3] = b * x * y + a * z;
  out[4] = 1 - b * (x * x + z * z);
  out[5] = b * y * z - a * x;
  out[6] = b * x * z - a * y;
  out[7] = b * y * z + a * x;
  out[8] = 1 - b * (x * x + y * y);
  return out;
}

/** The rotation vector of length ≤ π. Goes by the quaternion, so it is accurate near 0 and near π alike. */
export function vectorFromRotation(r: ArrayLike<number>, out: Float64Array = new Float64Array(3)): Float64Array {
  const [w, x, y, z] = quaternionFromRotation(r);
  const sine = Math.hypot(x, y, z);
  const scale = sine > 0 ? (2 * Math.atan2(sine, w)) / sine : 2;
  out[0] = x * scale;
  out[1] = y * scale;
  out[2] = z * scale;
  return out;
}
