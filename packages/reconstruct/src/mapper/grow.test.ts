import assert from "node:assert/strict";
import { test } from "node:test";
import { posedScene, refining, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { pairKey } from "./folds.ts";
import { growScene, refineScene } from "./grow.ts";
import type { Lens } from "./lens.ts";
import type { Pair } from "./pair.ts";
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

/** Eight photos with their true poses, of a camera whose principal point lies so far off the middle. */
async function sceneWith(principalOffPx: number): Promise<Scene> {
  const synthetic = syntheticPhotos(arc(8), { told: true, principalOffPx });
  return posedScene(await tiedViews(synthetic, () => true), ALL, (view) => truePose(synthetic, view));
}

test("a principal point far off the middle is kept where the photos deny the middle, and poses and points fit it", async () => {
  // As of photos that somebody cut: a thirtieth of the long side.
  const scene = await sceneWith(40);
  const options = refining(lens);
  // A round with the point held, as a rebuild has it first.
  refineScene(scene, options, 1);
  const held = fitOf(scene);
  assert.ok(held.points > 500, `${held.points}`);
  refineScene(scene, { ...options, principal: new Map([[0, beliefOf(lens)]]) }, 1);
  const [cx, cy] = scene.calibration(0).subarray(2, 4);
  assert.ok(Math.hypot(cx! - 40, cy!) < 8, `${cx}, ${cy}`);
  const { points, meanErrorPx } = fitOf(scene);
  assert.ok(points > 0.9 * held.points, `${points} of ${held.points} points`);
  assert.ok(meanErrorPx < 0.9 * held.meanErrorPx, `${meanErrorPx} px after ${held.meanErrorPx}`);
});

test("one that is put back leaves poses and points that fit the middle: a photo held upright came, or too little tells it", async () => {
  const scene = await sceneWith(8);
  scene.setCalibration(0, Float64Array.of(1080, 1080, 8, 0, 0, 0));
  const options = refining(lens);
  refineScene(scene, options, 1);
  const found = fitOf(scene);
  refineScene(scene, { ...options, principal: new Map() }, 1);
  assert.deepEqual([...scene.calibration(0).subarray(2, 4)], [0, 0]);
  const { points, meanErrorPx } = fitOf(scene);
  assert.ok(points > 0.9 * found.points, `${points} of ${found.points} points`);
  assert.ok(meanErrorPx < 1.2 * found.meanErrorPx, `${meanErrorPx} px after ${found.meanErrorPx}`);
});

test("MAP-5 a photo that only doubted pairs tie to placed ones is not placed, whatever its tracks were joined by", async () => {
  const synthetic = syntheticPhotos(arc(8), { told: true });
  const tied = await tiedViews(synthetic, () => true);
  const [first, others] = [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ];
  const across = tied.pairs.filter(({ a, b }) => first.includes(a) && others.includes(b));
  const grown = (doubted: readonly Pair[]) => {
    const scene = posedScene(tied, first, (view) => truePose(synthetic, view));
    return growScene(scene, tied.pairs, { ...refining(lens), doubted: new Set(doubted.map(pairKey)) }).sort();
  };
  assert.deepEqual(grown([]), others);
  assert.deepEqual(grown(across), []);
  // One that is trusted is enough for a photo, and this one for the next.
  assert.deepEqual(grown(across.filter(({ a, b }) => a !== 3 || b !== 4)), others);
});

test("a scene to which photos come one by one is adjusted as a whole whenever it has grown by a fifth", async () => {
  const photos = 20;
  const synthetic = syntheticPhotos(arc(photos), { told: true, points: 300 });
  const tied = await tiedViews(synthetic, (a, b) => b - a <= 3);
  /** How many photos it has each time. @param refinedAt when it is also refined */
  const adjustedAt = (refinedAt?: number) => {
    let scene = posedScene(tied, [0, 1, 2], (view) => truePose(synthetic, view));
    const sizes: number[] = [];
    const stage = (name: string) => {
      if (name === "global adjustment") sizes.push(scene.posed.length);
    };
    for (let newest = 3; newest < photos; newest++) {
      const passOver = (view: number) => view > newest;
      assert.deepEqual(growScene(scene, tied.pairs, { ...refining(lens), passOver, stage }), [newest]);
      if (scene.posed.length === refinedAt) refineScene(scene, refining(lens), 1);
      // A copy goes on where the other was.
      scene = scene.clone();
    }
    return sizes;
  };
  const young = [4, 5, 6, 7, 8, 9, 10, 11, 12];
  assert.deepEqual(adjustedAt(), [...young, 15, 18]);
  assert.deepEqual(adjustedAt(14), [...young, 17]);
});
