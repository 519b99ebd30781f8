/** How bright the points of a file are, of which nobody says what white is: counted by size, as they come. */

/** The sign, the exponent and five bits behind it of a float: levels 3 % apart. */
const SHIFT = 18;
/** Of what is brighter than so many a reflector may be all there is. */
const MOST_GLINTS = 0.01;
/** What is no more than so many times as bright as the others is no glint. */
const EVEN = 2;

export class Levels {
  readonly #counts = new Uint32Array(2 ** (31 - SHIFT));
  readonly #float = new Float32Array(1);
  readonly #bits = new Uint32Array(this.#float.buffer);
  #count = 0;
  #most = 0;

  /** What is not above zero, or not finite, says nothing. */
  add(value: number): void {
    if (!(value > 0 && value < Infinity)) return;
    this.#float[0] = value;
    this.#counts[this.#bits[0]! >>> SHIFT]!++;
    this.#count++;
    if (value > this.#most) this.#most = value;
  }

  /** What is white; 0 where nothing is brighter than black. One glint would leave all others black if it were white. */
  get white(): number {
    let left = this.#count * (1 - MOST_GLINTS);
    for (let level = 0; level < this.#counts.length; level++) {
      left -= this.#counts[level]!;
      if (left > 0 || this.#count === 0) continue;
      this.#bits[0] = (level + 1) << SHIFT;
      return this.#most <= EVEN * this.#float[0]! ? this.#most : this.#float[0]!;
    }
    return 0;
  }
}
