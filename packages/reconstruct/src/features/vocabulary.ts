/**
 * Words for descriptors: the middles of groups into which those of the first photos fall. A photo's words say which
 * features of two photos are worth comparing (`matcher.ts`), and which photos look alike (`photo-index.ts`).
 * The same descriptors give the same words on every machine.
 */
import { createHash } from "node:crypto";
import type { Features } from "./features.ts";
import { Kernel } from "./kernel.ts";

const DIMENSIONS = 128;
/** Length of a descriptor. */
const LENGTH = 512;
/** Fewer words make matching slower, more lose matches whose two features fall to different sides. */
export const WORDS = 64;
/** Of each feature, the nearest words. */
export const WORDS_A_FEATURE = 10;
/** Fewer features than this say too little about what descriptors look like here. */
const LEAST_FEATURES = 1500;
const ROUNDS = 6;

/** What of a photo's features goes into words. */
type Descriptors = Pick<Features, "count" | "descriptors">;

type NearestFunctions = {
  widen(from: number, to: number, count: number): void;
  nearest(a: number, count: number, centres: number, size: number, most: number, out: number): void;
};

export class Vocabulary {
  /** `[WORDS, 128]`, each of about the length of a descriptor. */
  readonly centres: Uint8Array;
  /** The same for the same words. */
  readonly name: string;
  readonly #kernel: Kernel<NearestFunctions>;

  private constructor(kernel: Kernel<NearestFunctions>, centres: Uint8Array) {
    this.#kernel = kernel;
    this.centres = centres;
    this.name = createHash("sha256").update(centres).digest("hex").slice(0, 16);
  }

  /** @param photos the first ones @returns undefined when there are too few features */
  static of(photos: readonly Descriptors[]): Vocabulary | undefined {
    const features = together(photos);
    if (features.count < LEAST_FEATURES) return undefined;
    const kernel = new Kernel<NearestFunctions>("match");
    let centres = new Uint8Array(WORDS * DIMENSIONS);
    // Features are ordered by scale: an even spread begins with all sorts of them.
    for (let word = 0; word < WORDS; word++) {
      const from = Math.floor(((word + 0.5) * features.count) / WORDS) * DIMENSIONS;
      centres.set(features.descriptors.subarray(from, from + DIMENSIONS), word * DIMENSIONS);
    }
    for (let round = 0; round < ROUNDS; round++)
      centres = middles(features, nearest(kernel, features, centres, 1), centres);
    return new Vocabulary(kernel, centres);
  }

  /** `[count, WORDS_A_FEATURE]` the nearest words of each feature, nearest first. In shared memory: threads read it. */
  wordsOf(features: Descriptors): Uint8Array {
    const words = nearest(this.#kernel, features, this.centres, WORDS_A_FEATURE);
    const shared = new Uint8Array(new SharedArrayBuffer(words.length));
    shared.set(words);
    return shared;
  }
}

function together(photos: readonly Descriptors[]): Descriptors {
  const count = photos.reduce((sum, photo) => sum + photo.count, 0);
  const descriptors = new Uint8Array(count * DIMENSIONS);
  let at = 0;
  for (const photo of photos) {
    descriptors.set(photo.descriptors.subarray(0, photo.count * DIMENSIONS), at);
    at += photo.count * DIMENSIONS;
  }
  return { count, descriptors };
}

function nearest(
  kernel: Kernel<NearestFunctions>,
  { count, descriptors }: Descriptors,
  centres: Uint8Array,
  most: number,
): Uint8Array {
  kernel.reset();
  const rows = kernel.take((count + 3) * DIMENSIONS * 2);
  const middle = kernel.take(centres.length * 2);
  const out = kernel.take(count * most);
  for (const [side, at] of [
    [descriptors.subarray(0, count * DIMENSIONS), rows],
    [centres, middle],
  ] as const) {
    kernel.bytes(at + side.length, side.length).set(side);
    kernel.call.widen(at + side.length, at, side.length / DIMENSIONS);
  }
  kernel.call.nearest(rows, count, middle, WORDS, most, out);
  return kernel.bytes(out, count * most);
}

/** The mean direction of each group; a group that nobody is in keeps its middle. */
function middles(
  { count, descriptors }: Descriptors,
  groupOf: Uint8Array,
  before: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const sums = new Float64Array(WORDS * DIMENSIONS);
  for (let i = 0; i < count; i++) {
    const to = groupOf[i] * DIMENSIONS;
    const from = i * DIMENSIONS;
    for (let k = 0; k < DIMENSIONS; k++) sums[to + k] += descriptors[from + k];
  }
  const centres = before.slice();
  for (let at = 0; at < sums.length; at += DIMENSIONS) {
    let squares = 0;
    for (let k = at; k < at + DIMENSIONS; k++) squares += sums[k] * sums[k];
    if (squares === 0) continue;
    const scale = LENGTH / Math.sqrt(squares);
    for (let k = at; k < at + DIMENSIONS; k++) centres[k] = Math.min(255, Math.round(sums[k] * scale));
  }
  return centres;
}
