import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, mock, test } from "node:test";
import { layerView, nodesToShow, type Part, spacingPx } from "@cairn/cloud";
import type { Similarity, View } from "@cairn/protocol";
import { floor, TestLayer, Watcher } from "../test/cloud.ts";
import { openDoor, renamed, type TestDoor } from "../test/live-door.ts";

/** Stands 1 m above the floor's corner at x, z = 8 and looks towards +x: sees nothing of the floor; `turned`: all of it. */
function camera(x: number, turned = false): NonNullable<View["camera"]> {
  // Rows: right, down, forward. Looking along −x: right is −z… a half turn about y swaps the signs of x and z.
  const half = Math.SQRT1_2;
  const rotation: [number, number, number, number] = turned ? [half, 0, half, 0] : [half, 0, -half, 0];
  const centre = [x, -1, 4] as const;
  const view = layerView({ pose: { rotation, translation: [0, 0, 0] }, fovY: 1, widthPx: 800, heightPx: 600 });
  const translation = view.axes.map((row) => -(row[0] * centre[0] + row[1] * centre[1] + row[2] * centre[2]));
  const [tx = 0, ty = 0, tz = 0] = translation;
  return { pose: { rotation, translation: [tx, ty, tz] }, fovY: 1, widthPx: 800, heightPx: 600 };
}

const partKey = ({ blob, start }: Pick<Part, "blob" | "start">) => `${blob.slice(0, 16)}/${start}`;

/** What the server may choose from. */
const tableOf = (house: TestDoor, layer: number) => house.core.layers.tables.open(house.space, layer);

async function segmentsPushed(house: TestDoor, watcher: Watcher, layer: number) {
  const table = await tableOf(house, layer);
  const parts = new Map(table.list.flatMap((node) => node.parts.map((part) => [partKey(part), { node, part }])));
  return watcher.pushed.flatMap((each) => parts.get(partKey(each)) ?? []);
}

/** Resolves when the server has nothing more to send: it answers again and again, and nothing comes between. */
async function quiet(watcher: Watcher): Promise<void> {
  for (let still = 0; still < 8; ) {
    const had = watcher.pushed.length;
    const pongs = watcher.client.of("pong").length;
    watcher.client.send({ type: "ping" });
    await watcher.client.until((client) => client.of("pong").length > pongs);
    await new Promise((resolve) => setTimeout(resolve, 15));
    still = watcher.pushed.length === had ? still + 1 : 0;
  }
}

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

