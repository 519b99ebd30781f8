/**
 * Which photos look alike: each is one vector, the sum of how its features differ from their words (VLAD: Jégou et al.,
 * "Aggregating local descriptors into a compact image representation", CVPR 2010; signed roots after Perronnin et al.,
 * ECCV 2010; every word of equal weight after Arandjelović and Zisserman, "All about VLAD", CVPR 2013). Asking costs a
 * dot product a photo.
 */
import type { Features } from "./features.ts";
import { WORDS, WORDS_A_FEATURE } from "./vocabulary.ts";

const DIMENSIONS = 128;

export class PhotoIndex {
  readonly #vectors: Float32Array[] = [];

  /** @param words of its features @param centres of the words; the photo's index is how many came before it */
  add({ count, descriptors }: Pick<Features, "count" | "descriptors">, words: Uint8Array, centres: Uint8Array): void {
    const vector = new Float32Array(WORDS * DIMENSIONS);
    for (let i = 0; i < count; i++) {
      const to = words[i * WORDS_A_FEATURE] * DIMENSIONS;
      const from = i * DIMENSIONS;
      for (let k = 0; k < DIMENSIONS; k++) vector[to + k] += descriptors[from + k] - centres[to + k];
    }
    for (let at = 0; at < vector.length; at += DIMENSIONS) normalise(vector.subarray(at, at + DIMENSIONS));
    this.#vectors.push(vector);
  }

  get size(): number {
    return this.#vectors.length;
  }

  /** Earlier photos than this one, most alike first; among equals the later. */
  alike(photo: number, most: number): number[] {
    const own = this.#vectors[photo];
    const likeness = new Float64Array(photo);
    for (let other = 0; other < photo; other++) likeness[other] = dot(own, this.#vectors[other]);
    return Array.from(likeness.keys())
      .sort((p, q) => likeness[q] - likeness[p] || q - p)
      .slice(0, most);
  }
}

/** Signed roots, then length 1; zero stays. */
function normalise(part: Float32Array): void {
  let sum = 0;
  for (let k = 0; k < part.length; k++) {
    sum += Math.abs(part[k]);
    part[k] = Math.sign(part[k]) * Math.sqrt(Math.abs(part[k]));
  }
  if (sum === 0) return;
  const scale = 1 / Math.sqrt(sum);
  for (let k = 0; k < part.length; k++) part[k] *= scale;
}

function dot(a: Float32Array, b: Float32Array): number {
  let even = 0;
  let odd = 0;
  for (let k = 0; k < a.length; k += 2) {
    even += a[k] * b[k];
    odd += a[k + 1] * b[k + 1];
  }
  return even + odd;
}
