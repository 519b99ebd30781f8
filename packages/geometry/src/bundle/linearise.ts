/**
 * Residuals and analytic Jacobians of every observation, and the normal equations they add up to.
 * Unknowns: a camera's step ω, v (see `retractPose`), a point's shift, a calibration's parameters.
 */
import { type Loss, lossValue, lossWeight } from "./loss.ts";
import { type BundleIndex, type BundleProblem, PARAMETER_AT } from "./problem.ts";

/** A point behind its camera counts as a residual of this many pixels, squared, and pulls at nothing. */
const BEHIND_SQUARE = 1e6;

export type State = {
  readonly poses: Float64Array;
  readonly calibrations: Float64Array;
  readonly points: Float64Array;
};

export type NormalEquations = {
  /** `[k, 12]` ∂(x, y)/∂(ω, v), weighted: x's six, then y's. */
  readonly byCamera: Float64Array;
  /** `[k, 6]` ∂(x, y)/∂point: x's three, then y's. */
  readonly byPoint: Float64Array;
  /** `[k, 2 · widest]` ∂(x, y)/∂calibration. */
  readonly byCalibration: Float64Array;
  /** `[envelope]` JᵀJ of cameras and calibrations, lower triangle. */
  readonly hessian: Float64Array;
  /** `[size]` −Jᵀr */
  readonly gradient: Float64Array;
  /** `[m, 6]` JᵀJ of each point: 00 01 02 11 12 22. */
  readonly pointHessian: Float64Array;
  /** `[m, 3]` −Jᵀr */
  readonly pointGradient: Float64Array;
  /** Σ of weighted squared residuals at the last linearisation. */
  weightedSquares: number;
};

export function allocateNormalEquations(index: BundleIndex): NormalEquations {
  const { observations: k, points: m, size, envelope, widest } = index;
  return {
    byCamera: new Float64Array(k * 12),
    byPoint: new Float64Array(k * 6),
    byCalibration: new Float64Array(k * 2 * widest),
    hessian: new Float64Array(envelope.length),
    gradient: new Float64Array(size),
    pointHessian: new Float64Array(m * 6),
    pointGradient: new Float64Array(m * 3),
    weightedSquares: 0,
  };
}

/** The robust cost, pixels squared: Σ ρ(|r|²) and the priors. */
export function bundleCost(problem: BundleProblem, index: BundleIndex, state: State, loss: Loss): number {
  const { poses, calibrations, points } = state;
  const { camera, point, pixels, weight, calibrationOf, observations } = index;
  const { kind } = loss;
  const scaleSquare = loss.scalePx * loss.scalePx;
  const behind = lossValue(kind, scaleSquare, BEHIND_SQUARE);
  let cost = 0;
  for (let o = 0; o < observations; o++) {
    const c = camera[o] * 12;
    const k = calibrationOf[camera[o]] * 6;
    const p = point[o] * 3;
    const X = points[p];
    const Y = points[p + 1];
    const Z = points[p + 2];
    const z = poses[c + 8] * X + poses[c + 9] * Y + poses[c + 10] * Z + poses[c + 11];
    if (!(z > 0)) {
      cost += behind;
      continue;
    }
    const u = (poses[c] * X + poses[c + 1] * Y + poses[c + 2] * Z + poses[c + 3]) / z;
    const v = (poses[c + 4] * X + poses[c + 5] * Y + poses[c + 6] * Z + poses[c + 7]) / z;
    const r2 = u * u + v * v;
    const d = 1 + r2 * (calibrations[k + 4] + calibrations[k + 5] * r2);
    const ex = calibrations[k] * d * u + calibrations[k + 2] - pixels[o * 2];
    const ey = calibrations[k + 1] * d * v + calibrations[k + 3] - pixels[o * 2 + 1];
    cost += lossValue(kind, scaleSquare, weight[o] * weight[o] * (ex * ex + ey * ey));
  }
  for (const prior of problem.priors ?? []) {
    const value = calibrations[prior.calibration * 6 + PARAMETER_AT[prior.parameter]];
    cost += ((value - prior.value) / prior.sigma) ** 2;
  }
  return cost;
}

