/** How good a cloud of points is: against the true surface where it is known, against sparse points where it is not. */
import { alignPoints, cameraCentre, type Similarity3, transformPoints } from "@cairn/geometry";

/** Points in cells of a cube, for finding those near a place. */
export class PointGrid {
  readonly #positions: ArrayLike<number>;
  readonly #cell: number;
  /** Cells in order of their key, and where the points of each begin in `#order`. */
  readonly #starts = new Map<number, number>();
  readonly #ends = new Map<number, number>();
  readonly #order: Uint32Array;

  /** @param cell side of a cell: searches may reach about as far */
  constructor(positions: ArrayLike<number>, cell: number) {
    this.#positions = positions;
    this.#cell = cell;
    const n = positions.length / 3;
    const keys = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      keys[i] = keyOf(
        Math.floor(positions[3 * i] / cell),
        Math.floor(positions[3 * i + 1] / cell),
        Math.floor(positions[3 * i + 2] / cell),
      );
    }
    const counts = new Map<number, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    let next = 0;
    for (const [key, count] of counts) {
      this.#starts.set(key, next);
      this.#ends.set(key, next);
      next += count;
    }
    this.#order = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      const at = this.#ends.get(keys[i])!;
      this.#order[at] = i;
      this.#ends.set(keys[i], at + 1);
    }
  }

  /** Distance to the nearest point, Infinity when it is farther than `reach`. */
  nearest(x: number, y: number, z: number, reach: number): number {
    let square = reach * reach;
    let found = false;
    this.#near(x, y, z, reach, (distanceSquare) => {
      if (distanceSquare > square) return;
      square = distanceSquare;
      found = true;
    });
    return found ? Math.sqrt(square) : Infinity;
  }

  /** The `count` nearest within `reach`, indices, nearest first. */
  nearby(x: number, y: number, z: number, reach: number, count: number): number[] {
    const found: { index: number; square: number }[] = [];
    this.#near(x, y, z, reach, (square, index) => {
      if (square <= reach * reach) found.push({ index, square });
    });
    found.sort((a, b) => a.square - b.square || a.index - b.index);
    return found.slice(0, count).map(({ index }) => index);
  }

  #near(x: number, y: number, z: number, reach: number, take: (square: number, index: number) => void): void {
    const cell = this.#cell;
    const positions = this.#positions;
    const [i0, i1] = [Math.floor((x - reach) / cell), Math.floor((x + reach) / cell)];
    const [j0, j1] = [Math.floor((y - reach) / cell), Math.floor((y + reach) / cell)];
    const [k0, k1] = [Math.floor((z - reach) / cell), Math.floor((z + reach) / cell)];
    for (let i = i0; i <= i1; i++) {
      for (let j = j0; j <= j1; j++) {
        for (let k = k0; k <= k1; k++) {
          const key = keyOf(i, j, k);
          const end = this.#ends.get(key);
          if (end === undefined) continue;
          for (let at = this.#starts.get(key)!; at < end; at++) {
            const p = this.#order[at] * 3;
            const dx = positions[p] - x;
            const dy = positions[p + 1] - y;
            const dz = positions[p + 2] - z;
            take(dx * dx + dy * dy + dz * dz, this.#order[at]);
          }
        }
      }
    }
  }
}

const SPAN = 1 << 17;

function keyOf(i: number, j: number, k: number): number {
  return ((i + SPAN / 2) * SPAN + (j + SPAN / 2)) * SPAN + (k + SPAN / 2);
}

/** One point of each cell, the first: dense parts then count no more than sparse ones. */
export function thinned(positions: ArrayLike<number>, cell: number): Float64Array {
  const taken = new Set<number>();
  const kept: number[] = [];
  for (let p = 0; p < positions.length; p += 3) {
    const key = keyOf(
      Math.floor(positions[p] / cell),
      Math.floor(positions[p + 1] / cell),
      Math.floor(positions[p + 2] / cell),
    );
    if (taken.has(key)) continue;
    taken.add(key);
    kept.push(positions[p], positions[p + 1], positions[p + 2]);
  }
  return Float64Array.from(kept);
}

