/** Which of the cells of a grid without bounds are there: whole coordinates → a number from 0, in the order they came. */

export class CellIndex {
  /** `[3 × count]` and room to spare. */
  coords = new Int32Array(3 * 2048);
  count = 0;
  #slots = new Int32Array(4096).fill(-1);
  #mask = 4095;
  #last = -1;

  /** -1: not there. */
  find(x: number, y: number, z: number): number {
    const { coords } = this;
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = hashOf(x, y, z) & mask; ; slot = (slot + 1) & mask) {
      const cell = slots[slot];
      if (cell < 0) return -1;
      const at = 3 * cell;
      if (coords[at] === x && coords[at + 1] === y && coords[at + 2] === z) return cell;
    }
  }

  /** The cell's number, a new one when it was not there. */
  add(x: number, y: number, z: number): number {
    const last = 3 * this.#last;
    if (last >= 0 && this.coords[last] === x && this.coords[last + 1] === y && this.coords[last + 2] === z) {
      return this.#last; // mostly the same as just before: points come along a curve
    }
    let cell = this.find(x, y, z);
    if (cell < 0) {
      if (2 * this.count >= this.#mask) this.#grow();
      cell = this.count++;
      this.coords.set([x, y, z], 3 * cell);
      this.#place(cell);
    }
    this.#last = cell;
    return cell;
  }

  #place(cell: number): void {
    const mask = this.#mask;
    let slot = hashOf(this.coords[3 * cell], this.coords[3 * cell + 1], this.coords[3 * cell + 2]) & mask;
    while (this.#slots[slot] >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = cell;
  }

  #grow(): void {
    const coords = new Int32Array(2 * this.coords.length);
    coords.set(this.coords);
    this.coords = coords;
    this.#mask = 2 * this.#mask + 1;
    this.#slots = new Int32Array(this.#mask + 1).fill(-1);
    for (let cell = 0; cell < this.count; cell++) this.#place(cell);
  }
}

function hashOf(x: number, y: number, z: number): number {
  let hash = Math.imul(x, 0x8da6b343) ^ Math.imul(y, 0xd8163841) ^ Math.imul(z, 0xcb1ab31f);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
