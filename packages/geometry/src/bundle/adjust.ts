/**
 * Bundle adjustment: Levenberg–Marquardt over all cameras, points and calibrations at once.
 * Damping by Nielsen's rule (Madsen, Nielsen, Tingleff 2004, §3.2), scaled by the diagonal (Marquardt 1963).
 */
import type { Envelope } from "../linear/envelope.ts";
import { SuccessiveSystems } from "../linear/successive.ts";
import { orthonormalisePose, retractPose } from "../rotation/pose.ts";
import { type BundleCovariance, bundleCovariance } from "./covariance.ts";
import { allocateNormalEquations, bundleCost, linearise, type State } from "./linearise.ts";
import type { Loss } from "./loss.ts";
import { type BundleIndex, type BundleProblem, indexBundle, PARAMETER_AT } from "./problem.ts";
import { SchurComplement } from "./schur.ts";

export type BundleOptions = {
  /** Cauchy at 1 px when left out. */
  readonly loss?: Loss;
  /** 20 when left out. */
  readonly maxIterations?: number;
  /** Stops when an iteration lowers the cost by less than this part of it; 1e-6 when left out. */
  readonly tolerance?: number;
  /** Asked between iterations; when it has fired, its reason is thrown and the arrays hold the last good state. */
  readonly signal?: AbortSignal;
  /** Also find how sure the result is (one more factorisation and an inverse of the reduced system). */
  readonly covariance?: boolean;
};

export type BundleReport = {
  readonly iterations: number;
  /** Robust cost, pixels squared. */
  readonly costBefore: number;
  readonly costAfter: number;
  readonly observations: number;
  /** False when the iterations ran out first. */
  readonly converged: boolean;
  readonly covariance?: BundleCovariance;
};

const PART_PRODUCTS = 1e8;
const DEFAULT_LOSS: Loss = { kind: "cauchy", scalePx: 1 };

/** Runs to the end in one go. Changes the problem's poses, calibrations and points in place. */
export function adjustBundle(problem: BundleProblem, options: BundleOptions = {}): BundleReport {
  const iterations = bundleIterations(problem, options);
  for (;;) {
    const { done, value } = iterations.next();
    if (done) return value;
  }
}

/**
 * The same in parts, for callers that have other things to do between: yields the cost so far after each iteration, and
 * within one between its steps, several times in one that hundreds of cameras make long.
 */
export function* bundleIterations(
  problem: BundleProblem,
  options: BundleOptions = {},
): Generator<number, BundleReport, void> {
  const { loss = DEFAULT_LOSS, maxIterations = 20, tolerance = 1e-6, signal } = options;
  signal?.throwIfAborted();
  const index = indexBundle(problem);
  const equations = allocateNormalEquations(index);
  const schur = new SchurComplement(index);
  const systems = new SuccessiveSystems(index.envelope);
  const shift = new Float64Array(problem.points.length);
  const scratch = new Float64Array(9);
  const state: State = problem;
  const tried: State = {
    poses: problem.poses.slice(),
    calibrations: problem.calibrations.slice(),
    points: problem.points.slice(),
  };
  const costBefore = bundleCost(problem, index, state, loss);
  let cost = costBefore;
  let lambda = 1e-4;
  let growth = 2;
  let iterations = 0;
  let converged = false;
  while (iterations < maxIterations && !converged) {
    linearise(problem, index, state, loss, equations);
    yield cost;
    let accepted = false;
    while (!accepted && lambda < 1e12) {
      signal?.throwIfAborted();
      schur.reduce(equations, lambda);
      yield cost;
      if (!(yield* inParts(systems.solving(schur.reduced, schur.right), cost, signal))) {
        lambda *= growth;
        growth *= 2;
        continue;
      }
      const step = schur.right;
      schur.backSubstitute(equations, step, shift);
      takeStep(index, state, step, shift, tried, scratch);
      const newCost = bundleCost(problem, index, tried, loss);
      const predicted =
        predictedGain(equations.gradient, step, equations.hessian, index.envelope, lambda) +
        predictedPointGain(equations.pointGradient, equations.pointHessian, shift, lambda);
      if (newCost <= cost) {
        const ratio = predicted > 0 ? (cost - newCost) / predicted : 1;
        lambda = Math.max(1e-10, lambda * Math.max(1 / 10, 1 - (2 * ratio - 1) ** 3));
        growth = 2;
        converged = cost - newCost <= tolerance * cost;
        cost = newCost;
        state.poses.set(tried.poses);
        state.calibrations.set(tried.calibrations);
        state.points.set(tried.points);
        accepted = true;
      } else {
        lambda *= growth;
        growth *= 2;
        if (predicted <= tolerance * 1e-3 * cost) break; // nothing left to gain but rounding
        yield cost;
      }
    }
    if (!accepted) converged = true;
    else {
      iterations++;
      yield cost;
    }
  }
  for (let c = 0; c < index.cameras; c++) if (index.cameraColumn[c] >= 0) orthonormalisePose(state.poses, c * 12);
  const report = { iterations, costBefore, costAfter: cost, observations: index.observations, converged };
  if (!options.covariance) return report;
  linearise(problem, index, state, loss, equations);
  const covariance = yield* inParts(bundleCovariance(problem, index, equations, schur), cost, signal);
  return covariance ? { ...report, covariance } : report;
}

