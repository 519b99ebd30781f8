/** How many parts of each node one client was sent: a byte a node, for there may be 10,000 nodes and 1,000 clients. */
export class PartCounts {
  #few = new Uint8Array(0);
  /** Counts of 255 and more; nodes have that many parts only until they are compacted. */
  #many: Map<number, number> | undefined;

  static from(counts: Iterable<number>): PartCounts {
    const all = new PartCounts();
    let ordinal = 0;
    for (const count of counts) all.set(ordinal++, count);
    return all;
  }

  copy(): PartCounts {
    const other = new PartCounts();
    other.#few = this.#few.slice();
    if (this.#many) other.#many = new Map(this.#many);
    return other;
  }

  get(ordinal: number): number {
    const few = this.#few[ordinal] ?? 0;
    return few < 255 ? few : (this.#many?.get(ordinal) ?? 255);
  }

  set(ordinal: number, count: number): void {
    if (ordinal >= this.#few.length) {
      const more = new Uint8Array(Math.max(64, ordinal + 1 + (ordinal >> 2)));
      more.set(this.#few);
      this.#few = more;
    }
    this.#few[ordinal] = Math.min(count, 255);
    if (count < 255) return;
    this.#many ??= new Map();
    this.#many.set(ordinal, count);
  }
}
