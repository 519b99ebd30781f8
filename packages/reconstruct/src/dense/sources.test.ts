import assert from "node:assert/strict";
import { test } from "node:test";
import { projectPoint, seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { allocateFeatures } from "../features/features.ts";
import { Scene } from "../mapper/scene.ts";
import type { View } from "../mapper/view.ts";
import { angleWorth, chooseSources, MOST_RATED } from "./sources.ts";
import { calibrationOf, denseCamera } from "./undistort.ts";

const WIDTH = 600;
const HEIGHT = 400;
const POINTS = 300;

/** Cameras at these angles (degrees) and distances about points in a ball of radius 1; each point seen by all. */
function ring(cameras: readonly { readonly degrees: number; readonly distance?: number }[], points = POINTS): Scene {
  const views: View[] = [];
  const scene = new Scene(views);
  scene.addLens(Float64Array.of(540, 540, 0, 0, 0.02, 0));
  for (const [index, { degrees, distance = 6 }] of cameras.entries()) {
    const features = allocateFeatures(points, 1, 0.5);
    const photo = { image: `${index}`, name: `${index}`, digest: "", widthPx: WIDTH, heightPx: HEIGHT };
    const view: View = {
      index,
      photo: { ...photo, fullWidthPx: WIDTH, fullHeightPx: HEIGHT },
      lens: 0,
      principal: { x: WIDTH / 2, y: HEIGHT / 2 },
      features,
      places: features,
      pixels: new Float64Array(points * 2),
      segments: new Float64Array(0),
      colors: new Uint8Array(points * 3),
      fullScale: 1,
    };
    views.push(view);
    scene.addView(view);
    const [sin, cos] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
    // Looks at the origin from (sin, 0, −cos) · distance.
    scene.setPose(index, Float64Array.of(cos, 0, sin, 0, 0, 1, 0, 0, -sin, 0, cos, distance));
  }
  const random = seededRandom(5);
  const pixel = new Float64Array(2);
  for (let i = 0; i < points; i++) {
    const point = Float64Array.of(random() * 2 - 1, (random() * 2 - 1) * 0.8, random() * 2 - 1);
    for (const { index, features } of views) {
      projectPoint(scene.poses, index * 12, scene.calibrations, 0, point[0], point[1], point[2], pixel);
      features.x[i] = pixel[0] + WIDTH / 2;
      features.y[i] = pixel[1] + HEIGHT / 2;
      if (index > 0) scene.tracks.join(0, i, index, i);
    }
    scene.tracks.of(0, i)!.point = point;
  }
  return scene;
}

test("neighbours at good angles are chosen; those from the same place or far round are not", () => {
  const scene = ring([{ degrees: 0 }, { degrees: 0.4 }, { degrees: 10 }, { degrees: -12 }, { degrees: 70 }]);
  assert.deepEqual(chooseSources(scene, 0, { sidePx: 640 })!.sources.sort(), [2, 3]);
});

test("two photos from one place count less than one from the other side", () => {
  const scene = ring([{ degrees: 0 }, { degrees: 10 }, { degrees: 11 }, { degrees: 24 }, { degrees: -20 }]);
  assert.deepEqual(chooseSources(scene, 0, { sidePx: 640, most: 2 })!.sources.sort(), [1, 4]);
  assert.equal(chooseSources(scene, 0, { sidePx: 640 })!.sources.length, 4);
});

test("of two neighbours the one with a like scale is better", () => {
  const scene = ring([{ degrees: 0 }, { degrees: 10, distance: 18 }, { degrees: -10 }]);
  assert.equal(chooseSources(scene, 0, { sidePx: 640 })!.sources[0], 2);
});

test("only photos with a pose that the caller can use are chosen", () => {
  const scene = ring([{ degrees: 0 }, { degrees: 10 }, { degrees: -10 }, { degrees: 20 }]);
  scene.dropPose(1);
  const { sources } = chooseSources(scene, 0, { sidePx: 640, usable: (view) => view !== 2 })!;
  assert.deepEqual(sources, [3]);
  assert.equal(chooseSources(scene, 1, { sidePx: 640 }), undefined);
});

test("the range holds all points though some are wild, and seeds are where the straight picture shows them", () => {
  const scene = ring([{ degrees: 0 }, { degrees: 10 }, { degrees: -10 }]);
  scene.tracks.of(0, 7)!.point = Float64Array.of(0, 0, 500);
  const { range, seeds } = chooseSources(scene, 0, { sidePx: 300 })!;
  assert.ok(range.near < 5.05 && range.near > 3 && range.far > 6.95 && range.far < 15, JSON.stringify(range));
  const { pinhole, widthPx } = denseCamera(scene.views[0].photo, calibrationOf(scene, 0), 300);
  assert.equal(widthPx, 300);
  assert.ok(seeds.length / 3 > 0.9 * POINTS);
  const point = scene.tracks.of(0, 0)!.point!;
  const [x, y] = [
    pinhole[0] * (point[0] / (point[2] + 6)) + pinhole[2],
    pinhole[1] * (point[1] / (point[2] + 6)) + pinhole[3],
  ];
  assert.ok(Math.abs(seeds[0] - x) < 1e-3 && Math.abs(seeds[1] - y) < 1e-3 && Math.abs(seeds[2] - point[2] - 6) < 1e-3);
});

test("where dozens of photos see thousands of points the same are chosen in bounded work, and all points are seeds", () => {
  const near = Array.from({ length: 60 }, (_, k) => ({ degrees: k / 60 }));
  const points = 4000;
  const scene = ring([{ degrees: 0 }, { degrees: 10 }, { degrees: -12 }, ...near], points);
  let rated = 0;
  const usable = () => {
    rated++;
    return true;
  };
  const { sources, seeds } = chooseSources(scene, 0, { sidePx: 640, usable })!;
  assert.deepEqual(sources.sort(), [1, 2]);
  assert.ok(rated > MOST_RATED / 2 && rated <= MOST_RATED, `${rated}`);
  assert.ok(seeds.length / 3 > 0.9 * points);
});

test("too few points, or none that fit, choose nothing", () => {
  assert.equal(chooseSources(ring([{ degrees: 0 }, { degrees: 10 }], 6), 0, { sidePx: 640 }), undefined);
  const scene = ring([{ degrees: 0 }, { degrees: 10 }]);
  for (const track of scene.tracks.all()) track.fits[1] = false;
  assert.equal(chooseSources(scene, 0, { sidePx: 640 }), undefined);
});

test("the worth of an angle lies in 0…1, is 0 outside and never jumps", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: Math.PI, noNaN: true }), (angle) => {
      const worth = angleWorth(angle);
      assert.ok(worth >= 0 && worth <= 1);
      assert.ok(Math.abs(angleWorth(angle + 1e-6) - worth) < 1e-3);
      if (angle < 0.034 || angle > 0.786) assert.equal(worth, 0);
    }),
    { seed: 1 },
  );
});
