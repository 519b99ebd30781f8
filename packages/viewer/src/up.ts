/** Which way is up: the earth says it where it is known, else the photos, for people hold cameras level, else z. */
import type { Georeference, Pose, Vec3 } from "@cairn/protocol";

/** Rows of the rotation matrix of a unit quaternion, w first. Row k is the camera's axis k in the model's frame. */
export function rotationRows([w, x, y, z]: Pose["rotation"]): [Vec3, Vec3, Vec3] {
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
}

/** How much the mean of "up in the picture" counts against "the picture's horizon is level". */
const MEAN_WEIGHT = 0.05;

/** Unit vector, model frame. Clouds that come without cameras have z up: that is how they are surveyed and stored. */
export function upOf(poses: readonly Pose[], georeference: Georeference | undefined): Vec3 {
  // The row of the rotation that gives the height, east-north-up, of a point of the model.
  if (georeference) return rotationRows(georeference.enuFromModel.rotation)[2];
  return poses.length > 0 ? estimateUp(poses) : [0, 0, 1];
}

/**
 * Unit vector, model frame. Minimises Σ(xᵢ·u)²/n + λ|u − m|², where xᵢ is a camera's right and m the mean of the
 * cameras' up: photos taken all around an object fix u by their level horizons even if all look down at it, and
 * photos taken from one side, whose rights are parallel, fall back to the mean.
 */
export function estimateUp(poses: readonly Pose[]): Vec3 {
  const mean: Vec3 = [0, 0, 0];
  // Σ x xᵀ / n + λI, symmetric: xx, xy, xz, yy, yz, zz.
  const m = [MEAN_WEIGHT, 0, 0, MEAN_WEIGHT, 0, MEAN_WEIGHT] as [number, number, number, number, number, number];
  for (const { rotation } of poses) {
    const [right, down] = rotationRows(rotation);
    for (let axis = 0; axis < 3; axis++) mean[axis]! -= down[axis]! / poses.length;
    m[0] += (right[0] * right[0]) / poses.length;
    m[1] += (right[0] * right[1]) / poses.length;
    m[2] += (right[0] * right[2]) / poses.length;
    m[3] += (right[1] * right[1]) / poses.length;
    m[4] += (right[1] * right[2]) / poses.length;
    m[5] += (right[2] * right[2]) / poses.length;
  }
  return normalised(solveSymmetric(m, mean)) ?? [0, -1, 0];
}

/** Solves a positive definite 3×3 system by its adjugate; the scale of the answer is of no interest here. */
function solveSymmetric(
  [xx, xy, xz, yy, yz, zz]: readonly [number, number, number, number, number, number],
  [x, y, z]: Vec3,
): Vec3 {
  return [
    (yy * zz - yz * yz) * x + (xz * yz - xy * zz) * y + (xy * yz - xz * yy) * z,
    (xz * yz - xy * zz) * x + (xx * zz - xz * xz) * y + (xy * xz - xx * yz) * z,
    (xy * yz - xz * yy) * x + (xy * xz - xx * yz) * y + (xx * yy - xy * xy) * z,
  ];
}

function normalised([x, y, z]: Vec3): Vec3 | undefined {
  const length = Math.hypot(x, y, z);
  return length > 1e-9 ? [x / length, y / length, z / length] : undefined;
}
