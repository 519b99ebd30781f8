/**
 * What one source's samples go through between their arrival and those who read them: duplicates are dropped, the rest
 * waits and leaves sorted. It has no clock of its own; whoever owns it flushes it.
 */
import { Recent } from "./recent.ts";
import type { ImuSample } from "./sample.ts";

/** Timestamps that are remembered to know duplicates by, and most samples that wait: what waits is always remembered. */
const KEPT = 10_000;

export type ImuCounts = {
  /** Samples that were taken. */
  readonly samples: number;
  readonly duplicates: number;
  /** Older than one that had left before: they go with the next flush. */
  readonly late: number;
  /** Taken, and pushed out by younger ones before they could leave. */
  readonly dropped: number;
};

export class ImuBuffer {
  readonly #recent = new Recent<bigint>(KEPT);
  /** In the order of arrival; those before `#first` have been pushed out. */
  #waiting: ImuSample[] = [];
  #first = 0;
  #newestFlushed = -1n;
  #counts = { samples: 0, duplicates: 0, late: 0, dropped: 0 };

  get counts(): ImuCounts {
    return this.#counts;
  }

  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  /** @returns false for a duplicate */
  push(sample: ImuSample): boolean {
    if (!this.#recent.add(sample.timestamp)) {
      this.#counts.duplicates++;
      return false;
    }
    this.#counts.samples++;
    if (sample.timestamp < this.#newestFlushed) this.#counts.late++;
    this.#waiting.push(sample);
    if (this.waiting > KEPT) {
      this.#first++;
      this.#counts.dropped++;
      if (this.#first >= KEPT) this.#pack();
    }
    return true;
  }

  /** All that wait, by timestamp, strictly ascending; nothing waits any more. */
  flush(): readonly ImuSample[] {
    this.#pack();
    const samples = this.#waiting;
    this.#waiting = [];
    if (!ascending(samples)) samples.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
    const newest = samples.at(-1)?.timestamp;
    if (newest !== undefined && newest > this.#newestFlushed) this.#newestFlushed = newest;
    return samples;
  }

  #pack(): void {
    if (this.#first > 0) this.#waiting.splice(0, this.#first);
    this.#first = 0;
  }
}

function ascending(samples: readonly ImuSample[]): boolean {
  for (let i = 1; i < samples.length; i++) if (samples[i - 1]!.timestamp > samples[i]!.timestamp) return false;
  return true;
}
