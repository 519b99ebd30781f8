/** Points to pixels and pixels to rays, for the calibration of `calibration.ts`. */

/** Radii at which the undistortion stops trying: a ray 84° off the axis. */
const MAX_RADIUS = 10;

/**
 * Projects one world point.
 *
 * @param poses `[n, 12]` cameraFromWorld; this one begins at `poseAt`
 * @param calibrations `[g, 6]`; this one begins at `calibrationAt`
 * @param out the pixel, at `outAt` and `outAt + 1`; NaN when the camera cannot see the point
 * @returns the depth, world units; ≤ 0 when not in front, NaN behind the fold of the distortion: so far off the axis the
 * formula leads back into the picture, where other points are
 */
export function projectPoint(
  poses: Float64Array,
  poseAt: number,
  calibrations: Float64Array,
  calibrationAt: number,
  x: number,
  y: number,
  z: number,
  out: Float64Array,
  outAt = 0,
): number {
  const p = poseAt;
  const c = calibrationAt;
  const depth = poses[p + 8] * x + poses[p + 9] * y + poses[p + 10] * z + poses[p + 11];
  if (!(depth > 0)) {
    out[outAt] = NaN;
    out[outAt + 1] = NaN;
    return depth;
  }
  const u = (poses[p] * x + poses[p + 1] * y + poses[p + 2] * z + poses[p + 3]) / depth;
  const v = (poses[p + 4] * x + poses[p + 5] * y + poses[p + 6] * z + poses[p + 7]) / depth;
  const r2 = u * u + v * v;
  const k1 = calibrations[c + 4];
  const k2 = calibrations[c + 5];
  if (r2 * foldInverse(k1, k2) > 1) {
    out[outAt] = NaN;
    out[outAt + 1] = NaN;
    return NaN;
  }
  const d = 1 + r2 * (k1 + k2 * r2);
  out[outAt] = calibrations[c] * d * u + calibrations[c + 2];
  out[outAt + 1] = calibrations[c + 1] * d * v + calibrations[c + 3];
  return depth;
}

/** Projects `[n, 3]` world points to `[n, 2]` pixels (NaN where it cannot see them); returns how many have one. */
export function projectPoints(
  cameraFromWorld: Float64Array,
  calibration: Float64Array,
  points: Float64Array,
  pixels: Float64Array,
): number {
  const n = (points.length / 3) | 0;
  if (pixels.length < n * 2) throw new RangeError(`pixels holds ${pixels.length >> 1} of ${n} points`);
  let seen = 0;
  for (let i = 0; i < n; i++) {
    const p = i * 3;
    if (projectPoint(cameraFromWorld, 0, calibration, 0, points[p], points[p + 1], points[p + 2], pixels, i * 2) > 0) {
      seen++;
    }
  }
  return seen;
}

/** Distance in pixels between where a point is seen and where it projects; Infinity when it is not in front. */
export function reprojectionError(
  poses: Float64Array,
  poseAt: number,
  calibrations: Float64Array,
  calibrationAt: number,
  points: Float64Array,
  pointAt: number,
  pixelX: number,
  pixelY: number,
): number {
  const p = poseAt;
  const c = calibrationAt;
  const x = points[pointAt];
  const y = points[pointAt + 1];
  const z = points[pointAt + 2];
  const depth = poses[p + 8] * x + poses[p + 9] * y + poses[p + 10] * z + poses[p + 11];
  if (!(depth > 0)) return Infinity;
  const u = (poses[p] * x + poses[p + 1] * y + poses[p + 2] * z + poses[p + 3]) / depth;
  const v = (poses[p + 4] * x + poses[p + 5] * y + poses[p + 6] * z + poses[p + 7]) / depth;
  const r2 = u * u + v * v;
  const d = 1 + r2 * (calibrations[c + 4] + calibrations[c + 5] * r2);
  const ex = calibrations[c] * d * u + calibrations[c + 2] - pixelX;
  const ey = calibrations[c + 1] * d * v + calibrations[c + 3] - pixelY;
  return Math.sqrt(ex * ex + ey * ey);
}

/** `[n, 2]` normalised coordinates (z = 1 plane, undistorted) to `[n, 2]` pixels. `pixels` may be the input. */
export function pixelsFromNormalised(
  calibration: Float64Array,
  normalised: Float64Array,
  pixels: Float64Array = new Float64Array(normalised.length),
): Float64Array {
  const [fx, fy, cx, cy, k1, k2] = calibration;
  for (let i = 0; i < normalised.length; i += 2) {
    const x = normalised[i];
    const y = normalised[i + 1];
    const r2 = x * x + y * y;
    const d = 1 + r2 * (k1 + k2 * r2);
    pixels[i] = fx * d * x + cx;
    pixels[i + 1] = fy * d * y + cy;
  }
  return pixels;
}

/**
 * `[n, 2]` pixels to `[n, 2]` normalised, undistorted coordinates. `normalised` may be the input.
 * Where the distortion folds over (strong negative k far from the centre) no ray gives the pixel; such a pixel gets
 * the ray of the fold, the last one that the model can tell apart.
 */
export function normalisedFromPixels(
  calibration: Float64Array,
  pixels: Float64Array,
  normalised: Float64Array = new Float64Array(pixels.length),
): Float64Array {
  const [fx, fy, cx, cy, k1, k2] = calibration;
  const straight = k1 === 0 && k2 === 0;
  const fold = straight ? Infinity : foldRadius(k1, k2);
  for (let i = 0; i < pixels.length; i += 2) {
    const x = (pixels[i] - cx) / fx;
    const y = (pixels[i + 1] - cy) / fy;
    const scale = straight ? 1 : undistortedScale(Math.hypot(x, y), k1, k2, fold);
    normalised[i] = x * scale;
    normalised[i + 1] = y * scale;
  }
  return normalised;
}

/**
 * 1 / r² of the smallest radius where r (1 + k1 r² + k2 r⁴) stops growing, not above 0 where it never does:
 * 1 + 3 k1 s + 5 k2 s² = 0 with s = r², solved for 1 / s so that a vanishing k2 divides nothing.
 */
function foldInverse(k1: number, k2: number): number {
  const discriminant = 9 * k1 * k1 - 20 * k2;
  return discriminant >= 0 ? (Math.sqrt(discriminant) - 3 * k1) / 2 : 0;
}

function foldRadius(k1: number, k2: number): number {
  const inverse = foldInverse(k1, k2);
  return inverse > 0 ? Math.min(MAX_RADIUS, Math.sqrt(1 / inverse)) : MAX_RADIUS;
}

/** r / r_distorted, by Newton's method kept inside a shrinking bracket; r ↦ r_distorted grows on [0, fold]. */
function undistortedScale(distorted: number, k1: number, k2: number, fold: number): number {
  if (distorted < 1e-12) return 1;
  const square = fold * fold;
  if (distorted >= fold * (1 + square * (k1 + k2 * square))) return fold / distorted;
  let low = 0;
  let high = fold;
  let r = Math.min(distorted, fold);
  for (let step = 0; step < 50; step++) {
    const r2 = r * r;
    const value = r * (1 + r2 * (k1 + k2 * r2)) - distorted;
    if (value > 0) high = r;
    else low = r;
    const next = r - value / (1 + r2 * (3 * k1 + 5 * k2 * r2));
    const taken = next > low && next < high ? next : (low + high) / 2;
    if (Math.abs(taken - r) <= 1e-15 * r) break;
    r = taken;
  }
  return r / distorted;
}