/** The median of each coordinate. */
export function middleOf(positions: ArrayLike<number>): number[] {
  const n = positions.length / 3;
  return [0, 1, 2].map((axis) => median(Float64Array.from({ length: n }, (_, i) => positions[3 * i + axis])));
}

/** What lies within `radius` of a place. */
export function within(positions: ArrayLike<number>, place: readonly number[], radius: number): Float64Array {
  const inside: number[] = [];
  for (let p = 0; p < positions.length; p += 3) {
    const [x, y, z] = [positions[p], positions[p + 1], positions[p + 2]];
    if (Math.hypot(x - place[0], y - place[1], z - place[2]) <= radius) inside.push(x, y, z);
  }
  return Float64Array.from(inside);
}

function median(values: Float64Array): number {
  return values.sort()[values.length >> 1];
}

/** Twice the median distance from the middle: a few far points do not change it. */
export function sizeOf(positions: ArrayLike<number>): number {
  const n = positions.length / 3;
  const middle = middleOf(positions);
  const distances = Float64Array.from({ length: n }, (_, i) =>
    Math.hypot(...middle.map((each, axis) => positions[3 * i + axis] - each)),
  );
  return 2 * median(distances);
}

/** Diagonal of the box that holds all but the outermost hundredth of the points on each side. */
export function extentOf(positions: ArrayLike<number>): number {
  const n = positions.length / 3;
  const sides = [0, 1, 2].map((axis) => {
    const values = Float64Array.from({ length: n }, (_, i) => positions[3 * i + axis]).sort();
    return values[Math.ceil(0.99 * (n - 1))] - values[Math.floor(0.01 * (n - 1))];
  });
  return Math.hypot(...sides);
}

export type Score = { readonly accuracy: number; readonly completeness: number; readonly f: number };

/**
 * Shares of points near the truth, and of truth near points; F is their harmonic mean (Knapitsch et al. 2017). Both
 * sides are thinned first, so that a surface counts by its size and not by how often it was photographed.
 *
 * @param truth `[n, 3]` all that any photo shows, dense to less than the limit
 * @param wanted `[m, 3]` the part of it that a reconstruction should have
 * @param cell to which both are thinned: at most a quarter of the smallest limit, the same for all limits
 */
export function scorePoints(
  points: ArrayLike<number>,
  truth: ArrayLike<number>,
  wanted: ArrayLike<number>,
  limit: number,
  cell = limit / 4,
): Score {
  const found = thinned(points, cell);
  const accuracy = shareNear(found, new PointGrid(truth, limit), limit);
  const completeness = shareNear(thinned(wanted, cell), new PointGrid(found, limit), limit);
  const f = accuracy + completeness === 0 ? 0 : (2 * accuracy * completeness) / (accuracy + completeness);
  return { accuracy, completeness, f };
}

function shareNear(points: Float64Array, grid: PointGrid, limit: number): number {
  let near = 0;
  for (let p = 0; p < points.length; p += 3) {
    if (grid.nearest(points[p], points[p + 1], points[p + 2], limit) <= limit) near++;
  }
  return points.length === 0 ? 0 : near / (points.length / 3);
}

/** Neighbours whose plane continues the sparse surface, and how far it does, in limits. */
const PLANE_POINTS = 8;
const PLANE_REACH = 5;
/** Of more points every so many one is asked. */
const MOST_ASKED = 100_000;

export type Floaters = {
  /** Share of points farther than the limit from the sparse surface. */
  readonly outside: number;
  /** Share of points that are, and are connected with none that is not: what really floats. */
  readonly adrift: number;
};

/**
 * Points farther than `limit` from the sparse surface: from the nearest sparse point and from the plane through the
 * nearest few, if these are within five limits. Where texture is poor, sparse points are far apart or missing, so that
 * true surface is outside, too; connected with the rest, over cells of a quarter of the limit, it is not adrift.
 */
