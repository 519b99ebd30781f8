/**
 * What bundle adjustment works on: cameras, points and where the cameras saw them, flat, and which of it may move.
 * `indexBundle` turns it into the order the solver wants: observations by point, unknowns numbered.
 */
import { CALIBRATION_SIZE } from "../camera/calibration.ts";
import { type Envelope, envelopeOf, narrowOrder } from "../linear/envelope.ts";

export type BundleProblem = {
  /** `[n, 12]` cameraFromWorld; changed in place. */
  readonly poses: Float64Array;
  /** `[g, 6]` fx, fy, cx, cy, k1, k2; changed in place. */
  readonly calibrations: Float64Array;
  /** `[n]` which calibration each camera has; several cameras may share one. All 0 when left out. */
  readonly calibrationOf?: Int32Array;
  /** `[m, 3]` world; changed in place. */
  readonly points: Float64Array;
  /** `[k]` which camera saw … */
  readonly observationCamera: Int32Array;
  /** `[k]` … which point, in any order; a camera sees a point at most once … */
  readonly observationPoint: Int32Array;
  /** `[k, 2]` … at which pixel. */
  readonly observationPixels: Float64Array;
  /** `[k]` what its residual is multiplied by before the loss: the surer, the more. All 1 when left out. */
  readonly observationWeight?: Float64Array;
  /** `[n]` 1 for poses that stay. With none of these and no constant point, the first camera stays (gauge). */
  readonly constantPose?: Uint8Array;
  /** `[m]` 1 for points that stay. */
  readonly constantPoint?: Uint8Array;
  /** What may change in each calibration, `[g]`; nothing where left out. `f` moves fx and fy by one factor. */
  readonly refine?: readonly (readonly CalibrationParameter[])[];
  /** Beliefs about calibrations, weighed against pixels of sigma 1. */
  readonly priors?: readonly CalibrationPrior[];
};

export type CalibrationParameter = "f" | "fx" | "fy" | "cx" | "cy" | "k1" | "k2";

export type CalibrationPrior = {
  readonly calibration: number;
  readonly parameter: CalibrationParameter;
  readonly value: number;
  /** One standard deviation, the parameter's unit. */
  readonly sigma: number;
};

/** Where a parameter is stored in a calibration; `f` is led by fx. */
export const PARAMETER_AT: Readonly<Record<CalibrationParameter, number>> = {
  f: 0,
  fx: 0,
  fy: 1,
  cx: 2,
  cy: 3,
  k1: 4,
  k2: 5,
};

export type BundleIndex = {
  readonly cameras: number;
  readonly points: number;
  readonly observations: number;
  /** Number of unknowns of cameras and calibrations: the side of the reduced system. */
  readonly size: number;
  /** Which entries of the reduced system can be other than zero: only cameras that see a common point meet. */
  readonly envelope: Envelope;
  /** `[n]` first column of the camera's six unknowns, −1 when it is held. Cameras that meet have columns near by. */
  readonly cameraColumn: Int32Array;
  /** `[n]` calibration of each camera. */
  readonly calibrationOf: Int32Array;
  /** `[g + 1]` first column of each calibration's unknowns. */
  readonly calibrationColumn: Int32Array;
  /** What each calibration may change. */
  readonly refine: readonly (readonly CalibrationParameter[])[];
  /** Most unknowns of any one calibration. */
  readonly widest: number;
  /** `[m + 1]` observations of point p are `pointStart[p]` … `pointStart[p + 1] − 1`. */
  readonly pointStart: Int32Array;
  /** `[k]`, by point and then by camera. */
  readonly camera: Int32Array;
  readonly point: Int32Array;
  /** `[k, 2]` */
  readonly pixels: Float64Array;
  /** `[k]` */
  readonly weight: Float64Array;
  /** `[m]` 1 when the point is unknown. */
  readonly freePoint: Uint8Array;
  readonly longestTrack: number;
};

