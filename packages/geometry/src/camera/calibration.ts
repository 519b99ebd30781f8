/**
 * A camera's calibration: six doubles `fx, fy, cx, cy, k1, k2` in pixels (k1, k2 without unit), whatever the model.
 *
 * pixel = (fx · d · x + cx, fy · d · y + cy) with d = 1 + k1 r² + k2 r⁴, r² = x² + y²; x, y are the normalised
 * coordinates X/Z, Y/Z. Pixel centres lie at 0.5. COLMAP's models are views of it: PINHOLE `fx, fy, cx, cy`,
 * SIMPLE_RADIAL `f, cx, cy, k`, RADIAL `f, cx, cy, k1, k2`.
 */
export type CameraModel = "PINHOLE" | "SIMPLE_RADIAL" | "RADIAL";

/** Length of a calibration in an array of many: that of group g begins at `CALIBRATION_SIZE * g`. */
export const CALIBRATION_SIZE = 6;

const PARAMS = { PINHOLE: 4, SIMPLE_RADIAL: 4, RADIAL: 5 } as const;

/** @throws {RangeError} when the number of parameters is not the model's */
export function calibrationFromParams(model: CameraModel, params: ArrayLike<number>): Float64Array {
  if (params.length !== PARAMS[model]) {
    throw new RangeError(`${model} has ${PARAMS[model]} parameters, not ${params.length}`);
  }
  if (model === "PINHOLE") return Float64Array.of(params[0], params[1], params[2], params[3], 0, 0);
  return Float64Array.of(params[0], params[0], params[1], params[2], params[3], model === "RADIAL" ? params[4] : 0);
}

/** Drops what the model cannot say: PINHOLE the distortion; the radial ones take the mean of fx and fy. */
export function paramsFromCalibration(model: CameraModel, calibration: Float64Array, at = 0): number[] {
  const [fx, fy, cx, cy, k1, k2] = calibration.subarray(at, at + CALIBRATION_SIZE);
  if (model === "PINHOLE") return [fx, fy, cx, cy];
  const f = (fx + fy) / 2;
  return model === "RADIAL" ? [f, cx, cy, k1, k2] : [f, cx, cy, k1];
}

/** The same camera for the photo resized by these factors. */
export function scaleCalibration(calibration: Float64Array, scaleX: number, scaleY = scaleX): Float64Array {
  const [fx, fy, cx, cy, k1, k2] = calibration;
  return Float64Array.of(fx * scaleX, fy * scaleY, cx * scaleX, cy * scaleY, k1, k2);
}
