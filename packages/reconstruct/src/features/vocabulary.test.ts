import assert from "node:assert/strict";
import { test } from "node:test";
import { randoms } from "../test/photos.ts";
import { PhotoIndex } from "./photo-index.ts";
import { Vocabulary, WORDS, WORDS_A_FEATURE } from "./vocabulary.ts";

/** Descriptors of `count` things, those with the same number alike. */
function photoOf(things: readonly number[], seed: number): { count: number; descriptors: Uint8Array } {
  const noise = randoms(seed);
  const descriptors = new Uint8Array(things.length * 128);
  for (const [i, thing] of things.entries()) {
    const own = randoms(1000 + thing);
    for (let k = 0; k < 128; k++) descriptors[i * 128 + k] = Math.floor(110 * own() ** 2 + 10 * noise());
  }
  return { count: things.length, descriptors };
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, k) => from + k);

test("the words of a feature are the nearest, in their order", () => {
  const photo = photoOf(range(0, 1600), 1);
  const vocabulary = Vocabulary.of([photo])!;
  const words = vocabulary.wordsOf(photo);
  assert.equal(words.length, photo.count * WORDS_A_FEATURE);
  for (const i of [0, 1, 2, 3, 801, 1598, 1599]) {
    const dots = range(0, WORDS).map((word) => {
      let sum = 0;
      for (let k = 0; k < 128; k++) sum += photo.descriptors[i * 128 + k] * vocabulary.centres[word * 128 + k];
      return sum;
    });
    const expected = range(0, WORDS).sort((p, q) => dots[q] - dots[p] || p - q);
    assert.deepEqual(
      [...words.subarray(i * WORDS_A_FEATURE, (i + 1) * WORDS_A_FEATURE)],
      expected.slice(0, WORDS_A_FEATURE),
    );
  }
});

test("the same photos give the same vocabulary; too few features give none", () => {
  const photos = [photoOf(range(0, 900), 1), photoOf(range(500, 900), 2)];
  assert.equal(Vocabulary.of(photos.slice(0, 1)), undefined);
  assert.deepEqual(Vocabulary.of(photos)!.centres, Vocabulary.of(photos)!.centres);
  assert.equal(Vocabulary.of([]), undefined);
});

test("the photos with most in common come first, at any size of the index", () => {
  // A walk: each photo shows 300 things, and shares 250, 200, … of them with its neighbours.
  const photos = range(0, 60).map((step) => photoOf(range(50 * step, 300), 7 + step));
  const vocabulary = Vocabulary.of(photos.slice(0, 6))!;
  const index = new PhotoIndex();
  for (const photo of photos) index.add(photo, vocabulary.wordsOf(photo), vocabulary.centres);
  for (const photo of [10, 30, 59]) {
    assert.deepEqual(new Set(index.alike(photo, 3)), new Set([photo - 1, photo - 2, photo - 3]));
  }
  assert.deepEqual(index.alike(0, 5), []);
  assert.equal(index.size, 60);
});
