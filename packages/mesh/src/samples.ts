/**
 * The points a surface is made of, gathered from a stream of any length in bounded memory: when there are too many, those
 * in one small cell become one, which also evens out noise where photos overlap.
 */
import { type Cube, cellsByLevel, LEVELS, mortonOrder } from "./morton.ts";

/** Points as they come, in any unit. A `PointRun` of `@cairn/formats` is one. */
export type PointBatch = {
  readonly count: number;
  /** `[n, 3]` */
  readonly positions: Float64Array;
  /** `[n, 3]` sRGB */
  readonly colors: Uint8Array;
  /** Of each or of all: the number of the photo that saw it, 0 none. */
  readonly photos: Uint32Array | number;
  /** `[n]` 0…255. Left out: all 255. */
  readonly confidences?: Uint8Array | undefined;
  /** `[n, 3]` unit vectors × 127, 0 0 0 unknown. Left out: none is known. */
  readonly normals?: Int8Array | undefined;
};

export type Samples = {
  readonly count: number;
  /** `[n, 3]` from the middle of the cube. */
  readonly positions: Float32Array;
  readonly colors: Uint8Array;
  /** `[n]` confidence over 255, summed where points became one. */
  readonly weights: Float32Array;
  readonly photos: Uint32Array;
  readonly normals: Int8Array;
};

/** More than these are thinned to about half: 27 bytes each, and as much again while it is done. */
export const MAX_SAMPLES = 4_000_000;
/** Never 0: a point that is hardly believed is still better than none. */
const LEAST_WEIGHT = 1 / 64;

export class SampleCollector {
  /** Around the middle; samples count from there, so that 32 bits suffice for coordinates of any size. */
  readonly cube: Cube;
  readonly #middle: readonly [number, number, number];
  readonly #limit: number;
  #samples: Samples;
  /** Taken in, and not yet thinned away. */
  #count = 0;

  /** @param min @param max box of all the points that will come */
  constructor(min: readonly [number, number, number], max: readonly [number, number, number], limit = MAX_SAMPLES) {
    const edge = Math.max(max[0] - min[0], max[1] - min[1], max[2] - min[2], Number.MIN_VALUE * 2 ** 200) * 1.0001;
    this.#middle = [(min[0] + max[0]) / 2, (min[1] + max[1]) / 2, (min[2] + max[2]) / 2];
    this.cube = { corner: [-edge / 2, -edge / 2, -edge / 2], edge };
    this.#limit = limit;
    this.#samples = room(Math.min(limit, 65_536));
  }

  /** Where samples count from. */
  get middle(): readonly [number, number, number] {
    return this.#middle;
  }

  /** Copies. Points without a place are left out. */
  add(batch: PointBatch): void {
    for (let from = 0; from < batch.count; ) {
      if (this.#count === this.#limit) this.#thin();
      this.#reserve(Math.min(this.#limit, this.#count + batch.count - from));
      const taken = Math.min(batch.count - from, this.#samples.weights.length - this.#count);
      this.#append(batch, from, from + taken);
      from += taken;
    }
  }

  /** Along a Morton curve. The collector is empty then. */
  take(): Samples {
    const { order } = mortonOrder(this.#samples.positions, this.#count, this.cube);
    const sorted = room(this.#count);
    for (let i = 0; i < order.length; i++) copySample(this.#samples, order[i], sorted, i);
    this.#samples = room(0);
    this.#count = 0;
    return sorted;
  }

  #reserve(count: number): void {
    if (count <= this.#samples.weights.length) return;
    const grown = room(Math.min(this.#limit, Math.max(count, 2 * this.#samples.weights.length)));
    const old = this.#samples;
    grown.positions.set(old.positions);
    grown.colors.set(old.colors);
    grown.weights.set(old.weights);
    grown.photos.set(old.photos);
    grown.normals.set(old.normals);
    this.#samples = grown;
  }

  #append({ positions, colors, photos, confidences, normals }: PointBatch, from: number, to: number): void {
    const out = this.#samples;
    const [mx, my, mz] = this.#middle;
    let n = this.#count;
    for (let i = from; i < to; i++) {
      const [x, y, z] = [positions[3 * i] - mx, positions[3 * i + 1] - my, positions[3 * i + 2] - mz];
      if (!(Math.abs(x) + Math.abs(y) + Math.abs(z) < Infinity)) continue;
      out.positions[3 * n] = x;
      out.positions[3 * n + 1] = y;
      out.positions[3 * n + 2] = z;
      for (let axis = 0; axis < 3; axis++) {
        out.colors[3 * n + axis] = colors[3 * i + axis];
        out.normals[3 * n + axis] = normals ? normals[3 * i + axis] : 0;
      }
      out.weights[n] = Math.max(LEAST_WEIGHT, confidences ? confidences[i] / 255 : 1);
      out.photos[n] = typeof photos === "number" ? photos : photos[i];
      n++;
    }
    this.#count = n;
  }

  /** One sample for each cell of the finest level at which at most half as many as are allowed remain. */
  #thin(): void {
    const morton = mortonOrder(this.#samples.positions, this.#count, this.cube);
    const cells = cellsByLevel(morton);
    let level = LEVELS;
    while (level > 0 && cells[level] > this.#limit / 2) level--;
    const thinned = room(this.#samples.weights.length);
    let n = 0;
    for (let from = 0; from < this.#count; ) {
      let to = from + 1;
      while (to < this.#count && morton.shared[to] >= level) to++;
      mergeSamples(this.#samples, morton.order.subarray(from, to), thinned, n++);
      from = to;
    }
    this.#samples = thinned;
    this.#count = n;
  }
}

function room(count: number): Samples {
  return {
    count,
    positions: new Float32Array(3 * count),
    colors: new Uint8Array(3 * count),
    weights: new Float32Array(count),
    photos: new Uint32Array(count),
    normals: new Int8Array(3 * count),
  };
}

function copySample(from: Samples, i: number, to: Samples, n: number): void {
  for (let axis = 0; axis < 3; axis++) {
    to.positions[3 * n + axis] = from.positions[3 * i + axis];
    to.colors[3 * n + axis] = from.colors[3 * i + axis];
    to.normals[3 * n + axis] = from.normals[3 * i + axis];
  }
  to.weights[n] = from.weights[i];
  to.photos[n] = from.photos[i];
}

/** Their weighted mean; the photo is that of the surest. */
function mergeSamples(from: Samples, which: Uint32Array, to: Samples, n: number): void {
  const sums = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  let total = 0;
  let surest = which[0];
  for (let k = 0; k < which.length; k++) {
    const i = which[k];
    const weight = from.weights[i];
    total += weight;
    if (weight > from.weights[surest]) surest = i;
    for (let axis = 0; axis < 3; axis++) {
      sums[axis] += weight * from.positions[3 * i + axis];
      sums[3 + axis] += weight * from.colors[3 * i + axis];
      sums[6 + axis] += weight * from.normals[3 * i + axis];
    }
  }
  const length = Math.hypot(sums[6], sums[7], sums[8]);
  for (let axis = 0; axis < 3; axis++) {
    to.positions[3 * n + axis] = sums[axis] / total;
    to.colors[3 * n + axis] = Math.round(sums[3 + axis] / total);
    to.normals[3 * n + axis] = length > 0 ? Math.round((127 * sums[6 + axis]) / length) : 0;
  }
  to.weights[n] = total;
  to.photos[n] = from.photos[surest];
}
