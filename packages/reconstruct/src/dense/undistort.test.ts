import assert from "node:assert/strict";
import { test } from "node:test";
import { normalisedFromPixels, pixelsFromNormalised } from "@cairn/geometry";
import fc from "fast-check";
import { denseCamera, undistortView } from "./undistort.ts";

const POSE = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0);
const WIDTH = 160;
const HEIGHT = 100;

type Lens = { readonly calibration: Float64Array; readonly sidePx: number };

/** A believable lens for a photo of 160 × 100, and a size. */
const lenses: fc.Arbitrary<Lens> = fc
  .record({
    focal: fc.double({ min: 0.5, max: 2, noNaN: true }),
    cx: fc.double({ min: -8, max: 8, noNaN: true }),
    cy: fc.double({ min: -8, max: 8, noNaN: true }),
    k1: fc.double({ min: -0.25, max: 0.25, noNaN: true }),
    k2: fc.double({ min: -0.05, max: 0.05, noNaN: true }),
    sidePx: fc.integer({ min: 40, max: 200 }),
  })
  .map(({ focal, cx, cy, k1, k2, sidePx }) => ({
    calibration: Float64Array.of(focal * WIDTH, focal * WIDTH * 1.01, WIDTH / 2 + cx, HEIGHT / 2 + cy, k1, k2),
    sidePx,
  }));

function picture(paint: (x: number, y: number) => number) {
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) rgb.fill(paint(x + 0.5, y + 0.5), (y * WIDTH + x) * 3, (y * WIDTH + x + 1) * 3);
  }
  return { rgb, widthPx: WIDTH, heightPx: HEIGHT };
}

test("a pixel of the straight picture shows what the lens shows along its ray", () => {
  const ramp = picture((x, y) => 40 + 0.9 * x + 0.6 * y);
  fc.assert(
    fc.property(lenses, ({ calibration, sidePx }) => {
      const { rgb, widthPx, heightPx, pinhole } = undistortView(3, ramp, calibration, POSE, sidePx);
      const straight = Float64Array.of(...pinhole, 0, 0);
      const shrink = WIDTH / widthPx;
      for (let y = 2; y < heightPx - 2; y += 3) {
        for (let x = 2; x < widthPx - 2; x += 3) {
          const ray = normalisedFromPixels(straight, Float64Array.of(x + 0.5, y + 0.5));
          const [u, v] = pixelsFromNormalised(calibration, ray);
          if (u < shrink + 1 || v < shrink + 1 || u > WIDTH - shrink - 1 || v > HEIGHT - shrink - 1) continue;
          const wanted = 40 + 0.9 * u + 0.6 * v;
          const got = rgb[(y * widthPx + x) * 3];
          assert.ok(Math.abs(got - wanted) < 1.6, `${got} for ${wanted} at ${x}, ${y}`);
        }
      }
    }),
    { seed: 1, numRuns: 40 },
  );
});

test("the straight picture lies inside the photo, is never larger, and keeps its shape", () => {
  fc.assert(
    fc.property(lenses, ({ calibration, sidePx }) => {
      const photo = { widthPx: WIDTH, heightPx: HEIGHT };
      const { widthPx, heightPx, pinhole } = denseCamera(photo, calibration, sidePx);
      assert.equal(widthPx, Math.min(WIDTH, sidePx));
      assert.ok(Math.abs(heightPx / widthPx - HEIGHT / WIDTH) < 1 / widthPx);
      const straight = Float64Array.of(...pinhole, 0, 0);
      const corners = Float64Array.of(0, 0, widthPx, 0, 0, heightPx, widthPx, heightPx, widthPx / 2, 0);
      const pixels = pixelsFromNormalised(calibration, normalisedFromPixels(straight, corners));
      for (let k = 0; k < pixels.length; k += 2) {
        assert.ok(pixels[k] > -1 && pixels[k] < WIDTH + 1 && pixels[k + 1] > -1 && pixels[k + 1] < HEIGHT + 1);
      }
    }),
    { seed: 1 },
  );
});

test("a lens without distortion and a photo of the right size come through unchanged", () => {
  const photo = picture((x, y) => (x * 7 + y * 13) % 251);
  const view = undistortView(0, photo, Float64Array.of(150, 150, 80, 50, 0, 0), POSE, 1600);
  assert.deepEqual(view.rgb, photo.rgb);
  assert.deepEqual(view.pinhole, [150, 150, 80, 50]);
});

test("detail finer than a pixel becomes its mean, whatever the ratio of the sizes", () => {
  const checks = picture((x, y) => ((Math.floor(x) + Math.floor(y)) % 2 === 0 ? 255 : 1));
  for (const sidePx of [80, 64, 53, 40]) {
    const { rgb } = undistortView(0, checks, Float64Array.of(150, 150, 80, 50, 0, 0), POSE, sidePx);
    for (const value of rgb) assert.ok(Math.abs(value - 128) <= 30, `${value} at ${sidePx}`);
  }
});

test("bytes that are no photo of the size are refused", () => {
  assert.throws(() => undistortView(0, { rgb: new Uint8Array(5), widthPx: 2, heightPx: 2 }, POSE, POSE, 2), RangeError);
});
