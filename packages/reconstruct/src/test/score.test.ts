import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { alignCameras, floaterShares, moved, PointGrid, scorePoints, sizeOf, thinned } from "./score.ts";

/** Points of a square sheet of side 10 at z = 0. */
function sheet(n: number, seed: number, lift = 0): Float64Array {
  const random = seededRandom(seed);
  return Float64Array.from({ length: 3 * n }, (_, k) => (k % 3 === 2 ? lift : 10 * random()));
}

test("the nearest point is the one that a search of all finds", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: 0.1, max: 3, noNaN: true }), (seed, reach) => {
      const random = seededRandom(seed);
      const points = Float64Array.from({ length: 150 }, () => 8 * random() - 4);
      const grid = new PointGrid(points, 0.7);
      const place = [8 * random() - 4, 8 * random() - 4, 8 * random() - 4] as const;
      let best = Infinity;
      for (let p = 0; p < points.length; p += 3) {
        best = Math.min(best, Math.hypot(points[p] - place[0], points[p + 1] - place[1], points[p + 2] - place[2]));
      }
      const found = grid.nearest(...place, reach);
      if (best <= reach) assert.ok(Math.abs(found - best) < 1e-12);
      else assert.equal(found, Infinity);
    }),
    { seed: 1 },
  );
});

test("points on the truth score 1, half of it half, and points beside it nothing", () => {
  const truth = sheet(20_000, 1);
  const same = scorePoints(sheet(20_000, 2), truth, truth, 0.3);
  assert.ok(same.f > 0.99, JSON.stringify(same));
  const half = scorePoints(
    sheet(20_000, 2).filter((_, k, all) => all[k - (k % 3)] < 5),
    truth,
    truth,
    0.3,
  );
  assert.ok(half.accuracy > 0.99 && Math.abs(half.completeness - 0.53) < 0.03, JSON.stringify(half));
  assert.equal(scorePoints(sheet(1000, 2, 1), truth, truth, 0.3).f, 0);
  assert.equal(scorePoints([], truth, truth, 0.3).f, 0);
});

test("floaters are what lies off the surface that sparse points span and touches it nowhere", () => {
  const sparse = sheet(1200, 3);
  assert.deepEqual(floaterShares(sheet(5000, 4), sparse, 0.2), { outside: 0, adrift: 0 });
  assert.deepEqual(floaterShares(sheet(5000, 4, 0.6), sparse, 0.2), { outside: 1, adrift: 1 });
  const both = floaterShares(Float64Array.of(...sheet(3000, 4), ...sheet(3000, 5, 3)), sparse, 0.2);
  assert.ok(Math.abs(both.outside - 0.5) < 0.01 && Math.abs(both.adrift - 0.5) < 0.01, JSON.stringify(both));
  // A wall that rises from the sheet is outside of it, but no floater.
  const random = seededRandom(7);
  const wall = Float64Array.from({ length: 60_000 }, (_, k) =>
    k % 3 === 0 ? 5 : k % 3 === 2 ? 3 * random() : 10 * random(),
  );
  const risen = floaterShares(wall, sparse, 0.2);
  assert.ok(risen.outside > 0.9 && risen.adrift === 0, JSON.stringify(risen));
});

test("thinning keeps one point a cell, and the size is that of most points", () => {
  assert.equal(thinned([0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 1.5, 0, 0], 1).length, 6);
  const points = sheet(2000, 6);
  points.set([1e6, 1e6, 1e6], 0);
  assert.ok(Math.abs(sizeOf(points) - 7.7) < 0.4, `${sizeOf(points)}`);
});

test("points follow their cameras", () => {
  const poses = [0, 1, 2, 3].map((k) => Float64Array.of(1, 0, 0, k, 0, 1, 0, k * k, 0, 0, 1, -k));
  const truth = poses.map((pose) => pose.map((each, k) => (k % 4 === 3 ? 2 * each + (k === 3 ? 5 : 0) : each)));
  const found = moved(alignCameras(poses, truth)!, [1, 2, 3]);
  for (const [k, each] of [-3, 4, 6].entries()) assert.ok(Math.abs(found[k] - each) < 1e-9);
});
