/** The heritage page in real browsers, with the real engine: photos of one window are the cloud of all. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import type { Page } from "playwright-core";
import { brightPixels, chip, type Dropped, drop, until, visit, widest } from "./browser.ts";
import { openStage } from "./stage.ts";

const REBUILD_EVERY = 2;
const PHOTOS = 3;

const stage = openStage({
  openEngine: (options) => openEmbeddedEngine({ ...options, threads: 1 }),
  spaceSettings: { preset: "sparse", rebuildEvery: REBUILD_EVERY },
});
let photos: Dropped[];

before(async () => {
  const names = readManifest().photos.map(({ name }) => name);
  photos = await Promise.all(
    names.slice(0, PHOTOS).map(async (name) => ({ name, bytes: await readFile(join(samplePhotosDir, name)) })),
  );
});

const counter = (page: Page, name: string, value: number) =>
  page.locator(`[data-counter="${name}"]`, { hasText: new RegExp(`^${value}$`) }).waitFor();
const points = (page: Page) => page.locator("[data-count=points]").innerText();
/** No shard is on its way, and the canvas has what the bar says. @param wanted what that is, where it is known */
const whole = (page: Page, wanted?: string) =>
  page.waitForFunction((expected) => {
    const said = document.querySelector("[data-count=points]")?.textContent ?? "?";
    const canvas = document.querySelector(".canvas canvas")?.getAttribute("aria-label") ?? "";
    const fits = expected === undefined ? said !== "0 points" : said === expected;
    return fits && !document.querySelector(".work") && canvas.includes(`: ${said}.`);
  }, wanted);

test("HER-20 HER-28 photos of one window become the same cloud in two, through a rebuild, a resync and a restart", async () => {
  const first = await visit(stage.browser, `${stage.server.url}/heritage/`);
  const opened = first.page.waitForEvent("websocket");
  await first.page.getByRole("textbox", { name: "Name of the project" }).fill("old bridge");
  await first.page.getByRole("button", { name: "Connect" }).click();
  await chip(first.page, "connected");
  await first.page.getByRole("heading", { name: "old bridge" }).waitFor();
  const second = await visit(stage.browser, first.page.url());
  await chip(second.page, "connected");
  const windows = [first, second];

  // One that is no photo does not hold up the others.
  const notes = { name: "notes.jpg", bytes: Buffer.from("no picture") };
  await drop(first.page, [photos[0]!, notes, ...photos.slice(1)]);
  const refused = first.page.locator(".photos li.unused", { hasText: "notes.jpg" });
  await refused.getByText("Failed to process image: not a readable image.").waitFor();
  await refused.getByRole("button", { name: "Dismiss notes.jpg" }).click();
  for (const { page } of windows) {
    await page.waitForFunction((n) => document.querySelectorAll(".photos li.placed").length === n, PHOTOS);
    await counter(page, "Photos", PHOTOS);
    await counter(page, "Rebuilds", 1);
    await counter(page, "Updates", PHOTOS - REBUILD_EVERY);
    await whole(page);
    const bright = await brightPixels(page, { x: 20, y: 80, width: 700, height: 600 });
    assert.ok(bright > 300, `${bright} pixels of the cloud`);
  }
  assert.equal(await points(second.page), await points(first.page));
  assert.equal(await second.page.locator(".photos li", { hasText: "someone else" }).count(), PHOTOS);

  const counted = await points(first.page);
  const blocks: unknown[] = [];
  (await opened).on("framereceived", ({ payload }) => {
    if (String(payload).startsWith('{"type":"initial_state_complete"')) blocks.push(payload);
  });
  await first.page.getByRole("button", { name: "Resync" }).click();
  await until(() => blocks.length === 1);
  await whole(first.page, counted);

  await stage.server.close();
  for (const { page } of windows) await chip(page, "disconnected");
  assert.equal(await points(first.page), counted, "what was there stays visible");
  await stage.restart();
  for (const { page } of windows) {
    await chip(page, "connected");
    await counter(page, "Photos", PHOTOS);
    await whole(page, counted);
  }

  // Who comes late sees the same.
  await second.page.reload();
  await chip(second.page, "connected");
  await whole(second.page, counted);
  assert.ok((await widest(second.page, ".bar, .panel, .corner")) <= 320);
  for (const { complaints } of windows) assert.deepEqual(complaints, []);
});

test("HER-28 a late answer of the server holds nothing up, and counts nothing back", async () => {
  let late: (() => void) | undefined;
  // The answer to the first question, asked when the window has what there is, keeps everybody waiting.
  const before = async (page: Page) => {
    await page.route("**/projects/late/status", async (route) => {
      const response = await route.fetch();
      if (!late) {
        await new Promise<void>((resolve) => {
          late = resolve;
        });
      }
      await route.fulfill({ response });
    });
  };
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/heritage/#/late`, { before });
  await chip(page, "connected");
  await counter(page, "Photos", 0);
  await until(() => late !== undefined);
  await drop(page, photos.slice(0, 1));
  await page.locator(".photos li.placed").waitFor();
  const told = page.waitForResponse("**/projects/late/status");
  late?.();
  await (await told).finished();
  await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
  await counter(page, "Updates", 1);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("HER-3 HER-4 projects are listed with their photos; a name that is not allowed is said so", async () => {
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/heritage/`);
  await page
    .getByRole("link", { name: /old bridge/ })
    .getByText(`${PHOTOS} photos`)
    .waitFor();
  assert.ok((await widest(page, ".home")) <= 320);
  await page.goto(`${stage.server.url}/heritage/#/${encodeURIComponent("a/b")}`);
  await chip(page, "closed");
  await page.getByText("Project id is not allowed.").waitFor();
  assert.deepEqual(complaints, []);
});
