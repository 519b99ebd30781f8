/** Cursors: never a gap, whatever the reader's pace. Rules: docs/spec/cursor.md. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { applyEvent, CairnError, type CairnEvent, canonicalState, emptyState, type SpaceState } from "@cairn/protocol";
import fc from "fast-check";
import { openSpaceLog } from "../log/open-space-log.ts";
import { afterwards, renamed, temporaryFolder, variedDraft } from "../test/fixtures.ts";
import { type CursorItem, conflate, runCursor, supersededKey } from "./cursor.ts";

/** A reader as a client is one: it holds a state and a seq, and notices every gap. */
class Reader {
  state: SpaceState;
  seq: number;
  snapshots = 0;
  events = 0;
  readonly #conflated: boolean;

  constructor(conflated: boolean, state = emptyState(), seq = 0) {
    this.#conflated = conflated;
    this.state = state;
    this.seq = seq;
  }

  take(item: CursorItem): void {
    if (item.kind === "snapshot") {
      this.snapshots++;
      this.state = structuredClone(item.state);
      this.seq = item.seq;
      return;
    }
    assert.ok(item.events.length > 0);
    for (const event of item.events) {
      if (!this.#conflated) assert.equal(event.seq, this.seq + 1, "a gap");
      assert.ok(event.seq > this.seq, "order");
      this.seq = event.seq;
      this.events++;
      applyEvent(this.state, event);
    }
  }
}

function eventOf(seq: number): CairnEvent {
  return JSON.parse(JSON.stringify({ seq, timeNs: "1", ...variedDraft(seq) }));
}

describe("conflation", () => {
  test("CUR-5 keeps every event without a key and the newest of each key, in order", () => {
    const arbitrary = fc.array(fc.option(fc.constantFrom("a", "b", "c"), { nil: null }), { maxLength: 60 });
    fc.assert(
      fc.property(arbitrary, (keys) => {
        const log = keys.map((_, index) => eventOf(index + 1));
        const kept = conflate(log, (event) => keys[event.seq - 1] ?? null).map((event) => event.seq);
        const expected = keys.flatMap((key, index) =>
          key === null || keys.lastIndexOf(key) === index ? [index + 1] : [],
        );
        assert.deepEqual(kept, expected);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test("CUR-5 what is left leads to the same state", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 80 }), (numbers) => {
        const log = numbers.map((n, index): CairnEvent => ({ ...eventOf(n), seq: index + 1 }));
        const fold = (events: CairnEvent[]) => {
          const state = emptyState();
          for (const event of events) applyEvent(state, event);
          return canonicalState(state);
        };
        assert.equal(fold(conflate(log, supersededKey)), fold(log));
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});

describe("runCursor", () => {
  test("CUR-1..CUR-6 readers of every pace, with trimming in between, end with the log's state and no gap", async (t) => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("append" as const), n: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constant("take" as const), n: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ do: fc.constant("trim" as const), n: fc.nat(100) }),
    );
    let snapshots = 0;
    let leftOut = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), fc.nat(30), async (steps, conflated, after) => {
        const log = await openSpaceLog(await temporaryFolder(t), { segmentBytes: 3000 });
        for (let n = 0; n < 30; n++) await log.append([variedDraft(n)]);
        const start = emptyState();
        for (const event of after ? await log.read(0, after) : []) applyEvent(start, event);
        const reader = new Reader(conflated, start, after);
        const stop = new AbortController();
        let permits = 0;
        let inFlight = 0;
        let target = Number.POSITIVE_INFINITY;
        let wake = () => {};
        const ended = runCursor({
          log,
          after,
          epoch: log.epoch,
          signal: stop.signal,
          batch: 8,
          ...(conflated ? { conflateKey: supersededKey, conflateAfter: 16 } : {}),
          async deliver(item) {
            assert.equal(inFlight++, 0, "CUR-4: one item at a time");
            while (permits === 0) await new Promise<void>((resolve) => (wake = resolve));
            permits--;
            reader.take(item);
            inFlight--;
            if (reader.seq === target) stop.abort();
          },
        });
        for (const each of steps) {
          if (each.do === "append") {
            await log.append(Array.from({ length: each.n }, (_, k) => variedDraft(log.head * 13 + k * 5)));
          } else if (each.do === "trim") {
            await log.trim(Math.max(1, log.head + 1 - each.n));
          } else {
            permits += each.n;
            wake();
          }
        }
        await log.append([renamed("last")]);
        target = log.head;
        permits = 1e9;
        wake();
        if (reader.seq === target) stop.abort();
        await ended;
        assert.equal(canonicalState(reader.state), canonicalState(log.snapshot().state));
        snapshots += reader.snapshots;
        leftOut += log.head - after - reader.events;
        await log.close();
      }),
      { seed: 1, numRuns: 40 },
    );
    assert.ok(snapshots > 0 && leftOut > 0, "the interesting cases happened");
  });

