/** The viewer alone on a page, fed by a test: events come from it, bytes over HTTP, as late as it says. */
import { applyEvent, type CairnEvent, emptyState, type HaveFrame, type View } from "@cairn/protocol";
import { createViewer, type SpaceSource, type Viewer } from "@cairn/viewer";

class TestSource implements SpaceSource {
  state = emptyState();
  held: (() => Iterable<HaveFrame>) | undefined;
  /** Requests that were made, and those that were given up. */
  asked: string[] = [];
  aborted = 0;
  views: Omit<View, "type">[] = [];
  /** While set, nothing arrives. */
  paused = false;
  readonly #listeners = new Set<() => void>();
  readonly #resume = new Set<() => void>();
  readonly #ranges = new Map<string, Uint8Array>();

  on(name: "state", listener: () => void): () => void;
  on(name: "range", listener: (blob: string, start: number, bytes: Uint8Array) => void): () => void;
  on(name: "line", listener: (open: boolean) => void): () => void;
  on(name: "state" | "range" | "line", listener: (...news: never[]) => void) {
    if (name === "state") this.#listeners.add(listener as () => void);
    return () => this.#listeners.delete(listener as () => void);
  }

  apply(events: readonly CairnEvent[]): void {
    for (const event of events) applyEvent(this.state, event);
    for (const listener of [...this.#listeners]) listener();
  }

  /** Bytes that need no request: thousands of small packs. */
  keep(digest: string, base64: string): void {
    this.#ranges.set(
      digest,
      Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)),
    );
  }

  forget(): void {
    this.#ranges.clear();
  }

  blob(digest: string, options?: { signal?: AbortSignal }): Promise<Uint8Array> {
    return this.range(digest, 0, Number.MAX_SAFE_INTEGER, options);
  }

  async range(digest: string, start: number, end: number, { signal }: { signal?: AbortSignal } = {}) {
    this.asked.push(`${digest}:${start}`);
    signal?.addEventListener("abort", () => this.aborted++, { once: true });
    if (this.paused) await new Promise<void>((resolve) => this.#resume.add(resolve));
    signal?.throwIfAborted();
    const kept = this.#ranges.get(digest);
    if (kept) return kept.slice(start, Math.min(end, kept.length));
    const answer = await fetch(`/blobs/${digest}?start=${start}&end=${end}`, signal ? { signal } : {});
    if (!answer.ok) throw new Error(`${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  view(view: Omit<View, "type"> | undefined): void {
    if (view) this.views.push(view);
  }

  go(): void {
    this.paused = false;
    for (const resume of this.#resume) resume();
    this.#resume.clear();
  }
}

export type Harness = {
  viewer: Viewer;
  source: TestSource;
  problems: string[];
  restored: boolean | undefined;
};

const parameters = new URLSearchParams(location.search);
const points = Number(parameters.get("points") ?? 100_000);
const canvas = document.querySelector("canvas") as HTMLCanvasElement;
const source = new TestSource();
const problems: string[] = [];
const harness: Harness = {
  source,
  problems,
  restored: undefined,
  viewer: createViewer(canvas, {
    startPoints: points,
    mostPoints: Number(parameters.get("most") ?? points),
    stillMs: Number(parameters.get("stillMs") ?? 1000),
    onProblem: (error) => problems.push(String(error)),
    onContext: (restored) => {
      harness.restored = restored;
    },
  }),
};
Object.assign(window, { harness });
harness.viewer.follow(source);
