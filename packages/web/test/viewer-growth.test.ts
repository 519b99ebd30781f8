/** A model that grows, in a real browser, frame by frame: no gap, no frame without points, nothing fetched twice, for an hour. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { EventDraft } from "@cairn/protocol";
import { ground, TestLayer, TestSpace } from "@cairn/viewer/test";
import {
  apply,
  HEIGHT,
  isBackground,
  isGreen,
  isOrange,
  painted,
  picture,
  publish,
  settled,
  still,
  WIDTH,
  watchBackground,
} from "./viewer/look.ts";
import { type OpenHarness, openHarness } from "./viewer/open.ts";

declare global {
  interface Window {
    busy: boolean;
  }
}

let harness: OpenHarness;
before(async () => {
  harness = await openHarness();
});
after(() => harness?.close());

test("a model that grows never shows a gap where it was closed, and colours are the bytes that came", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
  const page = await harness.visit(space, { motion: true });
  await publish(page, space, layer, ground(10_000, 1));
  await settled(page, 10_000);
  const before = await picture(page);
  assert.ok(!isBackground(before.at(WIDTH / 2, HEIGHT / 2 + 20)));
  // The very bytes, where no edge is shaded: the most frequent colour.
  assert.ok(before.count(([r, g, b]) => r === 200 && g === 120 && b === 60) > 500, "sRGB bytes go through unchanged");
  const stop = await watchBackground(page);
  for (let i = 0; i < 12; i++) {
    await apply(page, space, layer.insert(ground(1000, 10 + i)));
    await painted(page);
  }
  await settled(page, 20_000);
  const { frames, most, holes, pixels } = await stop();
  assert.ok(frames >= 12, `${frames} frames`);
  assert.ok(
    pixels > 5000 && most <= pixels * 0.01,
    `${most} of ${pixels} pixels were background in one of ${frames} frames`,
  );
  assert.ok(holes <= 4, `${holes} pixels in holes`);
  assert.deepEqual(await page.evaluate(() => window.harness.problems), []);
  await page.context().close();
});

test("a still view gets finer than a moving one can be, a hand takes that away at once, and nothing is fetched twice", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5], { spacing: 0.01 });
  const page = await harness.visit(space, { query: "points=20000&most=300000&stillMs=60000" });
  const shown = () => page.evaluate(() => window.harness.viewer.stats.points);
  const fine = () => page.waitForFunction(() => window.harness.viewer.stats.points > 60_000);
  await publish(page, space, layer, ground(150_000, 31));
  await fine();
  await settled(page, 60_000);
  const asked = await page.evaluate(() => window.harness.source.asked.length);
  await page.mouse.move(WIDTH / 2, HEIGHT / 2);
  await page.mouse.down();
  await page.mouse.move(WIDTH / 2 + 12, HEIGHT / 2, { steps: 2 });
  await painted(page);
  const moving = await shown();
  assert.ok(moving <= 23_000, `${moving} points while it is turned`);
  assert.ok(!isBackground((await picture(page)).at(WIDTH / 2, HEIGHT / 2 + 20)), "coarser, but closed");
  await still(page);
  assert.ok((await shown()) <= 23_000, "held by a hand it is about to move");
  await page.mouse.up();
  await fine();
  const again = (await page.evaluate(() => window.harness.source.asked.length)) - asked;
  assert.ok(again <= 2, `${again} requests for what was here`);
  await page.context().close();
});

test("a still view that was coarse because the machine was busy gets finer by itself when it is not", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5], { spacing: 0.01 });
  const page = await harness.visit(space, { query: "points=20000&most=300000&stillMs=2000" });
  await page.evaluate(() => {
    // As a GPU at other work: a picture takes longer than one may.
    const real = WebGL2RenderingContext.prototype.getSyncParameter;
    const begunMs = new WeakMap<WebGLSync, number>();
    window.busy = true;
    WebGL2RenderingContext.prototype.getSyncParameter = function (sync, name) {
      const nowMs = performance.now();
      if (!begunMs.has(sync)) begunMs.set(sync, nowMs);
      if (window.busy && nowMs - begunMs.get(sync)! < 2200) return WebGL2RenderingContext.UNSIGNALED;
      return real.call(this, sync, name);
    };
  });
  await publish(page, space, layer, ground(150_000, 32));
  await settled(page, 15_000);
  assert.ok((await page.evaluate(() => window.harness.viewer.stats.points)) <= 23_000, "as coarse as it began");
  await page.evaluate(() => {
    window.busy = false;
  });
  await page.waitForFunction(() => window.harness.viewer.stats.points > 60_000);
  await page.context().close();
});

test("points that come late are drawn when they come, and the server is told where we look", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
  const page = await harness.visit(space);
  await page.evaluate(() => {
    window.harness.source.paused = true;
  });
  await publish(page, space, layer, ground(10_000, 2));
  await painted(page);
  assert.equal((await picture(page)).count(isOrange), 0);
  await page.evaluate(() => window.harness.source.go());
  await settled(page, 10_000);
  assert.ok((await picture(page)).count(isOrange) > 5000);
  const view = await page.evaluate(() => window.harness.source.views.at(-1));
  assert.equal(view?.points, 100_000);
  assert.ok(view?.camera && view.camera.widthPx === WIDTH && view.camera.heightPx === HEIGHT);
  assert.ok(Math.abs(Math.hypot(...view.camera.pose.rotation) - 1) < 1e-6);
  const held = await page.evaluate(() => [...(window.harness.source.held?.() ?? [])]);
  assert.equal(
    held[0]?.nodes.reduce((sum, { points }) => sum + points, 0),
    await page.evaluate(() => window.harness.viewer.stats.total),
  );
  await page.context().close();
});

test("a new generation crossfades: the old until it is here, no frame without points, then the new alone", async () => {
  const space = new TestSpace();
  const page = await harness.visit(space, { motion: true });
  const first = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
  await publish(page, space, first, ground(10_000, 3));
  await settled(page, 10_000);
  const stop = await watchBackground(page);
  const second = new TestLayer(space, 2, [-5, -1, -5], [5, 1, 5], { grid: first.grid });
  const asked = await page.evaluate(() => {
    window.harness.source.paused = true;
    return window.harness.source.asked.length;
  });
  await publish(page, space, second, ground(10_000, 4, { color: [60, 190, 70] }), { generation: 2 });
  await page.waitForFunction((n) => window.harness.source.asked.length > n, asked);
  await painted(page);
  const waiting = await picture(page);
  assert.ok(waiting.count(isOrange) > 5000 && waiting.count(isGreen) === 0, "the old one stays");
  await page.evaluate(() => window.harness.source.go());
  await page.waitForFunction(() => window.harness.viewer.stats.generation === 2);
  await settled(page, 7000);
  const { frames, most, holes, pixels } = await stop();
  assert.ok(frames > 5, `${frames} frames`);
  assert.ok(
    pixels > 5000 && most <= pixels * 0.01,
    `${most} of ${pixels} pixels were background in one of ${frames} frames`,
  );
  assert.ok(holes <= 4, `${holes} pixels in holes`);
  const after = await picture(page);
  assert.ok(after.count(isGreen) > 5000, `${after.count(isGreen)} pixels are green`);
  assert.equal(after.count(isOrange), 0);
  await page.context().close();
});

test("an hour of growth leaves memory where it was: 2,000 packs over one surface", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5], { spacing: 0.15 });
  const page = await harness.visit(space, { width: 200, height: 150 });
  await publish(page, space, layer, ground(12_000, 9));
  await settled(page, 3000);
  const heap = async () => {
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    await session.detach();
    return usedSize / 2 ** 20;
  };
  const grow = async (from: number, to: number) => {
    for (let i = from; i < to; i += 100) {
      const known = new Set(space.blobs.keys());
      const drafts: EventDraft[] = [];
      for (let k = i; k < i + 100; k++) {
        const draft = layer.insert(ground(300, 1000 + k));
        if (draft.type === "segments.added" && draft.data.points > 0) drafts.push(draft);
      }
      drafts.push(await layer.compact());
      const blobs = [...space.blobs].filter(([digest]) => !known.has(digest));
      await page.evaluate(
        (each) => {
          for (const [digest, base64] of each) window.harness.source.keep(digest, base64);
        },
        blobs.map(([digest, bytes]): [string, string] => [digest, Buffer.from(bytes).toString("base64")]),
      );
      // A few at a time, as they would come.
      for (let k = 0; k < drafts.length; k += 20) {
        await apply(page, space, ...drafts.slice(k, k + 20));
        await painted(page);
      }
      await still(page);
      await page.evaluate(() => {
        const { source } = window.harness;
        source.forget();
        source.asked.length = 0;
        source.views.length = 0;
      });
    }
  };
  await grow(0, 400);
  const first = await heap();
  await grow(400, 2000);
  // What was on its way goes, what leaks stays.
  let last = await heap();
  for (let looks = 0; looks < 5 && last >= first * 1.1 + 1; looks++) {
    await painted(page);
    last = Math.min(last, await heap());
  }
  assert.ok(last < first * 1.1 + 1, `${first.toFixed(1)} MiB after 400 packs, ${last.toFixed(1)} after 2,000`);
  await page.context().close();
});
