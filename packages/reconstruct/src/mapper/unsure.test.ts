/** Which pairs are looked at from the side: of photos without a place, and in a small scene of those that hold by little. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allocateFeatures } from "../features/features.ts";
import { Scene } from "./scene.ts";
import { isHeldByOne, type Known, type Tie, unsureTies } from "./unsure.ts";
import { makeView, type View } from "./view.ts";

/** A scene of so many photos, of which the first ones have a place. */
function sceneOf(photos: number, posed: number): Scene {
  const views: View[] = [];
  const scene = new Scene(views);
  for (let index = 0; index < photos; index++) {
    const photo = { image: `${index}`, name: "", digest: "", widthPx: 4, heightPx: 4, fullWidthPx: 4, fullHeightPx: 4 };
    const rgb = new Uint8Array(48);
    views.push(makeView(index, { ...photo, rgb }, 0, { x: 2, y: 2 }, allocateFeatures(0, 1, 0.5)));
    scene.addView(views[index]);
    if (index < posed) scene.setPose(index, new Float64Array(12));
  }
  return scene;
}

const name = ({ a, b }: Tie) => `${a}-${b}`;

function known(options: Partial<Known> = {}): Known & { readonly done: Set<string> } {
  const done = new Set<string>();
  return {
    done,
    likeness: ({ a, b }) => 10 * a + b,
    kept: () => 500,
    asked: (tie) => done.has(name(tie)),
    usable: () => true,
    ...options,
  };
}

test("a photo without a place is looked at with those that it looks most like, placed ones first, each pair once", () => {
  const scene = sceneOf(12, 10);
  const facts = known();
  const ties = unsureTies(scene, facts);
  const of = (view: number, all = ties) => all.filter(({ a, b }) => a === view || b === view).map(name);
  assert.deepEqual(of(10), ["9-10", "8-10", "7-10", "6-10", "5-10"]);
  assert.deepEqual(of(11), ["9-11", "8-11", "7-11", "6-11", "5-11"]);
  for (const tie of ties) facts.done.add(name(tie));
  assert.deepEqual(of(10, unsureTies(scene, facts)), ["4-10", "3-10", "2-10", "1-10", "0-10"]);
  for (const tie of unsureTies(scene, facts)) facts.done.add(name(tie));
  assert.deepEqual(unsureTies(scene, facts), [], "a photo of another place is not asked about for ever");
});

test("at most three photos at once; none that is no good, and no pair that was never compared", () => {
  const lone = new Set(unsureTies(sceneOf(30, 20), known()).map(({ b }) => b));
  assert.deepEqual([...lone], [20, 21, 22]);
  const scene = sceneOf(5, 3);
  const usable = (view: number) => view !== 3;
  assert.ok(unsureTies(scene, known({ usable })).every(({ b }) => b === 4));
  const likeness = ({ a, b }: Tie) => (a === 1 ? b : undefined);
  assert.deepEqual(unsureTies(scene, known({ likeness })).map(name), ["1-3", "1-4"]);
});

test("in a small scene photos that share little with a second one are looked at, the weakest first; never in a large one", () => {
  // Each shares much with the next alone; the last with nobody.
  const kept = ({ a, b }: Tie) => (b === a + 1 ? 400 - 90 * a : 10);
  const ties = unsureTies(sceneOf(5, 5), known({ kept }));
  assert.ok(ties.map(name).includes("3-4"), ties.map(name).join());
  assert.ok(ties.length >= 3 && ties.length <= 12);
  assert.deepEqual(unsureTies(sceneOf(5, 5), known()), [], "all are held well");
  assert.deepEqual(unsureTies(sceneOf(17, 17), known({ kept })), []);
});

test("in a small scene those that were never compared take no turn from those that were", () => {
  const kept = ({ a, b }: Tie) => (b === a + 1 ? 90 : 0);
  const likeness = ({ a, b }: Tie) => (b === a + 1 || (a === 0 && b === 4) ? 20 : undefined);
  const ties = unsureTies(sceneOf(6, 6), known({ kept, likeness }));
  assert.ok(ties.map(name).includes("0-4"), ties.map(name).join());
});

test("a photo that one placed photo alone would hold waits for another; among photos without a place nothing waits", () => {
  const scene = sceneOf(6, 3);
  const tie = { a: 1, b: 4 };
  assert.ok(isHeldByOne(scene, tie, [tie, { a: 4, b: 5 }, { a: 0, b: 1 }]));
  assert.ok(!isHeldByOne(scene, tie, [tie, { a: 2, b: 4 }]));
  assert.ok(!isHeldByOne(scene, { a: 4, b: 5 }, []));
  assert.ok(!isHeldByOne(scene, { a: 0, b: 2 }, []));
});
