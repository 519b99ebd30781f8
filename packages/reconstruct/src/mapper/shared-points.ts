/** Which photos see points in common. Where hundreds see each point, there are a hundred million twos to count. */

/** How many points each two photos have in common. */
export class SharedPoints {
  readonly #photos: number;
  /** `[photos, photos]` the lower triangle. */
  readonly #counts: Int32Array;

  /** @param photos all numbers of photos are below it */
  constructor(photos: number, points: Iterable<readonly number[]>) {
    this.#photos = photos;
    this.#counts = new Int32Array(photos * photos);
    for (const seenBy of points) {
      const ascending = Int32Array.from(seenBy).sort();
      for (let k = 1; k < ascending.length; k++) {
        const row = ascending[k] * photos;
        for (let other = 0; other < k; other++) this.#counts[row + ascending[other]]++;
      }
    }
  }

  of(a: number, b: number): number {
    return this.#counts[Math.max(a, b) * this.#photos + Math.min(a, b)];
  }

  /** The two with most; undefined where no two have any. */
  most(): readonly [number, number] | undefined {
    let best = 0;
    for (let at = 1; at < this.#counts.length; at++) if (this.#counts[at] > this.#counts[best]) best = at;
    return this.#counts[best] > 0 ? [best % this.#photos, Math.floor(best / this.#photos)] : undefined;
  }
}
