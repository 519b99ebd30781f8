/** What every implementation of `SpaceLog` must do, whatever it stores events in. Rules: docs/spec/log.md. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  applyEvent,
  CairnError,
  type CairnEvent,
  canonicalState,
  type ErrorCode,
  type EventDraft,
  emptyState,
  type SpaceState,
} from "@cairn/protocol";
import fc from "fast-check";
import type { SpaceLog } from "../log/space-log.ts";
import { renamed, variedDraft } from "./fixtures.ts";

/** A log that is empty at first; `reopen` closes it and opens the same one again. */
type LogUnderTest = { log: SpaceLog; reopen(): Promise<SpaceLog> };

export function describeSpaceLog(name: string, make: (t: TestContext) => Promise<LogUnderTest>): void {
  describe(`SpaceLog: ${name}`, () => {
    test("LOG-2 seqs are 1, 2, 3, … without gaps, in the order of the appends, also after opening again", async (t) => {
      const { log, reopen } = await make(t);
      assert.equal(log.head, 0);
      assert.equal(log.first, 1);
      const batches = await Promise.all(Array.from({ length: 50 }, (_, i) => log.append(numbered(i, 1 + (i % 3)))));
      const events = batches.flat();
      assert.deepEqual(
        events.map((event) => event.seq),
        events.map((_, index) => index + 1),
      );
      const again = await reopen();
      assert.equal(again.head, events.length);
      assert.deepEqual(await readAll(again), events);
      assert.equal((await again.append([renamed("next")]))[0]?.seq, events.length + 1);
    });

    test("LOG-2 time never goes back", async (t) => {
      const { log } = await make(t);
      for (let i = 0; i < 20; i++) await log.append([renamed(String(i))]);
      const times = (await readAll(log)).map((event) => BigInt(event.timeNs));
      for (const [index, time] of times.entries()) assert.ok(index === 0 || time >= (times[index - 1] ?? 0n));
    });

    test("LOG-4 a batch is next to each other, and a bad draft in it leaves nothing of it", async (t) => {
      const { log } = await make(t);
      const bad: EventDraft = { type: "space.renamed", data: { title: "x".repeat(201) } };
      const results = await Promise.allSettled([
        log.append([renamed("a1"), renamed("a2")]),
        log.append([renamed("b1"), bad]),
        log.append([renamed("c1"), renamed("c2")]),
      ]);
      assert.deepEqual(
        results.map((result) => result.status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      assert.deepEqual(titles(await readAll(log)), ["a1", "a2", "c1", "c2"]);
      assert.deepEqual(await log.append([]), []);
    });

    test("LOG-8 the snapshot is the fold of all events, live and after opening again", async (t) => {
      const { log, reopen } = await make(t);
      for (let i = 0; i < 120; i += 3) await log.append([variedDraft(i), variedDraft(i + 1), variedDraft(i + 2)]);
      const expected = canonicalState(fold(await readAll(log)));
      assert.equal(canonicalState(log.snapshot().state), expected);
      const again = await reopen();
      assert.equal(canonicalState(again.snapshot().state), expected);
      assert.equal(again.snapshot().seq, 120);
      assert.equal(again.epoch, log.epoch);
    });

    test("LOG-8 nobody can change what the log holds by changing what it was handed or has handed out", async (t) => {
      const { log } = await make(t);
      const data = { title: "as appended" };
      await log.append([{ type: "space.renamed", data }]);
      data.title = "changed later";
      assert.deepEqual(titles(await readAll(log)), ["as appended"]);
      assert.equal(log.snapshot().state.title, "as appended");
    });

    test("LOG-9 read gives up to `limit` events after `after`, and says when that is past the end", async (t) => {
      const { log } = await make(t);
      await log.append(numbered(0, 10));
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 1, max: 20 }), async (after, limit) => {
          const events = await log.read(after, limit);
          assert.ok(events.length <= limit);
          assert.equal(events.length > 0, after < 10);
          for (const [index, event] of events.entries()) assert.equal(event.seq, after + 1 + index);
        }),
        { seed: 9, numRuns: 60 },
      );
      await rejects(log.read(11, 1), "log.ahead");
    });

    test("LOG-10 follow gives what is there and what comes, once each, and ends on abort", async (t) => {
      const { log } = await make(t);
      await log.append(numbered(0, 5));
      const stop = new AbortController();
      const seen: number[] = [];
      const following = (async () => {
        for await (const events of log.follow(2, { signal: stop.signal, limit: 3 })) {
          assert.ok(events.length <= 3);
          seen.push(...events.map((event) => event.seq));
          if (seen.at(-1) === 25) stop.abort();
        }
      })();
      for (let i = 0; i < 10; i++) await log.append(numbered(i, 2));
      await following;
      assert.deepEqual(
        seen,
        Array.from({ length: 23 }, (_, index) => index + 3),
      );
    });

    test("LOG-10 follow hands out the last events when the log closes, and ends", async (t) => {
      const { log } = await make(t);
      const seen: number[] = [];
      const following = (async () => {
        for await (const events of log.follow(0)) seen.push(...events.map((event) => event.seq));
      })();
      const last = log.append(numbered(0, 3));
      await log.close();
      await last;
      await following;
      assert.deepEqual(seen, [1, 2, 3]);
      await rejects(log.append([renamed("late")]), "server.stopping");
    });

    test("LOG-11 trimming lets go of old events, keeps the state, and is honest to those who ask", async (t) => {
      const { log, reopen } = await make(t);
      for (let i = 0; i < 100; i++) await log.append([variedDraft(i)]);
      const expected = canonicalState(log.snapshot().state);
      await log.trim(41);
      for (const current of [async () => log, reopen]) {
        const each = await current();
        assert.equal(each.first, 41);
        assert.equal(each.head, 100);
        assert.equal(canonicalState(each.snapshot().state), expected);
        await rejects(each.read(39, 1), "log.trimmed");
        await rejects(each.follow(39)[Symbol.asyncIterator]().next(), "log.trimmed");
        assert.equal((await each.read(40, 1))[0]?.seq, 41);
      }
      const again = await reopen();
      await again.trim(101);
      assert.equal(again.first, 101);
      const last = await reopen();
      assert.deepEqual([last.first, last.head], [101, 100]);
      assert.equal(canonicalState(last.snapshot().state), expected);
      assert.equal((await last.append([renamed("on")]))[0]?.seq, 101);
    });

    test("LOG-15 what does not fit its schema is refused and named", async (t) => {
      const { log } = await make(t);
      const wrong: EventDraft = { type: "camera.posed", data: JSON.parse("{}") };
      await rejects(log.append([wrong]), "request.invalid");
      await rejects(log.append([JSON.parse('{"type":"toString","data":{}}')]), "request.invalid");
      await rejects(log.append([{ ...renamed("x"), cause: -1 }]), "request.invalid");
      assert.equal(log.head, 0);
    });
  });
}

function numbered(from: number, count: number): EventDraft[] {
  return Array.from({ length: count }, (_, index) => renamed(`${from}.${index}`));
}

export function titles(events: readonly CairnEvent[]): string[] {
  return events.map((event) => (event.type === "space.renamed" ? event.data.title : event.type));
}

export function fold(events: readonly CairnEvent[]): SpaceState {
  const state = emptyState();
  for (const event of events) applyEvent(state, event);
  return state;
}

/** Everything that can be read, from the oldest on. */
export async function readAll(log: SpaceLog): Promise<CairnEvent[]> {
  const all: CairnEvent[] = [];
  for (let after = log.first - 1; after < log.head; after = all.at(-1)?.seq ?? after) {
    all.push(...(await log.read(after, 7)));
  }
  return all;
}

export async function rejects(pending: Promise<unknown>, code: ErrorCode): Promise<CairnError> {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CairnError, `expected ${code}, got ${error}`);
  assert.equal(error.code, code);
  return error;
}
