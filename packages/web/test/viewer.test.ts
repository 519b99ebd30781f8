/** The viewer in a real browser, pixel by pixel: what is drawn, by hand and by colour, picked, and after a lost GPU. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { EventDraft, Vec3 } from "@cairn/protocol";
import { ground, random, TestLayer, TestSpace } from "@cairn/viewer/test";
import type { Page } from "playwright-core";
import {
  apply,
  HEIGHT,
  isBackground,
  isOrange,
  painted,
  picture,
  posed,
  publish,
  published,
  settled,
  started,
  still,
  WIDTH,
} from "./viewer/look.ts";
import { type OpenHarness, openHarness } from "./viewer/open.ts";

let harness: OpenHarness;
before(async () => {
  harness = await openHarness();
});
after(() => harness?.close());

test("a cloud without photos is in the picture wherever it lies, also at 6,000,000 m", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [430_990, 5_999_990, 245], [431_010, 6_000_010, 255]);
  const next = random(4);
  const count = 3000;
  const positions = new Float64Array(count * 3);
  for (let i = 0; i < count; i++) {
    positions.set([430_990 + next() * 20, 5_999_990 + next() * 20, 250 + next()], i * 3);
  }
  const page = await harness.visit(space);
  const colors = Uint8Array.from({ length: count * 3 }, (_, i) => [230, 140, 60][i % 3]!);
  await apply(page, space, layer.started(), layer.insert({ positions, colors, photos: 0 }));
  await settled(page, count);
  const { count: pixels } = await picture(page);
  assert.ok(pixels(isOrange) > 5000, `${pixels(isOrange)} pixels of it`);
  await page.context().close();
});

test("inside a room, walls beside the eye and before it are not cut", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5], { spacing: 0.02 });
  const page = await harness.visit(space, { query: "points=100000" });
  // A closed box of six walls, 4 × 2 × 4; the camera that is named last stands in it.
  const next = random(5);
  const positions = new Float64Array(200_000 * 3);
  const half = [2, 1, 2] as const;
  for (let i = 0; i < positions.length; i += 3) {
    const wall = (i / 3) % 3;
    for (let axis = 0; axis < 3; axis++) positions[i + axis] = (next() * 2 - 1) * half[axis]!;
    positions[i + wall] = next() < 0.5 ? -half[wall]! : half[wall]!;
  }
  const colors = new Uint8Array(positions.length).map((_, i) => [200, 120, 60][i % 3]!);
  const points = { ...ground(positions.length / 3, 1), positions, colors };
  await publish(page, space, layer, points, { at: [1.8, 4, 9] });
  await settled(page, 50_000);
  // Twenty centimetres from a wall.
  assert.ok(await page.evaluate(() => window.harness.viewer.viewFrom("g1")));
  await settled(page, 50_000);
  const inside = await picture(page);
  const open = inside.count(isBackground);
  assert.ok(open < WIDTH * HEIGHT * 0.01, `${open} pixels look through the walls`);
  await page.context().close();
});

test("a view that is touched before anything is in it is framed all the same; one that rests sets out gently", async () => {
  const cameras = async (page: Page) =>
    (await page.evaluate(() => window.harness.source.views)).flatMap(({ camera }) => (camera ? [camera.pose] : []));
  const first = async (isTouched: boolean) => {
    const space = new TestSpace();
    const page = await harness.visit(space, { motion: true });
    if (isTouched) {
      await page.mouse.move(240, 180);
      await page.mouse.down();
      await page.mouse.move(300, 260, { steps: 4 });
      await page.mouse.up();
      await page.mouse.wheel(0, -300);
      await painted(page);
    }
    await publish(page, space, new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]), ground(5000, 41));
    await settled(page, 4000);
    return { page, pose: (await cameras(page)).at(-1)! };
  };
  const [untouched, touched] = [await first(false), await first(true)];
  const apart = (a: readonly number[], b: readonly number[]) => Math.hypot(...a.map((value, i) => value - b[i]!));
  assert.ok(apart(untouched.pose.rotation, touched.pose.rotation) < 0.01, `${touched.pose.rotation}`);
  assert.ok(apart(untouched.pose.translation, touched.pose.translation) < 0.1, `${touched.pose.translation}`);
  await untouched.page.context().close();

  const { page } = touched;
  const before = await cameras(page);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(await page.evaluate(() => window.harness.viewer.viewFrom("g1")));
  await settled(page, 1);
  const after = await cameras(page);
  const way = after.slice(before.length).map(({ translation }) => apart(translation, before.at(-1)!.translation));
  assert.ok(way[0]! < 0.1 * way.at(-1)!, `${way[0]} of ${way.at(-1)} in the first picture`);
  await page.context().close();
});

test("one finger turns, two move and pinch, and the page does not scroll or zoom under them", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
  const page = await harness.visit(space);
  await publish(page, space, layer, ground(5000, 41));
  await settled(page, 4000);
  const session = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...at: [number, number][]) =>
    session.send("Input.dispatchTouchEvent", { type, touchPoints: at.map(([x, y], id) => ({ x, y, id })) });
  const view = async () => {
    await painted(page);
    const camera = await page.evaluate(() => window.harness.source.views.at(-1)?.camera);
    assert.ok(camera);
    const { rotation, translation } = camera.pose;
    return { rotation, translation };
  };
  const turned = (a: readonly number[], b: readonly number[]) =>
    2 * Math.acos(Math.min(1, Math.abs(a.reduce((sum, value, i) => sum + value * b[i]!, 0))));
  const first = await view();
  await touch("touchStart", [200, 180]);
  for (let x = 210; x <= 260; x += 10) await touch("touchMove", [x, 180]);
  await touch("touchEnd");
  const second = await view();
  assert.ok(turned(first.rotation, second.rotation) > 0.3, "one finger turns");

  await touch("touchStart", [180, 180], [280, 180]);
  for (let y = 190; y <= 230; y += 10) await touch("touchMove", [180, y], [280, y]);
  const third = await view();
  assert.ok(turned(second.rotation, third.rotation) < 0.01, "two fingers do not turn");
  const moved = third.translation.map((value, axis) => value - second.translation[axis]!);
  assert.ok(Math.abs(moved[1]!) > 1 && Math.abs(moved[2]!) < Math.abs(moved[1]!) / 4, `they move: ${moved}`);

  for (let dx = 10; dx <= 40; dx += 10) await touch("touchMove", [180 - dx, 230], [280 + dx, 230]);
  const fourth = await view();
  const nearer = fourth.translation[2] - third.translation[2];
  assert.ok(nearer < -1 && turned(third.rotation, fourth.rotation) < 0.01, `apart, they zoom in: ${nearer}`);
  await touch("touchEnd");
  assert.deepEqual(await page.evaluate(() => [scrollX, scrollY, visualViewport?.scale]), [0, 0, 1]);
  await page.context().close();
});

test("a pick names the very point that is drawn there, to the millimetre at 6,000,000 m and in a turned layer", async () => {
  const space = new TestSpace();
  const centre: Vec3 = [431_000, -120, 6_000_000];
  const layer = new TestLayer(space, 1, [430_990, -125, 5_999_990], [431_010, -115, 6_000_010]);
  // Few points, far apart, each told by its photo.
  const next = random(9);
  const count = 400;
  const positions = new Float64Array(count * 3);
  for (let i = 0; i < count; i++) {
    positions.set([centre[0] + next() * 10 - 5, centre[1] + next() * 0.2, centre[2] + next() * 10 - 5], i * 3);
  }
  const photos = Uint32Array.from({ length: count }, (_, i) => i + 1);
  const confidences = Uint8Array.from({ length: count }, (_, i) => i % 256);
  const page = await harness.visit(space);
  const half = Math.SQRT1_2;
  const transform = {
    scale: 1,
    rotation: [half, 0, half, 0] as [number, number, number, number],
    translation: [0, 0, 0] as Vec3,
  };
  // A quarter turn about y takes x to −z and z to x.
  const inModel = (i: number): Vec3 => [positions[i * 3 + 2]!, positions[i * 3 + 1]!, -positions[i * 3]!];
  await publish(
    page,
    space,
    layer,
    { positions, colors: new Uint8Array(count * 3).fill(200), photos, confidences },
    { at: inModel(0), transform },
  );
  await settled(page, count);
  const found = await page.evaluate(() => {
    const picks = [];
    for (let y = 60; y < 340; y += 9) {
      for (let x = 40; x < 440; x += 9) {
        const picked = window.harness.viewer.pick(x, y);
        if (picked) picks.push(picked);
      }
    }
    return picks;
  });
  const named = new Set(found.map(({ photo }) => photo));
  assert.ok(named.size > 60, `${named.size} different points`);
  for (const { photo, point, confidence, index, layer: number, node } of found) {
    const truth = inModel(photo - 1);
    const off = Math.hypot(point[0] - truth[0], point[1] - truth[1], point[2] - truth[2]);
    assert.ok(off < 0.001, `${off} m off`);
    assert.ok(Math.abs(confidence - ((photo - 1) % 256)) <= 16, "confidence travels in a few bits");
    assert.ok(number === 1 && index >= 0 && index < count && /^-?\d+_\d+_\d+_\d+$/.test(node));
  }
  await page.context().close();
});

test("a lost GPU comes back by itself with the same picture, from the bytes that are kept", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
  const page = await harness.visit(space);
  await publish(page, space, layer, ground(10_000, 5));
  await settled(page, 10_000);
  const before = (await picture(page)).count(isOrange);
  const asked = await page.evaluate(() => window.harness.source.asked.length);
  const lose = await page.evaluateHandle(() =>
    document.querySelector("canvas")?.getContext("webgl2")?.getExtension("WEBGL_lose_context"),
  );
  await lose.evaluate((extension) => extension?.loseContext());
  await page.waitForFunction(() => window.harness.restored === false);
  await apply(page, space, layer.insert(ground(1000, 6))); // while it is away
  await lose.evaluate((extension) => extension?.restoreContext());
  await page.waitForFunction(() => window.harness.restored === true);
  await settled(page, 10_500);
  const after = (await picture(page)).count(isOrange);
  assert.ok(Math.abs(after - before) < before * 0.03, `${after} pixels, not ${before}`);
  const again = (await page.evaluate(() => window.harness.source.asked.length)) - asked;
  assert.ok(again <= 4, `${again} requests, only the new pack is unknown`);
  assert.ok(await page.evaluate(() => window.harness.viewer.pick(240, 200)), "picking works again");
  await page.context().close();
});

test("without float targets, multi-draw and workers the same points are shown, and picked", async () => {
  const shown: number[] = [];
  for (const plain of [false, true]) {
    const space = new TestSpace();
    const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
    const page = await harness.visit(space, { plain });
    await publish(page, space, layer, ground(10_000, 21));
    await settled(page, 10_000);
    shown.push((await picture(page)).count(isOrange));
    assert.ok(await page.evaluate(() => window.harness.viewer.pick(240, 200)));
    assert.deepEqual(await page.evaluate(() => window.harness.problems), []);
    await page.context().close();
  }
  const [lit, flat] = shown as [number, number];
  assert.ok(lit > 5000 && Math.abs(lit - flat) < lit * 0.03, `${flat} pixels, not ${lit}`);
});

test("points are coloured by what one asks for, in the colours that the legend names", async () => {
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5]);
  const page = await harness.visit(space);
  const images = [..."ab"].map((image, i): EventDraft => {
    const data = {
      image,
      blob: "0".repeat(64),
      mediaType: "image/jpeg",
      name: image,
      sizeBytes: 1,
      width: 8,
      height: 6,
      orientation: 1,
      source: "http",
      contributor: i ? "Ben" : "Ada",
    };
    return { type: "image.added", data };
  });
  const half = (count: number, seed: number, x: number, photo: number) => {
    const points = ground(count, seed, { photo });
    for (let i = 0; i < count; i++) points.positions[i * 3] = points.positions[i * 3]! / 2 + x;
    return { ...points, confidences: new Uint8Array(count).fill(photo === 1 ? 0 : 255) };
  };
  await apply(page, space, started(1), ...posed(1, [0, 0, 0], "a"), ...images, layer.started({ generation: 1 }));
  await apply(page, space, layer.insert(half(8000, 7, -2.5, 1)), layer.insert(half(8000, 8, 2.5, 2)), published(1));
  await settled(page, 12_000);
  const hex = (color: string): Vec3 => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)) as Vec3;
  const close = (a: Vec3) => (b: Vec3) => a.every((value, axis) => Math.abs(value - b[axis]!) <= 3);
  const show = async (mode: "photo" | "height" | "age" | "contributor" | "confidence") => {
    await page.evaluate((name) => window.harness.viewer.setColorMode(name), mode);
    await painted(page);
    return { shown: await picture(page), legend: await page.evaluate(() => window.harness.viewer.legend()) };
  };

  const people = await show("contributor");
  assert.equal(people.legend?.kind, "entries");
  if (people.legend?.kind !== "entries") return;
  assert.deepEqual(
    people.legend.entries.map(({ name }) => name),
    ["Ada", "Ben"],
  );
  for (const { color } of people.legend.entries) assert.ok(people.shown.count(close(hex(color))) > 300, color);
  assert.equal(people.shown.count(close([200, 120, 60])), 0, "no photo's colour is left");
  for (const mode of ["age", "confidence"] as const) {
    const { shown, legend } = await show(mode);
    assert.equal(legend?.kind, "scale");
    if (legend?.kind !== "scale") return;
    // Two photos, two confidences: both ends and nothing between.
    for (const color of [legend.colors[0]!, legend.colors.at(-1)!]) {
      assert.ok(shown.count(close(hex(color))) > 300, `${mode} ${color}`);
    }
  }
  const height = await show("height");
  assert.equal(height.legend?.kind, "scale");
  if (height.legend?.kind !== "scale") return;
  assert.ok(Math.abs(Number(height.legend.high) - 0.6) < 0.1, `the waves are 0.6 high, not ${height.legend.high}`);
  assert.equal(height.shown.count(close([200, 120, 60])), 0);
  const photo = await show("photo");
  assert.equal(photo.legend, undefined);
  assert.ok(photo.shown.count(close([200, 120, 60])) > 500);
  await page.context().close();
});

test("KEY-9 the way of a camera that filmed is a line through its places, and its end is marked while it goes on", async () => {
  const space = new TestSpace();
  const page = await harness.visit(space);
  const images = ["0", "1", "2"];
  const path = (...names: string[]): EventDraft => {
    const poses = names.map((image, i) => {
      const pose = { rotation: [1, 0, 0, 0] as [number, number, number, number], translation: [0, 0, 0] as Vec3 };
      return { image, timeNs: String(1_000_000_000 * (i + 1)), pose };
    });
    return { type: "path.extended", data: { path: "stream:cam:1", generation: 1, poses } };
  };
  const cameras = images.flatMap((image, i) => posed(1, [8 * i, 0, 0], image));
  await apply(page, space, started(1), ...cameras, published(1));
  await still(page);
  const before = (await picture(page)).count(isOrange);
  assert.equal(before, 0, "cameras alone are of another colour");
  await apply(page, space, path(...images));
  await still(page);
  const line = (await picture(page)).count(isOrange);
  assert.ok(line > 100, `${line} pixels of a line`);
  await page.evaluate(() => window.harness.viewer.setCamerasVisible(false));
  await still(page);
  assert.equal((await picture(page)).count(isOrange), 0);
  await page.context().close();
});