async function shownFloor(house: TestDoor, points = 20_000): Promise<TestLayer> {
  const layer = new TestLayer(house, 1, 1);
  await layer.start();
  await layer.publish();
  await layer.grow(floor(points, 1));
  return layer;
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

  test("LIVE-16 the order is that in which the camera's picture needs them; what is not seen does not come", async () => {
    const house = await openDoor();
    await shownFloor(house, 60_000);
    const table = await tableOf(house, 1);
    const orders: string[][] = [];
    for (const view of [{ camera: camera(9, true) }, { camera: camera(-1) }, { camera: camera(4) }, {}]) {
      const watcher = await Watcher.open(house.url);
      watcher.view(view);
      await quiet(watcher);
      const pushed = (await segmentsPushed(house, watcher, 1)).map(({ node }) => node.key);
      const expected = [...nodesToShow(table, view.camera && layerView(view.camera))]
        .filter(({ node }) => node.parts.length > 0)
        .map(({ node }) => node.key);
      assert.deepEqual(pushed, expected);
      orders.push(pushed);
      watcher.client.ws.close();
    }
    const [all, , inside, everything] = orders as [string[], string[], string[], string[]];
    assert.ok(inside.length < everything.length, "the camera in the middle sees a half");
    assert.notDeepEqual(all, everything);
    await house.close();
  });

  test("LIVE-16 points bound what is pushed, the best of it", async () => {
    const house = await openDoor();
    await shownFloor(house, 60_000);
    const table = await tableOf(house, 1);
    const watcher = await Watcher.open(house.url);
    const view = { camera: camera(4), points: 5000 };
    watcher.view(view);
    await quiet(watcher);
    const pushed = await segmentsPushed(house, watcher, 1);
    const points = pushed.reduce((sum, { part }) => sum + part.points, 0);
    const best = [...nodesToShow(table, layerView(view.camera))].filter(({ node }) => node.points > 0);
    assert.deepEqual(
      pushed.map(({ node }) => node.key),
      best.slice(0, pushed.length).map(({ node }) => node.key),
    );
    const next = best[pushed.length]!.node.points;
    assert.ok(points <= 5000 && points + next > 5000, `${points} points, the next has ${next}`);
    // More is wanted: it goes on where it was.
    watcher.view({ camera: camera(4) });
    await quiet(watcher);
    const keys = (await segmentsPushed(house, watcher, 1)).map(({ part }) => partKey(part));
    assert.ok(keys.length > pushed.length);
    assert.equal(new Set(keys).size, keys.length, "nothing twice");
    await house.close();
  });

  test("LIVE-16 what is fresh where a client looks comes before its backlog, elsewhere after", async () => {
    const house = await openDoor();
    const layer = await shownFloor(house, 100_000);
    const watcher = await Watcher.open(house.url, { credit: 20_000, grants: false });
    watcher.view();
    await quiet(watcher);
    const nodes = async () => new Set((await segmentsPushed(house, watcher, 1)).map(({ node }) => node.key));
    while ((await nodes()).size < 20) {
      watcher.client.send({ type: "credit", bytes: 5000 });
      await quiet(watcher);
    }
    const has = await nodes();
    const had = watcher.pushed.length;
    assert.ok(has.size < (await tableOf(house, 1)).list.length / 2);
    const { blob } = await layer.grow(floor(400, 7));
    await watcher.client.untilSeq(house.space.log.head);
    await quiet(watcher);
    assert.equal(watcher.pushed.length, had);
    watcher.client.send({ type: "credit", bytes: 40_000 });
    await quiet(watcher);
    const after = watcher.pushed.slice(had);
    const fresh = blob.slice(0, 16);
    const brought = (await tableOf(house, 1)).list.filter(
      ({ key, parts }) => has.has(key) && parts.some((part) => part.blob === blob),
    ).length;
    assert.ok(brought > 0);
    assert.equal(after[0]?.blob, fresh, "the head");
    assert.deepEqual(
      after.slice(1, 1 + brought).map((each) => each.blob),
      Array(brought).fill(fresh),
    );
    assert.ok(
      after.slice(1 + brought).some((each) => each.blob !== fresh),
      "then the backlog",
    );
    await house.close();
  });

  test("LIVE-16 layers in frames of their own are ordered by what is on the screen", async () => {
    const house = await openDoor();
    await shownFloor(house, 20_000);
    // The same floor, ten times as large and a kilometre away.
    const transform: Similarity = { scale: 10, rotation: [1, 0, 0, 0], translation: [-1000, 0, 0] };
    const far = new TestLayer(house, 2, undefined, transform);
    await far.start();
    await far.grow(floor(20_000, 2));
    const watcher = await Watcher.open(house.url);
    const view = { camera: camera(9, true) };
    watcher.view(view);
    await quiet(watcher);
    const tables = await Promise.all([1, 2].map((layer) => tableOf(house, layer)));
    const places = new Map<string, number>();
    tables.forEach((table, i) => {
      const seen = layerView(view.camera, i === 1 ? { transform } : {});
      for (const node of table.list) {
        const px = spacingPx(node, seen);
        for (const part of node.parts) places.set(partKey(part), px);
      }
    });
    const pixels = watcher.pushed.flatMap((each) => places.get(partKey(each)) ?? []);
    const counts = await Promise.all([1, 2].map(async (layer) => (await segmentsPushed(house, watcher, layer)).length));
    assert.ok(counts[0]! > 0 && counts[1]! > 0, `${counts}`);
    assert.ok(counts[1]! < counts[0]!);
    assert.ok(Math.min(...pixels) >= 1.4);
    await house.close();
  });

  test("LIVE-17 what became obsolete while a client was behind is never sent", async () => {
    const house = await openDoor();
    await shownFloor(house, 60_000);
    const watcher = await Watcher.open(house.url, { credit: 20_000, grants: false });
    watcher.view();
    await watcher.client.until(() => watcher.pushedBytes >= 20_000);
    await quiet(watcher);
    const next = new TestLayer(house, 2, 2);
    await next.start();
    await next.grow(floor(10_000, 5));
    const had = watcher.pushed.length;
    await next.publish();
    watcher.grants = true;
    watcher.client.send({ type: "credit", bytes: 65_536 });
    await watcher.client.untilSeq(house.space.log.head);
    await watcher.complete(2);
    await quiet(watcher);
    const old = new Set(Object.values(watcher.state.layers[1]!.packs).map(({ blob }) => blob.slice(0, 16)));
    assert.equal(watcher.pushed.slice(had).filter(({ blob }) => old.has(blob)).length, 0);
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
