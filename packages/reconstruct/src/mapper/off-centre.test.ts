/** When a principal point far from the middle is believed: the scenes here stand as two adjustments have left them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineCore } from "../embedded/engine-core.ts";
import { posedScene, refining, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { Doubts } from "./doubts.ts";
import { refineScene } from "./grow.ts";
import { LensTrust } from "./lens-trust.ts";
import { judgeOffCentre } from "./off-centre.ts";
import { beliefOf } from "./principal.ts";
import type { Scene } from "./scene.ts";
import { Lenses } from "./view.ts";

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

/** Photos that look straight ahead so far right of their middle, as a scene that knows it, of a lens that EXIF tells. */
async function cutOff(offPx: number) {
  const synthetic = syntheticPhotos(arc(PHOTOS), { exifPx: 1080, points: 300, principalOffPx: offPx });
  const tied = await tiedViews(synthetic, () => true);
  tied.calibrations[2] = offPx;
  const lenses = new Lenses();
  for (const photo of synthetic.photos) lenses.add(photo);
  return { scene: posedScene(tied, ALL, (view) => truePose(synthetic, view)), lenses };
}

test("it is found up to the photo's border; beyond, the middle is denied and no more", async () => {
  for (const [offPx, word] of [
    [590, "found"],
    [610, "denied"],
  ] as const) {
    const { scene } = await cutOff(offPx);
    const middle = scene.clone();
    middle.setFocal(0, 1080);
    assert.equal(judgeOffCentre(scene, middle, 0, LENS, 1), word);
  }
});

test("a lens whose middle is denied is doubted until a rebuild denies it no more, or the rebuild is given up", async () => {
  const { scene, lenses } = await cutOff(610);
  const trust = new LensTrust(lenses, 1);
  const doubts = new Doubts({ views: scene.views, lenses, trust, zooms: { isTorn: () => false } });
  assert.deepEqual(doubts.of(scene), []);
  // Before it is judged, what is known of cameras pulls it some way back: so the photo's border is nearer here.
  const lens = { ...lenses.list[0], longSidePx: 800 };
  const refined = refineScene(scene, { ...refining(lens), principal: new Map([[0, beliefOf(lens)]]) }, 1);
  assert.ok(refined);
  assert.deepEqual([...refined.offCentre], [0]);
  assert.deepEqual([...scene.calibration(0).subarray(2, 4)], [0, 0], "where nobody knows it, it is in the middle");
  // What else the refinement has found is not the matter here.
  scene.setFocal(0, 1080);
  const goBack = trust.mark();
  trust.learn(scene, refined);
  assert.deepEqual(doubts.of(scene), ["focal_uncertain"]);
  assert.equal(trust.focalOf(scene, 0).certain, false);
  goBack();
  assert.deepEqual(doubts.of(scene), []);
  trust.learn(scene, refined);
  trust.learn(scene, { ...refined, offCentre: new Set() });
  assert.deepEqual(doubts.of(scene), []);
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
