/** Unit quaternions `w, x, y, z` and 3×3 rotation matrices (row-major, 9 numbers), both ways. */

/** Does not need unit length: the quaternion is normalised on the way. */
export function rotationFromQuaternion(
  quaternion: ArrayLike<number>,
  out: Float64Array = new Float64Array(9),
): Float64Array {
  const norm = Math.hypot(quaternion[0], quaternion[1], quaternion[2], quaternion[3]);
  if (!(norm > 0)) throw new RangeError("a quaternion of length 0 is no rotation");
  const w = quaternion[0] / norm;
  const x = quaternion[1] / norm;
  const y = quaternion[2] / norm;
  const z = quaternion[3] / norm;
  out[0] = 1 - 2 * (y * y + z * z);
  out[1] = 2 * (x * y - w * z);
  out[2] = 2 * (x * z + w * y);
  out[3] = 2 * (x * y + w * z);
  out[4] = 1 - 2 * (x * x + z * z);
  out[5] = 2 * (y * z - w * x);
  out[6] = 2 * (x * z - w * y);
  out[7] = 2 * (y * z + w * x);
  out[8] = 1 - 2 * (x * x + y * y);
  return out;
}

/**
 * The quaternion with w ≥ 0. Divides by the largest of the four components, so no rotation is ill-conditioned
 * (Shepperd 1978).
 */
export function quaternionFromRotation(r: ArrayLike<number>, out: Float64Array = new Float64Array(4)): Float64Array {
  const trace = r[0] + r[4] + r[8];
  let w: number;
  let x: number;
  let y: number;
  let z: number;
  if (trace >= r[0] && trace >= r[4] && trace >= r[8]) {
    [w, x, y, z] = [1 + trace, r[7] - r[5], r[2] - r[6], r[3] - r[1]];
  } else if (r[0] >= r[4] && r[0] >= r[8]) {
    [w, x, y, z] = [r[7] - r[5], 1 + 2 * r[0] - trace, r[1] + r[3], r[2] + r[6]];
  } else if (r[4] >= r[8]) {
    [w, x, y, z] = [r[2] - r[6], r[1] + r[3], 1 + 2 * r[4] - trace, r[5] + r[7]];
  } else {
    [w, x, y, z] = [r[3] - r[1], r[2] + r[6], r[5] + r[7], 1 + 2 * r[8] - trace];
  }
  const scale = (w < 0 ? -1 : 1) / Math.hypot(w, x, y, z);
  out[0] = w * scale;
  out[1] = x * scale;
  out[2] = y * scale;
  out[3] = z * scale;
  return out;
}
