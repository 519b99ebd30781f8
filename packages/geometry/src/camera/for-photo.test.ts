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

test("where the camera was held another way the calibration is turned with it, as the picture's pixels are", () => {
  const [width, height] = [40, 30];
  // One pixel of a stored picture, and where the decoder shows it by EXIF's own words of row 0 and column 0.
  const shown: Record<number, (x: number, y: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y) => [width - x, y],
    3: (x, y) => [width - x, height - y],
    4: (x, y) => [x, height - y],
    5: (x, y) => [y, x],
    6: (x, y) => [height - y, x],
    7: (x, y) => [height - y, width - x],
    8: (x, y) => [y, width - x],
  };
  const picture = (orientation: number) => ({
    ...(orientation < 5 ? { width, height } : { width: height, height: width }),
    orientation,
  });
  const params = (orientation: number) => [...(orientation < 5 ? [50, 52] : [52, 50]), ...shown[orientation]!(18, 17)];
  for (let from = 1; from <= 8; from++) {
    for (let to = 1; to <= 8; to++) {
      const found = pinholeForPhoto(params(from), picture(from), picture(to));
      assert.deepEqual(found, params(to), `from ${from} to ${to}`);
    }
  }
});

test("pixels that were turned, and nobody says how: what is seen counts, and what could be either way is not guessed", () => {
  const turned = { width: 1067, height: 1600 };
  assert.equal(pinholeForPhoto(PARAMS, SIZE, turned), undefined);
  assert.deepEqual(pinholeForPhoto(PARAMS, SIZE, { ...SIZE, orientation: 8 }), PARAMS);
});
