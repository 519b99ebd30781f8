/** A space that answers when the test says so, and a GPU that only remembers. */
import { applyEvent, type EventDraft, emptyState, type HaveFrame, type SpaceState } from "@cairn/protocol";
import { Cloud } from "../cloud.ts";
import { decodePart, POINT_BYTES } from "../decode.ts";
import { SLAB_POINTS } from "../page-pool.ts";
import type { PointSink } from "../residents.ts";
import type { SpaceSource } from "../source.ts";
import { TestSpace } from "./space.ts";

type Asked = {
  digest: string;
  start: number;
  end: number;
  answer(): void;
  fail(error?: unknown): void;
  aborted: boolean;
};

type Listener = (...news: never[]) => void;

export class FakeSource implements SpaceSource {
  readonly space = new TestSpace();
  state: SpaceState = emptyState();
  held: (() => Iterable<HaveFrame>) | undefined;
  /** Requests that wait for `answer`; with `auto` none wait. */
  waiting: Asked[] = [];
  asked: string[] = [];
  auto = true;
  readonly #listeners = { state: new Set<Listener>(), range: new Set<Listener>(), line: new Set<Listener>() };

  on(name: "state", listener: () => void): () => void;
  on(name: "range", listener: (blob: string, start: number, bytes: Uint8Array) => void): () => void;
  on(name: "line", listener: (open: boolean) => void): () => void;
  on(name: "state" | "range" | "line", listener: Listener): () => void {
    this.#listeners[name].add(listener);
    return () => this.#listeners[name].delete(listener);
  }

  get listeners(): number {
    const { state, range, line } = this.#listeners;
    return state.size + range.size + line.size;
  }

  /** The connection to the server is there, or no longer. */
  line(open: boolean): void {
    for (const listener of [...this.#listeners.line]) (listener as (open: boolean) => void)(open);
  }

  apply(...drafts: EventDraft[]): void {
    for (const event of this.space.events(...drafts)) applyEvent(this.state, event);
    for (const listener of [...this.#listeners.state]) (listener as () => void)();
  }

  push(digest: string, start: number, end: number): void {
    const bytes = this.space.blobs.get(digest)!.subarray(start, end);
    for (const listener of [...this.#listeners.range]) {
      (listener as (blob: string, start: number, bytes: Uint8Array) => void)(digest.slice(0, 16), start, bytes);
    }
  }

  blob(digest: string, options?: { signal?: AbortSignal }): Promise<Uint8Array> {
    return this.range(digest, 0, this.space.blobs.get(digest)!.length, options);
  }

  range(digest: string, start: number, end: number, { signal }: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    this.asked.push(`${digest}:${start}-${end}`);
    return new Promise((resolve, reject) => {
      const abort = () => {
        asked.aborted = true;
        this.waiting = this.waiting.filter((each) => each !== asked);
        reject(signal?.reason);
      };
      const done = (settle: () => void) => () => {
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const asked: Asked = {
        digest,
        start,
        end,
        aborted: false,
        answer: done(() => resolve(this.space.blobs.get(digest)!.slice(start, end))),
        fail: (error = new Error("connection lost")) => done(() => reject(error))(),
      };
      signal?.addEventListener("abort", abort);
      if (this.auto) asked.answer();
      else this.waiting.push(asked);
    });
  }

  answerAll(): void {
    for (const each of this.waiting.splice(0)) each.answer();
  }
}

/** Keeps what was written, and refuses what no GPU would take. */
class FakeGpu implements PointSink {
  readonly slabs: Uint8Array[] = [];

  write(slab: number, first: number, bytes: Uint8Array): void {
    if (first < 0 || first * POINT_BYTES + bytes.length > SLAB_POINTS * POINT_BYTES)
      throw new RangeError("beyond the slab");
    while (this.slabs.length <= slab) this.slabs.push(new Uint8Array(SLAB_POINTS * POINT_BYTES));
    this.slabs[slab]!.set(bytes, first * POINT_BYTES);
  }
}

/** A cloud over both, with a clock that the test moves. */
export function fakeCloud({ maxPoints = 4 * SLAB_POINTS, budget = 1_000_000 } = {}) {
  const source = new FakeSource();
  const gpu = new FakeGpu();
  const clock = { ms: 1000 };
  const problems: unknown[] = [];
  let decoding = 0;
  const cloud = new Cloud({
    sink: gpu,
    decode: (bytes) => {
      decoding++;
      return decodePart(bytes).finally(() => decoding--);
    },
    onChange() {},
    onProblem: (error) => problems.push(error),
    now: () => clock.ms,
    maxPoints,
    wait: async () => {},
  });
  cloud.look(undefined, budget);
  cloud.follow(source);
  const frame = () => {
    clock.ms += 16;
    return cloud.step(clock.ms);
  };
  /** Lets everything happen that can: as many frames as it takes until nothing has changed for a while. */
  const settle = async () => {
    for (let quiet = 0, frames = 0; quiet < 6; frames++) {
      if (frames > 2000) throw new Error("it never settles");
      await new Promise((resolve) => setTimeout(resolve, 1));
      const { loaded } = cloud.stats;
      // What the test holds back is not waited for.
      const busy = cloud.busy && source.waiting.length === 0;
      quiet = frame() || busy || decoding > 0 || cloud.stats.loaded !== loaded ? 0 : quiet + 1;
    }
  };
  return { source, gpu, clock, cloud, problems, frame, settle };
}
