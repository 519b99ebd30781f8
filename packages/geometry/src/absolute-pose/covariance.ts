/**
 * How sure a pose is that was found from points taken as exact: the inverse of the Gauss-Newton normal equations,
 * scaled by the variance of the residuals (Hartley & Zisserman §5.2).
 */
import { factorCholesky, invertLower } from "../linear/cholesky.ts";
import { transformPoint } from "../rotation/pose.ts";

/**
 * @param points `[n, 3]` world
 * @param rays   `[n, 2]` where they were seen, normalised and undistorted
 * @param pose   `[12]` cameraFromWorld
 * @returns `[36]` covariance of the step ω, v (radians, world units; see `retractPose`); undefined when fewer than 4
 *   points are in front of the camera or they leave the pose open
 */
export function absolutePoseCovariance(
  points: Float64Array,
  rays: Float64Array,
  pose: Float64Array,
): Float64Array | undefined {
  const n = points.length / 3;
  const information = new Float64Array(36);
  const row = new Float64Array(6);
  const p = new Float64Array(3);
  let used = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    transformPoint(pose, 0, points[3 * i], points[3 * i + 1], points[3 * i + 2], p);
    const [x, y, z] = p;
    if (!(z > 0)) continue;
    used++;
    for (let axis = 0; axis < 2; axis++) {
      // d(p_axis / z) along p, then p along ω (−[p]×) and v (identity).
      const along = 1 / z;
      const [gx, gy, gz] = [axis === 0 ? along : 0, axis === 1 ? along : 0, -p[axis] * along * along];
      row[0] = gz * y - gy * z;
      row[1] = gx * z - gz * x;
      row[2] = gy * x - gx * y;
      row[3] = gx;
      row[4] = gy;
      row[5] = gz;
      for (let r = 0; r < 6; r++) for (let c = 0; c <= r; c++) information[6 * r + c] += row[r] * row[c];
      squares += (p[axis] * along - rays[2 * i + axis]) ** 2;
    }
  }
  if (used < 4 || !factorCholesky(information, 6)) return undefined;
  invertLower(information, 6);
  const variance = squares / (2 * used - 6);
  const covariance = new Float64Array(36);
  for (let r = 0; r < 6; r++) {
    for (let c = 0; c < 6; c++) {
      for (let k = Math.max(r, c); k < 6; k++) covariance[6 * r + c] += information[6 * k + r] * information[6 * k + c];
      covariance[6 * r + c] *= variance;
    }
  }
  return covariance;
}
