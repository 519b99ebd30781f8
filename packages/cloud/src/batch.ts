/**
 * The points of one insertion as the octree takes them: in an even order, their coordinates as integers that every
 * level of the tree reads with a shift. Also the room that an insertion works in, kept for the next.
 */
import type { Vec3 } from "@cairn/protocol";
import { FINEST_BITS, type LayerGrid, MAX_BITS } from "./node.ts";

/** So many levels above the finest 32 bits still hold all that a node keeps of a coordinate. */
export const FINE_LEVELS = 32 - FINEST_BITS;
/** Bits that the coordinates for the levels above those leave out. */
export const COARSE_SHIFT = MAX_BITS;
/** A batch of more points does not keep its room. */
const KEPT_POINTS = 1 << 20;

export class Batch {
  /** Points that are usable: finite and within reach. */
  count = 0;
  /** Points that are finite and lie beyond reach. */
  outOfReach = 0;
  /** The box of those that are usable, layer frame. */
  min: Vec3 = [Infinity, Infinity, Infinity];
  max: Vec3 = [-Infinity, -Infinity, -Infinity];
  /** `[count]` Index of each in what was given. */
  source = new Uint32Array(0);
  /** `[count, 3]` Finest steps from the grid's origin, modulo 2³². */
  fine = new Uint32Array(0);
  /** The same without the lowest 16 bits; only once `coarsen` was called. */
  coarse = new Uint32Array(0);
  /** `[room]` Points on their way down, for two levels in turn. */
  readonly ways: [Uint32Array, Uint32Array] = [new Uint32Array(0), new Uint32Array(0)];
  /** `[room]` Points that the node at work keeps. */
  kept = new Uint32Array(0);
  /** `[room]` Octants of those that it does not. */
  octants = new Uint8Array(0);
  #room = 0;

  /** @param reach edge of the cube above the grid's origin in which points are usable */
  load(positions: Float32Array | Float64Array, { origin, finest }: LayerGrid, reach: number): void {
    const n = Math.floor(positions.length / 3);
    this.#reserve(n);
    const { source, fine } = this;
    const way = this.ways[0];
    const [originX, originY, originZ] = origin;
    const steps = stepsPerUnit(finest);
    let [minX, minY, minZ] = [Infinity, Infinity, Infinity];
    let [maxX, maxY, maxZ] = [-Infinity, -Infinity, -Infinity];
    let [count, outOfReach] = [0, 0];
    const stride = evenStride(n);
    for (let k = 0, i = 0; k < n; k++) {
      const [x, y, z] = [positions[3 * i]!, positions[3 * i + 1]!, positions[3 * i + 2]!];
      const [fromX, fromY, fromZ] = [x - originX, y - originY, z - originZ];
      // Also false where one is NaN.
      if (fromX >= 0 && fromY >= 0 && fromZ >= 0 && fromX < reach && fromY < reach && fromZ < reach) {
        // Storing takes the whole part modulo 2³²; scaling loses nothing, for it is by a power of two.
        fine[3 * count] = fromX * steps;
        fine[3 * count + 1] = fromY * steps;
        fine[3 * count + 2] = fromZ * steps;
        if (x < minX) minX = x;
        if (x > maxX) maxX = x;
        if (y < minY) minY = y;
        if (y > maxY) maxY = y;
        if (z < minZ) minZ = z;
        if (z > maxZ) maxZ = z;
        source[count] = i;
        way[count] = count;
        count++;
      } else if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) outOfReach++;
      i += stride;
      if (i >= n) i -= n;
    }
    this.count = count;
    this.outOfReach = outOfReach;
    this.min = [minX, minY, minZ];
    this.max = [maxX, maxY, maxZ];
  }

  /** Fills `coarse`, which only a layer that has grown beyond `FINE_LEVELS` needs. */
  coarsen(positions: Float32Array | Float64Array, { origin, finest }: LayerGrid): void {
    if (this.coarse.length < this.#room * 3) this.coarse = new Uint32Array(this.#room * 3);
    const steps = stepsPerUnit(finest) / 2 ** COARSE_SHIFT;
    for (let k = 0; k < this.count; k++) {
      for (let axis = 0; axis < 3; axis++) {
        this.coarse[3 * k + axis] = (positions[3 * this.source[k]! + axis]! - origin[axis]!) * steps;
      }
    }
  }

  /** Gives back the room that only a large batch needs. */
  release(): void {
    if (this.#room > KEPT_POINTS) this.#allot(0);
  }

  #reserve(points: number): void {
    if (this.#room < points) this.#allot(points);
  }

  #allot(points: number): void {
    this.#room = points;
    this.source = new Uint32Array(points);
    this.fine = new Uint32Array(points * 3);
    this.coarse = new Uint32Array(0);
    this.ways[0] = new Uint32Array(points);
    this.ways[1] = new Uint32Array(points);
    this.kept = new Uint32Array(points);
    this.octants = new Uint8Array(points);
  }
}

function stepsPerUnit(finest: number): number {
  return 2 ** (FINEST_BITS - finest);
}

/**
 * Points of a photo come row by row, and a node keeps the first it is given: taken in that order it would show the top
 * rows of a photo. Steps by the golden ratio, modulo n, spread any first part evenly over the whole.
 */
export function evenStride(n: number): number {
  let stride = Math.max(1, Math.round(n * 0.6180339887498949));
  while (commonDivisor(stride, n) > 1) stride++;
  return stride;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
