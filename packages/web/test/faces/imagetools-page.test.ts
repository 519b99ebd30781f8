/** The page of image sessions in real browsers: what a phone sends, everyone sees; long work is seen, stopped and kept. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { drop, visit, widest } from "./browser.ts";
import { openStage } from "./stage.ts";

const stage = openStage();
let photo: Buffer;

before(async () => {
  photo = await readFile(join(samplePhotosDir, readManifest().photos[0]!.name));
});

async function session(facts: object): Promise<string> {
  const answer = await fetch(`${stage.server.url}/api/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(facts),
  });
  return ((await answer.json()) as { id: string }).id;
}

/** As the phone's app does it: without a socket. */
async function phone(id: string, name: string, bytes: Buffer): Promise<void> {
  const form = new FormData();
  form.set("session_id", id);
  form.set("source", "android_app");
  form.set("file", new Blob([new Uint8Array(bytes)]), name);
  const { status } = await fetch(`${stage.server.url}/api/v1/images`, { method: "POST", body: form });
  assert.equal(status, 200);
}

const chip = (page: Page, status: string) => page.locator(`.chip[data-status=${status}]`).waitFor();
const tile = (page: Page, name: string) => page.locator(".tile", { hasText: name });
const toast = (page: Page, text: string) => page.locator(".toast", { hasText: text }).first();
/** Its picture has been fetched and is one. */
const seen = (page: Page, name: string) =>
  page.waitForFunction((alt) => {
    const picture = document.querySelector<HTMLImageElement>(`.tile img[alt="${alt}"]`);
    return picture?.complete === true && picture.naturalWidth > 0;
  }, name);

test("IMG-11 uploads of a phone and of a page are seen by all at once, and compressed together, also after a restart", async () => {
  const first = await visit(stage.browser, `${stage.server.url}/imagetools/`);
  await first.page.getByRole("button", { name: "Start a session" }).click();
  await chip(first.page, "connected");
  const id = new URL(first.page.url()).hash.slice(2);
  const second = await visit(stage.browser, `${stage.server.url}/imagetools/`);
  const field = second.page.getByRole("textbox", { name: "Id of a session" });
  await field.fill("nobody-has-this");
  await second.page.getByRole("button", { name: "Join" }).click();
  await second.page.getByText("There is no session with this id, or it has ended.").waitFor();
  await field.fill(id);
  await second.page.getByRole("button", { name: "Join" }).click();
  await chip(second.page, "connected");
  await first.page.locator(".presence", { hasText: "2" }).waitFor();
  const windows = [first, second];

  const told = windows.map(({ page }) => toast(page, "from the Android app").waitFor());
  await phone(id, "wall.jpg", photo);
  await Promise.all(told);
  for (const { page } of windows) {
    await seen(page, "wall.jpg");
    await tile(page, "wall.jpg").getByText("from the Android app").waitFor();
  }

  const big = await sharp(photo).resize(2400).jpeg({ quality: 98 }).toBuffer();
  const arrived = toast(second.page, "big.jpg from a browser").waitFor();
  await drop(first.page, [
    { name: "big.jpg", bytes: big },
    { name: "notes.jpg", bytes: Buffer.from("no picture") },
  ]);
  await arrived;
  await tile(first.page, "notes.jpg").getByText("File is not a supported image.").waitFor();
  await first.page.getByRole("button", { name: "Dismiss notes.jpg" }).click();
  for (const { page } of windows) await seen(page, "big.jpg");

  await first.page.getByRole("button", { name: "Select all" }).click();
  await first.page.getByText("2 selected").waitFor();
  await first.page.getByRole("button", { name: "Compress…" }).click();
  await first.page.getByRole("radio", { name: /^Email/ }).check();
  await first.page.getByRole("button", { name: "Compress", exact: true }).click();
  for (const { page } of windows) {
    const card = page.locator("[data-operation=completed]");
    await card.getByText("Compressed 2 of 2 images").waitFor();
    await card.getByText(/% saved/).waitFor();
    await tile(page, "big.jpg")
      .getByText(/^800 × \d+/)
      .waitFor();
    await tile(page, "big.jpg").locator("em", { hasText: "%" }).waitFor();
    await seen(page, "big.jpg");
  }

  await stage.server.close();
  for (const { page } of windows) await chip(page, "reconnecting");
  await stage.restart();
  for (const { page } of windows) await chip(page, "connected");
  await phone(id, "later.jpg", photo);
  for (const { page } of windows) {
    await seen(page, "later.jpg");
    assert.equal(await page.locator(".tile").count(), 3);
  }

  await first.page.getByRole("checkbox", { name: "Select later.jpg" }).check();
  await first.page.getByRole("checkbox", { name: "Select wall.jpg" }).uncheck();
  await first.page.getByRole("checkbox", { name: "Select big.jpg" }).uncheck();
  await first.page.getByRole("button", { name: "Delete" }).click();
  await first.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  for (const { page } of windows) await tile(page, "later.jpg").waitFor({ state: "detached" });
  assert.ok((await widest(second.page, ".bar, .gallery, .toolbar, .corner")) <= 320);
  for (const { page, complaints } of windows) {
    assert.deepEqual(complaints, []);
    await page.context().close();
  }
});

