/** Straight edges: where they are, to a fraction of a pixel, and none where there are none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { findSegments } from "./segments.ts";

const WIDTH = 320;
const HEIGHT = 240;

/** A grey photo, nine samples a pixel. */
function drawn(value: (x: number, y: number) => number, noise = 0): Uint8Array {
  const random = seededRandom(3);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let at = 0; at < WIDTH * HEIGHT; at++) {
    let sum = 0;
    for (let k = 0; k < 9; k++) {
      sum += value((at % WIDTH) + ((k % 3) + 0.5) / 3, Math.floor(at / WIDTH) + (Math.floor(k / 3) + 0.5) / 3);
    }
    rgb.fill(Math.max(0, Math.min(255, sum / 9 + noise * (random() - 0.5))), 3 * at, 3 * at + 3);
  }
  return rgb;
}

test("the edges of a bar are found whichever way it lies, to half a pixel", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: Math.PI, noNaN: true }), (turn) => {
      const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
      const [halfLength, halfWidth] = [80, 15];
      const along = (x: number, y: number) => (x - 160) * cos + (y - 120) * sin;
      const aside = (x: number, y: number) => (y - 120) * cos - (x - 160) * sin;
      const bar = drawn(
        (x, y) => (Math.abs(along(x, y)) < halfLength && Math.abs(aside(x, y)) < halfWidth ? 200 : 60),
        6,
      );
      const segments = findSegments(bar, WIDTH, HEIGHT);
      for (const side of [-1, 1]) {
        let best = Infinity;
        for (let k = 0; k < segments.length; k += 4) {
          const [ax, ay, bx, by] = segments.subarray(k, k + 4);
          if (Math.hypot(ax - bx, ay - by) < 1.8 * halfLength) continue;
          const off = Math.max(Math.abs(aside(ax, ay) - side * halfWidth), Math.abs(aside(bx, by) - side * halfWidth));
          best = Math.min(best, off);
        }
        assert.ok(best < 0.5, `${best} px off at ${turn}`);
      }
      assert.ok(segments.length <= 4 * 8, "nothing else to speak of");
    }),
    { numRuns: 25, seed: 1 },
  );
});

test("noise, a flat picture, a tiny one and a round thing have no straight edges to speak of", () => {
  const random = seededRandom(1);
  const noise = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, () => 256 * random());
  const found = findSegments(noise, WIDTH, HEIGHT);
  for (let k = 0; k < found.length; k += 4) {
    const [ax, ay, bx, by] = found.subarray(k, k + 4);
    assert.ok(Math.hypot(ax - bx, ay - by) < 20, "white noise");
  }
  assert.equal(findSegments(new Uint8Array(WIDTH * HEIGHT * 3).fill(90), WIDTH, HEIGHT).length, 0);
  assert.equal(findSegments(new Uint8Array(12), 2, 2).length, 0);
  const disc = drawn((x, y) => (Math.hypot(x - 160, y - 120) < 40 ? 200 : 60));
  const longest = findSegments(disc, WIDTH, HEIGHT).subarray(0, 4);
  assert.ok(longest.length === 0 || Math.hypot(longest[0] - longest[2], longest[1] - longest[3]) < 45);
});

test("in a large photo, which is halved first, edges are where they are in it", () => {
  const [width, height] = [1800, 1200];
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) rgb.fill(200, (y * width + 701) * 3, (y + 1) * width * 3);
  const segments = findSegments(rgb, width, height);
  const [ax, , bx] = segments;
  assert.ok(Math.abs(ax - 701) < 1 && Math.abs(bx - 701) < 1, `${ax} ${bx}`);
  assert.ok(Math.abs(segments[1] - segments[3]) > 0.95 * height);
});
