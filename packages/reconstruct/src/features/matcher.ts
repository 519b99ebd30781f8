/** Pairs of features that look alike, in the calling thread. The search is in `wasm/match.as.ts` and exact. */
import type { Features } from "./features.ts";
import { Kernel } from "./kernel.ts";

/** What matching reads of `Features`; small to hand to another thread. */
export type Descriptors = Pick<Features, "count" | "descriptors">;

export type MatchOptions = {
  /** A match must be nearer than this part of the distance to the second best; by default 0.8. */
  readonly ratio?: number;
  /** Only the first so many (the largest) of each side: enough to find out which photos overlap. */
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
  match(a: number, countA: number, b: number, countB: number, forward: number, backward: number): void;
};

export function openMatcher(): Matcher {
  const kernel = new Kernel<MatchFunctions>("match");
  return {
    match(a, b, options = {}) {
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
