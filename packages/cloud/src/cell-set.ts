/**
 * Which of a node's 64³ cells are taken. Points lie on surfaces, so few of them are: only 8³ blocks with a taken cell
 * have bits, 64 bytes each, one line of the processor's cache. A surface takes 5 to 10 KiB where all bits take 32.
 */

const BLOCKS = 512;
const BLOCK_WORDS = 16;
const FIRST_BLOCKS = 4;

export class CellSet {
  /** Of each block: 1 + where its bits are, in blocks; 0: all free. */
  readonly #directory = new Uint16Array(BLOCKS);
  #bits = new Uint32Array(FIRST_BLOCKS * BLOCK_WORDS);
  #used = 0;

  /** Takes a cell (0…63 on each axis). Returns whether it was free. */
  take(x: number, y: number, z: number): boolean {
    const at = ((z >> 3) << 6) | ((y >> 3) << 3) | (x >> 3);
    const block = this.#directory[at]! || this.#open(at);
    const word = ((block - 1) << 4) | ((z & 7) << 1) | ((y & 7) >> 2);
    const bit = 1 << (((y & 3) << 3) | (x & 7));
    const bits = this.#bits[word]!;
    if ((bits & bit) !== 0) return false;
    this.#bits[word] = bits | bit;
    return true;
  }

  #open(at: number): number {
    if (this.#used * BLOCK_WORDS === this.#bits.length) {
      const grown = new Uint32Array(
        Math.min(BLOCKS, this.#used + Math.max(FIRST_BLOCKS, this.#used >> 2)) * BLOCK_WORDS,
      );
      grown.set(this.#bits);
      this.#bits = grown;
    }
    this.#directory[at] = ++this.#used;
    return this.#used;
  }
}
