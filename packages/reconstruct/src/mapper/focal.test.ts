import assert from "node:assert/strict";
import { test } from "node:test";
import { tiedViews } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { FocalVotes } from "./focal.ts";
import type { Pair } from "./pair.ts";
import { Scene } from "./scene.ts";

/** Every third match is taken for its neighbour's. */
function muddled(pair: Pair): Pair {
  const matches = pair.matches.slice();
  for (let k = 1; k + 6 < matches.length; k += 6) [matches[k], matches[k + 6]] = [matches[k + 6], matches[k]];
  return { ...pair, matches };
}

test("MAP-11 two photos of a lens are asked once for their focal length, and tell it though a third of the matches is wrong", async () => {
  const { views, calibrations, pairs } = await tiedViews(syntheticPhotos(arc(4), { told: true }), () => true);
  const asked = new Array<number>(views.length).fill(0);
  const watched = views.map((view) => ({
    ...view,
    get pixels() {
      asked[view.index]++;
      return view.pixels;
    },
  }));
  const scene = new Scene(watched);
  scene.calibrations = calibrations.slice();
  const [first, ...others] = pairs.map(muddled);
  const longSidePx = Math.max(views[0].photo.widthPx, views[0].photo.heightPx);
  const votes = new FocalVotes(1);
  const ask = (of: readonly Pair[]) => votes.of(scene, of, 0, { longSidePx })!;

  const alone = ask([first]);
  assert.deepEqual([asked[first.a] > 0, asked[first.b] > 0], [true, true]);
  const before = asked.slice();
  assert.deepEqual(ask([first]), alone);
  assert.deepEqual(asked, before, "what it said is known");

  const all = ask([first, ...others]);
  assert.deepEqual(all, new FocalVotes(1).of(scene, [first, ...others], 0, { longSidePx }));
  const truePart = calibrations[0] / longSidePx;
  assert.ok(Math.abs(Math.log(all.part / truePart)) < 0.15, `${all.part} for ${truePart}`);
  assert.ok(all.low <= truePart && truePart <= all.high, `${all.low} to ${all.high}`);
});
