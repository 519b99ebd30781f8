/**
 * How sure a bundle adjustment is: the inverse of the reduced system, scaled by the residuals' variance.
 * Hartley & Zisserman §5.2 and A6.5; the gauge is the held camera and, where nothing else fixes the scale, the
 * distance from it to the farthest other camera. Calibrations do not depend on that choice; poses do.
 */
import { factoring, inverting } from "../linear/envelope.ts";
import { cameraCentre } from "../rotation/pose.ts";
import type { NormalEquations } from "./linearise.ts";
import { type BundleIndex, type BundleProblem, PARAMETER_AT } from "./problem.ts";
import type { SchurComplement } from "./schur.ts";

export type BundleCovariance = {
  /** `[g, 6]` one standard deviation of each calibration number; 0 where it was held. */
  readonly calibrationSigma: Float64Array;
  /** `[n, 36]` covariance of each camera's step ω, v (radians, world units; see `retractPose`); 0 where held. */
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
  holdScale(problem, index, inverse);
  if (!(yield* factoring(inverse, envelope))) return undefined;
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
    if (column < 0) continue;
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) {
        pose[c * 36 + i * 6 + j] = variance * entry(column + i, column + j);
      }
    }
  }
  return { calibrationSigma, pose, pixelSigma: Math.sqrt(variance) };
}

/** With one camera held and every point free, scale is open: a stiff spring on the longest baseline closes it. */
function holdScale(problem: BundleProblem, index: BundleIndex, reduced: Float64Array): void {
  const { cameras, cameraColumn, camera, observations } = index;
  const { base } = index.envelope;
  if (problem.constantPoint?.some((held) => held !== 0)) return;
  const seen = new Uint8Array(cameras);
  for (let o = 0; o < observations; o++) seen[camera[o]] = 1;
  let reference = -1;
  for (let c = 0; c < cameras; c++) {
    if (!seen[c] || cameraColumn[c] >= 0) continue;
    if (reference >= 0) return; // two held cameras fix it
    reference = c;
  }
  if (reference < 0) return;
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
