/**
 * Polishes a pose before a plane: matches on the plane count by the Sampson error of the homography R + t nᵀ, the others
 * by that of the essential matrix [t]× R. Either alone would waste something: the epipolar error cannot tell poses apart
 * on a plane, and the homography says nothing of what stands before it. Levenberg–Marquardt, Cauchy weights.
 */
import { factorCholesky, solveCholesky } from "../linear/cholesky.ts";
import { orthonormalisePose, retractPose } from "../rotation/pose.ts";
import { essentialFromPose, sampsonResidual, sampsonSquare } from "./essential.ts";
import { homographyResidual, homographySquare } from "./homography.ts";
import { homographyFromPlane, type PlanePose } from "./plane-pose.ts";

/** Which error a match counts by. */
export const ON_PLANE = 1;
export const OFF_PLANE = 2;

type RefinePlaneOptions = {
  /** Residuals (normalised) well above this lose their weight. */
  readonly scale: number;
  /** `[n]` `ON_PLANE`, `OFF_PLANE` or 0 for a match that does not count. */
  readonly roles: Uint8Array;
  /** Holds t: the camera only turned. */
  readonly turnOnly?: boolean;
  readonly iterations?: number;
};

/** Turn, move, tilt of the plane. */
const UNKNOWNS = 8;

/** @param first, second `[n, 2]` normalised @param plane changed in place @returns the robust cost */
export function refinePlanePose(
  first: Float64Array,
  second: Float64Array,
  plane: PlanePose,
  options: RefinePlaneOptions,
): number {
  const { scale, roles, iterations = 10 } = options;
  const unknowns = options.turnOnly ? 3 : UNKNOWNS;
  const hessian = new Float64Array(unknowns * unknowns);
  const damped = new Float64Array(unknowns * unknowns);
  const gradient = new Float64Array(unknowns);
  const step = new Float64Array(UNKNOWNS);
  const solved = step.subarray(0, unknowns);
  const basis = new Float64Array(6);
  const tried: PlanePose = { pose: new Float64Array(12), normal: new Float64Array(3) };
  let cost = robustCost(first, second, plane, scale, roles);
  let lambda = 1e-4;
  for (let iteration = 0; iteration < iterations; iteration++) {
    tangentBasis(plane.normal, basis);
    accumulate(first, second, plane, basis, scale, roles, hessian, gradient);
    let gain = 0;
    for (let attempt = 0; attempt < 6 && gain === 0; attempt++) {
      damped.set(hessian);
      for (let i = 0; i < unknowns; i++) damped[i * (unknowns + 1)] += lambda * damped[i * (unknowns + 1)] + 1e-12;
      solved.set(gradient);
      if (factorCholesky(damped, unknowns)) {
        solveCholesky(damped, unknowns, solved);
        retractPose(plane.pose, 0, step, 0, tried.pose, 0);
        tilt(plane.normal, basis, step, tried.normal);
        const newCost = robustCost(first, second, tried, scale, roles);
        if (newCost < cost) {
          gain = (cost - newCost) / cost;
          cost = newCost;
          plane.pose.set(tried.pose);
          plane.normal.set(tried.normal);
          lambda = Math.max(1e-10, lambda / 10);
          break;
        }
      }
      lambda = Math.max(lambda, 1e-8) * 10;
    }
    if (gain < 1e-7) break;
  }
  orthonormalisePose(plane.pose);
  return cost;
}

/** Two unit vectors at right angles to the unit vector n and to each other. */
function tangentBasis(n: Float64Array, basis: Float64Array): void {
  let axis = 0;
  for (let i = 1; i < 3; i++) if (Math.abs(n[i]) < Math.abs(n[axis])) axis = i;
  const length = Math.sqrt(1 - n[axis] * n[axis]);
  for (let i = 0; i < 3; i++) basis[i] = ((i === axis ? 1 : 0) - n[axis] * n[i]) / length;
  basis[3] = n[1] * basis[2] - n[2] * basis[1];
  basis[4] = n[2] * basis[0] - n[0] * basis[2];
  basis[5] = n[0] * basis[1] - n[1] * basis[0];
}

function tilt(normal: Float64Array, basis: Float64Array, step: Float64Array, out: Float64Array): void {
  for (let i = 0; i < 3; i++) out[i] = normal[i] + step[6] * basis[i] + step[7] * basis[3 + i];
  const length = Math.hypot(out[0], out[1], out[2]);
  for (let i = 0; i < 3; i++) out[i] /= length;
}