export function floaterShares(points: ArrayLike<number>, sparse: ArrayLike<number>, limit: number): Floaters {
  const isOutside = outsideOf(sparse, limit);
  const cells = new Map<number, { count: number; outside: number; asked: number; anchored: boolean }>();
  const keys: number[] = [];
  const side = limit / 4;
  const step = Math.max(1, Math.floor(points.length / 3 / MOST_ASKED));
  for (let i = 0; i < points.length / 3; i++) {
    const [x, y, z] = [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
    const key = keyOf(Math.floor(x / side), Math.floor(y / side), Math.floor(z / side));
    let cell = cells.get(key);
    if (!cell) {
      cell = { count: 0, outside: 0, asked: 0, anchored: false };
      cells.set(key, cell);
      keys.push(key);
    }
    cell.count++;
    if (i % step !== 0 && cell.asked > 0) continue;
    cell.asked++;
    if (isOutside(x, y, z)) cell.outside++;
    else cell.anchored = true;
  }
  spreadAnchors(cells, keys);
  let [outside, adrift] = [0, 0];
  for (const { count, outside: out, asked, anchored } of cells.values()) {
    outside += (count * out) / asked;
    if (!anchored) adrift += count;
  }
  const n = Math.max(1, points.length / 3);
  return { outside: outside / n, adrift: adrift / n };
}

/** Whether a place is farther than `limit` from the sparse surface, as {@link floaterShares} says. */
export function outsideOf(sparse: ArrayLike<number>, limit: number): (x: number, y: number, z: number) => boolean {
  const grid = new PointGrid(sparse, limit);
  return (x, y, z) => {
    if (grid.nearest(x, y, z, limit) <= limit) return false;
    const near = grid.nearby(x, y, z, PLANE_REACH * limit, PLANE_POINTS);
    return near.length < 4 || planeDistance(sparse, near, x, y, z) > limit;
  };
}

/** Anchors every cell that touches one that is, again and again. */
function spreadAnchors(cells: ReadonlyMap<number, { anchored: boolean }>, keys: readonly number[]): void {
  const queue = keys.filter((key) => cells.get(key)!.anchored);
  for (let next = 0; next < queue.length; next++) {
    for (let i = -1; i <= 1; i++) {
      for (let j = -1; j <= 1; j++) {
        for (let k = -1; k <= 1; k++) {
          const key = queue[next] + (i * SPAN + j) * SPAN + k;
          const cell = cells.get(key);
          if (!cell || cell.anchored) continue;
          cell.anchored = true;
          queue.push(key);
        }
      }
    }
  }
}

/** Distance of a place from the plane of these points: the normal is the direction in which they spread least. */
function planeDistance(positions: ArrayLike<number>, indices: readonly number[], ...place: number[]): number {
  const middle = [0, 1, 2].map((k) => indices.reduce((sum, i) => sum + positions[3 * i + k], 0) / indices.length);
  const spread = new Float64Array(9);
  for (const i of indices) {
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b < 3; b++) {
        spread[3 * a + b] += (positions[3 * i + a] - middle[a]) * (positions[3 * i + b] - middle[b]);
      }
    }
  }
  // Power iteration on trace · 1 − spread, whose largest direction is the smallest of the spread.
  const trace = spread[0] + spread[4] + spread[8];
  let normal = [0.5, 0.6, 0.62];
  for (let step = 0; step < 40; step++) {
    const next = [0, 1, 2].map(
      (a) => trace * normal[a] - [0, 1, 2].reduce((sum, b) => sum + spread[3 * a + b] * normal[b], 0),
    );
    const length = Math.hypot(...next) || 1;
    normal = next.map((each) => each / length);
  }
  return Math.abs(normal.reduce((sum, each, k) => sum + each * (place[k] - middle[k]), 0));
}

/** The similarity that lays cameras onto the true ones, by their centres. `[12]` cameraFromWorld each. */
export function alignCameras(found: readonly Float64Array[], truth: readonly Float64Array[]): Similarity3 | undefined {
  const centres = (poses: readonly Float64Array[]) =>
    Float64Array.from(poses.flatMap((pose) => [...cameraCentre(pose)]));
  return alignPoints(centres(found), centres(truth));
}

/** `[n, 3]` moved, as doubles. */
export function moved(similarity: Similarity3, positions: ArrayLike<number>): Float64Array {
  const from = Float64Array.from(positions);
  transformPoints(similarity, from, from);
  return from;
}
