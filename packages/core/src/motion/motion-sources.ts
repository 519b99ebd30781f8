/**
 * Samples of motion sensors on their way from devices to whoever reads them: per source without duplicates, sorted, at
 * most 50 ms after they came. Sources never mix. Nothing of a socket is in here.
 */
import { type AxisMap, ImuBuffer, type ImuCounts, type ImuSample, readImu, turnAxes } from "@cairn/motion";

export type MotionOptions = {
  /** How the devices' axes are turned; left out: they stay. */
  readonly axes?: AxisMap;
  /** Told what went wrong where nobody asked: a listener. */
  readonly onError: (context: string, error: unknown) => void;
};

export type MotionCounts = ImuCounts & { readonly waiting: number; readonly sources: number };

/** @param samples strictly ascending by timestamp, at least one @param space where its source records */
export type MotionListener = (source: string, samples: readonly ImuSample[], space: string | undefined) => void;

export const FLUSH_EVERY_MS = 50;
/** A source that is pushed out by others loses nothing but the memory of its duplicates. */
const MAX_SOURCES = 256;

type Source = { readonly buffer: ImuBuffer; space: string | undefined; timer: NodeJS.Timeout | undefined };

export class MotionSources {
  readonly #options: MotionOptions;
  /** The one that was silent for longest comes first. */
  readonly #sources = new Map<string, Source>();
  readonly #listeners = new Set<MotionListener>();
  /** Of sources that were pushed out. */
  #past = { samples: 0, duplicates: 0, late: 0, dropped: 0 };

  constructor(options: MotionOptions) {
    this.#options = options;
  }

  /**
   * @param sample one, or the text of an `imu_data` message
   * @param space where the source records
   * @returns false for a duplicate
   * @throws {BadSample}
   */
  push(source: string, sample: ImuSample | string, space?: string): boolean {
    const read = typeof sample === "string" ? readImu(sample) : sample;
    const { axes } = this.#options;
    const entry = this.#touch(source);
    entry.space = space;
    const taken = entry.buffer.push(axes ? turnAxes(read, axes) : read);
    if (taken) entry.timer ??= setTimeout(() => this.flush(source), FLUSH_EVERY_MS);
    return taken;
  }

  /** Hands out what waits, now: when a source's socket closes. */
  flush(source: string): void {
    const entry = this.#sources.get(source);
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.timer = undefined;
    const samples = entry.buffer.flush();
    if (samples.length === 0) return;
    for (const listener of [...this.#listeners]) {
      try {
        listener(source, samples, entry.space);
      } catch (error) {
        this.#options.onError("motion samples", error);
      }
    }
  }

  /** @returns how to stop */
  onFlush(listener: MotionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  counts(): MotionCounts {
    const sum = { ...this.#past, waiting: 0, sources: this.#sources.size };
    for (const { buffer } of this.#sources.values()) {
      add(sum, buffer.counts);
      sum.waiting += buffer.waiting;
    }
    return sum;
  }

  /** Everything that waits is handed out. */
  close(): void {
    for (const source of this.#sources.keys()) this.flush(source);
  }

  #touch(name: string): Source {
    const source = this.#sources.get(name) ?? { buffer: new ImuBuffer(), space: undefined, timer: undefined };
    this.#sources.delete(name);
    for (const [oldest, { buffer }] of this.#sources) {
      if (this.#sources.size < MAX_SOURCES) break;
      this.flush(oldest);
      add(this.#past, buffer.counts);
      this.#sources.delete(oldest);
    }
    this.#sources.set(name, source);
    return source;
  }
}

function add(sum: { -readonly [K in keyof ImuCounts]: number }, counts: ImuCounts): void {
  sum.samples += counts.samples;
  sum.duplicates += counts.duplicates;
  sum.late += counts.late;
  sum.dropped += counts.dropped;
}
