import assert from "node:assert/strict";
import { test } from "node:test";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { trackColor } from "./ledger.ts";

test("a point has the colours of photos that were judged to see it, not of one without a place", async () => {
  const synthetic = syntheticPhotos(arc(5, 0.5), { told: true, points: 200 });
  const tied = await tiedViews(synthetic, () => true);
  const scene = posedScene(tied, [0, 1], (view) => truePose(synthetic, view));
  const track = [...scene.tracks.all()].find(({ point, views }) => point && views.length === 5)!;
  for (const [k, view] of track.views.entries()) {
    const color = scene.isPosed(view) ? [200, 40, 10] : [0, 255, 255];
    scene.views[view].colors.set(color, 3 * track.features[k]);
  }
  assert.deepEqual(trackColor(scene, track), [200, 40, 10]);
});
