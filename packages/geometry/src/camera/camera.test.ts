import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { identityPose, poseFromRotation } from "../rotation/pose.ts";
import { largestDifference } from "../test/scene.ts";
import { calibrationFromParams, paramsFromCalibration, scaleCalibration } from "./calibration.ts";
import {
  normalisedFromPixels,
  pixelsFromNormalised,
  projectPoint,
  projectPoints,
  reprojectionError,
} from "./project.ts";

const number = fc.double({ min: -1, max: 1, noNaN: true });

test("COLMAP parameters survive the calibration", () => {
  for (const [model, params] of [
    ["PINHOLE", [1000, 1010, 800, 533.5]],
    ["SIMPLE_RADIAL", [1000, 800, 533.5, -0.1]],
    ["RADIAL", [1000, 800, 533.5, -0.1, 0.02]],
  ] as const) {
    assert.deepEqual(paramsFromCalibration(model, calibrationFromParams(model, params)), [...params]);
    assert.throws(() => calibrationFromParams(model, [1, 2, 3]), RangeError);
  }
});

test("undistorting a distorted ray gives the ray, wherever the distortion does not fold", () => {
  fc.assert(
    fc.property(number, number, number, number, (x, y, a, b) => {
      const calibration = Float64Array.of(1200, 1250, 800, 500, 0.3 * a, 0.1 * b);
      const r2 = x * x + y * y;
      const [, , , , k1, k2] = calibration;
      for (let s = 0; s <= 1; s += 0.05) fc.pre(1 + 3 * k1 * r2 * s + 5 * k2 * (r2 * s) ** 2 > 0.02);
      const ray = Float64Array.of(x, y);
      const back = normalisedFromPixels(calibration, pixelsFromNormalised(calibration, ray));
      assert.ok(largestDifference(back, ray) < 1e-10, `${back} for ${ray}`);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("a pixel beyond the fold gets the last ray that the model can tell apart", () => {
  const calibration = Float64Array.of(100, 100, 0, 0, -0.3, 0);
  const fold = Math.sqrt(1 / 0.9);
  const ray = normalisedFromPixels(calibration, Float64Array.of(500, 0));
  assert.ok(Math.abs(ray[0] - fold) < 1e-12 && ray[1] === 0);
});

test("a point projects where arithmetic by hand says", () => {
  const pose = poseFromRotation([1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 2]);
  const calibration = calibrationFromParams("RADIAL", [100, 50, 40, 0.1, 0.01]);
  const out = new Float64Array(2);
  // Depth 4, x = 0.5, y = 0.25: r² = 0.3125, d = 1 + 0.03125 + 0.0009765625.
  assert.equal(projectPoint(pose, 0, calibration, 0, 2, 1, 2, out), 4);
  assert.ok(largestDifference(out, [50 + 50 * 1.0322265625, 40 + 25 * 1.0322265625]) < 1e-12);
  const error = reprojectionError(pose, 0, calibration, 0, Float64Array.of(2, 1, 2), 0, out[0] + 3, out[1] - 4);
  assert.ok(Math.abs(error - 5) < 1e-12);
});

test("a point so far aside that the distortion leads back into the picture has no pixel there", () => {
  const pixel = new Float64Array(2);
  const project = (degrees: number, k1: number, k2: number) => {
    const calibration = Float64Array.of(600, 600, 500, 375, k1, k2);
    const angle = (degrees * Math.PI) / 180;
    return projectPoint(identityPose(), 0, calibration, 0, Math.sin(angle), 0, Math.cos(angle), pixel);
  };
  // r (1 - 0.25 r²) grows up to r = 1.1547, which is 49.1°.
  assert.ok(project(49, -0.25, 0) > 0 && pixel[0] > 900);
  for (const [degrees, k2] of [
    [49.2, 0],
    [60, 0],
    [80, 0],
    [60, 0.01], // grows again farther out: still behind the fold
    [85, 0.01],
  ] as const) {
    assert.ok(Number.isNaN(project(degrees, -0.25, k2)) && Number.isNaN(pixel[0]), `${degrees}° ${k2}`);
  }
  for (const [k1, k2] of [
    [0, 0],
    [0.1, 0.1],
    [-0.05, 0.1], // it slows down, but never turns
  ] as const) {
    assert.ok(project(85, k1, k2) > 0 && pixel[0] > 1000, `${k1} ${k2}`);
  }
});

test("points behind the camera are NaN, not mirrored", () => {
  const pixels = new Float64Array(4);
  const calibration = calibrationFromParams("PINHOLE", [1, 1, 0, 0]);
  assert.equal(projectPoints(identityPose(), calibration, Float64Array.of(1, 1, -1, 1, 1, 1), pixels), 1);
  assert.deepEqual([...pixels], [NaN, NaN, 1, 1]);
  assert.equal(reprojectionError(identityPose(), 0, calibration, 0, Float64Array.of(0, 0, -1), 0, 0, 0), Infinity);
});

test("a resized photo sees the same ray at the resized pixel", () => {
  const calibration = calibrationFromParams("RADIAL", [1000, 800, 533.5, -0.1, 0.02]);
  const ray = Float64Array.of(0.3, -0.2);
  const full = pixelsFromNormalised(calibration, ray);
  const half = pixelsFromNormalised(scaleCalibration(calibration, 0.5), ray);
  assert.ok(
    largestDifference(
      half,
      full.map((value) => value / 2),
    ) < 1e-12,
  );
});
