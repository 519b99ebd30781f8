/** Pairs of features that look alike, in the calling thread. The search is in `wasm/match.as.ts` and exact. */
import type { Features } from "./features.ts";
import { Kernel } from "./kernel.ts";
import { WORDS, WORDS_A_FEATURE } from "./vocabulary.ts";

/** What matching reads of `Features`; small to hand to another thread. */
export type Descriptors = Pick<Features, "count" | "descriptors"> & {
  /** `[count, WORDS_A_FEATURE]` of the same vocabulary on both sides: only features that share a word are compared. */
  readonly words?: Uint8Array;
};

export type MatchOptions = {
  /** A match must be nearer than this part of the distance to the second best; by default 0.8. */
  readonly ratio?: number;
  /** Only the first so many (the largest) of each side, all with all: enough to find out which photos overlap. */
  readonly first?: number;
};

export interface Matcher {
  /** `[m, 2]` index in `a`, index in `b`: each the other's best, and clearly better than the second; ascending. */
  match(a: Descriptors, b: Descriptors, options?: MatchOptions): Uint32Array<ArrayBuffer>;
}

const DEFAULT_RATIO = 0.8;
const DIMENSIONS = 128;
/** The square of a descriptor's length, and so the dot product of equal ones (up to rounding to bytes). */
const SQUARE = 512 * 512;
/** Directions further apart than 0.7 rad are not the same thing, however bad the second best is (as COLMAP). */
const LEAST_DOT = Math.cos(0.7) * SQUARE;

type MatchFunctions = {
  widen(from: number, to: number, count: number): void;
  widenListed(from: number, list: number, count: number, to: number): void;
  match(a: number, countA: number, b: number, countB: number, forward: number, backward: number): void;
  matchListed(
    a: number,
    first: number,
    count: number,
    b: number,
    list: number,
    length: number,
    forward: number,
    backward: number,
  ): void;
};

export function openMatcher(): Matcher {
  const kernel = new Kernel<MatchFunctions>("match");
  return {
    match(a, b, options = {}) {
      if (a.words && b.words && options.first === undefined) {
        return matchByWords(kernel, a, a.words, b, b.words, options.ratio ?? DEFAULT_RATIO);
      }
      const first = options.first ?? Number.POSITIVE_INFINITY;
      const countA = Math.min(a.count, first);
      const countB = Math.min(b.count, first);
      kernel.reset();
      const wideA = kernel.take((countA + 3) * DIMENSIONS * 2);
      const wideB = kernel.take(countB * DIMENSIONS * 2);
      const forward = kernel.take((countA + 3) * 12);
      const backward = kernel.take(countB * 8);
      load(kernel, a, countA, wideA);
      load(kernel, b, countB, wideB);
      kernel.call.match(wideA, countA, wideB, countB, forward, backward);
      return mutual(kernel.i32(forward, countA * 3), kernel.i32(backward, countB * 2), options.ratio ?? DEFAULT_RATIO);
    },
  };
}

/**
 * A feature of `a` meets those of `b` that have its nearest word among theirs: a sixth of them, among which the
 * true one nearly always is.
 */
function matchByWords(
  kernel: Kernel<MatchFunctions>,
  a: Descriptors,
  wordsA: Uint8Array,
  b: Descriptors,
  wordsB: Uint8Array,
  ratio: number,
): Uint32Array<ArrayBuffer> {
  const groups = byWord(wordsA, a.count, 1);
  const lists = byWord(wordsB, b.count, WORDS_A_FEATURE);
  kernel.reset();
  const wideA = kernel.take((a.count + 3) * DIMENSIONS * 2);
  const wideB = kernel.take(b.count * DIMENSIONS * 2);
  const bytesA = kernel.take(a.count * DIMENSIONS);
  const order = kernel.take(a.count * 4);
  const list = kernel.take(lists.features.length * 4);
  const forward = kernel.take((a.count + 3) * 12);
  const backward = kernel.take(b.count * 8);
  kernel.bytes(bytesA, a.count * DIMENSIONS).set(a.descriptors.subarray(0, a.count * DIMENSIONS));
  kernel.i32(order, a.count).set(groups.features);
  kernel.call.widenListed(bytesA, order, a.count, wideA);
  load(kernel, b, b.count, wideB);
  kernel.i32(list, lists.features.length).set(lists.features);
  kernel.i32(forward, a.count * 3).fill(-1);
  kernel.i32(backward, b.count * 2).fill(-1);
  // Each group's last four rows may reach into the next group, whose turn comes later.
  for (let word = 0; word < WORDS; word++) {
    const [first, end] = [groups.start[word], groups.start[word + 1]];
    const [from, to] = [lists.start[word], lists.start[word + 1]];
    if (first === end) continue;
    const rows = wideA + first * DIMENSIONS * 2;
    const out = forward + first * 12;
    kernel.call.matchListed(rows, first, end - first, wideB, list + from * 4, to - from, out, backward);
  }
  const found = mutual(kernel.i32(forward, a.count * 3), kernel.i32(backward, b.count * 2), ratio);
  return inOrder(found, groups.features);
}

/** Features grouped by word, each under its first `most` words; `features[start[w]]` is the first one of word w. */
function byWord(words: Uint8Array, count: number, most: number): { features: Int32Array; start: Int32Array } {
  const start = new Int32Array(WORDS + 1);
  for (let i = 0; i < count; i++) for (let k = 0; k < most; k++) start[words[i * WORDS_A_FEATURE + k] + 1]++;
  for (let word = 0; word < WORDS; word++) start[word + 1] += start[word];
  const features = new Int32Array(count * most);
  const next = start.slice();
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < most; k++) features[next[words[i * WORDS_A_FEATURE + k]]++] = i;
  }
  return { features, start };
}

/** Pairs whose first side is a place in `features`, as features, ascending. */
function inOrder(pairs: Uint32Array, features: Int32Array): Uint32Array<ArrayBuffer> {
  const other = new Int32Array(features.length).fill(-1);
  for (let k = 0; k < pairs.length; k += 2) other[features[pairs[k]]] = pairs[k + 1];
  const sorted = new Uint32Array(pairs.length);
  let size = 0;
  for (let i = 0; i < other.length; i++) {
    if (other[i] < 0) continue;
    sorted[size++] = i;
    sorted[size++] = other[i];
  }
  return sorted;
}

/** Widens in place: the bytes are put at the end of the space that they will fill. */
function load(kernel: Kernel<MatchFunctions>, side: Descriptors, count: number, to: number): void {
  const size = count * DIMENSIONS;
  kernel.bytes(to + size, size).set(side.descriptors.subarray(0, size));
  kernel.call.widen(to + size, to, count);
}

/** Compares squared chords: |p - q|² = 2 (1 - p·q) for unit vectors. */
function mutual(forward: Int32Array, backward: Int32Array, ratio: number): Uint32Array<ArrayBuffer> {
  const rows = forward.length / 3;
  const pairs = new Uint32Array(rows * 2);
  let size = 0;
  for (let i = 0; i < rows; i++) {
    const j = forward[3 * i];
    const best = forward[3 * i + 1];
    const second = Math.max(0, forward[3 * i + 2]);
    if (j < 0 || best < LEAST_DOT || backward[2 * j] !== i) continue;
    if (Math.max(0, SQUARE - best) >= ratio * ratio * (SQUARE - second)) continue;
    pairs[size++] = i;
    pairs[size++] = j;
  }
  return pairs.slice(0, size);
}