/** @throws {RangeError} when the arrays disagree or name what is not there */
export function indexBundle(problem: BundleProblem): BundleIndex {
  const cameras = problem.poses.length / 12;
  const points = problem.points.length / 3;
  const groups = problem.calibrations.length / CALIBRATION_SIZE;
  const { observationCamera, observationPoint, observationPixels, observationWeight } = problem;
  const observations = observationCamera.length;
  if (observationPoint.length !== observations || observationPixels.length !== observations * 2) {
    throw new RangeError(
      `${observations} cameras, ${observationPoint.length} points and ${observationPixels.length / 2} pixels`,
    );
  }
  if (observationWeight && observationWeight.length !== observations) {
    throw new RangeError(`${observations} observations, ${observationWeight.length} weights`);
  }
  const calibrationOf = problem.calibrationOf ?? new Int32Array(cameras);
  for (let c = 0; c < cameras; c++) {
    if (!(calibrationOf[c] >= 0 && calibrationOf[c] < groups)) {
      throw new RangeError(`camera ${c} has calibration ${calibrationOf[c]} of ${groups}`);
    }
  }

  // Two counting sorts, the second stable: by camera, then by point.
  for (let o = 0; o < observations; o++) {
    if (!(observationCamera[o] >= 0 && observationCamera[o] < cameras && observationPoint[o] >= 0)) {
      throw new RangeError(`observation ${o} is of camera ${observationCamera[o]}, point ${observationPoint[o]}`);
    }
    if (observationPoint[o] >= points) throw new RangeError(`observation ${o} is of point ${observationPoint[o]}`);
  }
  const identity = Int32Array.from({ length: observations }, (_, o) => o);
  const byCamera = countingSort(identity, observationCamera, cameras).order;
  const { order, start: pointStart } = countingSort(byCamera, observationPoint, points);
  const camera = new Int32Array(observations);
  const point = new Int32Array(observations);
  const pixels = new Float64Array(observations * 2);
  const weight = new Float64Array(observations).fill(1);
  for (let o = 0; o < observations; o++) {
    camera[o] = observationCamera[order[o]];
    point[o] = observationPoint[order[o]];
    pixels[o * 2] = observationPixels[order[o] * 2];
    pixels[o * 2 + 1] = observationPixels[order[o] * 2 + 1];
    if (observationWeight) weight[o] = observationWeight[order[o]];
    if (o > 0 && point[o] === point[o - 1] && camera[o] === camera[o - 1]) {
      throw new RangeError(`camera ${camera[o]} sees point ${point[o]} twice`);
    }
  }
  let longestTrack = 0;
  const freePoint = new Uint8Array(points);
  for (let p = 0; p < points; p++) {
    const length = pointStart[p + 1] - pointStart[p];
    longestTrack = Math.max(longestTrack, length);
    freePoint[p] = problem.constantPoint?.[p] || length === 0 ? 0 : 1;
  }

  const seen = new Uint8Array(cameras);
  for (let o = 0; o < observations; o++) seen[camera[o]] = 1;
  const anchored =
    problem.constantPoint?.some((held) => held !== 0) || problem.constantPose?.some((h, c) => h && seen[c]);
  const gauge = anchored ? -1 : seen.indexOf(1);
  const freeCameras: number[] = [];
  for (let c = 0; c < cameras; c++) if (seen[c] && !problem.constantPose?.[c] && c !== gauge) freeCameras.push(c);
  const meeting = camerasThatMeet(freeCameras, cameras, pointStart, camera, freePoint);
  const cameraColumn = new Int32Array(cameras).fill(-1);
  let size = 0;
  for (const k of narrowOrder(freeCameras.length, meeting)) {
    cameraColumn[freeCameras[k]] = size;
    size += 6;
  }
  const inUse = new Uint8Array(groups);
  for (let c = 0; c < cameras; c++) if (seen[c]) inUse[calibrationOf[c]] = 1;
  const refine = Array.from({ length: groups }, (_, g) => (inUse[g] ? (problem.refine?.[g] ?? []) : []));
  const calibrationColumn = new Int32Array(groups + 1);
  let widest = 0;
  for (let g = 0; g < groups; g++) {
    if (refine[g].includes("f") && (refine[g].includes("fx") || refine[g].includes("fy"))) {
      throw new RangeError("refine either f or fx and fy");
    }
    calibrationColumn[g] = size;
    size += refine[g].length;
    widest = Math.max(widest, refine[g].length);
  }
  calibrationColumn[groups] = size;
  const envelope = envelopeOf(firstColumns(size, freeCameras, meeting, cameraColumn));
  return {
    cameras,
    points,
    observations,
    size,
    envelope,
    cameraColumn,
    calibrationOf,
    calibrationColumn,
    refine,
    widest,
    pointStart,
    camera,
    point,
    pixels,
    weight,
    freePoint,
    longestTrack,
  };
}

/** `[free, free]` 1 where two cameras see a common point that may move. */
function camerasThatMeet(
  free: readonly number[],
  cameras: number,
  pointStart: Int32Array,
  camera: Int32Array,
  freePoint: Uint8Array,
): Uint8Array {
  const n = free.length;
  const placeOf = new Int32Array(cameras).fill(-1);
  for (const [place, c] of free.entries()) placeOf[c] = place;
  const meeting = new Uint8Array(n * n);
  for (let p = 0; p + 1 < pointStart.length; p++) {
    if (!freePoint[p]) continue;
    for (let o = pointStart[p]; o < pointStart[p + 1]; o++) {
      const a = placeOf[camera[o]];
      if (a < 0) continue;
      for (let other = pointStart[p]; other < o; other++) {
        const b = placeOf[camera[other]];
        if (b < 0) continue;
        meeting[a * n + b] = 1;
        meeting[b * n + a] = 1;
      }
    }
  }
  return meeting;
}

/** `[size]` for each row of the reduced system, its first column; calibrations meet everything. */
function firstColumns(
  size: number,
  free: readonly number[],
  meeting: Uint8Array,
  cameraColumn: Int32Array,
): Int32Array {
  const first = new Int32Array(size);
  for (const [a, c] of free.entries()) {
    let lowest = cameraColumn[c];
    for (const [b, other] of free.entries()) {
      if (meeting[a * free.length + b]) lowest = Math.min(lowest, cameraColumn[other]);
    }
    first.fill(lowest, cameraColumn[c], cameraColumn[c] + 6);
  }
  return first;
}

/** `order` sorted by `keys[order[i]]`, stable; `start[k]` is where key k begins. */
function countingSort(order: Int32Array, keys: Int32Array, buckets: number): { order: Int32Array; start: Int32Array } {
  const start = new Int32Array(buckets + 1);
  for (const o of order) start[keys[o] + 1]++;
  for (let k = 0; k < buckets; k++) start[k + 1] += start[k];
  const next = start.slice();
  const sorted = new Int32Array(order.length);
  for (const o of order) sorted[next[keys[o]]++] = o;
  return { order: sorted, start };
}
