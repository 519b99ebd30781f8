/** The switch between generations, against a source that answers when the test says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeSegment, type SegmentPoints } from "@cairn/formats";
import { applyEvent, type CairnEvent, type EventDraft, emptyState, type SpaceState } from "@cairn/protocol";
import { Generations, type PointSink } from "./generations.ts";
import type { SpaceSource } from "./source.ts";

/** Applies events like a connection, and holds each blob back until `deliver`. */
class HeldSource implements SpaceSource {
  state: SpaceState = emptyState();
  readonly waiting = new Map<string, { resolve(bytes: Uint8Array): void; reject(error: unknown): void }>();
  readonly #listeners = new Set<() => void>();
  #seq = 0;

  apply(...drafts: EventDraft[]): void {
    for (const draft of drafts) applyEvent(this.state, { ...draft, seq: ++this.#seq, timeNs: "0" } as CairnEvent);
    for (const listener of [...this.#listeners]) listener();
  }

  on(_name: "state", listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  blob(digest: string): Promise<Uint8Array> {
    return new Promise((resolve, reject) => this.waiting.set(digest, { resolve, reject }));
  }

  async deliver(digest: string, points = 3): Promise<void> {
    const request = this.waiting.get(digest);
    assert.ok(request, `nobody asked for ${digest}`);
    this.waiting.delete(digest);
    request.resolve(encodeSegment(new Float32Array(points * 3).fill(1), new Uint8Array(points * 3)));
    await settled();
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}

class CountingSink implements PointSink {
  points = 0;
  disposed = false;
  append({ positions }: SegmentPoints): void {
    assert.equal(this.disposed, false, "appended to a sink that was let go");
    this.points += positions.length / 3;
  }
  dispose(): void {
    this.disposed = true;
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const started = (generation: number): EventDraft => ({ type: "generation.started", data: { generation } });
const published = (generation: number): EventDraft => ({
  type: "generation.published",
  data: { generation, cameras: 0, points: 0, refined: 0 },
});
const segment = (generation: number, number: number, blob: string): EventDraft => ({
  type: "segment.added",
  data: { generation, segment: number, points: 3, blob, sizeBytes: 1, min: [0, 0, 0], max: [1, 1, 1] },
});

function follow() {
  const source = new HeldSource();
  const changes: string[] = [];
  const sinks: CountingSink[] = [];
  const generations = new Generations<CountingSink>({
    createSink: () => {
      const sink = new CountingSink();
      sinks.push(sink);
      return sink;
    },
    onChange: (change) => changes.push(`${change} ${generations.shown?.generation ?? 0}`),
    wait: async () => {},
  });
  generations.follow(source);
  return { source, generations, changes, sinks };
}

test("points of the published generation are appended as their blobs come", async () => {
  const { source, generations, changes } = follow();
  source.apply(started(1), published(1), segment(1, 0, "a"));
  await source.deliver("a");
  assert.equal(generations.shown?.sink.points, 3);
  source.apply(segment(1, 1, "b"));
  assert.equal(generations.pending, 1);
  await source.deliver("b", 5);
  assert.equal(generations.shown?.sink.points, 8);
  assert.deepEqual(changes, ["switched 1", "appended 1"]);
});

test("the old generation stays until every segment of the new one is there, then is let go in one step", async () => {
  const { source, generations, changes, sinks } = follow();
  source.apply(started(1), segment(1, 0, "a"), published(1));
  await source.deliver("a");
  source.apply(started(2), segment(2, 0, "b"), segment(2, 1, "c"));
  await source.deliver("b");
  assert.equal(generations.shown?.generation, 1, "not yet published");
  source.apply(published(2));
  assert.equal(generations.shown?.generation, 1, "published, but a segment is missing");
  assert.equal(sinks[0]?.disposed, false);
  await source.deliver("c");
  assert.equal(generations.shown?.generation, 2);
  assert.equal(generations.shown?.sink.points, 6);
  assert.equal(sinks[0]?.disposed, true);
  assert.deepEqual(changes, ["switched 1", "switched 2"]);
});

test("a rebuild overtaken by the next one is never shown", async () => {
  const { source, generations, sinks } = follow();
  source.apply(started(1), segment(1, 0, "a"), published(1));
  await source.deliver("a");
  source.apply(started(2), segment(2, 0, "b"), published(2));
  source.apply(started(3), segment(3, 0, "c"), published(3));
  await source.deliver("b");
  assert.equal(generations.shown?.generation, 1);
  await source.deliver("c");
  assert.equal(generations.shown?.generation, 3);
  assert.deepEqual(
    sinks.map(({ disposed }) => disposed),
    [true, true, false],
  );
});

test("a blob that fails to come is asked for again, and nothing is doubled", async () => {
  const { source, generations } = follow();
  source.apply(started(1), published(1), segment(1, 0, "a"));
  source.waiting.get("a")?.reject(new Error("connection lost"));
  source.waiting.delete("a");
  await settled();
  await source.deliver("a");
  source.apply();
  assert.equal(generations.shown?.sink.points, 3);
  assert.equal(source.waiting.size, 0);
});

test("a snapshot with the same segments changes nothing; one with other blobs starts over", async () => {
  const { source, generations } = follow();
  source.apply(started(1), published(1), segment(1, 0, "a"));
  await source.deliver("a");
  source.state = structuredClone(source.state);
  source.apply();
  assert.equal(generations.shown?.sink.points, 3);
  assert.equal(source.waiting.size, 0);
  source.state.generations[1]!.segments[0]!.blob = "other";
  source.apply();
  await source.deliver("other", 7);
  assert.equal(generations.shown?.sink.points, 7);
});

test("following another space lets go of everything of the one before", async () => {
  const { source, generations, sinks } = follow();
  source.apply(started(1), published(1), segment(1, 0, "a"), segment(1, 1, "b"));
  await source.deliver("a");
  generations.follow(undefined);
  await source.deliver("b");
  assert.equal(generations.shown, undefined);
  assert.equal(source.listeners, 0);
  assert.ok(sinks.every(({ disposed }) => disposed));
});