function robustCost(
  first: Float64Array,
  second: Float64Array,
  plane: PlanePose,
  scale: number,
  roles: Uint8Array,
): number {
  const h = homographyFromPlane(plane);
  const e = essentialFromPose(plane.pose);
  const inverseSquare = 1 / (scale * scale);
  let cost = 0;
  for (let k = 0, i = 0; k < roles.length; k++, i += 2) {
    if (roles[k] === 0) continue;
    const square = roles[k] === ON_PLANE ? homographySquare : sampsonSquare;
    cost += Math.log1p(
      square(roles[k] === ON_PLANE ? h : e, first[i], first[i + 1], second[i], second[i + 1]) * inverseSquare,
    );
  }
  return cost * scale * scale;
}

/**
 * `[9, 8]` ∂H and ∂E by (ω, v, δ), the pose moved as by `retractPose`: exp(ω) turns all of H and of E, v moves t, δ tilts
 * n along the basis.
 */
function derivatives(plane: PlanePose, h: Float64Array, e: Float64Array, basis: Float64Array) {
  const { pose, normal } = plane;
  const ofH = new Float64Array(9 * UNKNOWNS);
  const ofE = new Float64Array(9 * UNKNOWNS);
  for (let k = 0; k < 3; k++) {
    const next = (k + 1) % 3;
    const last = (k + 2) % 3;
    for (let j = 0; j < 3; j++) {
      // [axis k]× M: row `next` is −M[last], row `last` is M[next].
      ofH[(next * 3 + j) * UNKNOWNS + k] = -h[last * 3 + j];
      ofH[(last * 3 + j) * UNKNOWNS + k] = h[next * 3 + j];
      ofE[(next * 3 + j) * UNKNOWNS + k] = -e[last * 3 + j];
      ofE[(last * 3 + j) * UNKNOWNS + k] = e[next * 3 + j];
      ofH[(k * 3 + j) * UNKNOWNS + 3 + k] = normal[j];
      ofE[(next * 3 + j) * UNKNOWNS + 3 + k] = -pose[last * 4 + j];
      ofE[(last * 3 + j) * UNKNOWNS + 3 + k] = pose[next * 4 + j];
      ofH[(k * 3 + j) * UNKNOWNS + 6] = pose[k * 4 + 3] * basis[j];
      ofH[(k * 3 + j) * UNKNOWNS + 7] = pose[k * 4 + 3] * basis[3 + j];
    }
  }
  return { ofH, ofE };
}

function accumulate(
  first: Float64Array,
  second: Float64Array,
  plane: PlanePose,
  basis: Float64Array,
  scale: number,
  roles: Uint8Array,
  hessian: Float64Array,
  gradient: Float64Array,
): void {
  const h = homographyFromPlane(plane);
  const e = essentialFromPose(plane.pose);
  const { ofH, ofE } = derivatives(plane, h, e, basis);
  const unknowns = gradient.length;
  const rows = new Float64Array(20);
  const j = new Float64Array(unknowns);
  const inverseSquare = 1 / (scale * scale);
  hessian.fill(0);
  gradient.fill(0);
  for (let k = 0, i = 0; k < roles.length; k++, i += 2) {
    if (roles[k] === 0) continue;
    const onPlane = roles[k] === ON_PLANE;
    let square: number;
    if (onPlane) square = homographyResidual(h, first[i], first[i + 1], second[i], second[i + 1], rows);
    else {
      rows[9] = sampsonResidual(e, first[i], first[i + 1], second[i], second[i + 1], rows);
      square = rows[9] * rows[9];
    }
    if (square === Infinity) continue;
    const weight = 1 / (1 + square * inverseSquare);
    const table = onPlane ? ofH : ofE;
    for (let row = 0; row < (onPlane ? 20 : 10); row += 10) {
      const [b0, b1, b2] = [rows[row], rows[row + 1], rows[row + 2]];
      const [b3, b4, b5] = [rows[row + 3], rows[row + 4], rows[row + 5]];
      const [b6, b7, b8] = [rows[row + 6], rows[row + 7], rows[row + 8]];
      for (let p = 0; p < unknowns; p++) {
        j[p] =
          b0 * table[p] +
          b1 * table[UNKNOWNS + p] +
          b2 * table[2 * UNKNOWNS + p] +
          b3 * table[3 * UNKNOWNS + p] +
          b4 * table[4 * UNKNOWNS + p] +
          b5 * table[5 * UNKNOWNS + p] +
          b6 * table[6 * UNKNOWNS + p] +
          b7 * table[7 * UNKNOWNS + p] +
          b8 * table[8 * UNKNOWNS + p];
      }
      for (let p = 0; p < unknowns; p++) {
        const weighted = weight * j[p];
        gradient[p] -= weighted * rows[row + 9];
        for (let q = 0; q <= p; q++) hessian[p * unknowns + q] += weighted * j[q];
      }
    }
  }
}