export function linearise(
  problem: BundleProblem,
  index: BundleIndex,
  state: State,
  loss: Loss,
  out: NormalEquations,
): void {
  const { poses, calibrations, points } = state;
  const { camera, point, pixels, weight, calibrationOf, calibrationColumn, cameraColumn, freePoint, refine } = index;
  const { byCamera: JC, byPoint: JP, byCalibration: JI, hessian: H, gradient: G, pointHessian, pointGradient } = out;
  const { widest } = index;
  const { base } = index.envelope;
  const { kind } = loss;
  const scaleSquare = loss.scalePx * loss.scalePx;
  H.fill(0);
  G.fill(0);
  pointHessian.fill(0);
  pointGradient.fill(0);
  let squares = 0;
  for (let o = 0; o < index.observations; o++) {
    const c = camera[o] * 12;
    const group = calibrationOf[camera[o]];
    const k = group * 6;
    const p = point[o] * 3;
    const q = o * 12;
    const s = o * 6;
    const X = points[p];
    const Y = points[p + 1];
    const Z = points[p + 2];
    const x = poses[c] * X + poses[c + 1] * Y + poses[c + 2] * Z + poses[c + 3];
    const y = poses[c + 4] * X + poses[c + 5] * Y + poses[c + 6] * Z + poses[c + 7];
    const z = poses[c + 8] * X + poses[c + 9] * Y + poses[c + 10] * Z + poses[c + 11];
    if (!(z > 0)) {
      JC.fill(0, q, q + 12);
      JP.fill(0, s, s + 6);
      JI.fill(0, o * 2 * widest, (o + 1) * 2 * widest);
      continue;
    }
    const inverse = 1 / z;
    const u = x * inverse;
    const v = y * inverse;
    const fx = calibrations[k];
    const fy = calibrations[k + 1];
    const k1 = calibrations[k + 4];
    const k2 = calibrations[k + 5];
    const r2 = u * u + v * v;
    const d = 1 + r2 * (k1 + k2 * r2);
    let ex = fx * d * u + calibrations[k + 2] - pixels[o * 2];
    let ey = fy * d * v + calibrations[k + 3] - pixels[o * 2 + 1];
    const own = weight[o];
    const w = own * lossWeight(kind, scaleSquare, own * own * (ex * ex + ey * ey));
    ex *= w;
    ey *= w;
    squares += ex * ex + ey * ey;

    // Pixel against the camera-frame point: d(px)/d(u, v), then (u, v) against (x, y, z).
    const slope = 2 * (k1 + 2 * k2 * r2);
    const xu = w * fx * (d + slope * u * u);
    const xv = w * fx * slope * u * v;
    const yu = w * fy * slope * u * v;
    const yv = w * fy * (d + slope * v * v);
    const x0 = xu * inverse;
    const x1 = xv * inverse;
    const x2 = -(xu * u + xv * v) * inverse;
    const y0 = yu * inverse;
    const y1 = yv * inverse;
    const y2 = -(yu * u + yv * v) * inverse;

    const column = cameraColumn[camera[o]];
    if (column >= 0) {
      // ω moves the point by ω × (x, y, z), v by itself.
      JC[q] = x2 * y - x1 * z;
      JC[q + 1] = x0 * z - x2 * x;
      JC[q + 2] = x1 * x - x0 * y;
      JC[q + 3] = x0;
      JC[q + 4] = x1;
      JC[q + 5] = x2;
      JC[q + 6] = y2 * y - y1 * z;
      JC[q + 7] = y0 * z - y2 * x;
      JC[q + 8] = y1 * x - y0 * y;
      JC[q + 9] = y0;
      JC[q + 10] = y1;
      JC[q + 11] = y2;
      for (let i = 0; i < 6; i++) {
        const a = JC[q + i];
        const b = JC[q + 6 + i];
        const row = base[column + i] + column;
        G[column + i] -= a * ex + b * ey;
        for (let j = 0; j <= i; j++) H[row + j] += a * JC[q + j] + b * JC[q + 6 + j];
      }
    }
    if (freePoint[point[o]]) {
      const a0 = x0 * poses[c] + x1 * poses[c + 4] + x2 * poses[c + 8];
      const a1 = x0 * poses[c + 1] + x1 * poses[c + 5] + x2 * poses[c + 9];
      const a2 = x0 * poses[c + 2] + x1 * poses[c + 6] + x2 * poses[c + 10];
      const b0 = y0 * poses[c] + y1 * poses[c + 4] + y2 * poses[c + 8];
      const b1 = y0 * poses[c + 1] + y1 * poses[c + 5] + y2 * poses[c + 9];
      const b2 = y0 * poses[c + 2] + y1 * poses[c + 6] + y2 * poses[c + 10];
      JP[s] = a0;
      JP[s + 1] = a1;
      JP[s + 2] = a2;
      JP[s + 3] = b0;
      JP[s + 4] = b1;
      JP[s + 5] = b2;
      const h = point[o] * 6;
      pointHessian[h] += a0 * a0 + b0 * b0;
      pointHessian[h + 1] += a0 * a1 + b0 * b1;
      pointHessian[h + 2] += a0 * a2 + b0 * b2;
      pointHessian[h + 3] += a1 * a1 + b1 * b1;
      pointHessian[h + 4] += a1 * a2 + b1 * b2;
      pointHessian[h + 5] += a2 * a2 + b2 * b2;
      pointGradient[p] -= a0 * ex + b0 * ey;
      pointGradient[p + 1] -= a1 * ex + b1 * ey;
      pointGradient[p + 2] -= a2 * ex + b2 * ey;
    }
    const names = refine[group];
    if (names.length === 0) continue;
    const jx = o * 2 * widest;
    const jy = jx + widest;
    for (let i = 0; i < names.length; i++) {
      let dx = 0;
      let dy = 0;
      switch (names[i]) {
        case "f":
          dx = d * u;
          dy = (d * v * fy) / fx;
          break;
        case "fx":
          dx = d * u;
          break;
        case "fy":
          dy = d * v;
          break;
        case "cx":
          dx = 1;
          break;
        case "cy":
          dy = 1;
          break;
        case "k1":
          dx = fx * u * r2;
          dy = fy * v * r2;
          break;
        case "k2":
          dx = fx * u * r2 * r2;
          dy = fy * v * r2 * r2;
          break;
      }
      JI[jx + i] = w * dx;
      JI[jy + i] = w * dy;
    }
    const first = calibrationColumn[group]; // calibrations come after all cameras: their rows are below
    for (let i = 0; i < names.length; i++) {
      const a = JI[jx + i];
      const b = JI[jy + i];
      const row = base[first + i];
      G[first + i] -= a * ex + b * ey;
      for (let j = 0; j <= i; j++) H[row + first + j] += a * JI[jx + j] + b * JI[jy + j];
      if (column >= 0) for (let j = 0; j < 6; j++) H[row + column + j] += a * JC[q + j] + b * JC[q + 6 + j];
    }
  }
  for (const prior of problem.priors ?? []) {
    const at = refine[prior.calibration].indexOf(prior.parameter);
    if (at < 0) continue;
    const column = calibrationColumn[prior.calibration] + at;
    const value = calibrations[prior.calibration * 6 + PARAMETER_AT[prior.parameter]];
    const weight = 1 / (prior.sigma * prior.sigma);
    H[base[column] + column] += weight;
    G[column] -= weight * (value - prior.value);
  }
  out.weightedSquares = squares;
}
