import assert from "node:assert/strict";
import { test } from "node:test";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion } from "@cairn/geometry";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { corridor, twinFacades } from "../test/repeated.ts";
import { type Synthetic, shuffled } from "../test/synthetic.ts";
import { type Doubted, missingAlong, missingBetween, pairKey, trustAgain } from "./folds.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import { FoldSearch, LOOKS, unfold } from "./unfold.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

/** Spots of each side; enough to be walked around. */
const FEWER = { alike: 270, own: 270 };

/** Which photos are placed, and how far the farthest is from its true place after the best similarity. */
async function built(
  { kernels, photos, truth }: Synthetic,
  order = [...photos.keys()],
): Promise<{ placed: number[]; worst: number }> {
  const features: Awaited<ReturnType<typeof kernels.extract>>[] = [];
  for (const photo of photos) features.push(await kernels.extract(photo.rgb, photo.widthPx, photo.heightPx));
  let next = 0;
  const core = new EngineCore({ ...kernels, extract: async () => features[order[next++]] }, 1);
  for (const [count, index] of order.entries()) {
    await core.add(photos[index], undefined, FREE);
    if (count % 10 === 9) await core.rebuild(FREE);
  }
  const { cameras } = await core.rebuild(FREE);
  const source = cameras.flatMap(({ pose }) => [...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation))]);
  const target = cameras.flatMap(({ image }) => [...truth[Number(image.slice("photo-".length))].eye]);
  const [from, to] = [Float64Array.from(source), Float64Array.from(target)];
  const distances = new Float64Array(cameras.length);
  alignmentDistances(alignPoints(from, to)!, from, to, distances);
  return { placed: cameras.map(({ image }) => Number(image.slice("photo-".length))), worst: Math.max(...distances) };
}

test("MAP-4 a building whose front and back look alike is walked around, not folded", async () => {
  const { placed, worst } = await built(twinFacades(32, FEWER));
  assert.equal(placed.length, 32);
  assert.ok(worst < 0.05, `off by ${worst}, the building is 10 long`);
});

test("MAP-4 also when its photos come in any order: the last rebuild puts right what the first photos left open", async () => {
  const synthetic = twinFacades(32, FEWER);
  const { placed, worst } = await built(synthetic, shuffled([...synthetic.photos.keys()], 1));
  assert.equal(placed.length, 32);
  assert.ok(worst < 0.05, `off by ${worst}`);
});

test("MAP-4 a corridor of equal doors is as long as it is", async () => {
  const { placed, worst } = await built(corridor(24));
  assert.equal(placed.length, 24);
  assert.ok(worst < 0.05, `off by ${worst}, a door is 4 from the next`);
});

test("MAP-5 a fold that was told stays told: what its doubted pairs show speaks against one that nobody doubts", async () => {
  const front = [29, 30, 31, 0, 1, 2, 3];
  const back = [13, 14, 15, 16, 17, 18, 19];
  const { placed, worst } = await built(twinFacades(32, FEWER), [...front, ...back]);
  assert.deepEqual(placed.sort(), front.sort());
  assert.ok(worst < 0.05, `off by ${worst}, the building is 10 long`);
});

test("MAP-5 what is missed tells a fold from the truth, and a fold is taken apart where it was made", async () => {
  const synthetic = twinFacades(32);
  const tied = await tiedViews(synthetic, () => true);
  const front = [29, 30, 31, 0, 1, 2, 3];
  const back = [14, 15, 16, 17, 18];
  const isBack = (view: number) => back.includes(view);
  const all = [...front, ...back];
  const within = tied.pairs.filter(({ a, b }) => all.includes(a) && all.includes(b));
  const across = within.filter(({ a, b }) => isBack(a) !== isBack(b));
  assert.ok(across.length > 10, "the two look alike");

  const right = posedScene({ ...tied, pairs: within.filter((pair) => !across.includes(pair)) }, all, (view) =>
    truePose(synthetic, view),
  );
  const doubted: Doubted = new Set();
  assert.equal(unfold(right, within, doubted), 0);
  assert.equal(doubted.size, 0);
  for (const pair of within) {
    if (across.includes(pair)) continue;
    const { missed, expected } = missingBetween(right, pair);
    assert.ok(missed <= 0.05 * expected, `${pair.a} and ${pair.b}: ${missed} of ${expected}`);
  }

  const folded = posedScene({ ...tied, pairs: within }, all, (view) => {
    const pose = truePose(synthetic, view);
    return isBack(view) ? turnedHalf(pose) : pose;
  });
  assert.equal(unfold(folded, within, doubted), back.length);
  assert.deepEqual([...folded.posed].sort(), [...front].sort());
  assert.ok(across.filter((pair) => doubted.has(pairKey(pair))).length > 10);
  assert.ok(within.every((pair) => across.includes(pair) || !doubted.has(pairKey(pair))));

  // Made once more, by whatever, it is told by what was doubted for it.
  for (const view of back) folded.setPose(view, turnedHalf(truePose(synthetic, view)));
  assert.equal(unfold(folded, within, new Set(across.map(pairKey))), back.length);

  // Had the doubt been wrong, places found since would tell.
  const wronged: Doubted = new Set(within.map(pairKey));
  trustAgain(right, within, wronged);
  assert.ok(across.every((pair) => wronged.has(pairKey(pair))));
  assert.ok(wronged.size < within.length - 5);
});

