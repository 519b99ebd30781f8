/** What looks from the side add to a photo: places, once each, that tracks and poses take like any others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import { CENTRE, sideOf, viewOf } from "../test/slants.ts";
import { adopted, joined, questionAslant } from "./aslant.ts";
import type { Pair } from "./pair.ts";
import { Scene } from "./scene.ts";
import { answerTwoView } from "./two-view.ts";

const FOCAL = 600;

test("a place that a slant shows is added once; one where the photo has a feature is that feature", () => {
  const view = viewOf(0, [
    [100, 100],
    [200, 200],
  ]);
  const side = sideOf(view, [
    [100.5, 100.5],
    [300, 50],
    [300.6, 50.2],
    [400, 60],
  ]);
  // Places of this side: feature 1, then the four slants.
  const matches = Uint32Array.of(1, 0, 2, 0, 3, 0, 4, 0, 5, 0);
  const { view: more, places } = adopted(view, { matches, sides: [side, side] }, 0);
  assert.deepEqual([...places], [1, 0, 2, 2, 3]);
  assert.equal(more.places.count, 4);
  assert.equal(more.features.count, 2, "what it looks like is as before");
  assert.deepEqual([...more.places.x].map(Math.round), [100, 200, 300, 400]);
  assert.deepEqual([...more.places.scale], [2, 2, 5, 5]);
  assert.deepEqual([...more.pixels.slice(4, 6)], [300 - CENTRE.x, 50 - CENTRE.y]);
  assert.equal(more.colors.length, 12);
  assert.deepEqual(more.colors.slice(6, 9), view.colors.slice(3, 6), "of the colour of what is nearest");
  const again = adopted(more, { matches, sides: [side, side] }, 0);
  assert.equal(again.view, more);
  assert.deepEqual([...again.places], [1, 0, 2, 2, 3]);
});

/** Points before two cameras, the second one to the right and turned; where both see them. */
function twoSights(count: number): { first: [number, number][]; second: [number, number][] } {
  const random = seededRandom(3);
  const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)];
  const sights = { first: [] as [number, number][], second: [] as [number, number][] };
  while (sights.first.length < count) {
    const [x, y, z] = [4 * random() - 2, 3 * random() - 1.5, 5 + 3 * random()];
    const [u, v, w] = [cos * (x - 2) - sin * z + 1.5, y, sin * (x - 2) + cos * z];
    sights.first.push([CENTRE.x + (FOCAL * x) / z, CENTRE.y + (FOCAL * y) / z]);
    sights.second.push([CENTRE.x + (FOCAL * u) / w, CENTRE.y + (FOCAL * v) / w]);
  }
  return sights;
}

test("slants of two photos tell how these stand; then they are places of a scene like any others", () => {
  const { first, second } = twoSights(80);
  const views = [viewOf(0, first.slice(0, 20)), viewOf(1, second.slice(0, 20))];
  const scene = new Scene(views);
  scene.addLens(Float64Array.of(FOCAL, FOCAL, 0, 0, 0, 0));
  for (const view of views) scene.addView(view);
  const sides = [sideOf(views[0], first.slice(20)), sideOf(views[1], second.slice(20))] as const;
  const places = Array.from({ length: 60 }, (_, k) => 20 + k);
  const seen = { a: 0, b: 1, matches: Uint32Array.from(places.flatMap((place) => [place, place])), sides };
  const answer = answerTwoView(questionAslant(scene, seen, 1, 7));
  assert.equal(answer?.inlierCount, 60);
  for (const side of [0, 1] as const) {
    views[side] = adopted(views[side], seen, side).view;
    scene.placesAdded(side);
  }
  assert.equal(scene.rays(0).length, 160);
  assert.ok(scene.tracks.join(0, 70, 1, 70));
  assert.equal(scene.tracks.of(1, 70)?.views.length, 2);

  // Other matches of the two join where the geometry explains them, and nothing is taken twice.
  const matches = Int32Array.from(places.flatMap((place) => [place, place]));
  const pair: Pair = {
    a: 0,
    b: 1,
    matches,
    kept: matches,
    pose: answer!.pose,
    angleRad: 0.2,
    kind: "general",
    focals: [FOCAL, FOCAL],
    errorPx: 1,
  };
  const plain = Int32Array.from([0, 0, 1, 1, 2, 5, 3, 30, 30, 4, 6, 6]);
  const both = joined(scene, pair, plain);
  const added = [...both.kept.slice(pair.kept.length)];
  assert.deepEqual(added, [0, 0, 1, 1, 6, 6], "2 with 5 is wrong, 30 has a match");
  assert.deepEqual(both.matches, both.kept);
  assert.equal(joined(scene, { ...pair, kind: "rotation" }, plain).kept, matches);
});
