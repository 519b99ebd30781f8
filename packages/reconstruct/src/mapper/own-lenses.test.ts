/** Photos that were taken for zoomed get the lens that they share back where they were not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { LensTrust } from "./lens-trust.ts";
import { OwnLenses } from "./own-lenses.ts";
import type { Scene } from "./scene.ts";
import { Lenses } from "./view.ts";

const PHOTOS = 5;
const SPLIT = 3;
const LONG_SIDE_PX = 1200;
const FOCAL_PX = 1080;

/** Five placed photos of one lens, the fourth of which was taken for zoomed, and two scenes that know of it. */
async function splitOff(): Promise<{ shown: Scene; scene: Scene; trust: LensTrust; lenses: OwnLenses }> {
  const synthetic = syntheticPhotos(arc(PHOTOS), { told: true, points: 200 });
  const tied = await tiedViews(synthetic, () => true);
  const list = new Lenses();
  for (const photo of synthetic.photos) list.add(photo);
  const trust = new LensTrust(list, 1);
  const lenses = new OwnLenses({ views: tied.views, lenses: list, trust });
  const held = tied.views.map(({ index }) => index);
  const [shown, scene] = [1, 2].map(() => posedScene(tied, held, (view) => truePose(synthetic, view)));
  // Both know rays of the photo, as scenes at work do.
  for (const each of [shown, scene]) each.rays(SPLIT);
  lenses.split(SPLIT, 1.3 * FOCAL_PX, scene, [shown, scene]);
  for (const each of [shown, scene]) each.rays(SPLIT);
  return { shown, scene, trust, lenses };
}

const own = (scene: Scene) => scene.views[SPLIT].lens;

function zoomedBy(scene: Scene, factor: number): void {
  scene.setFocal(own(scene), factor * FOCAL_PX);
}

test("a lens that is split off is one photo's alone, in every scene", async () => {
  const { shown, scene, trust } = await splitOff();
  assert.deepEqual(
    scene.views.map(({ lens }) => lens),
    [0, 0, 0, 1, 0],
  );
  assert.deepEqual(trust.splits, [[1, 0]]);
  for (const each of [shown, scene]) {
    assert.ok(Math.abs(each.focal(SPLIT) - 1.3 * FOCAL_PX) < 1e-9);
    assert.equal(each.focal(0), FOCAL_PX);
    assert.ok(Math.abs(1.3 * each.rays(SPLIT)[0] - each.views[SPLIT].pixels[0] / FOCAL_PX) < 1e-9, "rays are its own");
  }
});

test("what was split off a lens that joins another is judged beside that", async () => {
  const { trust } = await splitOff();
  trust.joined(0, 2);
  assert.deepEqual(trust.splits, [[1, 2]]);
});

describe("photos that were taken for zoomed", () => {
  test("share the lens again where the refined scene finds the same focal length, and keep their place", async () => {
    for (const factor of [0.975, 1.025]) {
      const { shown, scene, trust, lenses } = await splitOff();
      zoomedBy(scene, factor);
      assert.equal(lenses.rejoin(scene, [shown, scene]), true);
      assert.equal(own(scene), 0);
      assert.ok(scene.isPosed(SPLIT));
      assert.deepEqual(trust.splits, []);
      for (const each of [shown, scene]) {
        assert.equal(each.focal(SPLIT), FOCAL_PX);
        assert.ok(
          Math.abs(each.rays(SPLIT)[0] - each.views[SPLIT].pixels[0] / FOCAL_PX) < 1e-9,
          "rays are of the lens",
        );
      }
      assert.equal(lenses.rejoin(scene, [shown, scene]), false, "that is done");
    }
  });

  test("keep their own where it is another", async () => {
    for (const factor of [0.96, 1.04, 1.3]) {
      const { shown, scene, trust, lenses } = await splitOff();
      zoomedBy(scene, factor);
      assert.equal(lenses.rejoin(scene, [shown, scene]), false);
      assert.equal(own(scene), 1);
      assert.ok(scene.isPosed(SPLIT));
      assert.deepEqual(trust.splits, [[1, 0]]);
    }
  });

  test("share it again where none of them has found a place with their own", async () => {
    const { shown, scene, lenses } = await splitOff();
    scene.dropPose(SPLIT);
    assert.equal(lenses.rejoin(scene, [shown, scene]), true);
    assert.equal(own(scene), 0);
  });

  test("keep their own while no photo of the lens that they would share has a place", async () => {
    const { shown, scene, lenses } = await splitOff();
    zoomedBy(scene, 1);
    for (const view of [0, 1, 2, 4]) scene.dropPose(view);
    assert.equal(lenses.rejoin(scene, [shown, scene]), false);
    assert.equal(own(scene), 1);
  });

  test("are asked again, without a place, where that lens is seen to look straight ahead elsewhere", async () => {
    for (const [part, expected] of [
      [0.014, false],
      [0.016, true],
    ] as const) {
      const { shown, scene, lenses } = await splitOff();
      scene.setCalibration(0, Float64Array.of(FOCAL_PX, FOCAL_PX, part * LONG_SIDE_PX, 0, 0, 0));
      assert.equal(lenses.rejoin(scene, [shown, scene]), expected, `${part} of the long side`);
      assert.equal(own(scene), expected ? 0 : 1);
      assert.equal(scene.isPosed(SPLIT), !expected);
      assert.ok(shown.isPosed(SPLIT), "the scene that is shown has it until it is replaced");
      const fits = [...scene.tracks.ofView(SPLIT)].some(([, { views, fits: all }]) => all[views.indexOf(SPLIT)]);
      assert.equal(fits, !expected);
    }
  });
});
