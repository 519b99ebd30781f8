import assert from "node:assert/strict";
import { test } from "node:test";
import { pinholeForPhoto } from "./for-photo.ts";

const SIZE = { width: 1600, height: 1067 };
const PARAMS = [1437.2, 1440.1, 792.3, 524.8];

test("a photo of the calibration's size carries it as it is", () => {
  assert.deepEqual(pinholeForPhoto(PARAMS, SIZE, SIZE), PARAMS);
});

test("a smaller photo of the same shape carries it smaller, whichever way its sides were rounded", () => {
  for (const height of [533, 534]) {
    const [fx, fy, cx, cy] = pinholeForPhoto(PARAMS, SIZE, { width: 800, height })!;
    assert.deepEqual([fx, cx], [718.6, 396.15]);
    assert.ok(Math.abs(fy / height - 1440.1 / 1067) < 1e-12 && Math.abs(cy / height - 524.8 / 1067) < 1e-12);
  }
  assert.ok(pinholeForPhoto([90, 90, 50, 33], { width: 100, height: 67 }, SIZE));
});

test("a photo of another shape carries none of it", () => {
  for (const [width, height] of [
    [1600, 1200],
    [1600, 900],
    [1067, 1067],
    [1580, 1067],
  ] as const) {
    assert.equal(pinholeForPhoto(PARAMS, SIZE, { width, height }), undefined, `${width} × ${height}`);
  }
});