test("MAP-5 what a photo of fewer pixels, or a zoomed one, does not find again is no fold", async () => {
  const synthetic = twinFacades(32);
  const front = [0, 1, 2, 3];
  const tied = await tiedViews(synthetic, (a, b) => front.includes(a) && front.includes(b));
  /** Photo 1 with so many times as many pixels a side, and with nothing found in the left half of it. */
  const missedAt = (size: number) => {
    const views = tied.views.map((view) => {
      if (view.index !== 1) return view;
      const { photo, principal, pixels } = view;
      const [widthPx, heightPx] = [size * photo.widthPx, size * photo.heightPx];
      return {
        ...view,
        lens: 1,
        photo: { ...photo, widthPx, heightPx },
        principal: { x: size * principal.x, y: size * principal.y },
        pixels: pixels.map((at) => size * at),
      };
    });
    const [fx, fy, ...others] = tied.calibrations;
    const calibrations = Float64Array.from([...tied.calibrations, size * fx, size * fy, ...others]);
    const scene = posedScene({ ...tied, views, calibrations }, front, (view) => truePose(synthetic, view));
    for (let feature = 0; feature < views[1].features.count; feature++) {
      if (views[1].pixels[2 * feature] < 0) scene.tracks.remove(1, feature);
    }
    return missingBetween(scene, { a: 0, b: 1 });
  };
  const { expected, missed } = missedAt(1);
  assert.ok(missed > 0.1 * expected && expected > 100, `as large as the others it misses ${missed} of ${expected}`);
  assert.deepEqual(missedAt(1.2).expected, expected);
  assert.deepEqual(missedAt(0.5), { expected: 0, missed: 0 });
  assert.deepEqual(missedAt(2), { expected: 0, missed: 0 });
});

test("MAP-5 a growing scene is searched some ties at a time, and comes to what a search of all comes to", async () => {
  const synthetic = twinFacades(32);
  const tied = await tiedViews(synthetic, () => true);
  const all = [...synthetic.photos.keys()];
  const isBack = (view: number) => view >= 8 && view < 24;
  const folded = () =>
    posedScene(tied, all, (view) => {
      const pose = truePose(synthetic, view);
      return isBack(view) ? turnedHalf(pose) : pose;
    });
  const [scene, doubted] = [folded(), new Set<number>()];
  const [once, doubtedAtOnce] = [folded(), new Set<number>()];
  assert.ok(unfold(once, tied.pairs, doubtedAtOnce) > 0);

  let looks = 0;
  const search = new FoldSearch((at, ties) => {
    looks += ties.length;
    return missingAlong(at, ties);
  });
  // A search that is marked goes on there, whatever it looks at meanwhile.
  search.goOn(scene, tied.pairs, doubted);
  const goBack = search.mark();
  search.goOn(once, tied.pairs, doubtedAtOnce);
  goBack();
  looks = LOOKS;

  let lost = 0;
  let photos = 1;
  for (; lost === 0 && photos < tied.pairs.length; photos++) {
    const before = looks;
    lost = search.goOn(scene, tied.pairs, doubted);
    assert.ok(looks - before <= LOOKS);
  }
  assert.ok(photos > 1, "more than one photo's share");
  assert.equal(looks, tied.pairs.length, "each tie once");
  assert.deepEqual(scene.posed, once.posed);
  assert.deepEqual([...doubted].sort(), [...doubtedAtOnce].sort());

  // Nothing new: it is not searched again before it has grown.
  looks = 0;
  const sound = new FoldSearch((at, ties) => {
    looks += ties.length;
    return missingAlong(at, ties);
  });
  while (looks < placedTies(once, tied.pairs)) sound.goOn(once, tied.pairs, doubtedAtOnce);
  const searched = looks;
  assert.equal(sound.goOn(once, tied.pairs, doubtedAtOnce), 0);
  assert.equal(looks, searched);
});

/** By half a turn about the building's middle, which lays its back on its front. */
function turnedHalf(pose: Float64Array): Float64Array {
  return pose.map((value, at) => (at % 4 === 0 || at % 4 === 2 ? -value : value));
}

function placedTies(scene: Scene, pairs: readonly Pair[]): number {
  return pairs.filter(({ a, b }) => scene.isPosed(a) && scene.isPosed(b)).length;
}