test("IMG-51 a long operation shows how far it is, and stops when it is told to", async () => {
  const id = await session({});
  const noise = await sharp({
    create: {
      width: 1800,
      height: 1400,
      channels: 3,
      background: "#888",
      noise: { type: "gaussian", mean: 128, sigma: 60 },
    },
  })
    .jpeg({ quality: 90 })
    .toBuffer();
  // Far more than are done before it is stopped, however slow this browser is beside the server.
  const images = 12;
  for (let i = 1; i <= images; i++) await phone(id, `${i}.jpg`, noise);
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/imagetools/#/${id}`);
  await page.getByRole("button", { name: "Select all" }).click();
  await page.getByRole("button", { name: "Compress…" }).click();
  await page.getByRole("radio", { name: /^My own figures/ }).check();
  await page.getByRole("combobox", { name: "Format" }).selectOption("PNG");
  await page.getByRole("button", { name: "Compress", exact: true }).click();
  const card = page.getByRole("region", { name: "Compressing" });
  await card.getByRole("progressbar").waitFor();
  await card.getByText(/^\d+ of 12$/).waitFor();
  await card.getByRole("button", { name: "Cancel" }).click();
  await page
    .locator("[data-operation=cancelled]")
    .getByText(/^Stopped after \d+ of 12$/)
    .waitFor();
  await card.getByRole("button", { name: "Dismiss" }).click();
  await card.waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("IMG-51 an operation that ended while the list of those that run was on its way stays ended", async () => {
  const id = await session({});
  for (const name of ["1.jpg", "2.jpg", "3.jpg"]) await phone(id, name, photo);
  const compress = async () => {
    const answer = await fetch(`${stage.server.url}/api/v1/compression/bulk`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ session_id: id, preset: "email" }),
    });
    return (await answer.json()) as unknown;
  };
  let begun: Promise<unknown> | undefined;
  let go = () => {};
  const ended = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/imagetools/#/${id}`, {
    before: async (page) => {
      await page.route("**/api/v1/operations?*", async (route) => {
        // It begins when the page hears already, and is told as one that runs when it has ended.
        begun ??= compress();
        const operation = await begun;
        await ended;
        await route.fulfill({ json: [operation] });
      });
    },
  });
  const card = page.locator("[data-operation=completed]");
  await card.getByText("Compressed 3 of 3 images").waitFor();
  go();
  await page.locator(".tile").nth(2).waitFor();
  assert.equal(await card.count(), 1);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("IMG-15 IMG-20 the end of a session is warned of, comes, and is put off", async () => {
  const soon = await visit(stage.browser, `${stage.server.url}/imagetools/#/${await session({ ttl_seconds: 290 })}`);
  await soon.page.getByText(/This session ends in [1-4] minutes?\./).waitFor();
  await soon.page.getByRole("button", { name: "Renew for seven days" }).click();
  await soon.page.locator(".notice").waitFor({ state: "detached" });
  await soon.page.getByText(/ends in 6 days/).waitFor();
  await soon.page.goto("about:blank");
  await soon.page.goto(`${stage.server.url}/imagetools/#/${await session({ ttl_seconds: 2 })}`);
  await chip(soon.page, "over");
  await soon.page.getByText("Session expired. Nothing can be uploaded.").waitFor();
  assert.ok(await soon.page.getByRole("button", { name: "Upload" }).isDisabled());
  assert.deepEqual(soon.complaints, []);
  await soon.page.context().close();
});

test("IMG-70 without a socket the page asks now and then, and shows the same", async () => {
  const id = await session({});
  await phone(id, "before.jpg", photo);
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/imagetools/#/${id}`, {
    before: async (page) => {
      await page.clock.install();
      await page.addInitScript(() => Reflect.deleteProperty(globalThis, "WebSocket"));
    },
  });
  await chip(page, "offline");
  await seen(page, "before.jpg");
  await page.clock.fastForward(30_000);
  await chip(page, "polling");
  await phone(id, "meanwhile.jpg", photo);
  await page.clock.fastForward(30_000);
  await seen(page, "meanwhile.jpg");
  assert.deepEqual(complaints, []);
  await page.context().close();
});
