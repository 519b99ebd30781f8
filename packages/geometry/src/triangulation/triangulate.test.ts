import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../random.ts";
import { cameraCentre } from "../rotation/pose.ts";
import { arcOfCameras, largestDifference, lookAt, observe, randomPoints } from "../test/scene.ts";
import { Triangulator, type Views } from "./triangulate.ts";

/** One point seen by cameras 0…n − 1. */
function viewsOf(poses: Float64Array, point: Float64Array, sigma: number, random: () => number): Views {
  const count = poses.length / 12;
  const rays = new Float64Array(count * 2);
  for (let c = 0; c < count; c++) rays.set(observe(poses, c * 12, point, sigma, random), c * 2);
  return { poses, cameras: Int32Array.from({ length: count }, (_, c) => c), rays, count };
}

test("exact rays meet in the point, from 1e-3 to 1e3 in scale and two to twenty views", () => {
  const random = seededRandom(1);
  const triangulator = new Triangulator();
  for (const scale of [1e-3, 1, 1e3]) {
    for (const cameras of [2, 3, 20]) {
      const poses = arcOfCameras(random, cameras, 5 * scale, 0.8);
      for (let i = 0; i < 50; i++) {
        const point = randomPoints(random, 1, [scale, scale, scale]);
        const out = new Float64Array(3);
        assert.ok(triangulator.triangulate(viewsOf(poses, point, 0, random), out));
        assert.ok(largestDifference(out, point) < 1e-9 * scale);
      }
    }
  }
});

test("with noise, the point is as near as the noise allows", () => {
  const random = seededRandom(2);
  const triangulator = new Triangulator();
  const poses = arcOfCameras(random, 6, 5, 1);
  let sum = 0;
  for (let i = 0; i < 300; i++) {
    const point = randomPoints(random, 1, [1, 1, 1]);
    const out = new Float64Array(3);
    assert.ok(triangulator.triangulate(viewsOf(poses, point, 1e-3, random), out));
    sum += Math.hypot(out[0] - point[0], out[1] - point[1], out[2] - point[2]) ** 2;
  }
  // One ray is 5 mm off at 5 m; six views over 57° must do better than one, sideways and in depth together.
  assert.ok(Math.sqrt(sum / 300) < 8e-3);
});

test("rays that never meet are refused: parallel, or crossing behind", () => {
  const triangulator = new Triangulator();
  const poses = new Float64Array(24);
  poses.set(lookAt([0, 0, -5], [0, 0, 0]), 0);
  poses.set(lookAt([1, 0, -5], [1, 0, 0]), 12);
  const views = (rays: number[]): Views => ({
    poses,
    cameras: Int32Array.of(0, 1),
    rays: Float64Array.from(rays),
    count: 2,
  });
  const out = Float64Array.of(7, 7, 7);
  assert.equal(triangulator.triangulate(views([0, 0, 0, 0]), out), false);
  const [x0] = cameraCentre(poses, 0);
  const [x1] = cameraCentre(poses, 12);
  const outward = Math.sign(poses[0] * (x1 - x0)) * -0.2; // each looks away from the other
  assert.equal(triangulator.triangulate(views([outward, 0, -outward, 0]), out), false);
  assert.deepEqual([...out], [7, 7, 7]);
});

test("wrong views are dropped and named, as long as they are fewer than the right ones", () => {
  const random = seededRandom(4);
  const triangulator = new Triangulator();
  const poses = arcOfCameras(random, 8, 5, 1);
  const kept = new Uint8Array(8);
  for (let i = 0; i < 100; i++) {
    const point = randomPoints(random, 1, [1, 1, 1]);
    const views = viewsOf(poses, point, 2e-4, random);
    const wrong = [i % 8, (i + 3) % 8, (i + 5) % 8];
    for (const v of wrong) views.rays[v * 2 + (v & 1)] += (random() < 0.5 ? -1 : 1) * (0.05 + 0.2 * random());
    const out = new Float64Array(3);
    assert.equal(triangulator.triangulateRobust(views, 2e-3, 0.02, out, 0, kept), 5);
    for (let v = 0; v < 8; v++) assert.equal(kept[v], wrong.includes(v) ? 0 : 1);
    assert.ok(largestDifference(out, point) < 5e-3);
  }
});

test("a point seen under too small an angle is refused", () => {
  const random = seededRandom(5);
  const triangulator = new Triangulator();
  const poses = arcOfCameras(random, 4, 5, 0.5);
  const point = Float64Array.of(0.2, 0.1, 0.3);
  const views = viewsOf(poses, point, 0, random);
  const angle = triangulator.angle(views, point);
  assert.ok(triangulator.isWide(views, point, angle) && triangulator.isWide(views, point, 0.01));
  assert.ok(!triangulator.isWide(views, point, angle * 1.0001));
  const out = new Float64Array(3);
  const kept = new Uint8Array(4);
  assert.equal(triangulator.triangulateRobust(views, 1e-3, angle * 1.01, out, 0, kept), 0);
  assert.equal(triangulator.triangulateRobust(views, 1e-3, angle * 0.99, out, 0, kept), 4);
  assert.ok(Math.abs(angle - 0.5) < 0.1);
});

test("views that all contradict each other give no point", () => {
  const random = seededRandom(6);
  const poses = arcOfCameras(random, 5, 5, 1);
  const views = viewsOf(poses, Float64Array.of(0, 0, 0), 0, random);
  for (let v = 0; v < 5; v++) views.rays[v * 2 + 1] = 0.5 * v - 1; // far off each other's epipolar lines
  assert.equal(new Triangulator().triangulateRobust(views, 1e-3, 0.02, new Float64Array(3), 0, new Uint8Array(5)), 0);
});
