import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randoms } from "../test/photos.ts";
import { type Descriptors, openMatcher } from "./matcher.ts";
import { Vocabulary, WORDS, WORDS_A_FEATURE } from "./vocabulary.ts";

const matcher = openMatcher();

/** Rows of about the length of a RootSIFT descriptor; some of `like` with noise. */
function descriptors(count: number, seed: number, like?: Descriptors): Descriptors {
  const random = randoms(seed);
  const rows = new Uint8Array(count * 128);
  for (let i = 0; i < count; i++) {
    const model = like && like.count > 0 && random() < 0.7 ? Math.floor(random() * like.count) : -1;
    const row = Array.from({ length: 128 }, (_, k) =>
      model < 0 ? random() ** 3 : like!.descriptors[model * 128 + k] / 100 + 0.3 * random(),
    );
    const length = Math.hypot(...row) || 1;
    for (let k = 0; k < 128; k++) rows[i * 128 + k] = Math.min(255, Math.round((512 * row[k]) / length));
  }
  return { count, descriptors: rows };
}

/** The definition, one pair at a time; features that share no word are as if they were not there. */
function reference(a: Descriptors, b: Descriptors, ratio: number): number[] {
  const product = (i: number, j: number): number => {
    if (!shareWord(a, i, b, j)) return -1;
    let sum = 0;
    for (let k = 0; k < 128; k++) sum += a.descriptors[i * 128 + k] * b.descriptors[j * 128 + k];
    return sum;
  };
  const table = Array.from({ length: a.count }, (_, i) => Array.from({ length: b.count }, (_, j) => product(i, j)));
  const pairs: number[] = [];
  for (const [i, row] of table.entries()) {
    const best = Math.max(...row);
    const j = row.indexOf(best);
    const second = Math.max(0, ...row.filter((_, other) => other !== j));
    const column = table.map((other) => other[j]);
    if (column.indexOf(Math.max(...column)) !== i) continue;
    const nearSquared = Math.max(0, 512 ** 2 - best);
    if (best >= Math.cos(0.7) * 512 ** 2 && nearSquared < ratio ** 2 * (512 ** 2 - second)) pairs.push(i, j);
  }
  return pairs;
}

/** Whether the nearest word of one is among those of the other. */
function shareWord(a: Descriptors, i: number, b: Descriptors, j: number): boolean {
  if (!a.words || !b.words) return true;
  const from = j * WORDS_A_FEATURE;
  return b.words.subarray(from, from + WORDS_A_FEATURE).includes(a.words[i * WORDS_A_FEATURE]);
}

/** Any words, none twice for one feature. */
function withWords(side: Descriptors, seed: number, size: number): Descriptors {
  const random = randoms(seed);
  const words = new Uint8Array(side.count * WORDS_A_FEATURE);
  for (let i = 0; i < side.count; i++) {
    const left = Array.from({ length: size }, (_, word) => word);
    for (let k = 0; k < WORDS_A_FEATURE; k++) {
      words[i * WORDS_A_FEATURE + k] = left.splice(Math.floor(random() * left.length), 1)[0];
    }
  }
  return { ...side, words };
}

test("the kernel finds the same pairs as the definition", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.nat(23),
      fc.nat(23),
      fc.double({ min: 0.5, max: 1, noNaN: true }),
      (seed, n, m, ratio) => {
        const a = descriptors(n, seed);
        const b = descriptors(m, seed + 1, a);
        const expected = m === 0 ? [] : reference(a, b, ratio);
        assert.deepEqual([...matcher.match(a, b, { ratio })], expected);
      },
    ),
    { numRuns: 150, seed: 1 },
  );
});

test("most features find their own copy again", () => {
  const a = descriptors(101, 5);
  assert.deepEqual(
    [...matcher.match(a, a)],
    Array.from({ length: 202 }, (_, i) => i >> 1),
  );
});

test("`first` leaves the rest of both sides out", () => {
  const a = descriptors(60, 7);
  const b = descriptors(50, 8, a);
  const cut = (side: Descriptors): Descriptors => ({ count: 20, descriptors: side.descriptors.slice(0, 20 * 128) });
  assert.deepEqual(matcher.match(a, b, { first: 20 }), matcher.match(cut(a), cut(b)));
});

test("with words, the kernel finds what the definition finds among features that share one", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.nat(40),
      fc.nat(40),
      fc.integer({ min: WORDS_A_FEATURE, max: WORDS }),
      (seed, n, m, size) => {
        const a = descriptors(n, seed);
        const [from, to] = [withWords(a, seed + 2, size), withWords(descriptors(m, seed + 1, a), seed + 3, size)];
        const expected = n === 0 || m === 0 ? [] : reference(from, to, 0.8);
        assert.deepEqual([...matcher.match(from, to)], expected);
      },
    ),
    { numRuns: 150, seed: 1 },
  );
});

test("the words of a vocabulary lose almost no match", () => {
  const a = descriptors(2000, 11);
  const b = descriptors(1800, 12, a);
  const vocabulary = Vocabulary.of([a])!;
  const exact = matcher.match(a, b);
  const byWords = matcher.match({ ...a, words: vocabulary.wordsOf(a) }, { ...b, words: vocabulary.wordsOf(b) });
  const key = (pairs: Uint32Array, k: number) => `${pairs[2 * k]} ${pairs[2 * k + 1]}`;
  const found = new Set(Array.from({ length: byWords.length / 2 }, (_, k) => key(byWords, k)));
  const kept = Array.from({ length: exact.length / 2 }, (_, k) => found.has(key(exact, k))).filter(Boolean).length;
  assert.ok(exact.length / 2 > 500, `${exact.length / 2} matches`);
  assert.ok(kept > 0.97 * (exact.length / 2), `${kept} of ${exact.length / 2}`);
});
