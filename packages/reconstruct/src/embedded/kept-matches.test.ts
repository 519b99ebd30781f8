import assert from "node:assert/strict";
import { test } from "node:test";
import type { Photo } from "../engine.ts";
import { allocateFeatures } from "../features/features.ts";
import { makeView, type View } from "../mapper/view.ts";
import { matchKept } from "./kept-matches.ts";

const views: View[] = [];

function view(digest: string, features: number): View {
  const photo: Photo = {
    image: digest,
    name: digest,
    rgb: new Uint8Array(4 * 4 * 3),
    widthPx: 4,
    heightPx: 4,
    fullWidthPx: 4,
    fullHeightPx: 4,
    digest,
  };
  const made = makeView(views.length, photo, 0, { x: 2, y: 2 }, allocateFeatures(features, 1, 1));
  views.push(made);
  return made;
}

const reader = (wordsName: string) => ({ wordsName, descriptorsOf: (index: number) => views[index].features });

test("REC-14 two photos are matched once; what is damaged or does not fit is matched again", async () => {
  const kept = new Map<string, Uint8Array>();
  const cache = {
    get: async (key: string) => kept.get(key),
    async put(key: string, bytes: Uint8Array) {
      kept.set(key, bytes);
    },
  };
  let asked = 0;
  const answer = (count: number) => Uint32Array.of(0, 1, 5, count - 1);
  const kernels = {
    async matchMany(_: unknown, others: readonly { count: number }[]) {
      asked += others.length;
      return others.map(({ count }) => answer(count));
    },
  };
  const words = reader("one");
  const [a, b, c] = [view("a", 10), view("b", 20), view("c", 70_000)];
  const expected = [answer(20), answer(70_000)];
  assert.deepEqual(await matchKept(kernels, cache, a, [b, c], words), expected);
  assert.deepEqual(await matchKept(kernels, cache, a, [b, c], words), expected);
  assert.equal(asked, 2);
  assert.deepEqual(await matchKept(kernels, cache, b, [a], words), [answer(10)]);
  assert.equal(asked, 3, "the other way round is another search");
  for (const [key, bytes] of kept) kept.set(key, bytes.subarray(0, bytes.length - 1));
  assert.deepEqual(await matchKept(kernels, cache, a, [b, c], words), expected);
  assert.equal(asked, 5);
  const [fewer] = await matchKept(kernels, cache, view("a", 3), [b], words);
  assert.deepEqual(fewer, answer(20));
  assert.equal(asked, 6, "indices beyond the features are not believed");
  assert.deepEqual(await matchKept(kernels, undefined, a, [b], words), [answer(20)]);
  assert.deepEqual(await matchKept(kernels, cache, a, [b], reader("other")), [answer(20)]);
  assert.equal(asked, 8, "with other words it is another search");
});
