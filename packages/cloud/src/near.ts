/** Which points of one cloud another one does not have: a hash of cells as wide as the distance that counts. */

export class NearPoints {
  readonly #points: ArrayLike<number>;
  readonly #distance: number;
  /** By hash of the cell its first point, and from each point the next of the same hash; −1: none. */
  readonly #first: Int32Array;
  readonly #next: Int32Array;

  /** @param points `[n, 3]`, kept and not changed @param distance farther away is not the same point */
  constructor(points: ArrayLike<number>, distance: number) {
    const n = Math.floor(points.length / 3);
    this.#points = points;
    this.#distance = distance;
    this.#first = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, 2 * n)))).fill(-1);
    this.#next = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const at = this.#slot(this.#cell(points[3 * i]!), this.#cell(points[3 * i + 1]!), this.#cell(points[3 * i + 2]!));
      this.#next[i] = this.#first[at]!;
      this.#first[at] = i;
    }
  }

  /** Indices from `from` up to `to` of those `[n, 3]` points that have none of this cloud within the distance. */
  lacks(points: ArrayLike<number>, from = 0, to = points.length / 3): number[] {
    const lacking: number[] = [];
    for (let i = from; i < to; i++) {
      if (!this.#has(points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!)) lacking.push(i);
    }
    return lacking;
  }

  #has(x: number, y: number, z: number): boolean {
    const points = this.#points;
    const limit = this.#distance * this.#distance;
    const [cx, cy, cz] = [this.#cell(x), this.#cell(y), this.#cell(z)];
    for (let dz = -1; dz <= 1; dz++) {
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          for (let i = this.#first[this.#slot(cx + dx, cy + dy, cz + dz)]!; i >= 0; i = this.#next[i]!) {
            const [ex, ey, ez] = [points[3 * i]! - x, points[3 * i + 1]! - y, points[3 * i + 2]! - z];
            if (ex * ex + ey * ey + ez * ez <= limit) return true;
          }
        }
      }
    }
    return false;
  }

  #cell(value: number): number {
    return Math.floor(value / this.#distance);
  }

  #slot(x: number, y: number, z: number): number {
    const mixed = Math.imul(x, 73856093) ^ Math.imul(y, 19349663) ^ Math.imul(z, 83492791);
    return mixed & (this.#first.length - 1);
  }
}
