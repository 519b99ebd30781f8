/**
 * How far estimated cameras are from true ones. Poses are `{image, R, t}`: R `[9]` row-major and t `[3]`, world→camera.
 *
 * Positions: distances of the centres after the best similarity of all cameras (Umeyama). Rotations: angles after the
 * best single rotation, so that few or collinear centres do not hide good ones. AUC@t: area under the recall curve, up
 * to t degrees, of the larger of rotation and translation-direction error of every pair of true cameras; a pair with a
 * camera that was not placed counts as never right. That is the usual benchmark's formula (trapezoids over the sorted
 * errors, the last step held flat).
 */
import {
  alignmentDistances,
  alignPoints,
  alignPointsRobust,
  rotationFromQuaternion,
  seededRandom,
} from "@cairn/geometry";

const AUC_DEGREES = [1, 3, 5, 10];
/** A camera farther off than this part of the extent, after a robust alignment, stands in a wrong place. */
const WRONG_SHARE = 0.02;
const DEGREES = 180 / Math.PI;

/**
 * @param rotations false where the truth knows positions only
 * @param wrongShare farther off than this part of the extent, after a robust alignment, a camera is wrong
 */
export function poseErrors(estimated, truth, { rotations = true, wrongShare = WRONG_SHARE } = {}) {
  const found = new Map(estimated.map((pose) => [pose.image, pose]));
  const posed = truth.filter(({ image }) => found.has(image));
  const result = { images: truth.length, placed: posed.length };
  if (posed.length >= 3) {
    const from = Float64Array.from(posed.flatMap(({ image }) => centreOf(found.get(image))));
    const to = Float64Array.from(posed.flatMap(centreOf));
    const extent = extentOf(posed.map(centreOf));
    const similarity = alignPoints(from, to);
    if (similarity) {
      const distances = distancesOf(similarity, from, to);
      result.position = statistics(distances);
      result.extent = extent;
    }
    const robust = alignPointsRobust(from, to, { random: seededRandom(1) });
    const limit = wrongShare * extent;
    result.wrong = robust
      ? distancesOf(robust.similarity, from, to).filter((each) => each > limit).length
      : posed.length;
    if (rotations) result.rotation = statistics(turnsAfterBest(posed, found));
  }
  if (rotations) result.auc = pairAuc(truth, found);
  return result;
}

function distancesOf(similarity, from, to) {
  const distances = new Float64Array(from.length / 3);
  alignmentDistances(similarity, from, to, distances);
  return [...distances];
}

export function centreOf({ R, t }) {
  return [0, 1, 2].map((k) => -(R[k] * t[0] + R[3 + k] * t[1] + R[6 + k] * t[2]));
}

function extentOf(centres) {
  let extent = 0;
  for (const a of centres) for (const b of centres) extent = Math.max(extent, Math.hypot(...a.map((x, i) => x - b[i])));
  return extent;
}

/** Degrees. The axes of all cameras and their opposites have mean 0: aligning them is finding the mean rotation. */
function turnsAfterBest(posed, found) {
  const axes = (R) => [...R, ...R.map((x) => -x)];
  const from = Float64Array.from(posed.flatMap(({ image }) => axes(found.get(image).R)));
  const to = Float64Array.from(posed.flatMap(({ R }) => axes(R)));
  const { rotation } = alignPoints(from, to);
  // x_true = Q x_estimated for directions of the world: R_estimated = R_true Q.
  return posed.map(({ image, R }) => angleOf(multiply(found.get(image).R, transpose(multiply(R, rotation)))));
}

function pairAuc(truth, found) {
  const errors = [];
  for (let i = 0; i < truth.length; i++) {
    for (let j = i + 1; j < truth.length; j++) {
      const [a, b] = [found.get(truth[i].image), found.get(truth[j].image)];
      errors.push(a && b ? pairError(relative(a, b), relative(truth[i], truth[j])) : Number.POSITIVE_INFINITY);
    }
  }
  errors.sort((p, q) => p - q);
  return Object.fromEntries(AUC_DEGREES.map((degrees) => [degrees, areaUnder(errors, degrees)]));
}

function areaUnder(errors, limit) {
  let area = 0;
  let [x, y] = [0, 0];
  for (let i = 0; i < errors.length && errors[i] < limit; i++) {
    const recall = (i + 1) / errors.length;
    area += ((errors[i] - x) * (y + recall)) / 2;
    [x, y] = [errors[i], recall];
  }
  return ((area + (limit - x) * y) / limit) * 100;
}

function relative(a, b) {
  const R = multiply(b.R, transpose(a.R));
  return { R, t: [0, 1, 2].map((i) => b.t[i] - (R[3 * i] * a.t[0] + R[3 * i + 1] * a.t[1] + R[3 * i + 2] * a.t[2])) };
}

function pairError(estimated, known) {
  const [a, b] = [estimated.t, known.t];
  const cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const direction = Math.atan2(Math.hypot(...cross), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) * DEGREES;
  return Math.max(angleOf(multiply(estimated.R, transpose(known.R))), direction);
}

function angleOf(R) {
  const sine = 0.5 * Math.hypot(R[7] - R[5], R[2] - R[6], R[3] - R[1]);
  return Math.atan2(sine, (R[0] + R[4] + R[8] - 1) / 2) * DEGREES;
}

function multiply(a, b) {
  return Array.from({ length: 9 }, (_, at) => {
    const [i, j] = [3 * Math.floor(at / 3), at % 3];
    return a[i] * b[j] + a[i + 1] * b[3 + j] + a[i + 2] * b[6 + j];
  });
}

function transpose(a) {
  return [a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8]];
}

function statistics(values) {
  const sorted = [...values].sort((p, q) => p - q);
  const half = sorted.length >> 1;
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2,
    max: sorted[sorted.length - 1],
  };
}

/** A pose of an event as the truth has it. */
export function matrixOf({ rotation, translation }) {
  return { R: [...rotationFromQuaternion(rotation)], t: translation };
}
