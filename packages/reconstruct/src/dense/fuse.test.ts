import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { boxView, boxViews, distanceToBoxes, SCENE_SIZE, spoiled } from "../test/boxes.ts";
import type { PosedDepth } from "./contract.ts";
import { type FusedPoints, fuse } from "./fuse.ts";

/** Distances to the true surface, ascending. */
function errors({ positions }: FusedPoints): Float64Array {
  return Float64Array.from({ length: positions.length / 3 }, (_, i) =>
    distanceToBoxes(positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]),
  ).sort();
}

const median = (sorted: Float64Array): number => sorted[sorted.length >> 1];
const share = (sorted: Float64Array, limit: number): number =>
  sorted.filter((each) => each > limit).length / sorted.length;

test("exact depth maps give exact points, each surface once", () => {
  const views = boxViews(6);
  const fused = fuse(views);
  const off = errors(fused);
  assert.ok(off.at(-1)! < 0.01 * SCENE_SIZE && median(off) < 1e-3, `median ${median(off)}, most ${off.at(-1)}`);
  const pixels = views.reduce((sum, { depth }) => sum + depth.depths.filter((z) => z > 0).length, 0);
  assert.ok(off.length < pixels / 2.5, `${off.length} points of ${pixels} pixels`);
  assert.ok(off.length > pixels / 8);
});

test("noise is averaged away, and what no other view sees is dropped", () => {
  const views = spoiled(boxViews(7), { seed: 3, noise: 0.003, wrong: 0.2, missing: 0.1 });
  const single = errors(fuse(views.slice(0, 2), { minViews: 2 }));
  const all = errors(fuse(views));
  assert.ok(share(all, 0.02 * SCENE_SIZE) < 0.002, `${share(all, 0.02 * SCENE_SIZE)} outside`);
  assert.ok(median(all) < 0.8 * median(single), `${median(all)} against ${median(single)}`);
});

test("normals are units towards the camera, confidence grows with the views, source is the view", () => {
  const views = boxViews(5);
  const { positions, normals, confidences, source } = fuse(views);
  const sums = [0, 0];
  for (let i = 0; i < source.length; i++) {
    const { cameraFromWorld: pose, view } = views[source[i]].view;
    assert.equal(view, source[i]);
    const [x, y, z] = positions.subarray(3 * i, 3 * i + 3);
    const [a, b, c] = normals.subarray(3 * i, 3 * i + 3);
    assert.ok(Math.abs(Math.hypot(a, b, c) - 1) < 1e-3);
    const inCamera = [0, 1, 2].map(
      (row) => pose[4 * row] * x + pose[4 * row + 1] * y + pose[4 * row + 2] * z + pose[4 * row + 3],
    );
    const facing = [0, 1, 2].map((row) => pose[4 * row] * a + pose[4 * row + 1] * b + pose[4 * row + 2] * c);
    assert.ok(inCamera[0] * facing[0] + inCamera[1] * facing[1] + inCamera[2] * facing[2] < 0);
    sums[0] += confidences[i];
    sums[1]++;
  }
  const few = fuse(views.slice(0, 3)).confidences;
  assert.ok(sums[0] / sums[1] > few.reduce((sum, each) => sum + each, 0) / few.length);
});

test("photos one at a time give about what all at once give, and none twice", () => {
  const views = spoiled(boxViews(6), { seed: 9, noise: 0.001 });
  const seen: PosedDepth[] = [];
  const given = new Map<string, number>();
  const cell = 0.03 * SCENE_SIZE;
  let live = 0;
  for (const posed of views) {
    seen.push(posed);
    const { positions, source } = fuse(seen, { emit: new Set([posed.view.view]) });
    assert.ok(source.every((view) => view === posed.view.view));
    live += source.length;
    for (let i = 0; i < source.length; i++) {
      const key = [0, 1, 2].map((k) => Math.floor(positions[3 * i + k] / cell)).join();
      given.set(key, (given.get(key) ?? 0) + 1);
    }
  }
  const { positions } = fuse(views);
  const all = new Set<string>();
  for (let i = 0; i < positions.length; i += 3) {
    all.add([0, 1, 2].map((k) => Math.floor(positions[i + k] / cell)).join());
  }
  const ratio = live / (positions.length / 3);
  assert.ok(ratio > 0.8 && ratio < 1.3, `${live} live, ${positions.length / 3} at once`);
  const common = [...all].filter((key) => given.has(key)).length;
  assert.ok(common > 0.93 * all.size, `${common} of ${all.size} cells`);
});

