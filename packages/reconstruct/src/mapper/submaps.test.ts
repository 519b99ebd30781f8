import assert from "node:assert/strict";
import { test } from "node:test";
import { posedScene, refining, tiedViews, truePose } from "../test/posed.ts";
import { twinFacades } from "../test/repeated.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { lensOf } from "./lens.ts";
import type { Pair } from "./pair.ts";
import { Submaps } from "./submaps.ts";

const PHOTOS = 8;

/** Photos that the scene holds none of. */
async function waiting(tied: (a: number, b: number) => boolean) {
  const synthetic = syntheticPhotos(arc(PHOTOS, 0.8), { told: true, points: 500 });
  const { views, calibrations, pairs } = await tiedViews(synthetic, tied);
  const main = posedScene({ views, calibrations, pairs }, [], (view) => truePose(synthetic, view));
  const { lens } = lensOf(synthetic.photos[0]);
  /** @returns how often it was asked whether to stop: what was tried */
  const settle = (submaps: Submaps, among: readonly Pair[] = pairs): number => {
    let asked = 0;
    submaps.settle(main, views, among, { ...refining(lens), stop: () => void asked++ });
    return asked;
  };
  const largest = (submaps: Submaps) => submaps.muchLargerThan(main)?.tracks;
  return { pairs, settle, largest };
}

test("what was taken out of a track is not tied again by a copy of the place", async () => {
  const { pairs, settle, largest } = await waiting(() => true);
  const submaps = new Submaps();
  settle(submaps);
  const last = PHOTOS - 1;
  const [feature] = [...largest(submaps)!.ofView(last)].find(([, { views }]) => views.length > 3)!;
  largest(submaps)!.remove(last, feature);
  settle(submaps);
  assert.equal(largest(submaps)!.of(last, feature), undefined);
  const copy = submaps.clone(pairs);
  settle(copy);
  assert.equal(largest(copy)!.of(last, feature), undefined);
});

test("new matches of a place do not make one track of two points", async () => {
  const { pairs, settle, largest } = await waiting(() => true);
  const submaps = new Submaps();
  settle(submaps);
  // Of two points the first photos see one, the last ones the other.
  const tracks = largest(submaps)!;
  const [p, q] = [...tracks.all()].filter(({ point, views }) => point && views.length === PHOTOS);
  const [a, b] = [0, PHOTOS - 1];
  const wrong = Int32Array.of(p.features[p.views.indexOf(a)], q.features[q.views.indexOf(b)]);
  for (let k = PHOTOS - 1; k >= 0; k--) {
    const other = p.views[k] < PHOTOS / 2 ? q : p;
    tracks.remove(p.views[k], other.features[other.views.indexOf(p.views[k])]);
  }
  settle(submaps, [...pairs, { ...pairs[0], a, b, matches: wrong, kept: wrong }]);
  assert.ok(tracks.of(a, wrong[0]) === p && tracks.of(b, wrong[1]) === q);
});

test("a copy knows what was tried in vain", async () => {
  const half = PHOTOS / 2;
  const { pairs, settle } = await waiting((a, b) => a >= half === b >= half);
  const torn = pairs.map((pair) => (pair.a < half ? pair : { ...pair, pose: turnedBack(pair.pose) }));
  // One place, and a group of which none can be made.
  const one = new Submaps();
  settle(one, torn);
  assert.equal(settle(one.clone(torn), torn), settle(one, torn));

  // Two places, and ties between them that mean nothing.
  const two = new Submaps();
  settle(two);
  const matches = Int32Array.from({ length: 400 }, (_, k) => (k % 2 === 0 ? k / 2 : (37 * k) % 200));
  const across = [...pairs, { ...pairs[0], a: 1, b: PHOTOS - 2, matches, kept: matches }];
  const merging = settle(two, across);
  const copy = two.clone(across);
  const again = settle(two, across);
  assert.ok(merging > again, "the merge was refused");
  assert.equal(settle(copy, across), again);
});

test("a fold of a place is taken apart for good: what was doubted does not tie its tracks", async () => {
  const synthetic = twinFacades(32);
  const front = [29, 30, 31, 0, 1, 2, 3];
  const back = [14, 15, 16, 17, 18];
  const isBack = (view: number) => back.includes(view);
  const all = [...front, ...back];
  const tied = await tiedViews(synthetic, (a, b) => all.includes(a) && all.includes(b));
  // Half a turn about the building's middle lays its back on its front.
  const folded = posedScene(tied, all, (view) => {
    const pose = truePose(synthetic, view);
    return isBack(view) ? pose.map((value, at) => (at % 2 === 0 ? -value : value)) : pose;
  });
  const main = posedScene(tied, [], (view) => truePose(synthetic, view));
  const submaps = new Submaps();
  submaps.exchange(main, folded, tied.pairs);
  const options = refining(lensOf(synthetic.photos[0]).lens);
  const settle = () => submaps.settle(main, tied.views, tied.pairs, options);

  settle();
  assert.deepEqual(
    all.map((view) => submaps.sizeOf(view)),
    all.map((view) => (isBack(view) ? 0 : front.length)),
  );
  const isMixed = (views: readonly number[]) => views.some(isBack) && !views.every(isBack);
  const { tracks } = submaps.muchLargerThan(main)!;
  assert.ok(
    [...tracks.all()].every(({ views }) => !isMixed(views)),
    "the tracks are those of two sides",
  );

  // What lost its place begins one of its own.
  settle();
  assert.deepEqual(
    all.map((view) => submaps.sizeOf(view)),
    all.map((view) => (isBack(view) ? back : front).length),
  );
});

/** The second photo looks the other way: no point lies before both. */
function turnedBack(pose: Float64Array): Float64Array {
  return pose.map((value, at) => (at < 4 || at > 7 ? -value : value));
}
