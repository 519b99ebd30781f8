/** The newest events of a log, kept in memory so that those who follow it do not read the disk. Bounded. */
import type { CairnEvent, Seq } from "@cairn/protocol";

const HALF_EVENTS = 2048;
const HALF_BYTES = 2 ** 21;

/** Two halves: when the newer is full it becomes the older, and the older is let go. Adding costs nothing else. */
export class Tail {
  #older: CairnEvent[] = [];
  #newer: CairnEvent[] = [];
  #newerBytes = 0;

  /** `event` follows the one added before it. */
  add(event: CairnEvent, sizeBytes: number): void {
    if (this.#newer.length >= HALF_EVENTS || this.#newerBytes >= HALF_BYTES) {
      this.#older = this.#newer;
      this.#newer = [];
      this.#newerBytes = 0;
    }
    this.#newer.push(event);
    this.#newerBytes += sizeBytes;
  }

  get last(): CairnEvent | undefined {
    return this.#newer.at(-1);
  }

  /** Up to `limit` events after `after`; `undefined` when the next one is not here. */
  after(after: Seq, limit: number): CairnEvent[] | undefined {
    const newest = this.#newer[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (after + 1 >= newest) {
      const start = after + 1 - newest;
      return start < this.#newer.length ? this.#newer.slice(start, start + limit) : undefined;
    }
    const oldest = this.#older[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (after + 1 < oldest) return undefined;
    const start = after + 1 - oldest;
    return this.#older.slice(start, start + limit);
  }
}