  test("CUR-2 a newcomer, another epoch and a seq that is ahead begin with a snapshot; a known seq does not", async (t) => {
    const log = await openSpaceLog(await temporaryFolder(t));
    afterwards(t, () => log.close());
    await log.append([renamed("a"), renamed("b")]);
    const first = async (from: { after?: number; epoch?: string }): Promise<CursorItem> => {
      const stop = new AbortController();
      let got: CursorItem | undefined;
      const deliver = (item: CursorItem) => {
        got = item;
        stop.abort();
      };
      await runCursor({ log, ...from, signal: stop.signal, deliver });
      assert.ok(got);
      return got;
    };
    const { epoch } = log;
    for (const from of [{}, { after: 1, epoch: "another" }, { after: 3, epoch }]) {
      const item = await first(from);
      assert.equal(item.kind, "snapshot");
      assert.equal(item.kind === "snapshot" && item.seq, 2);
      assert.equal(item.kind === "snapshot" && item.epoch, epoch);
    }
    const item = await first({ after: 1, epoch });
    assert.deepEqual(item.kind === "events" && item.events.map((event) => event.seq), [2]);
  });

  test("CUR-3 the snapshot that is handed over does not change any more", async (t) => {
    const log = await openSpaceLog(await temporaryFolder(t));
    afterwards(t, () => log.close());
    await log.append([renamed("before")]);
    const stop = new AbortController();
    let title = "";
    const ended = runCursor({
      log,
      signal: stop.signal,
      async deliver(item) {
        if (item.kind !== "snapshot") return stop.abort();
        await log.append([renamed("after")]);
        title = item.state.title;
      },
    });
    await ended;
    assert.equal(title, "before");
  });

  test("CUR-7 abort ends it at once, also while a delivery hangs; closing the log ends it too", async (t) => {
    const log = await openSpaceLog(await temporaryFolder(t));
    const stop = new AbortController();
    const hanging = runCursor({ log, signal: stop.signal, deliver: () => new Promise<void>(() => {}) });
    setImmediate(() => stop.abort());
    await hanging;
    const idle = runCursor({ log, after: 0, signal: new AbortController().signal, deliver: () => {} });
    await log.close();
    await idle;
    const failing = new Error("the reader is gone");
    const again = await openSpaceLog(await temporaryFolder(t));
    afterwards(t, () => again.close());
    const throwing = runCursor({
      log: again,
      signal: new AbortController().signal,
      deliver: async () => {
        throw failing;
      },
    });
    await assert.rejects(throwing, failing);
  });

  test("CUR-8 a damaged event is jumped over by a snapshot that says so, or ends the cursor by name", async (t) => {
    const folder = await temporaryFolder(t);
    const log = await openSpaceLog(folder, { segmentBytes: 2000 });
    for (let n = 0; n < 60; n++) await log.append(Array.from({ length: 100 }, (_, k) => renamed(`${n}.${k}`)));
    await log.close();
    const [name] = (await readdir(folder)).filter((each) => each.endsWith(".log")).sort();
    const path = join(folder, name ?? "");
    const bytes = await readFile(path);
    bytes[bytes.length - 100] = 7;
    await writeFile(path, bytes);
    const again = await openSpaceLog(folder);
    const reader = new Reader(false);
    const stop = new AbortController();
    await runCursor({
      log: again,
      after: 0,
      signal: stop.signal,
      deliver(item) {
        reader.take(item);
        if (reader.seq === again.head) stop.abort();
      },
    });
    assert.equal(reader.snapshots, 1);
    assert.equal(reader.state.title, "59.99");
    await again.close();
    for (const state of (await readdir(folder)).filter((each) => each.endsWith(".state"))) {
      await writeFile(join(folder, state), "");
    }
    const blind = await openSpaceLog(folder);
    afterwards(t, () => blind.close());
    const ended = runCursor({ log: blind, after: 0, signal: new AbortController().signal, deliver: () => {} });
    await assert.rejects(ended, (error) => error instanceof CairnError && error.code === "log.corrupt");
  });
});