/** Pauses work that says how many products its steps take: a caller gets a word in every few tenths of a second. */
function* inParts<T>(
  steps: Generator<number, T, void>,
  cost: number,
  signal: AbortSignal | undefined,
): Generator<number, T, void> {
  let products = 0;
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    products += value;
    if (products < PART_PRODUCTS) continue;
    products = 0;
    signal?.throwIfAborted();
    yield cost;
  }
}

function takeStep(
  index: BundleIndex,
  state: State,
  step: Float64Array,
  shift: Float64Array,
  out: State,
  scratch: Float64Array,
): void {
  for (let c = 0; c < index.cameras; c++) {
    const column = index.cameraColumn[c];
    if (column >= 0) retractPose(state.poses, c * 12, step, column, out.poses, c * 12, scratch);
  }
  out.calibrations.set(state.calibrations);
  for (let g = 0; g < index.refine.length; g++) {
    const names = index.refine[g];
    for (let i = 0; i < names.length; i++) {
      const delta = step[index.calibrationColumn[g] + i];
      const at = g * 6 + PARAMETER_AT[names[i]];
      out.calibrations[at] += delta;
      if (names[i] !== "f") continue;
      const [fx, fy] = [state.calibrations[at], state.calibrations[at + 1]];
      out.calibrations[at + 1] = fx === fy ? out.calibrations[at] : (fy * out.calibrations[at]) / fx; // one stays one
    }
  }
  for (let i = 0; i < shift.length; i++) out.points[i] = state.points[i] + shift[i];
}

/** What the quadratic model promises: stepᵀ (λ D step + gradient), D the diagonal of the Hessian. */
function predictedGain(
  gradient: Float64Array,
  step: Float64Array,
  hessian: Float64Array,
  { size, base }: Envelope,
  lambda: number,
): number {
  let gain = 0;
  for (let i = 0; i < size; i++) gain += step[i] * (lambda * hessian[base[i] + i] * step[i] + gradient[i]);
  return gain;
}

function predictedPointGain(
  gradient: Float64Array,
  hessian: Float64Array,
  shift: Float64Array,
  lambda: number,
): number {
  let gain = 0;
  for (let p = 0, h = 0; p < shift.length; p += 3, h += 6) {
    gain += shift[p] * (lambda * hessian[h] * shift[p] + gradient[p]);
    gain += shift[p + 1] * (lambda * hessian[h + 3] * shift[p + 1] + gradient[p + 1]);
    gain += shift[p + 2] * (lambda * hessian[h + 5] * shift[p + 2] + gradient[p + 2]);
  }
  return gain;
}
