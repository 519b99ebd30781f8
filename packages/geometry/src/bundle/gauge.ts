/**
 * How sure poses are among themselves. An adjustment holds one camera and one length, and tells the doubt about all
 * others against these: none about the first, much about the last. Moved to the frame in which the cameras as a whole
 * move least, each has its own share. That is Baarda's S-transformation ("S-transformations and criterion matrices",
 * 1973) to inner constraints; Triggs et al., "Bundle Adjustment: A Modern Synthesis" (2000), §9.3.
 */
import { cameraCentre } from "../rotation/pose.ts";
import type { BundleIndex } from "./problem.ts";

/** Shift, turn and growth of everything. */
const MOTIONS = 7;

/** What frees the poses of a gauge; made while the system is still factored. */
export type FreeGauge = {
  /** `[n]` of each camera `[6, 7]`: the step ω, v by which it follows a motion of everything. */
  readonly follow: readonly Float64Array[];
  /** `[7]` of `[size]`: covariance of each motion that is to be taken off with the steps; times the variance. */
  readonly shared: readonly Float64Array[];
  /** `[7, 7]` covariance of these motions; times the variance. */
  readonly motions: Float64Array;
};

/**
 * @param poses `[n, 12]`
 * @param solve overwrites a right side `[size]` by the solution of the gauge-fixed system
 * @returns undefined where all cameras are in one place
 */
export function freeGauge(
  poses: Float64Array,
  { cameras, cameraColumn, size }: BundleIndex,
  solve: (right: Float64Array) => void,
): FreeGauge | undefined {
  const centres = Array.from({ length: cameras }, (_, c) => cameraCentre(poses, c * 12));
  const middle = [0, 1, 2].map((k) => centres.reduce((sum, centre) => sum + centre[k], 0) / cameras);
  const arms = centres.map((centre) => middle.map((m, k) => centre[k] - m));
  const squares = arms.reduce((sum, x) => sum + x[0] ** 2 + x[1] ** 2 + x[2] ** 2, 0);
  if (!(squares > 0)) return undefined;
  // A turn of a camera weighs as much as what the same turn of everything moves it by.
  const armSquare = squares / cameras;

  // Of the motion (a, b, s): a centre moves by a + b × x + s x, a camera turns by −R b; see `retractPose` for the step.
  const follow = arms.map(([x, y, z], c) => {
    const moved = [
      [1, 0, 0, 0, z, -y, x],
      [0, 1, 0, -z, 0, x, y],
      [0, 0, 1, y, -x, 0, z],
    ];
    const step = new Float64Array(6 * MOTIONS);
    for (let i = 0; i < 3; i++) {
      for (let m = 0; m < MOTIONS; m++) {
        for (let k = 0; k < 3; k++) step[(3 + i) * MOTIONS + m] -= poses[c * 12 + 4 * i + k] * moved[k][m];
      }
      for (let k = 0; k < 3; k++) step[i * MOTIONS + 3 + k] = -poses[c * 12 + 4 * i + k];
    }
    return step;
  });

  // The motion nearest to the steps, by least squares: rows of N⁻¹ Fᵀ W. Around the middle shift, turn and growth part.
  const inertia = turnInverse(arms, squares + cameras * armSquare);
  const rows = Array.from({ length: MOTIONS }, () => new Float64Array(size));
  for (let c = 0; c < cameras; c++) {
    const column = cameraColumn[c];
    if (column < 0) continue;
    for (let i = 0; i < 6; i++) {
      const weight = i < 3 ? armSquare : 1;
      const at = i * MOTIONS;
      const f = follow[c];
      for (let k = 0; k < 3; k++) {
        rows[k][column + i] = (weight * f[at + k]) / cameras;
        for (let j = 0; j < 3; j++) rows[3 + k][column + i] += weight * inertia[3 * k + j] * f[at + 3 + j];
      }
      rows[6][column + i] = (weight * f[at + 6]) / squares;
    }
  }
  const shared = rows.map((row) => {
    const solved = row.slice();
    solve(solved);
    return solved;
  });
  const motions = new Float64Array(MOTIONS * MOTIONS);
  for (let i = 0; i < MOTIONS; i++) {
    for (let j = 0; j < MOTIONS; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += rows[i][k] * shared[j][k];
      motions[i * MOTIONS + j] = sum;
    }
  }
  return { follow, shared, motions };
}

/**
 * Moves the covariance of one camera's step there.
 * @param column the camera's first unknown, −1 when it is held
 * @param block `[36]` its covariance as the system tells it, changed in place
 */
export function freed(
  { follow, shared, motions }: FreeGauge,
  camera: number,
  column: number,
  block: Float64Array,
): void {
  const f = follow[camera];
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j < 6; j++) {
      let change = 0;
      for (let m = 0; m < MOTIONS; m++) {
        const [fi, fj] = [f[i * MOTIONS + m], f[j * MOTIONS + m]];
        if (column >= 0) change -= fi * shared[m][column + j] + fj * shared[m][column + i];
        for (let n = 0; n < MOTIONS; n++) change += fi * motions[m * MOTIONS + n] * f[j * MOTIONS + n];
      }
      block[i * 6 + j] += change;
    }
  }
}

/** `[9]` inverse of (trace · 1 − Σ x xᵀ), which is positive definite when the trace is more than Σ |x|². */
function turnInverse(arms: readonly (readonly number[])[], trace: number): Float64Array {
  const [xx, xy, xz, yy, yz, zz] = [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 1],
    [1, 2],
    [2, 2],
  ].map(([i, j]) => (i === j ? trace : 0) - arms.reduce((sum, x) => sum + x[i] * x[j], 0));
  const [c0, c1, c2] = [yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy];
  const determinant = xx * c0 + xy * c1 + xz * c2;
  const [c3, c4, c5] = [xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy];
  return Float64Array.of(c0, c1, c2, c1, c3, c4, c2, c4, c5).map((cofactor) => cofactor / determinant);
}
