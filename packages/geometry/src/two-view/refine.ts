/** Polishes a relative pose: Levenberg–Marquardt on the Sampson error with Cauchy weights, five unknowns. */
import { factorCholesky, solveCholesky } from "../linear/cholesky.ts";
import { rotationFromVector } from "../rotation/exponential.ts";
import { orthonormalisePose } from "../rotation/pose.ts";
import { essentialFromPose, sampsonResidual, sampsonSquare } from "./essential.ts";

export type RefineRelativeOptions = {
  /** Residuals (normalised) well above this lose their weight. */
  readonly scale: number;
  /** Only these matches count, where given: indices, the first `count` of them. */
  readonly matches?: Int32Array;
  readonly count?: number;
  readonly iterations?: number;
};

/**
 * @param first, second `[n, 2]` normalised @param pose `[12]` secondFromFirst, |t| = 1; changed in place
 * @returns the robust cost after the last step
 */
export function refineRelativePose(
  first: Float64Array,
  second: Float64Array,
  pose: Float64Array,
  options: RefineRelativeOptions,
): number {
  const { scale, iterations = 10 } = options;
  const matches = options.matches ?? Int32Array.from({ length: first.length / 2 }, (_, i) => i);
  const count = options.count ?? matches.length;
  const essential = new Float64Array(9);
  const derivatives = new Float64Array(45);
  const hessian = new Float64Array(25);
  const damped = new Float64Array(25);
  const gradient = new Float64Array(5);
  const step = new Float64Array(5);
  const tried = new Float64Array(12);
  const basis = new Float64Array(6);
  let cost = robustCost(first, second, essentialFromPose(pose, essential), scale, matches, count);
  let lambda = 1e-4;
  for (let iteration = 0; iteration < iterations; iteration++) {
    tangent(pose, basis);
    essentialFromPose(pose, essential);
    essentialDerivatives(pose, basis, derivatives);
    accumulate(first, second, essential, derivatives, scale, matches, count, hessian, gradient);
    let gain = 0;
    for (let attempt = 0; attempt < 6 && gain === 0; attempt++) {
      damped.set(hessian);
      for (let i = 0; i < 5; i++) damped[i * 6] *= 1 + lambda;
      step.set(gradient);
      if (factorCholesky(damped, 5)) {
        solveCholesky(damped, 5, step);
        move(pose, basis, step, tried);
        const newCost = robustCost(first, second, essentialFromPose(tried, essential), scale, matches, count);
        if (newCost < cost) {
          gain = (cost - newCost) / cost;
          cost = newCost;
          pose.set(tried);
          lambda = Math.max(1e-10, lambda / 10);
          break;
        }
      }
      lambda = Math.max(lambda, 1e-8) * 10;
    }
    if (gain < 1e-7) break;
  }
  orthonormalisePose(pose);
  return cost;
}

/** Two unit vectors at right angles to t and to each other. */
function tangent(pose: Float64Array, basis: Float64Array): void {
  const t = [pose[3], pose[7], pose[11]];
  let axis = 0;
  for (let i = 1; i < 3; i++) if (Math.abs(t[i]) < Math.abs(t[axis])) axis = i;
  const a = [0, 1, 2].map((i) => (i === axis ? 1 : 0) - t[axis] * t[i]);
  const length = Math.hypot(a[0], a[1], a[2]);
  for (let i = 0; i < 3; i++) basis[i] = a[i] / length;
  basis[3] = t[1] * basis[2] - t[2] * basis[1];
  basis[4] = t[2] * basis[0] - t[0] * basis[2];
  basis[5] = t[0] * basis[1] - t[1] * basis[0];
}

/** R' = exp(ω) R, t' = t + δ₀ b₀ + δ₁ b₁ brought back to length 1. */
function move(pose: Float64Array, basis: Float64Array, step: Float64Array, out: Float64Array): void {
  const e = rotationFromVector(step[0], step[1], step[2]);
  const t = [0, 1, 2].map((i) => pose[i * 4 + 3] + step[3] * basis[i] + step[4] * basis[3 + i]);
  const length = Math.hypot(t[0], t[1], t[2]);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      out[i * 4 + j] = e[i * 3] * pose[j] + e[i * 3 + 1] * pose[4 + j] + e[i * 3 + 2] * pose[8 + j];
    }
    out[i * 4 + 3] = t[i] / length;
  }
}

/** `[9, 5]` ∂E/∂(ω, δ): [t]× [axis]× R for the turns, [b]× R for the shifts. */
function essentialDerivatives(pose: Float64Array, basis: Float64Array, out: Float64Array): void {
  const moved = new Float64Array(12);
  const matrix = new Float64Array(9);
  for (let k = 0; k < 5; k++) {
    if (k < 3) {
      const next = (k + 1) % 3;
      const last = (k + 2) % 3;
      moved.fill(0);
      for (let j = 0; j < 3; j++) {
        moved[next * 4 + j] = -pose[last * 4 + j];
        moved[last * 4 + j] = pose[next * 4 + j];
      }
      for (let i = 0; i < 3; i++) moved[i * 4 + 3] = pose[i * 4 + 3];
    } else {
      moved.set(pose);
      for (let i = 0; i < 3; i++) moved[i * 4 + 3] = basis[(k - 3) * 3 + i];
    }
    essentialFromPose(moved, matrix);
    for (let i = 0; i < 9; i++) out[i * 5 + k] = matrix[i];
  }
}

function robustCost(
  first: Float64Array,
  second: Float64Array,
  essential: Float64Array,
  scale: number,
  matches: Int32Array,
  count: number,
): number {
  const inverseSquare = 1 / (scale * scale);
  let cost = 0;
  for (let k = 0; k < count; k++) {
    const i = matches[k] * 2;
    cost += Math.log1p(sampsonSquare(essential, first[i], first[i + 1], second[i], second[i + 1]) * inverseSquare);
  }
  return cost * scale * scale;
}

function accumulate(
  first: Float64Array,
  second: Float64Array,
  e: Float64Array,
  derivatives: Float64Array,
  scale: number,
  matches: Int32Array,
  count: number,
  hessian: Float64Array,
  gradient: Float64Array,
): void {
  const inverseSquare = 1 / (scale * scale);
  const byEntry = new Float64Array(9);
  const j = new Float64Array(5);
  hessian.fill(0);
  gradient.fill(0);
  for (let k = 0; k < count; k++) {
    const i = matches[k] * 2;
    const x = first[i];
    const y = first[i + 1];
    const u = second[i];
    const v = second[i + 1];
    const r = sampsonResidual(e, x, y, u, v, byEntry);
    const w = 1 / (1 + r * r * inverseSquare);
    const [b0, b1, b2] = [byEntry[0], byEntry[1], byEntry[2]];
    const [b3, b4, b5] = [byEntry[3], byEntry[4], byEntry[5]];
    const [b6, b7, b8] = [byEntry[6], byEntry[7], byEntry[8]];
    for (let p = 0; p < 5; p++) {
      j[p] =
        b0 * derivatives[p] +
        b1 * derivatives[5 + p] +
        b2 * derivatives[10 + p] +
        b3 * derivatives[15 + p] +
        b4 * derivatives[20 + p] +
        b5 * derivatives[25 + p] +
        b6 * derivatives[30 + p] +
        b7 * derivatives[35 + p] +
        b8 * derivatives[40 + p];
    }
    for (let p = 0; p < 5; p++) {
      const weighted = w * j[p];
      gradient[p] -= weighted * r;
      for (let m = 0; m <= p; m++) hessian[p * 5 + m] += weighted * j[m];
    }
  }
}
