/** Which photos are tied by what they share when they are also seen aslant, and which wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sideOf, viewOf } from "../test/slants.ts";
import type { SeenAslant } from "./aslant.ts";
import { AslantTies } from "./aslant-ties.ts";
import type { Pair } from "./pair.ts";
import { Scene } from "./scene.ts";
import { Submaps } from "./submaps.ts";
import type { TwoViewAnswer } from "./two-view.ts";

const MATCHES = 60;
const ALL = Array.from({ length: MATCHES }, (_, k) => [10 * k + 5, 10 * ((7 * k) % 40) + 5] as const);

/** Photos with places enough, the first ones placed; and what is seen of them from the side. */
function world(photos: number, placed: number) {
  const views = Array.from({ length: photos }, (_, index) => viewOf(index, ALL));
  const scene = new Scene(views);
  scene.addLens(Float64Array.of(600, 600, 0, 0, 0, 0));
  for (const view of views) scene.addView(view);
  for (let view = 0; view < placed; view++) scene.setPose(view, new Float64Array(12));
  const ties = new AslantTies();
  let pairs: Pair[] = [];
  const place = { views, scene, submaps: new Submaps(), checks: { errorPx: () => 2 } };
  return {
    scene,
    ties,
    names: () => pairs.map(({ a, b }) => `${a}-${b}`).sort(),
    knows: (pair: Pair) => pairs.push(pair),
    link(seen: readonly SeenAslant[], denied: readonly SeenAslant[] = [], bearing = answer()) {
      const answers = ties.toAsk(seen).map((each) => (denied.includes(each) ? undefined : bearing));
      pairs = ties.link(place, pairs, seen, answers);
    },
    isDue: () => ties.isDue(scene, pairs),
    pairOf: (a: number, b: number) => pairs.find((pair) => pair.a === a && pair.b === b),
    see(a: number, b: number): SeenAslant {
      const matches = Uint32Array.from({ length: 2 * MATCHES }, (_, k) => k >> 1);
      return { a, b, matches, sides: [sideOf(views[a], []), sideOf(views[b], [])] };
    },
  };
}

function answer(): TwoViewAnswer {
  const inliers = new Uint8Array(MATCHES).fill(1);
  return { kind: "general", pose: new Float64Array(12), inliers, inlierCount: MATCHES, angleRad: 0.5 };
}

/** As photos share it without a look from the side. */
function usual(a: number, b: number, matches: number): Pair {
  const kept = Int32Array.from({ length: 2 * matches }, (_, k) => k >> 1);
  return { a, b, matches: kept, kept, focals: [600, 600], errorPx: 2, ...answer() };
}

test("a photo that one placed photo alone would hold is not tied to it until that is the second one", () => {
  const { link, see, names, scene, ties, isDue } = world(4, 2);
  link([see(0, 2)]);
  assert.deepEqual(names(), []);
  assert.equal(scene.tracks.of(2, 0), undefined);
  assert.ok(ties.wasAsked({ a: 0, b: 2 }), "nobody asks again meanwhile");
  link([see(2, 3)]);
  assert.deepEqual(names(), ["2-3"], "photos without a place wait for nobody");
  assert.ok(!isDue());
  scene.setPose(3, new Float64Array(12));
  assert.ok(isDue());
  link([]);
  assert.ok(!isDue());
  assert.deepEqual(names(), ["0-2", "2-3"]);
  assert.equal(scene.tracks.of(2, 0), scene.tracks.of(0, 0));
  assert.equal(scene.tracks.of(0, 0)?.views.length, 3);
});

test("two placed photos that hold it at once are enough, and so is one that shares much with it anyway", () => {
  const both = world(3, 2);
  both.link([both.see(0, 2), both.see(1, 2)]);
  assert.deepEqual(both.names(), ["0-2", "1-2"]);
  const before = world(3, 2);
  before.knows(usual(1, 2, 30));
  before.link([before.see(0, 2)]);
  assert.deepEqual(before.names(), ["0-2", "1-2"]);
});

test("one that geometry does not bear out holds nothing", () => {
  const { link, see, names } = world(3, 2);
  const second = see(1, 2);
  link([see(0, 2), second], [second]);
  assert.deepEqual(names(), []);
});

test("what few matches said, and a look from the side does not bear out, was chance", () => {
  for (const { matches, left } of [
    { matches: 49, left: [] },
    { matches: 50, left: ["1-2"] },
  ]) {
    const { link, see, names, knows } = world(3, 2);
    knows(usual(1, 2, matches));
    const tie = see(1, 2);
    link([tie], [tie]);
    assert.deepEqual(names(), left);
  }
});

test("what was chance holds nothing either", () => {
  const { link, see, names, knows } = world(3, 2);
  knows(usual(1, 2, 49));
  const second = see(1, 2);
  link([see(0, 2), second], [second]);
  assert.deepEqual(names(), []);
});

test("what waits is asked about again: lenses may have changed", () => {
  const { link, see, pairOf, scene } = world(4, 2);
  link([see(0, 2), see(2, 3)]);
  scene.setFocal(0, 900);
  scene.setPose(3, new Float64Array(12));
  const pose = new Float64Array(12).fill(0.5);
  link([], [], { ...answer(), pose });
  assert.equal(pairOf(0, 2)?.pose, pose);
  assert.deepEqual(pairOf(0, 2)?.focals, [900, 900]);
});

test("what is not borne out any more waits for nothing", () => {
  const { link, see, names, ties, scene } = world(4, 2);
  const first = see(0, 2);
  link([first, see(2, 3)]);
  link([], [first]);
  assert.deepEqual(ties.toAsk([]), []);
  scene.setPose(3, new Float64Array(12));
  link([]);
  assert.deepEqual(names(), ["2-3"]);
});

test("a photo that is placed by other means waits no longer", () => {
  const { link, see, names, scene } = world(3, 2);
  link([see(0, 2)]);
  scene.setPose(2, new Float64Array(12));
  link([]);
  assert.deepEqual(names(), ["0-2"]);
});

test("of many that wait the latest twelve are kept", () => {
  const { link, see, ties } = world(15, 1);
  for (let view = 1; view < 15; view++) link([see(0, view)]);
  assert.deepEqual(
    ties.toAsk([]).map(({ b }) => b),
    Array.from({ length: 12 }, (_, k) => 3 + k),
  );
});

test("what was seen after a mark is as if it had never been", () => {
  const { link, see, ties } = world(4, 2);
  const first = see(0, 2);
  link([first]);
  const goBack = ties.mark();
  link([see(1, 2)]);
  goBack();
  assert.deepEqual(ties.toAsk([]), [first]);
  assert.ok(ties.wasAsked(first) && !ties.wasAsked({ a: 1, b: 2 }));
});
