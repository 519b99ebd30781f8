/** What the RANSAC loops share: how long to go on, and in which order to score. */
import { type Random, sampleIndices } from "./random.ts";

/** Samples needed to draw one of inliers alone with this confidence (Fischler & Bolles 1981), at least 10. */
export function neededIterations(inlierShare: number, sampleSize: number, confidence: number): number {
  const good = inlierShare ** sampleSize;
  if (good >= 1) return 10;
  return Math.max(10, Math.ceil(Math.log(1 - confidence) / Math.log1p(-good)));
}

/** 0…n − 1 shuffled (Fisher–Yates): a score that gives up early must see a fair sample first. */
export function shuffledIndices(random: Random, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  return order;
}

/** Smallest pool of best ranked whose share of inliers is believed. */
const MIN_POOL = 50;

/**
 * Samples that begin with the matches ranked best and widen to all (PROSAC, Chum & Matas 2005): where ranks mean
 * something the first good sample comes early; where they mean nothing it ends as plain sampling.
 */
export class RankedSampler {
  readonly #ranking: Int32Array;
  readonly #size: number;
  readonly #places: Int32Array;
  #pool: number;
  /** Mean number of the samples, of so many drawn from all, that would lie in the pool. */
  #expected: number;
  #until = 1;
  #drawn = 0;

  /** @param ranking all indices, best first @param draws after so many samples the pool holds everything */
  constructor(ranking: Int32Array, size: number, draws: number) {
    this.#ranking = ranking;
    this.#size = size;
    this.#pool = size;
    this.#places = new Int32Array(size - 1);
    this.#expected = draws;
    for (let i = 0; i < size; i++) this.#expected *= (size - i) / (ranking.length - i);
  }

  next(random: Random, out: Int32Array): void {
    const n = this.#ranking.length;
    this.#drawn++;
    while (this.#drawn > this.#until && this.#pool < n) {
      const more = (this.#expected * (this.#pool + 1)) / (this.#pool + 1 - this.#size);
      this.#until += Math.ceil(more - this.#expected);
      this.#expected = more;
      this.#pool++;
    }
    if (this.#pool === n) {
      sampleIndices(random, n, out);
      return;
    }
    // The newest of the pool and others before it: each sample is one that no smaller pool could give.
    sampleIndices(random, this.#pool - 1, this.#places);
    for (let i = 0; i < this.#size - 1; i++) out[i] = this.#ranking[this.#places[i]];
    out[this.#size - 1] = this.#ranking[this.#pool - 1];
  }

  /** As `neededIterations`, by the best pool: the inliers may be denser among the best ranked. */
  needed(inliers: Uint8Array, confidence: number): number {
    let fewest = Infinity;
    let count = 0;
    for (let k = 0; k < this.#ranking.length; k++) {
      count += inliers[this.#ranking[k]];
      if (k + 1 < MIN_POOL && k + 1 < this.#ranking.length) continue;
      fewest = Math.min(fewest, neededIterations(count / (k + 1), this.#size, confidence));
    }
    return fewest;
  }
}
