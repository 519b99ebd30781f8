/** Polishes one camera's pose on points that stay: Levenberg–Marquardt with Cauchy weights, normalised coordinates. */
import { factorCholesky, solveCholesky } from "../linear/cholesky.ts";
import { orthonormalisePose, retractPose } from "../rotation/pose.ts";

export type RefineAbsoluteOptions = {
  /** Residuals (normalised) well above this lose their weight. */
  readonly scale: number;
  /** Only these points count (1), where given. */
  readonly inliers?: Uint8Array;
  readonly iterations?: number;
};

/**
 * @param points `[n, 3]` world @param rays `[n, 2]` normalised @param pose `[12]` changed in place
 * @returns the robust cost Σ scale² log(1 + e² / scale²) after the last step
 */
export function refineAbsolutePose(
  points: Float64Array,
  rays: Float64Array,
  pose: Float64Array,
  options: RefineAbsoluteOptions,
): number {
  const { scale, inliers, iterations = 10 } = options;
  const hessian = new Float64Array(36);
  const damped = new Float64Array(36);
  const gradient = new Float64Array(6);
  const step = new Float64Array(6);
  const tried = new Float64Array(12);
  const scratch = new Float64Array(9);
  let cost = robustCost(points, rays, pose, scale, inliers);
  let lambda = 1e-6;
  for (let iteration = 0; iteration < iterations; iteration++) {
    accumulate(points, rays, pose, scale, inliers, hessian, gradient);
    let gain = 0;
    for (let attempt = 0; attempt < 6 && gain === 0; attempt++) {
      damped.set(hessian);
      for (let i = 0; i < 6; i++) damped[i * 7] *= 1 + lambda;
      step.set(gradient);
      if (!factorCholesky(damped, 6)) {
        lambda = Math.max(lambda, 1e-9) * 10;
        continue;
      }
      solveCholesky(damped, 6, step);
      retractPose(pose, 0, step, 0, tried, 0, scratch);
      const newCost = robustCost(points, rays, tried, scale, inliers);
      if (newCost < cost) {
        gain = (cost - newCost) / cost;
        cost = newCost;
        pose.set(tried);
        lambda = Math.max(1e-12, lambda / 10);
      } else lambda = Math.max(lambda, 1e-9) * 10;
    }
    if (gain < 1e-9) break;
  }
  orthonormalisePose(pose);
  return cost;
}

function robustCost(
  points: Float64Array,
  rays: Float64Array,
  pose: Float64Array,
  scale: number,
  inliers: Uint8Array | undefined,
): number {
  const inverseSquare = 1 / (scale * scale);
  const [r0, r1, r2, t0, r3, r4, r5, t1, r6, r7, r8, t2] = pose;
  let cost = 0;
  for (let i = 0, p = 0, q = 0; q < rays.length; i++, p += 3, q += 2) {
    if (inliers && !inliers[i]) continue;
    const x = points[p];
    const y = points[p + 1];
    const z = points[p + 2];
    const depth = r6 * x + r7 * y + r8 * z + t2;
    if (!(depth > 0)) {
      cost += 20; // as much as a residual e¹⁰ times the scale
      continue;
    }
    const eu = (r0 * x + r1 * y + r2 * z + t0) / depth - rays[q];
    const ev = (r3 * x + r4 * y + r5 * z + t1) / depth - rays[q + 1];
    cost += Math.log1p((eu * eu + ev * ev) * inverseSquare);
  }
  return cost * scale * scale;
}

/** Gauss–Newton: hessian = Σ w JᵀJ (lower triangle), gradient = −Σ w Jᵀe, for the step of `retractPose`. */
function accumulate(
  points: Float64Array,
  rays: Float64Array,
  pose: Float64Array,
  scale: number,
  inliers: Uint8Array | undefined,
  hessian: Float64Array,
  gradient: Float64Array,
): void {
  const inverseSquare = 1 / (scale * scale);
  const [r0, r1, r2, t0, r3, r4, r5, t1, r6, r7, r8, t2] = pose;
  const ju = new Float64Array(6);
  const jv = new Float64Array(6);
  hessian.fill(0);
  gradient.fill(0);
  for (let i = 0, p = 0, q = 0; q < rays.length; i++, p += 3, q += 2) {
    if (inliers && !inliers[i]) continue;
    const x = points[p];
    const y = points[p + 1];
    const z = points[p + 2];
    const depth = r6 * x + r7 * y + r8 * z + t2;
    if (!(depth > 0)) continue;
    const inverse = 1 / depth;
    const u = (r0 * x + r1 * y + r2 * z + t0) * inverse;
    const v = (r3 * x + r4 * y + r5 * z + t1) * inverse;
    const eu = u - rays[q];
    const ev = v - rays[q + 1];
    const w = 1 / (1 + (eu * eu + ev * ev) * inverseSquare);
    // (u, v) against ω and v of the camera-frame point (u, v, 1) · depth
    ju[0] = -u * v;
    ju[1] = 1 + u * u;
    ju[2] = -v;
    ju[3] = inverse;
    ju[5] = -u * inverse;
    jv[0] = -1 - v * v;
    jv[1] = u * v;
    jv[2] = u;
    jv[4] = inverse;
    jv[5] = -v * inverse;
    for (let a = 0; a < 6; a++) {
      const wu = w * ju[a];
      const wv = w * jv[a];
      gradient[a] -= wu * eu + wv * ev;
      for (let b = 0; b <= a; b++) hessian[a * 6 + b] += wu * ju[b] + wv * jv[b];
    }
  }
}
