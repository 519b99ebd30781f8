/**
 * Which generation is on the screen. Segments are fetched as events name them; a newly published generation is shown
 * in one step once all its segments are here, and until then the one before stays. Knows nothing of three.js.
 */
import { decodeSegment, type SegmentPoints } from "@cairn/formats";
import type { Digest } from "@cairn/protocol";
import type { SpaceSource } from "./source.ts";

/** Takes the points of one generation. */
export interface PointSink {
  append(points: SegmentPoints): void;
  dispose(): void;
}

type GenerationsOptions<Sink extends PointSink> = {
  createSink(generation: number): Sink;
  /** After points were appended to, or another generation became, the shown one. */
  onChange(change: "appended" | "switched"): void;
  /** Told of each failed fetch; it is tried again after `delayMs`. */
  onProblem?(error: unknown, delayMs: number): void;
  /** Stands in for the clock in tests. */
  wait?(delayMs: number, signal: AbortSignal): Promise<void>;
};

type Filling<Sink> = {
  generation: number;
  sink: Sink;
  /** Blob of each segment that was asked for, by its number. */
  asked: Map<number, Digest>;
  loaded: number;
};

const PARALLEL_FETCHES = 6;
const MAX_RETRY_MS = 15_000;

export class Generations<Sink extends PointSink> {
  readonly #options: GenerationsOptions<Sink>;
  readonly #filling = new Map<number, Filling<Sink>>();
  #shown: Filling<Sink> | undefined;
  #queue: { filling: Filling<Sink>; digest: Digest }[] = [];
  #fetching = 0;
  #source: SpaceSource | undefined;
  #stop = new AbortController();

  constructor(options: GenerationsOptions<Sink>) {
    this.#options = options;
  }

  /** What is on the screen. */
  get shown(): { generation: number; sink: Sink } | undefined {
    return this.#shown;
  }

  /** Segments named by events and not here yet. */
  get pending(): number {
    return this.#queue.length + this.#fetching;
  }

  /** Leaves the space before and shows this one; `undefined` shows nothing. */
  follow(source: SpaceSource | undefined): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    for (const filling of [...this.#filling.values()]) this.#drop(filling);
    this.#queue = [];
    this.#source = source;
    if (!source) return;
    const unsubscribe = source.on("state", () => this.#read());
    this.#stop.signal.addEventListener("abort", unsubscribe, { once: true });
    this.#read();
  }

  #read(): void {
    const state = this.#source?.state;
    if (!state) return;
    for (const { generation, segments } of Object.values(state.generations)) {
      if (generation < state.generation) continue;
      let filling = this.#filling.get(generation);
      // Another blob under a known number: the log was replaced (a restored server), so this generation is another one.
      if (filling && segments.some((each) => (filling?.asked.get(each.segment) ?? each.blob) !== each.blob)) {
        this.#drop(filling);
        filling = undefined;
      }
      if (!filling) {
        filling = { generation, sink: this.#options.createSink(generation), asked: new Map(), loaded: 0 };
        this.#filling.set(generation, filling);
      }
      for (const { segment, blob } of segments) {
        if (filling.asked.has(segment)) continue;
        filling.asked.set(segment, blob);
        this.#queue.push({ filling, digest: blob });
      }
    }
    // What is to be shown comes first, what is only being prepared after it.
    this.#queue.sort((a, b) => a.filling.generation - b.filling.generation);
    this.#pump();
    this.#settle();
  }

  #pump(): void {
    while (this.#fetching < PARALLEL_FETCHES) {
      const next = this.#queue.shift();
      if (!next) return;
      this.#fetching++;
      void this.#load(next.filling, next.digest, this.#stop.signal).finally(() => {
        this.#fetching--;
        this.#pump();
        this.#settle();
      });
    }
  }

  async #load(filling: Filling<Sink>, digest: Digest, signal: AbortSignal): Promise<void> {
    const wanted = () => !signal.aborted && this.#filling.get(filling.generation) === filling;
    for (let delayMs = 500; wanted(); delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      try {
        const bytes = await this.#source?.blob(digest, { signal });
        if (!bytes || !wanted()) return;
        filling.sink.append(decodeSegment(bytes));
        filling.loaded++;
        if (filling === this.#shown) this.#options.onChange("appended");
        return;
      } catch (error) {
        if (!wanted()) return;
        this.#options.onProblem?.(error, delayMs);
        await (this.#options.wait ?? wait)(delayMs, signal).catch(() => {});
      }
    }
  }

  /** Shows the published generation if it is whole; lets go of all before it. */
  #settle(): void {
    const published = this.#source?.state.generation ?? 0;
    const next = this.#filling.get(published);
    if (!next || next === this.#shown || next.loaded < next.asked.size) return;
    this.#shown = next;
    for (const filling of [...this.#filling.values()]) if (filling.generation < published) this.#drop(filling);
    this.#options.onChange("switched");
  }

  #drop(filling: Filling<Sink>): void {
    this.#filling.delete(filling.generation);
    this.#queue = this.#queue.filter((each) => each.filling !== filling);
    filling.sink.dispose();
    if (filling !== this.#shown) return;
    this.#shown = undefined;
    this.#options.onChange("switched");
  }
}

function wait(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, delayMs);
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
  });
}
