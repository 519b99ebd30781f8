/** Photos without distortion. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Intrinsics } from "@cairn/protocol";
import { undistort, undistortedIntrinsics } from "./undistort.ts";

const LENSES: Intrinsics[] = [
  { model: "SIMPLE_RADIAL", width: 200, height: 150, params: [180, 97, 80, -0.15] },
  { model: "SIMPLE_RADIAL", width: 200, height: 150, params: [180, 97, 80, 0.12] },
  { model: "RADIAL", width: 150, height: 200, params: [160, 75, 100, -0.2, 0.05] },
];

test("EXC-7 each pixel has the colour of the place that the lens shows there, and none is black", () => {
  for (const camera of LENSES) {
    const { width, height, params } = camera;
    const [f, cx, cy, k1, k2 = 0] = params as [number, number, number, number, number?];
    // Colours that grow evenly, so that what lies between pixels is known.
    const rgb = new Uint8Array(width * height * 3);
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, at += 3) rgb.set([column + 20, row + 20, 255], at);
    }
    const out = undistort(rgb, camera);
    const [fx, fy, ox, oy] = undistortedIntrinsics(camera).params as [number, number, number, number];
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, at += 3) {
        const [x, y] = [(column + 0.5 - ox) / fx, (row + 0.5 - oy) / fy];
        const r2 = x * x + y * y;
        const d = 1 + k1 * r2 + k2 * r2 * r2;
        const wanted = [f * d * x + cx - 0.5 + 20, f * d * y + cy - 0.5 + 20, 255];
        // Half a step of rounding, and at the border half a pixel that the photo does not have.
        for (let channel = 0; channel < 3; channel++) {
          assert.ok(Math.abs(out[at + channel]! - wanted[channel]!) <= 1.01, `${column} ${row} ${channel}`);
        }
      }
    }
  }
});

test("EXC-7 the undistorted camera wastes no pixel: with a slightly shorter focal length a border would be black", () => {
  for (const camera of LENSES) {
    const pinhole = undistortedIntrinsics(camera);
    assert.equal(pinhole.model, "PINHOLE");
    assert.deepEqual(pinhole.params.slice(2), camera.params.slice(1, 3));
    const [fx] = pinhole.params as [number];
    const [f, cx, cy, k1, k2 = 0] = camera.params as [number, number, number, number, number?];
    const outside = (focal: number) =>
      Array.from({ length: 401 }, (_, i) => i / 400).some((part) =>
        [
          [part * camera.width, 0],
          [part * camera.width, camera.height],
          [0, part * camera.height],
          [camera.width, part * camera.height],
        ].some(([u, v]) => {
          const [x, y] = [(u! - cx) / focal, (v! - cy) / focal];
          const d = 1 + k1 * (x * x + y * y) + k2 * (x * x + y * y) ** 2;
          const [a, b] = [f * d * x + cx, f * d * y + cy];
          return a < -0.01 || b < -0.01 || a > camera.width + 0.01 || b > camera.height + 0.01;
        }),
      );
    assert.equal(outside(fx), false);
    assert.equal(outside(fx * 0.995), true);
  }
  const plain: Intrinsics = { model: "PINHOLE", width: 4, height: 3, params: [3, 3, 2, 1.5] };
  assert.deepEqual(undistortedIntrinsics(plain), plain);
});
