/** A few thousand of a layer's points, evenly from all that came: what a view is framed by. Layer frame, doubles. */

const MOST = 8192;

export class PointSample {
  #values = new Float64Array(MOST * 3);
  #count = 0;
  #stride = 1;
  #phase = 0;

  get count(): number {
    return this.#count;
  }

  /** `[count, 3]`, lent. */
  get positions(): Float64Array {
    return this.#values.subarray(0, this.#count * 3);
  }

  /** @param at writes the i-th point to `out` from `offset` on */
  add(count: number, at: (i: number, out: Float64Array, offset: number) => void): void {
    let i = this.#phase;
    for (; i < count; i += this.#stride) {
      if (this.#count === MOST) this.#halve();
      at(i, this.#values, this.#count++ * 3);
    }
    this.#phase = i - count;
  }

  #halve(): void {
    for (let i = 1; i < MOST / 2; i++) this.#values.copyWithin(i * 3, i * 6, i * 6 + 3);
    this.#count = MOST / 2;
    this.#stride *= 2;
  }
}
