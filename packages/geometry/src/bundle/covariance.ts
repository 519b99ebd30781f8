/**
 * How sure a bundle adjustment is: the inverse of the reduced system, scaled by the residuals' variance.
 * Hartley & Zisserman §5.2 and A6.5. The system is solved with one camera held and, where nothing else fixes the scale, the
 * distance from it to the farthest other camera; calibrations do not depend on that choice, and poses are told in the
 * frame in which the cameras as a whole move least (`gauge.ts`).
 */
import { factoring, solveEnvelope } from "../linear/envelope.ts";
import { inverting } from "../linear/envelope-inverse.ts";
import { cameraCentre } from "../rotation/pose.ts";
import { freed, freeGauge } from "./gauge.ts";
import type { NormalEquations } from "./linearise.ts";
import { type BundleIndex, type BundleProblem, PARAMETER_AT } from "./problem.ts";
import type { SchurComplement } from "./schur.ts";

export type BundleCovariance = {
  /** `[g, 6]` one standard deviation of each calibration number; 0 where it was held. */
  readonly calibrationSigma: Float64Array;
  /** `[n, 36]` covariance of each camera's step ω, v (radians, world units; see `retractPose`). Where one camera alone held the frame it is told
   * against all of them; 0 where several were held, or points. */
  readonly pose: Float64Array;
  /** Standard deviation of one pixel coordinate, as the weighted residuals tell it. */
  readonly pixelSigma: number;
};

/** In steps, as `factoring`. @returns undefined when the problem does not determine its unknowns */
export function* bundleCovariance(
  problem: BundleProblem,
  index: BundleIndex,
  equations: NormalEquations,
  schur: SchurComplement,
): Generator<number, BundleCovariance | undefined, void> {
  const { envelope, cameras, cameraColumn, freePoint } = index;
  let unknowns = index.size;
  for (const free of freePoint) unknowns += 3 * free;
  const freedom = index.observations * 2 - unknowns;
  if (freedom <= 0) return undefined;
  const variance = equations.weightedSquares / freedom;
  schur.reduce(equations, 0);
  const inverse = schur.reduced;
  const reference = frameHolder(problem, index);
  if (reference >= 0) holdScale(problem, index, reference, inverse);
  if (!(yield* factoring(inverse, envelope))) return undefined;
  const gauge =
    reference < 0 ? undefined : freeGauge(problem.poses, index, (right) => solveEnvelope(inverse, envelope, right));
  yield* inverting(inverse, envelope);
  const entry = (i: number, j: number) => inverse[envelope.base[Math.max(i, j)] + Math.min(i, j)];

  const calibrationSigma = new Float64Array(problem.calibrations.length);
  for (let g = 0; g < index.refine.length; g++) {
    index.refine[g].forEach((name, i) => {
      const column = index.calibrationColumn[g] + i;
      const sigma = Math.sqrt(variance * entry(column, column));
      calibrationSigma[g * 6 + PARAMETER_AT[name]] = sigma;
      if (name === "f") {
        calibrationSigma[g * 6 + 1] = (sigma * problem.calibrations[g * 6 + 1]) / problem.calibrations[g * 6];
      }
    });
  }
  const pose = new Float64Array(cameras * 36);
  for (let c = 0; c < cameras; c++) {
    const column = cameraColumn[c];
    const block = pose.subarray(c * 36, c * 36 + 36);
    for (let k = 0; column >= 0 && k < 36; k++) block[k] = entry(column + Math.floor(k / 6), column + (k % 6));
    if (gauge) freed(gauge, c, column, block);
    for (let k = 0; k < 36; k++) block[k] *= variance;
  }
  return { calibrationSigma, pose, pixelSigma: Math.sqrt(variance) };
}

/** The one camera that alone holds the frame, with every point free; −1 where there is none. */
function frameHolder(problem: BundleProblem, { cameras, cameraColumn, camera, observations }: BundleIndex): number {
  if (problem.constantPoint?.some((held) => held !== 0)) return -1;
  const seen = new Uint8Array(cameras);
  for (let o = 0; o < observations; o++) seen[camera[o]] = 1;
  let reference = -1;
  for (let c = 0; c < cameras; c++) {
    if (!seen[c] || cameraColumn[c] >= 0) continue;
    if (reference >= 0) return -1; // two held cameras fix the scale, too
    reference = c;
  }
  return reference;
}

/** Where one camera alone is held scale is open: a stiff spring on the longest baseline from it closes it. */
function holdScale(problem: BundleProblem, index: BundleIndex, reference: number, reduced: Float64Array): void {
  const { cameras, cameraColumn } = index;
  const { base } = index.envelope;
  const origin = cameraCentre(problem.poses, reference * 12);
  let farthest = -1;
  let length = 0;
  for (let c = 0; c < cameras; c++) {
    if (cameraColumn[c] < 0) continue;
    const centre = cameraCentre(problem.poses, c * 12);
    const distance = Math.hypot(centre[0] - origin[0], centre[1] - origin[1], centre[2] - origin[2]);
    if (distance > length) [farthest, length] = [c, distance];
  }
  if (farthest < 0) return;
  // The centre moves by −Rᵀ v, so the baseline grows by −(R d) · v along its unit direction d.
  const at = farthest * 12;
  const centre = cameraCentre(problem.poses, at);
  const direction = [0, 1, 2].map((k) => (centre[k] - origin[k]) / length);
  const row = [0, 1, 2].map((i) => direction.reduce((sum, d, k) => sum - problem.poses[at + i * 4 + k] * d, 0));
  const column = cameraColumn[farthest] + 3;
  let stiffest = 0;
  for (let i = 0; i < 3; i++) stiffest = Math.max(stiffest, reduced[base[column + i] + column + i]);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j <= i; j++) reduced[base[column + i] + column + j] += 1e6 * stiffest * row[i] * row[j];
  }
}
