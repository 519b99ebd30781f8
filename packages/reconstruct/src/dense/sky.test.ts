import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import type { DenseView } from "./contract.ts";
import { findSky } from "./sky.ts";

const WIDTH = 200;
const HEIGHT = 120;
const SKY = [186, 204, 232];

/** A picture painted pixel by pixel with a little noise. */
function picture(paint: (x: number, y: number) => readonly number[]): DenseView {
  const random = seededRandom(4);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let at = 0; at < WIDTH * HEIGHT; at++) {
    rgb.set(
      paint(at % WIDTH, Math.floor(at / WIDTH)).map((each) => each + Math.floor(5 * random() - 2)),
      at * 3,
    );
  }
  const pinhole = [150, 150, 100, 60] as const;
  return { view: 0, widthPx: WIDTH, heightPx: HEIGHT, rgb, pinhole, cameraFromWorld: new Float64Array(12) };
}

const nothing = new Uint8Array(WIDTH * HEIGHT);
const wall = [150, 110, 90];
/** A wall with a skyline at y = 50, and a hole in it. */
const outdoors = picture((x, y) => (y < 50 || (x > 80 && x < 95 && y > 70 && y < 90) ? SKY : wall));

test("sky over a wall and through a hole in it is found, with the fringe and nothing else", () => {
  const sky = findSky(outdoors, nothing);
  const at = (x: number, y: number) => sky[y * WIDTH + x];
  assert.equal(at(10, 10), 1);
  assert.equal(at(150, 49), 1);
  assert.equal(at(88, 80), 1);
  assert.equal(at(10, 55), 0);
  assert.equal(at(110, 80), 0);
  const part = sky.reduce((sum, each) => sum + each, 0) / sky.length;
  assert.ok(part > 0.41 && part < 0.46, `${part}`);
});

test("a bright wall whose depth others bear out is no sky", () => {
  assert.equal(
    findSky(
      outdoors,
      nothing.map(() => 1),
    ).indexOf(1),
    -1,
  );
});

test("warm, dark and uneven upper halves are no sky", () => {
  for (const color of [
    [220, 200, 170],
    [50, 55, 70],
  ]) {
    assert.equal(
      findSky(
        picture((_, y) => (y < 50 ? color : wall)),
        nothing,
      ).indexOf(1),
      -1,
    );
  }
  const leaves = picture((x, y) => ((x + y) % 2 === 0 ? [160, 170, 190] : [90, 100, 110]));
  assert.equal(findSky(leaves, nothing).indexOf(1), -1);
});

test("a bright thing of another colour below the sky stays", () => {
  const window = picture((x, y) => (y < 40 ? SKY : x > 50 && x < 90 && y > 60 && y < 100 ? [240, 240, 245] : wall));
  assert.equal(findSky(window, nothing)[80 * WIDTH + 70], 0);
});
