import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import type { DenseView, DepthMap } from "./contract.ts";
import { fillHoles } from "./fill.ts";

const WIDTH = 60;
const HEIGHT = 50;

/** The plane `normal · x = −1` seen by a camera, and its exact depth. */
function planeMap(normal: readonly number[], color = (_x: number, _y: number) => 120) {
  const pinhole = [70, 72, 29, 26] as const;
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  const depths = new Float32Array(WIDTH * HEIGHT);
  const normals = new Int8Array(WIDTH * HEIGHT * 3);
  const length = Math.hypot(...normal);
  for (let at = 0; at < depths.length; at++) {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    const ray = [(x + 0.5 - pinhole[2]) / pinhole[0], (y + 0.5 - pinhole[3]) / pinhole[1], 1];
    depths[at] = -1 / (normal[0] * ray[0] + normal[1] * ray[1] + normal[2] * ray[2]);
    for (let k = 0; k < 3; k++) normals[at * 3 + k] = Math.round((127 * normal[k]) / length);
    rgb.fill(color(x, y), at * 3, at * 3 + 3);
  }
  const size = { widthPx: WIDTH, heightPx: HEIGHT };
  const view: DenseView = { view: 0, ...size, rgb, pinhole, cameraFromWorld: new Float64Array(12) };
  const depth: DepthMap = { ...size, depths, normals, confidences: new Uint8Array(depths.length).fill(200) };
  return { view, depth };
}

test("holes in a plane are filled with the plane, to the depth and the normal", () => {
  const slope = fc.double({ min: -0.08, max: 0.08, noNaN: true });
  fc.assert(
    fc.property(slope, slope, fc.integer({ min: 1, max: 999 }), (a, b, seed) => {
      const { view, depth } = planeMap([a, b, -0.2]);
      const random = seededRandom(seed);
      const kept = Uint8Array.from(depth.depths, () => (random() < 0.2 ? 0 : 1));
      const holed = { ...depth, depths: depth.depths.map((z, at) => (kept[at] ? z : 0)) };
      const { depth: whole, filled } = fillHoles(view, holed, kept);
      assert.ok(filled.length > 0.1 * (WIDTH - 8) * (HEIGHT - 8));
      for (const at of filled) {
        assert.equal(kept[at], 0);
        assert.ok(Math.abs(whole.depths[at] / depth.depths[at] - 1) < 1e-4);
        for (let k = 0; k < 3; k++) assert.ok(Math.abs(whole.normals[at * 3 + k] - depth.normals[at * 3 + k]) <= 2);
        assert.ok(whole.confidences[at] > 0 && whole.confidences[at] < 200);
      }
      assert.deepEqual(
        whole.depths.filter((_, at) => kept[at]),
        depth.depths.filter((_, at) => kept[at]),
      );
    }),
    { seed: 1, numRuns: 20 },
  );
});

test("nothing is filled beyond the rim of a surface, in a large hole, over an edge of colour or of depth", () => {
  const { view, depth } = planeMap([0, 0, -0.2]);
  const rim = depth.depths.map((_, at) => (at % WIDTH < 30 ? 1 : 0));
  const large = depth.depths.map((_, at) => (Math.hypot((at % WIDTH) - 30, Math.floor(at / WIDTH) - 25) < 12 ? 0 : 1));
  for (const [name, kept] of Object.entries({ rim, large })) {
    const { filled } = fillHoles(view, depth, Uint8Array.from(kept));
    for (const at of filled) {
      const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
      if (name === "rim") assert.ok(x < 31, `filled at ${x}`);
      else assert.ok(Math.hypot(x - 30, y - 25) > 8, `filled at ${x}, ${y}`);
    }
  }
  const kept = Uint8Array.from(depth.depths, (_, at) => (at % 3 === 0 ? 0 : 1));
  const spotted = planeMap([0, 0, -0.2], (x) => (x % 3 === 0 ? 250 : 60));
  const dots = Uint8Array.from(depth.depths, (_, at) => ((at % WIDTH) % 3 === 0 ? 0 : 1));
  assert.equal(fillHoles(spotted.view, spotted.depth, dots).filled.length, 0);
  const steps = { ...depth, depths: depth.depths.map((z, at) => ((at % WIDTH) % 4 < 2 ? z : 1.05 * z)) };
  assert.equal(fillHoles(view, steps, kept).filled.length, 0);
});

test("a map without holes, or without anything, comes back as it was", () => {
  const { view, depth } = planeMap([0, 0, -0.2]);
  assert.equal(fillHoles(view, depth, new Uint8Array(depth.depths.length).fill(1)).depth, depth);
  assert.equal(fillHoles(view, depth, new Uint8Array(depth.depths.length)).depth, depth);
});
