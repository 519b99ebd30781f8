/** In which order points come, and which never do. Rules: LIVE-16, LIVE-17 of docs/spec/live.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { layerView, nodesToShow, spacingPx } from "@cairn/cloud";
import type { Similarity, View } from "@cairn/protocol";
import { floor, TestLayer, Watcher } from "../test/cloud.ts";
import { openDoor } from "../test/live-door.ts";
import { partKey, quiet, segmentsPushed, shownFloor, tableOf } from "../test/pushed.ts";

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

describe("what is pushed next (docs/spec/live.md)", () => {
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
});
