/** What is pushed, when it may go, and what a client that comes back is still sent. Rules: docs/spec/live.md. */
import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, mock, test } from "node:test";
import { floor, TestLayer, Watcher } from "../test/cloud.ts";
import { openDoor, renamed, type TestDoor } from "../test/live-door.ts";
import { partKey, quiet, segmentsPushed, shownFloor, tableOf } from "../test/pushed.ts";

/** Keeps all who open tables of the house waiting until `release`. @returns asked: resolves when someone does */
function held(house: TestDoor): { asked: Promise<void>; release(): void } {
  const { tables } = house.core.layers;
  const asked = gate();
  const released = gate();
  const open = tables.open.bind(tables);
  const opening = mock.method(tables, "open", async (...args: Parameters<typeof open>) => {
    asked.open();
    await released.passed;
    return open(...args);
  });
  const release = () => {
    opening.mock.restore();
    released.open();
  };
  return { asked: asked.passed, release };
}

function gate(): { passed: Promise<void>; open(): void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe("points pushed (docs/spec/live.md)", () => {
  test("LIVE-15 nothing is pushed before a view; then index and heads before any segment", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house);
    await layer.compact();
    for (let i = 2; i < 6; i++) await layer.grow(floor(2000, i));
    const hidden = new TestLayer(house, 2, 2);
    await hidden.start();
    await hidden.grow(floor(500, 99));
    const watcher = await Watcher.open(house.url);
    await quiet(watcher);
    assert.equal(watcher.pushed.length, 0);
    watcher.view();
    await watcher.complete(1);
    const { index, packs } = watcher.state.layers[1]!;
    const first = (key: string) => watcher.pushed.findIndex((each) => partKey(each) === key);
    const tree = [first(`${index?.index.slice(0, 16)}/0`), ...packs.map(({ blob }) => first(`${blob.slice(0, 16)}/0`))];
    assert.ok(tree.every((at) => at >= 0));
    const segments = await segmentsPushed(house, watcher, 1);
    assert.ok(segments.length > 100);
    assert.ok(Math.max(...tree) < watcher.pushed.findIndex((each) => partKey(each) === partKey(segments[0]!.part)));
    await quiet(watcher);
    const blobs = new Set(watcher.state.layers[2]!.packs.map(({ blob }) => blob.slice(0, 16)));
    assert.ok(!watcher.pushed.some(({ blob }) => blobs.has(blob)), "a layer that is not shown");
    assert.deepEqual(house.errors, []);
    await house.close();
  });

  test("LIVE-7 no more is on its way than was granted and one range; who grants nothing gets nothing more", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 60_000);
    const watcher = await Watcher.open(house.url, { credit: 50_000, grants: false });
    watcher.view();
    await watcher.client.until(() => watcher.pushedBytes >= 50_000);
    await quiet(watcher);
    const last = watcher.pushed.at(-1)!.bytes.length;
    assert.ok(watcher.pushedBytes - last < 50_000, `${watcher.pushedBytes} bytes, the last ${last}`);
    const before = watcher.pushedBytes;
    watcher.client.send({ type: "credit", bytes: 50_000 });
    await watcher.client.until(() => watcher.pushedBytes > before);
    await quiet(watcher);
    const [more, end] = [watcher.pushedBytes - before, watcher.pushed.at(-1)!.bytes.length];
    assert.ok(more > 0 && more - end < 50_000, `${more} bytes more`);
    // Events go on, and the head of a new pack waits for credit like all bytes.
    await layer.grow(floor(1000, 2));
    await watcher.client.untilSeq(house.space.log.head);
    const none = await Watcher.open(house.url, { credit: 0 });
    none.view();
    await quiet(none);
    assert.equal(none.pushed.length, 0);
    await house.close();
  });

  test("LIVE-7 a range never comes before the event that names its blob", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 3000);
    const watchers = await Promise.all(Array.from({ length: 4 }, () => Watcher.open(house.url)));
    let early = 0;
    for (const watcher of watchers) {
      watcher.client.ws.on("message", (_data: Buffer, binary: boolean) => {
        if (!binary) return;
        if (!watcher.named.has(watcher.pushed.at(-1)!.blob)) early++;
      });
      watcher.view();
    }
    for (let i = 2; i < 30; i++) await layer.grow(floor(300, i));
    await Promise.all(watchers.map((each) => each.client.untilSeq(house.space.log.head)));
    await Promise.all(watchers.map((each) => each.complete(1)));
    assert.equal(early, 0);
    await house.close();
  });

  test("LIVE-7 a pack that others have read before its event was sent waits for its event", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 3000);
    const { log } = house.space;
    const follow = log.follow.bind(log);
    let told: Promise<void> | undefined;
    mock.method(log, "follow", async function* (...args: Parameters<typeof follow>) {
      for await (const events of follow(...args)) {
        await told;
        yield events;
      }
    });
    const watcher = await Watcher.open(house.url);
    let early = 0;
    watcher.client.ws.on("message", (_data: Buffer, binary: boolean) => {
      if (binary && !watcher.named.has(watcher.pushed.at(-1)!.blob)) early++;
    });
    watcher.view();
    await watcher.complete(1);
    const telling = gate();
    told = telling.passed;
    for (let i = 2; i < 6; i++) await layer.grow(floor(300, i));
    // As tiles and exports do: the table that all share has the packs now.
    const { packs } = await tableOf(house, 1);
    assert.equal(packs, 5);
    // What comes next is chosen anew.
    watcher.view({ points: 1_000_000 });
    await quiet(watcher);
    assert.ok(watcher.seq < log.head, "events are yet to be told");
    telling.open();
    await watcher.client.untilSeq(log.head);
    await watcher.complete(1);
    assert.equal(early, 0);
    await house.close();
  });

  test("LIVE-15 who looks while a layer is compacted gets the index and what came after it, each once", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 3000);
    const watcher = await Watcher.open(house.url);
    await watcher.client.until(() => watcher.seq > 0);
    const opening = held(house);
    watcher.view();
    await opening.asked;
    for (let i = 2; i < 6; i++) await layer.grow(floor(300, i));
    await layer.compact();
    for (let i = 6; i < 9; i++) await layer.grow(floor(300, i));
    await watcher.client.untilSeq(house.space.log.head);
    opening.release();
    await watcher.complete(1);
    await quiet(watcher);
    assert.equal(new Set(watcher.pushed.map(partKey)).size, watcher.pushed.length, "nothing twice");
    assert.deepEqual(house.errors, []);
    await house.close();
  });

  test("LIVE-15 a view that comes before the snapshot has nothing sent twice", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 3000);
    const watcher = await Watcher.open(house.url, { credit: 2_000_000 });
    watcher.view();
    for (let i = 2; i < 6; i++) await layer.grow(floor(300, i));
    await watcher.client.untilSeq(house.space.log.head);
    await watcher.complete(1);
    await quiet(watcher);
    assert.equal(new Set(watcher.pushed.map(partKey)).size, watcher.pushed.length);
    await house.close();
  });

  test("LIVE-15 who has all is sent no index, also when a layer is compacted again before the first one is told", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 3000);
    const watcher = await Watcher.open(house.url);
    watcher.view();
    for (let i = 2; i < 5; i++) await layer.grow(floor(300, i));
    await watcher.client.untilSeq(house.space.log.head);
    await watcher.complete(1);
    await quiet(watcher);
    const pushed = watcher.pushed.length;
    const opening = held(house);
    await layer.compact();
    await opening.asked;
    // The same points once more, under another index.
    await layer.compact({ reversed: true });
    await watcher.client.untilSeq(house.space.log.head);
    opening.release();
    await quiet(watcher);
    assert.equal(watcher.pushed.length, pushed);
    // It shares the newest table: what is new goes to it as to all.
    await layer.grow(floor(300, 9));
    await watcher.client.untilSeq(house.space.log.head);
    await watcher.complete(1);
    assert.equal(new Set(watcher.pushed.map(partKey)).size, watcher.pushed.length);
    await house.close();
  });

  test("LIVE-18 resume sends exactly what is missing", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 20_000);
    const before = await Watcher.open(house.url);
    before.view();
    await before.complete(1);
    before.client.ws.close();
    await before.client.closed;
    let missingBytes = 0;
    for (let i = 0; i < 14; i++) {
      const { headBytes, segments } = await layer.grow(floor(300, 100 + i));
      missingBytes += headBytes + segments.reduce((sum, { length }) => sum + length, 0);
    }
    const again = await Watcher.resume(house.url, before);
    await again.tellHeld(1);
    again.view();
    await again.client.untilSeq(house.space.log.head);
    await again.complete(1);
    await quiet(again);
    assert.ok(again.pushedBytes <= missingBytes * 1.05, `${again.pushedBytes} of ${missingBytes} missing`);
    assert.equal((await again.drawn(1)).points, house.space.log.snapshot().state.layers[1]?.points);
    await house.close();
  });

  test("LIVE-18 of what a client holds in part the rest goes, a segment that spans both whole", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 20_000);
    const before = await Watcher.open(house.url);
    before.view();
    await before.complete(1);
    const held = await before.table(1);
    before.client.ws.close();
    await before.client.closed;
    for (let i = 0; i < 5; i++) await layer.grow(floor(500, 50 + i, 0, 1));
    await layer.compact();
    const again = await Watcher.resume(house.url, before);
    await again.tellHeld(1);
    again.view();
    await again.client.untilSeq(house.space.log.head);
    await quiet(again);
    const table = await tableOf(house, 1);
    const changed = table.list.filter(({ key, points }) => points > (held.nodes.get(key)?.points ?? 0));
    const pushed = (await segmentsPushed(house, again, 1)).map(({ node }) => node.key);
    assert.ok(changed.length > 0 && changed.length < table.list.length);
    assert.deepEqual([...pushed].sort(), changed.map(({ key }) => key).sort());
    // What it was never told it holds is refused once it looks.
    const errors = again.client.of("error").length;
    await again.tellHeld(1);
    await again.client.until((client) => client.of("error").length > errors);
    await house.close();
  });

  test("LIVE-19 a client that sleeps through two generations gets the new points only, and none of the one between", async () => {
    const house = await openDoor();
    await shownFloor(house, 20_000);
    const before = await Watcher.open(house.url);
    before.view();
    await before.complete(1);
    const had = before.pushedBytes;
    before.client.ws.close();
    await before.client.closed;
    const second = new TestLayer(house, 2, 2);
    await second.start();
    await second.grow(floor(20_000, 77));
    await second.publish();
    // The third is the first again, and a little more of it.
    const third = new TestLayer(house, 3, 3);
    await third.start();
    await third.grow(floor(20_000, 1));
    await third.grow(floor(500, 78));
    await third.publish();
    const again = await Watcher.resume(house.url, before);
    await again.tellHeld(1);
    again.view();
    await again.client.untilSeq(house.space.log.head);
    await quiet(again);
    const own = (layer: number) =>
      new Set(Object.values(again.state.layers[layer]?.packs ?? []).map(({ blob }) => blob.slice(0, 16)));
    const between = own(2);
    assert.equal(again.pushed.filter(({ blob }) => between.has(blob)).length, 0);
    const twice = again.pushed.filter(
      ({ start, blob }) => start > 0 && blob === again.state.layers[3]?.packs[0]?.blob.slice(0, 16),
    );
    assert.equal(twice.length, 0, "bytes it has from the first");
    assert.ok(again.pushedBytes < had / 5 && again.pushedBytes > 0, `${again.pushedBytes} of ${had}`);
    await house.close();
  });

  test("LIVE-20 who joins late, by the index, has the points that those have who followed live", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 5000);
    const live = await Watcher.open(house.url);
    live.view();
    for (let i = 0; i < 12; i++) {
      await layer.grow(floor(1500, 10 + i, (i % 4) * 2 - 4, (i % 4) * 2 + 8));
      if (i === 6) await layer.compact();
    }
    const late = await Watcher.open(house.url);
    late.view();
    for (let i = 0; i < 5; i++) await layer.grow(floor(700, 40 + i));
    const watchers = [live, late];
    await Promise.all(watchers.map((each) => each.client.untilSeq(house.space.log.head)));
    await Promise.all(watchers.map((each) => each.complete(1)));
    const [a, b] = await Promise.all(watchers.map((each) => each.drawn(1)));
    assert.ok(a!.points > 15_000);
    assert.deepEqual(a, b);
    assert.deepEqual(house.errors, []);
    await house.close();
  });

  test("LIVE-19 a damaged segment is left out, all others come", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 20_000);
    const { blob } = await layer.grow(floor(2000, 3));
    const table = await tableOf(house, 1);
    const damaged = table.list.flatMap(({ parts }) => parts).filter((part) => part.blob === blob)[3]!;
    const file = await open(join(house.dataDir, "blobs", blob.slice(0, 2), blob.slice(2)), "r+");
    await file.write(new Uint8Array(8).fill(0xee), 0, 8, damaged.end - 8);
    await file.close();
    const watcher = await Watcher.open(house.url);
    watcher.view();
    await quiet(watcher);
    const all = table.list.flatMap(({ parts }) => parts).map(partKey);
    const pushed = (await segmentsPushed(house, watcher, 1)).map(({ part }) => partKey(part));
    assert.deepEqual([...pushed, partKey(damaged)].sort(), all.sort());
    await assert.rejects(house.core.blobs.get(blob), { code: "blob.corrupt" });
    await house.close();
  });

  test("GEN-22 a client that takes no bytes is bounded and closed; others get all of theirs", async () => {
    const house = await openDoor({ limits: { slowMs: 3000 } });
    const layer = await shownFloor(house, 5000);
    const good = await Watcher.open(house.url);
    good.view();
    const stalled = await Watcher.open(house.url, { credit: 64 * 2 ** 20 });
    stalled.view();
    await stalled.client.until(() => stalled.pushed.length > 0);
    stalled.client.ws.pause();
    let worstBytes = 0;
    for (let i = 0; !house.door.stats().closes.has(1013); i++) {
      if (i < 20) await layer.grow(floor(1500, 1000 + i));
      // What the kernel takes for it is not ours to count: events fill it.
      else await house.space.log.append(Array.from({ length: 1000 }, (_, k) => renamed("x".repeat(190) + k)));
      worstBytes = Math.max(worstBytes, house.door.stats().waitingBytes);
    }
    assert.ok(worstBytes <= 2 ** 20, `${worstBytes} bytes waited`);
    await good.client.untilSeq(house.space.log.head);
    await good.complete(1);
    await house.close();
  });
});
