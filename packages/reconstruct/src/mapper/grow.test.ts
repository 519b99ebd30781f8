import assert from "node:assert/strict";
import { test } from "node:test";
import { posedScene, refining, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { refineScene } from "./grow.ts";
import type { Lens } from "./lens.ts";
import { beliefOf } from "./principal.ts";
import type { Scene } from "./scene.ts";
import { observationErrorPx } from "./structure.ts";

const ALL = [0, 1, 2, 3, 4, 5, 6, 7];
const lens: Lens = { key: "one", source: "exif", longSidePx: 1200, fullScale: 2, priorPx: 1080 };

function fitOf(scene: Scene): { points: number; meanErrorPx: number } {
  let points = 0;
  let [sum, count] = [0, 0];
  for (const { point, views, features, fits } of scene.tracks.all()) {
    if (!point) continue;
    points++;
    for (const [k, view] of views.entries()) {
      if (!fits[k]) continue;
      sum += observationErrorPx(scene, point, view, features[k]);
      count++;
    }
  }
  return { points, meanErrorPx: sum / count };
}

test("a principal point that is put back leaves poses and points that fit the one that stays", async () => {
  // Farther from the middle than any camera has it: what pulled it there is something that the lens model lacks.
  const synthetic = syntheticPhotos(arc(8), { told: true, principalOffPx: 40 });
  const scene = posedScene(await tiedViews(synthetic, () => true), ALL, (view) => truePose(synthetic, view));
  const options = refining(lens);
  // A round with the point held, as a rebuild has it first.
  refineScene(scene, options, 1);
  const held = fitOf(scene);
  assert.ok(held.points > 500, `${held.points}`);
  refineScene(scene, { ...options, principal: new Map([[0, beliefOf(lens)]]) }, 1);
  assert.deepEqual([...scene.calibration(0).subarray(2, 4)], [0, 0]);
  const { points, meanErrorPx } = fitOf(scene);
  assert.ok(points > 0.9 * held.points, `${points} of ${held.points} points`);
  assert.ok(meanErrorPx < 1.2 * held.meanErrorPx, `${meanErrorPx} px after ${held.meanErrorPx}`);
});