test("a surface in the air that one pair believes in is looked through by the others", () => {
  const views = boxViews(6);
  // Two neighbours agree on a sheet at half the depth in the middle of the picture, as a repeated pattern makes them.
  const sheet = (posed: PosedDepth): PosedDepth => {
    const { depth } = posed;
    const depths = depth.depths.slice();
    for (let y = 30; y < 80; y++) for (let x = 50; x < 110; x++) depths[y * depth.widthPx + x] = 2.5;
    return { ...posed, depth: { ...depth, depths } };
  };
  const fooled = views.map((posed, k) => (k === 2 || k === 3 ? sheet(posed) : posed));
  assert.ok(share(errors(fuse(fooled, { minViews: 2 })), 0.05 * SCENE_SIZE) < 0.001);
});

test("the same input gives the same bytes, and moving the scene moves the points", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), (seed) => {
      const views = spoiled(boxViews(4, { widthPx: 60 }), { seed, noise: 0.002, wrong: 0.1 });
      const once = fuse(views);
      assert.deepEqual(fuse(views), once);
      const scaled = views.map(({ view, depth }) => ({
        view: { ...view, cameraFromWorld: view.cameraFromWorld.map((each, k) => (k % 4 === 3 ? Math.E * each : each)) },
        depth: { ...depth, depths: depth.depths.map((z) => Math.E * z) },
      }));
      const larger = fuse(scaled);
      assert.ok(Math.abs(larger.source.length - once.source.length) <= 0.01 * once.source.length + 5);
    }),
    { seed: 1, numRuns: 5 },
  );
});

test("views that share nothing, views without depth and no views at all give no points", () => {
  assert.equal(fuse([]).source.length, 0);
  const away = boxView(1, [0, -0.5, -4], [0, -3, -20], 160, 112);
  assert.equal(fuse([boxViews(1)[0], away]).source.length, 0);
});

test("a larger picture makes each pixel several points on its plane, with the picture's colours", () => {
  const views = boxViews(4);
  const pictures = boxViews(4, { widthPx: 320 });
  const plain = fuse(views);
  const detailed = fuse(views.map((posed, k) => ({ ...posed, picture: pictures[k].view })));
  assert.equal(detailed.source.length, 4 * plain.source.length);
  const off = errors(detailed);
  assert.ok(median(off) < 1e-3 && share(off, 0.01 * SCENE_SIZE) < 0.002, `${median(off)}, ${off.at(-1)}`);
  // Each point's colour is that of the picture where the point projects to.
  const differences: number[] = [];
  for (let i = 0; i < detailed.source.length; i += 7) {
    const { cameraFromWorld: pose, pinhole, rgb, widthPx } = pictures[detailed.source[i]].view;
    const [x, y, z] = [0, 4, 8].map(
      (row) =>
        pose[row] * detailed.positions[3 * i] +
        pose[row + 1] * detailed.positions[3 * i + 1] +
        pose[row + 2] * detailed.positions[3 * i + 2] +
        pose[row + 3],
    );
    const column = Math.floor(pinhole[0] * (x / z) + pinhole[2]);
    const at = 3 * (Math.floor(pinhole[1] * (y / z) + pinhole[3]) * widthPx + column);
    differences.push(Math.abs(rgb[at] - detailed.colors[3 * i]));
  }
  assert.ok(median(Float64Array.from(differences).sort()) <= 2);
});
