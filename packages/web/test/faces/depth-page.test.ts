/** A depth session in a real browser, with the real engine: photos dropped, a model that grows, a file that one saves. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import { brightPixels, type Dropped, drop, shows, visit, widest } from "./browser.ts";
import { openStage } from "./stage.ts";

const PHOTOS = 3;

const stage = openStage({
  openEngine: (options) => openEmbeddedEngine({ ...options, threads: 1 }),
  spaceSettings: { preset: "sparse" },
});
let photos: Dropped[];

before(async () => {
  const names = readManifest().photos.map(({ name }) => name);
  photos = await Promise.all(
    names.slice(0, PHOTOS + 1).map(async (name) => ({ name, bytes: await readFile(join(samplePhotosDir, name)) })),
  );
});

test("DEP-27 photos dropped become a model that grows, with its stages, a GLB to save, and the same after a reload", async () => {
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/depth/`);
  await page.getByText("Drop photos anywhere").waitFor();
  const generate = page.getByRole("button", { name: "Generate" });
  assert.ok(await generate.isDisabled());
  await drop(page, [...photos.slice(0, PHOTOS), { name: "notes.png", type: "image/png", bytes: Buffer.from("no") }]);
  await page.waitForFunction((n) => document.querySelectorAll(".previews li.new").length === n, PHOTOS + 1);
  assert.ok(
    (await page
      .locator(".previews img")
      .first()
      .evaluate((img) => (img as HTMLImageElement).width)) > 40,
  );

  const side = page.getByRole("textbox", { name: "Longer side" });
  await side.fill("99999");
  await side.press("Tab");
  assert.equal(await side.inputValue(), "4096");
  await side.fill("400");

  const told: string[] = [];
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => told.push(/"type":"(\w+)"/.exec(String(payload))?.[1] ?? ""));
  });
  const atWork = page.locator(".stages [aria-current]", { hasText: "Cameras and points" }).waitFor();
  await generate.click();
  await page.locator(".previews li.refused").getByText("Not a readable image.").waitFor();
  await atWork;
  const card = page.getByRole("region", { name: "Model" });
  await card.getByText(`${PHOTOS} of ${PHOTOS} placed`).waitFor();
  await page.getByRole("region", { name: "Progress" }).waitFor({ state: "detached" });
  assert.equal(await card.getByText("Model so far").count(), 0);
  assert.equal(told.filter((type) => type === "ack").length, PHOTOS);
  assert.ok(told.includes("delta"), "a partial model came first");
  assert.equal(await page.locator(".previews li.placed").count(), PHOTOS);
  assert.ok(await side.isDisabled(), "a session keeps its parameters");
  await shows(page, /: \d[\d,]* points/);
  const bright = await brightPixels(page, { x: 340, y: 80, width: 380, height: 560 });
  assert.ok(bright > 300, `${bright} pixels of the model`);

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    card.getByRole("link", { name: "Download GLB" }).click(),
  ]);
  const file = await readFile((await download.path())!);
  assert.equal(file.subarray(0, 4).toString(), "glTF");
  assert.equal(file.readUInt32LE(8), file.length);
  const json = JSON.parse(file.subarray(20, 20 + file.readUInt32LE(12)).toString()) as { meshes: unknown[] };
  assert.equal(json.meshes.length, 1 + PHOTOS, "points, and a frustum for each camera");
  assert.match(download.suggestedFilename(), /^[0-9a-f]{8}\.glb$/);

  // Finalize sends what is there; a reload finds the session by its address.
  await page.getByRole("button", { name: "Finalize" }).click();
  await page.locator(".chip", { hasText: "Final" }).waitFor();
  const points = await page.locator("[data-count=points]").innerText();
  await page.reload();
  await page.getByText(`${PHOTOS} photos in this session from before.`).waitFor();
  await page.locator("[data-count=points]").waitFor();
  assert.equal(await page.locator("[data-count=points]").innerText(), points);
  await page.locator(".chip", { hasText: "Final" }).waitFor();

  assert.ok((await widest(page, ".bar, .panel, .corner, .panel-body")) <= 320);
  await page.getByRole("button", { name: "Delete this one" }).click();
  await page.locator(".chip", { hasText: "New" }).waitFor();
  assert.equal(new URL(page.url()).hash, "");
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("DEP-35 photos that cannot be joined are said so, and the session goes on with one that fits", async () => {
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/depth/`);
  await drop(page, photos.slice(0, 1));
  await page.getByRole("button", { name: "Generate" }).click();
  await page.getByText("Failed to generate point cloud: not enough overlapping images.").waitFor();
  await page.locator(".chip", { hasText: "Failed" }).waitFor();
  await drop(page, photos.slice(1, 2));
  await page.getByRole("checkbox", { name: "Show partial models" }).uncheck();
  await page.getByRole("button", { name: "Generate" }).click();
  await page.getByRole("region", { name: "Model" }).getByText("2 of 2 placed").waitFor();
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("DEP-45 an address of no session says so, and a new one can be begun", async () => {
  const { page } = await visit(stage.browser, `${stage.server.url}/depth/#/00000000-0000-4000-8000-000000000000`);
  await page.getByText("cannot be opened. Session not found.").waitFor();
  assert.equal(new URL(page.url()).hash, "");
  await page.context().close();
});
