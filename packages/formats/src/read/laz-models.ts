/**
 * What the entropy coder of LAZ files expects to come next: probabilities that adapt to what came.
 * Source: A. Said, "Introduction to arithmetic coding: theory and practice" (2004), as LASzip uses it.
 */

/** Symbols by how often they came so far. */
export class SymbolModel {
  readonly counts: Uint32Array;
  readonly distribution: Uint32Array;
  readonly symbols: number;
  untilUpdate: number;
  #cycle: number;
  #total = 0;

  constructor(symbols: number) {
    this.symbols = symbols;
    this.counts = new Uint32Array(symbols).fill(1);
    this.distribution = new Uint32Array(symbols);
    this.#cycle = symbols;
    this.untilUpdate = 0;
    this.update();
    this.untilUpdate = this.#cycle = (symbols + 6) >> 1;
  }

  update(): void {
    this.#total += this.#cycle;
    if (this.#total > 2 ** 15) {
      this.#total = 0;
      for (let n = 0; n < this.symbols; n++) this.#total += this.counts[n] = (this.counts[n]! + 1) >>> 1;
    }
    const scale = Math.floor(2 ** 31 / this.#total);
    let sum = 0;
    for (let n = 0; n < this.symbols; n++) {
      this.distribution[n] = (scale * sum) / 2 ** 16;
      sum += this.counts[n]!;
    }
    this.#cycle = Math.min((5 * this.#cycle) >> 2, (this.symbols + 6) << 3);
    this.untilUpdate = this.#cycle;
  }
}

/** The same for a single bit. */
export class BitModel {
  zeroProbability = 2 ** 12;
  zeros = 1;
  untilUpdate = 4;
  #total = 2;
  #cycle = 4;

  update(): void {
    this.#total += this.#cycle;
    if (this.#total > 2 ** 13) {
      this.#total = (this.#total + 1) >> 1;
      this.zeros = (this.zeros + 1) >> 1;
      if (this.zeros === this.#total) this.#total++;
    }
    const scale = Math.floor(2 ** 31 / this.#total);
    this.zeroProbability = Math.floor((this.zeros * scale) / 2 ** 18);
    this.#cycle = Math.min((5 * this.#cycle) >> 2, 64);
    this.untilUpdate = this.#cycle;
  }
}
