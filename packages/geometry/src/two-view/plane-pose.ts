/**
 * The poses behind a calibrated homography. A plane n · X = 1 (n a unit vector, the plane's distance the unit of
 * length) seen by two cameras gives H = R + t nᵀ up to scale: Faugeras & Lustman, "Motion and structure from motion in
 * a piecewise planar environment" (1988), by the singular value decomposition; the same two poses as in Malis & Vargas
 * (INRIA RR-6303, 2007).
 */
import { determinant } from "../linear/determinant.ts";
import { svd3 } from "../linear/svd3.ts";

/** A plane and a camera that moved before it. */
export type PlanePose = {
  /** `[12]` secondFromFirst, in the unit of the plane's distance from the first camera. */
  pose: Float64Array;
  /** `[3]` unit vector in the first camera's frame; n · X = 1 on the plane. */
  normal: Float64Array;
};

/** H = R + t nᵀ, `[9]` row-major. */
export function homographyFromPlane(
  { pose, normal }: PlanePose,
  out: Float64Array = new Float64Array(9),
): Float64Array {
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) out[i * 3 + j] = pose[i * 4 + j] + pose[i * 4 + 3] * normal[j];
  }
  return out;
}

/**
 * Two planes with their poses (one of them twice when the camera moved along the normal, both with t = 0 when it only
 * turned). The normals' signs are open: (−t, −n) gives the same H, and only points tell which is in front.
 *
 * @param h `[9]` row-major, h₆ x + h₇ y + h₈ > 0 for what both cameras see
 * @returns none when H mirrors: then the cameras stand on different sides of the plane
 */
export function decomposeHomography(h: Float64Array): PlanePose[] {
  const u = new Float64Array(9);
  const s = new Float64Array(3);
  const v = new Float64Array(9);
  svd3(h, u, s, v);
  const [s0, s1, s2] = s;
  if (!(s2 > 1e-9 * s0) || determinant(h) <= 0) return [];
  const sign = determinant(u) * determinant(v) > 0 ? 1 : -1;
  const spread = s0 * s0 - s2 * s2;
  const turnedOnly = spread <= 1e-12 * s1 * s1;
  const x1 = turnedOnly ? 0 : Math.sqrt(Math.max(0, (s0 * s0 - s1 * s1) / spread));
  const length = turnedOnly ? 0 : (s0 - s2) / s1;
  const x3 = Math.sqrt(Math.max(0, 1 - x1 * x1));
  return [1, -1].map((side) => {
    // In the bases of the decomposition: a turn about the middle axis, n = (x₁, 0, x₃), t = (s₀ − s₂)/s₁ (x₁, 0, −x₃).
    const nx = side * x1;
    const cosine = turnedOnly ? 1 : (s0 * x3 * x3 + s2 * x1 * x1) / s1;
    const sine = length * nx * x3;
    const turn = [cosine, 0, -sine, 0, 1, 0, sine, 0, cosine];
    const pose = new Float64Array(12);
    const normal = new Float64Array(3);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) sum += u[i * 3 + a] * turn[a * 3 + b] * v[j * 3 + b];
        pose[i * 4 + j] = sign * sum;
      }
      // H v = u s fixes what the sign of u and v is worth: t goes with u, n with v, and with sign R with both.
      pose[i * 4 + 3] = sign * length * (u[i * 3] * nx - u[i * 3 + 2] * x3);
      normal[i] = v[i * 3] * nx + v[i * 3 + 2] * x3;
    }
    return { pose, normal };
  });
}
