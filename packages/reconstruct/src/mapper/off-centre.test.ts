/** When a principal point far from the middle is believed: the scenes here stand as two adjustments have left them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineCore } from "../embedded/engine-core.ts";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { judgeOffCentre } from "./off-centre.ts";
import type { Scene } from "./scene.ts";

const LENS = { longSidePx: 1200 };
const PHOTOS = 8;
/** How far off their middle cut photos look straight ahead. */
const OFF_PX = 80;
const FREE = { stop: () => {}, progress: () => {} };

/** Scenes of the same photos, each with some cameras turned by so many radians. */
async function scenes(...turns: ReadonlyMap<number, number>[]): Promise<Scene[]> {
  const synthetic = syntheticPhotos(arc(PHOTOS), { told: true, points: 300 });
  const tied = await tiedViews(synthetic, () => true);
  const all = arc(PHOTOS).map((_, view) => view);
  return turns.map((turned) => {
    const scene = posedScene(tied, all, (view) => truePose(synthetic, view));
    for (const [view, rad] of turned) {
      const pose = scene.pose(view).slice();
      pose[9] += 8 * rad;
      scene.setPose(view, pose);
    }
    return scene;
  });
}

const turning = (views: readonly number[], rad: number) => new Map(views.map((view) => [view, rad]));
const ALL = [0, 1, 2, 3, 4, 5, 6, 7];

test("one that explains much more in all photos is found; one that explains a little more is not", async () => {
  const [sound, askew, hardly] = await scenes(new Map(), turning(ALL, 0.002), turning(ALL, 0.00002));
  assert.equal(judgeOffCentre(sound, askew, 0, LENS, 1), "found");
  assert.equal(judgeOffCentre(sound, hardly, 0, LENS, 1), "refused");
  assert.equal(judgeOffCentre(askew, sound, 0, LENS, 1), "refused");
});

test("where it explains much more, but not in each photo, the middle is denied and no more", async () => {
  const [half, all] = await scenes(turning([0, 1, 2, 3], 0.002), turning([4, 5, 6, 7], 0.006));
  assert.equal(judgeOffCentre(half, all, 0, LENS, 1), "denied");
});

test("photos that were cut off-centre give the right focal length, and no doubt", async () => {
  const synthetic = syntheticPhotos(arc(9, 2.4), { principalOffPx: OFF_PX });
  const core = new EngineCore(synthetic.kernels, 1);
  for (const photo of synthetic.photos) await core.add(photo, undefined, FREE);
  await core.rebuild(FREE);
  const { doubts, cameras } = await core.rebuild(FREE);
  assert.deepEqual([doubts, cameras.length], [[], 9]);
  const { focalPx } = core.focal()!;
  assert.ok(Math.abs(focalPx / 2160 - 1) < 0.01, `${focalPx}`);
});
