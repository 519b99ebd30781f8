/** Connected pieces of a picture, one after the other; each pixel belongs to one piece at most. */
export class Flood {
  /** `[pixels]` indices of the pixels of the last piece, as many as `from` said. */
  readonly piece: Int32Array;
  readonly #taken: Uint8Array;
  readonly #widthPx: number;
  readonly #lastRow: number;

  constructor(widthPx: number, heightPx: number) {
    this.piece = new Int32Array(widthPx * heightPx);
    this.#taken = new Uint8Array(widthPx * heightPx);
    this.#widthPx = widthPx;
    this.#lastRow = widthPx * (heightPx - 1);
  }

  isTaken(at: number): boolean {
    return this.#taken[at] === 1;
  }

  /**
   * Gathers what is connected with a pixel that no piece has yet.
   * @param joins whether the second of two neighbours belongs to the piece of the first
   * @returns the number of pixels
   */
  from(start: number, joins: (from: number, to: number) => boolean): number {
    const { piece } = this;
    const taken = this.#taken;
    const width = this.#widthPx;
    let size = 0;
    piece[size++] = start;
    taken[start] = 1;
    for (let next = 0; next < size; next++) {
      const at = piece[next];
      const x = at % width;
      if (x > 0) size = this.#take(at, at - 1, joins, size);
      if (x < width - 1) size = this.#take(at, at + 1, joins, size);
      if (at >= width) size = this.#take(at, at - width, joins, size);
      if (at < this.#lastRow) size = this.#take(at, at + width, joins, size);
    }
    return size;
  }

  #take(from: number, to: number, joins: (from: number, to: number) => boolean, size: number): number {
    if (this.#taken[to] === 1 || !joins(from, to)) return size;
    this.#taken[to] = 1;
    this.piece[size] = to;
    return size + 1;
  }
}
