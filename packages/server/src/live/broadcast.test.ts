import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type Core, openCore, runCursor, type Space } from "@cairn/core";
import type { EventDraft, View } from "@cairn/protocol";
import { floor, TestLayer, Watcher } from "../test/cloud.ts";
import { openDoor, RawClient, renamed, type TestDoor } from "../test/live-door.ts";
import { Broadcast, type Listener, type Turn } from "./broadcast.ts";
import { LiveTables } from "./live-tables.ts";
import { SegmentPush } from "./segment-push.ts";
import { SharedMessages } from "./shared-messages.ts";

const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Takes what it is told unless `refuses`; reads for itself what it refused, as sockets do. */
class Reader implements Listener {
  readonly watching = false;
  readonly seqs: number[] = [];
  position: number;
  heard = 0;
  caughtUp = 0;
  refuses: () => boolean = () => false;
  onHear = () => {};
  readonly #broadcast: Broadcast;
  readonly #space: Space;
  readonly #ended = new AbortController();
  #look = () => {};

  constructor(broadcast: Broadcast, space: Space) {
    this.#broadcast = broadcast;
    this.#space = space;
    this.position = space.log.head;
    assert.ok(broadcast.join(this));
  }

  hear(turn: Turn): boolean {
    if (this.refuses()) return false;
    this.heard++;
    this.#take(turn.events.map(({ seq }) => seq));
    this.onHear();
    return true;
  }

  catchUp(): void {
    this.caughtUp++;
    void runCursor({
      log: this.#space.log,
      after: this.position,
      epoch: this.#space.log.epoch,
      signal: this.#ended.signal,
      batch: 3,
      deliver: (item) => {
        if (item.kind === "events") this.#take(item.events.map(({ seq }) => seq));
      },
      caughtUp: () => this.#broadcast.join(this),
    });
  }

  until(seq: number): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => this.position >= seq && resolve();
      this.#look();
    });
  }

  leave(): void {
    this.#ended.abort();
    this.#broadcast.leave(this);
  }

  #take(seqs: number[]): void {
    this.seqs.push(...seqs);
    this.position = seqs.at(-1)!;
    this.#look();
  }
}

