import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import type { DenseView, DepthMap } from "./contract.ts";
import { trimSilhouettes } from "./trim.ts";

const WIDTH = 160;
const HEIGHT = 120;
/** The true rim of a near square, and how far its depth has grown. */
const LEFT = 50;
const RIGHT = 110;
const GROWN = 4;

type Color = readonly [number, number, number];

/** A near square before a background, with depth that has grown beyond its rim; behind it depth or nothing. */
function square(front: Color, back: Color, behind: number) {
  const random = seededRandom(8);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  const depths = new Float32Array(WIDTH * HEIGHT);
  const within = (x: number, y: number, grown: number) =>
    x >= LEFT - grown && x < RIGHT + grown && y >= 30 - grown && y < 90 + grown;
  for (let at = 0; at < depths.length; at++) {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    depths[at] = within(x, y, GROWN) ? 3 : behind;
    rgb.set(
      (within(x, y, 0) ? front : back).map((each) => each + Math.floor(13 * random() - 6)),
      at * 3,
    );
  }
  const size = { widthPx: WIDTH, heightPx: HEIGHT };
  const view: DenseView = { view: 0, ...size, rgb, pinhole: [150, 150, 80, 60], cameraFromWorld: new Float64Array(12) };
  const normals = new Int8Array(depths.length * 3);
  const depth: DepthMap = { ...size, depths, normals, confidences: new Uint8Array(depths.length).fill(200) };
  const kept = Uint8Array.from(depths, (z) => (z > 0 ? 1 : 0));
  const isTrue = Uint8Array.from(depths, (_, at) => (within(at % WIDTH, Math.floor(at / WIDTH), 0) ? 1 : 0));
  return { view, depth, kept, isTrue };
}

/** Pixels of the near depth that are kept, on the square and beside it. */
function count(kept: Uint8Array, depths: Float32Array, isTrue: Uint8Array): { on: number; beside: number } {
  let [on, beside] = [0, 0];
  for (let at = 0; at < kept.length; at++) {
    if (!kept[at] || depths[at] !== 3) continue;
    if (isTrue[at]) on++;
    else beside++;
  }
  return { on, beside };
}

for (const [name, behind] of [
  ["nothing", 0],
  ["a wall", 6],
] as const) {
  test(`what has grown over the rim goes, what is on the surface stays, before ${name}`, () => {
    const { view, depth, kept, isTrue } = square([150, 60, 50], [200, 210, 230], behind);
    const before = count(kept, depth.depths, isTrue);
    assert.ok(before.beside > 900);
    trimSilhouettes(view, depth, kept);
    const after = count(kept, depth.depths, isTrue);
    assert.ok(after.beside < 0.05 * before.beside, `${after.beside} of ${before.beside} beside it`);
    assert.ok(after.on > 0.99 * before.on, `${after.on} of ${before.on} on it`);
  });
}

test("colours that tell nothing, and holes in a surface, change nothing", () => {
  const { view, depth, kept } = square([150, 60, 50], [152, 63, 52], 0);
  const before = kept.slice();
  trimSilhouettes(view, depth, kept);
  assert.deepEqual(kept, before);
  const wall = square([150, 60, 50], [200, 210, 230], 3);
  const holed = wall.kept.map((_, at) => (at % 97 === 0 ? 0 : 1));
  const trimmed = holed.slice();
  trimSilhouettes(wall.view, wall.depth, trimmed);
  assert.deepEqual(trimmed, holed);
});