/** @param longestPauseMs 0: every write of the log is a turn of its own */
async function broadcastOf(
  t: TestContext,
  longestPauseMs = 0,
): Promise<{ core: Core; space: Space; broadcast: Broadcast }> {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-broadcast-"));
  const core = await openCore({ dataDir });
  t.after(async () => {
    await core.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const space = await core.spaces.create({ id: "place" });
  const tables = new LiveTables(core.layers.tables);
  const house = { core, tables, shared: new SharedMessages(2 ** 20) };
  return { core, space, broadcast: new Broadcast(house, space, longestPauseMs) };
}

/** Sockets that hear together; a turn of the event loop may pass until one has joined. */
async function untilListening(house: TestDoor, wanted: number): Promise<void> {
  while (house.door.stats().listening !== wanted) await new Promise((resolve) => setImmediate(resolve));
}

describe("the broadcast (docs/spec/live.md)", () => {
  test("GEN-43 who refuses now and then, joins late or leaves hears every event once, in order", async (t) => {
    const { space, broadcast } = await broadcastOf(t);
    const { log } = space;
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const from = log.head;
    const readers = Array.from({ length: 12 }, () => new Reader(broadcast, space));
    for (const [i, reader] of readers.entries()) reader.refuses = () => random() < i / 12;
    const late: { reader: Reader; from: number }[] = [];
    for (let i = 0; i < 150; i++) {
      const many = Array.from({ length: 1 + Math.floor(random() * 9) }, (_, k) => log.append([renamed(`${i} ${k}`)]));
      if (random() < 0.7) await Promise.all(many);
      if (i % 30 === 15) late.push({ from: log.head, reader: new Reader(broadcast, space) });
      if (i === 100) readers[3]!.leave();
    }
    await log.append([renamed("end")]);
    const staying = readers.filter((_, i) => i !== 3);
    await Promise.all([...staying, ...late.map(({ reader }) => reader)].map((each) => each.until(log.head)));
    for (const { seqs } of staying) assert.deepEqual(seqs, upTo(from + 1, log.head));
    for (const { reader, from } of late) assert.deepEqual(reader.seqs, upTo(from + 1, log.head));
    const [never, , , left] = readers;
    assert.ok(left!.position < log.head);
    assert.deepEqual(left!.seqs, upTo(from + 1, left!.position));
    assert.equal(never!.caughtUp, 0);
    assert.ok(staying.slice(1).every(({ heard, caughtUp }) => heard > 0 && caughtUp > 0));
  });

  test("GEN-43 what is appended in one turn is one message, encoded once", async (t) => {
    const { space, broadcast } = await broadcastOf(t);
    const reader = new Reader(broadcast, space);
    const turns: Turn[] = [];
    const hear = reader.hear.bind(reader);
    reader.hear = (turn) => {
      turns.push(turn);
      return hear(turn);
    };
    const other = new Reader(broadcast, space);
    other.hear = (turn) => turns.push(turn) > 0;
    await Promise.all(Array.from({ length: 16 }, (_, i) => space.log.append([renamed(`${i}`)])));
    await reader.until(space.log.head);
    assert.equal(turns.length, 2);
    assert.equal(turns[0]!.events.length, 16);
    assert.equal(turns[0]!.facts, turns[1]!.facts);
  });

  test("GEN-43 what comes soon after a turn that took long to tell waits, and goes together", async (t) => {
    const { space, broadcast } = await broadcastOf(t, 50);
    const { log } = space;
    const reader = new Reader(broadcast, space);
    const other = new Reader(broadcast, space);
    const turns: { events: number; atMs: number }[] = [];
    let toldMs = 0;
    other.hear = (turn) => {
      turns.push({ events: turn.events.length, atMs: performance.now() });
      other.position = turn.last;
      // Long enough for the longest pause.
      while (turns.length === 1 && performance.now() - turns[0]!.atMs < 2);
      toldMs ||= performance.now();
      return true;
    };
    await log.append([renamed("first")]);
    const first = log.head;
    await reader.until(first);
    for (let i = 0; i < 3; i++) await log.append([renamed(`${i}`)]);
    await reader.until(first + 3);
    assert.deepEqual(reader.seqs, upTo(first, first + 3));
    assert.equal(turns[0]!.events, 1);
    assert.ok(turns[1]!.atMs - toldMs >= 45, `the next after ${turns[1]!.atMs - toldMs} ms`);
  });

  test("LIVE-3 one that leaves while others are told is not told, and the rest are", async (t) => {
    const { space, broadcast } = await broadcastOf(t);
    const [first, second, third] = Array.from({ length: 3 }, () => new Reader(broadcast, space)) as [
      Reader,
      Reader,
      Reader,
    ];
    first.onHear = () => {
      second.leave();
      first.leave();
    };
    await space.log.append([renamed("one")]);
    await third.until(space.log.head);
    assert.deepEqual([first.heard, second.heard, third.heard], [1, 0, 1]);
    third.onHear = () => third.leave();
    await space.log.append([renamed("two")]);
    await third.until(space.log.head);
    // Nobody is left; who comes now begins at the head.
    const fourth = new Reader(broadcast, space);
    await space.log.append([renamed("three")]);
    await fourth.until(space.log.head);
    assert.deepEqual(fourth.seqs, [space.log.head]);
    assert.equal(first.heard + second.heard, 1);
  });

  test("GEN-22 a socket that fills up leaves the others and joins them again, without gap or double", async (t) => {
    const house = await openDoor();
    t.after(() => house.close());
    const { log } = house.space;
    const IMAGE = "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70";
    const heavy = (i: number): EventDraft => ({
      type: "operation.failed",
      data: { operation: IMAGE, code: `${i}`.padEnd(500, "x"), message: "y".repeat(480) },
    });
    const [quick, slow] = (await Promise.all([RawClient.open(house.url, {}), RawClient.open(house.url, {})])) as [
      RawClient,
      RawClient,
    ];
    await untilListening(house, 2);
    const from = log.head;
    for (let round = 0; round < 3; round++) {
      slow.ws.pause();
      for (let i = 0; house.door.stats().listening === 2 || i < 5; i++) {
        await log.append(Array.from({ length: 100 }, (_, k) => heavy(k)));
        await quick.untilSeq(log.head);
        assert.ok(house.door.stats().waitingBytes <= 2 ** 19, "above the mark");
      }
      slow.ws.resume();
      await slow.untilSeq(log.head);
      await untilListening(house, 2);
    }
    await log.append([renamed("end")]);
    for (const client of [quick, slow]) {
      await client.untilSeq(log.head);
      assert.deepEqual(client.seqs, upTo(from + 1, log.head));
    }
  });

  test("LIVE-16 a new pack goes with its event, to each viewer as far as it sees it", async (t) => {
    const house = await openDoor();
    t.after(() => house.close());
    const told = t.mock.method(SegmentPush.prototype, "deliveredWith");
    const inStep = t.mock.method(SegmentPush.prototype, "deliveredTogether");
    const layer = new TestLayer(house, 1, 1);
    await layer.start();
    await layer.publish();
    await layer.grow(floor(8000, 1));
    // From 60 m away the finer nodes are not worth sending.
    const far: Omit<View, "type"> = {
      camera: {
        pose: { rotation: [1, 0, 0, 0], translation: [-4, 0, 60] },
        fovY: 1,
        widthPx: 800,
        heightPx: 600,
      },
    };
    const views = [{}, {}, far, far];
    const watchers = await Promise.all(views.map(() => Watcher.open(house.url, { credit: 2 ** 20 })));
    for (const [i, watcher] of watchers.entries()) watcher.view(views[i]);
    await Promise.all(watchers.slice(0, 2).map((each) => each.complete(1)));
    await watchers[2]!.client.until(() => watchers[2]!.pushed.length > 0);
    await watchers[3]!.client.until(() => watchers[3]!.pushed.length > 0);
    for (let i = 2; i < 12; i++) {
      await layer.grow(floor(120, i));
      const head = house.space.log.head;
      await Promise.all(watchers.map((each) => each.client.untilSeq(head)));
      await Promise.all(watchers.slice(0, 2).map((each) => each.complete(1)));
    }
    const together = [
      ...told.mock.calls.map(({ arguments: [, bytes] }) => bytes.bytes),
      ...inStep.mock.calls.map(({ arguments: [{ bytes }] }) => bytes),
    ];
    assert.ok(together.length >= 20, `${together.length} times together`);
    assert.ok(together.length - new Set(together).size >= 10, "each made a Buffer of its own");
    assert.ok(new Set(together.map(({ length }) => length)).size > 1, "all saw the same");
    for (const { pushed } of watchers) {
      const keys = pushed.map(({ blob, start }) => `${blob}/${start}`);
      assert.equal(new Set(keys).size, keys.length, "sent twice");
    }
    const [near, same, distant] = watchers as [Watcher, Watcher, Watcher];
    assert.deepEqual(await near.drawn(1), await same.drawn(1));
    assert.equal((await near.drawn(1)).missing, 0);
    assert.ok(distant.pushedBytes < near.pushedBytes * 0.75, `${distant.pushedBytes} of ${near.pushedBytes}`);
    assert.deepEqual(house.errors, []);
  });

  test("LIVE-16 who has all is sent packs in step with others, and alone when something changes: each part once", async (t) => {
    const house = await openDoor();
    t.after(() => house.close());
    const inStep = t.mock.method(SegmentPush.prototype, "deliveredTogether");
    const layer = new TestLayer(house, 1, 1);
    await layer.start();
    await layer.publish();
    await layer.grow(floor(100, 1));
    const from = (z: number, widthPx: number, heightPx: number): Omit<View, "type"> => ({
      camera: { pose: { rotation: [1, 0, 0, 0], translation: [-4, 0, z] }, fovY: 1, widthPx, heightPx },
    });
    const creditBytes = 40_000;
    const open = (credit = 2 ** 20) => Watcher.open(house.url, { credit });
    const [turning, near, poor, far] = await Promise.all([open(), open(), open(creditBytes), open()]);
    const [seeing, all] = [
      [turning, near, poor],
      [turning, near, poor, far],
    ];
    turning.view();
    near.view(from(30, 60_000, 45_000));
    poor.view();
    far.view(from(60, 800, 600));
    await Promise.all(all.map((each) => each.complete(1)));
    let seed = 2;
    const grow = async (packs: number, points = 20) => {
      for (let i = 0; i < packs; i++) {
        await layer.grow(floor(points, seed++));
        await Promise.all(all.map((each) => each.client.untilSeq(house.space.log.head)));
      }
    };
    // On a slow machine a pack may come after its event, and then to each alone.
    const growInStep = async (viewers: number) => {
      const before = inStep.mock.callCount();
      const stepped = () => new Set(inStep.mock.calls.slice(before).map((call) => call.this)).size;
      while (stepped() < viewers) await grow(1, 1);
    };
    await growInStep(all.length);
    // A socket that has taken a large write asks for more, and its client stays in step: two such in a row are possible.
    for (let inARow = 0; inARow < 2; ) {
      for (const push of new Set(inStep.mock.calls.map((call) => call.this as SegmentPush))) push.next();
      const before = inStep.mock.callCount();
      await grow(1, 1);
      inARow = inStep.mock.callCount() > before ? inARow + 1 : 0;
    }
    // Finer than what is worth sending from afar.
    await grow(4, 2000);
    await Promise.all(seeing.map((each) => each.complete(1)));
    assert.ok(far.pushedBytes < near.pushedBytes * 0.75, `${far.pushedBytes} of ${near.pushedBytes}`);
    await growInStep(seeing.length);
    turning.view(from(400, 800, 600));
    await grow(3);
    turning.view();
    await turning.complete(1);
    await layer.compact();
    await grow(3);
    await growInStep(seeing.length);
    // Its credit runs out while it is in step.
    poor.grants = false;
    const hadBytes = poor.pushedBytes;
    await grow(12, 3000);
    const gotBytes = poor.pushedBytes - hadBytes;
    assert.ok(gotBytes - poor.pushed.at(-1)!.bytes.length < creditBytes, `${gotBytes} bytes`);
    // What is compacted meanwhile it shares with the others as soon as it has all.
    await layer.compact();
    await poor.client.untilSeq(house.space.log.head);
    poor.grants = true;
    poor.client.send({ type: "credit", bytes: creditBytes });
    await Promise.all(seeing.map((each) => each.complete(1)));
    await growInStep(seeing.length);
    // More than are noted for those in step before their own books are brought up to date.
    await grow(70);
    await growInStep(seeing.length);
    turning.view(from(30, 800, 600));
    turning.view();
    for (const { pushed } of all) {
      const keys = pushed.map(({ blob, start }) => `${blob}/${start}`);
      assert.equal(new Set(keys).size, keys.length, "sent twice");
    }
    for (const watcher of seeing) {
      await watcher.complete(1);
      assert.deepEqual(await watcher.drawn(1), await near.drawn(1));
    }
    assert.equal((await near.drawn(1)).missing, 0);
    assert.deepEqual(house.errors, []);
  });

  test("LIVE-12 all who hear together are told that the space is closed", async () => {
    const house = await openDoor();
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(house.url, {})));
    await untilListening(house, 5);
    await house.core.spaces.delete("place");
    for (const client of clients) {
      assert.deepEqual(await client.closed, { code: 1000, reason: "space closed" });
      assert.equal(client.of("events").at(-1)?.events.at(-1)?.type, "space.closed");
    }
    assert.equal(house.door.stats().listening, 0);
    await house.close();
  });
});
