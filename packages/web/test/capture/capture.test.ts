/** The page in one's hand, in a real browser with a camera, against a real server with the real engine. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { SpaceState } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import { type RunningServer, startServer } from "@cairn/server";
import type { Page, Route } from "playwright-core";
import { until, visit, widest } from "../faces/browser.ts";
import { openPhone, type Phone, PORTRAIT } from "./phone.ts";

let phone: Phone;
let server: RunningServer;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cairn-capture-"));
  server = await startServer({
    port: 0,
    dataDir,
    logLevel: "error",
    openEngine: (options) => openEmbeddedEngine({ ...options, threads: 1 }),
    spaceSettings: { preset: "sparse" },
  });
  // A name that is no loopback: what comes from there by plain HTTP is no secure context.
  phone = await openPhone(["--host-resolver-rules=MAP cairn.lan 127.0.0.1"]);
});

after(async () => {
  await phone?.close();
  await server?.close();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

const open = (url = `${server.url}/capture`, before?: (page: Page) => Promise<void>) =>
  visit(phone.browser, url, { viewport: PORTRAIT, hasTouch: true, ...(before && { before }) });

/** Every photo in the strip is in one of these states, and there are so many. */
const strip = (page: Page, count: number, ...states: string[]) =>
  page.waitForFunction(
    ({ n, among }) => {
      const items = [...document.querySelectorAll<HTMLElement>(".strip li")];
      return items.length === n && items.every(({ dataset }) => among.includes(dataset.state ?? ""));
    },
    { n: count, among: states },
  );

async function take(page: Page, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const before = await page.locator(".strip li").count();
    await page.locator(".shutter:enabled").click();
    await page.waitForFunction((n) => document.querySelectorAll(".strip li").length === n, before + 1);
  }
}

async function imagesOf(page: Page): Promise<SpaceState["images"][string][]> {
  const space = new URL(page.url()).searchParams.get("space");
  const snapshot = (await (await fetch(`${server.url}/v1/spaces/${space}/snapshot`)).json()) as { state: SpaceState };
  return Object.values(snapshot.state.images);
}

test("CAP-3 CAP-7 CAP-8 photos from the camera become a model in the corner, each with what became of it", async () => {
  const { page, complaints } = await open();
  const advice = page.locator(".capture-advice");
  await advice.getByText("take the first photo").waitFor();
  // Before there is any model to tap on, too.
  const back = await page.getByRole("link", { name: "The space of these photos" }).getAttribute("href");
  assert.ok(back?.endsWith(`#/s/${new URL(page.url()).searchParams.get("space")}`), `${back}`);
  await take(page, 1);
  await strip(page, 1, "unplaced");
  await advice.getByText("Waiting for a second photo").waitFor();
  // The film goes on meanwhile, and which of its pictures are taken is chance: the same one again makes no model.
  const placed = page.locator(".strip [data-state=placed]");
  for (let count = 2; (await placed.count()) < 2; count++) {
    await take(page, 1);
    await strip(page, count, "placed", "unplaced");
  }
  await page.locator(".capture-model canvas").waitFor();
  await page.waitForFunction(() => !document.querySelector("[data-count=points]")?.textContent?.startsWith("0 "));
  const [first] = await imagesOf(page);
  assert.deepEqual([first?.width, first?.height], [960, 640], "as large as the camera gives them");

  // What became of each is a tap away, and the shutter fits a thumb.
  await page.locator(".strip button").first().click();
  await page.locator(".strip-facts").waitFor();
  const shutter = await page.locator(".shutter").boundingBox();
  assert.ok(shutter && shutter.width >= 64 && shutter.y > PORTRAIT.height * 0.7);
  const parts = ".capture, .capture-foot, .capture-controls, .capture-top";
  assert.ok((await widest(page, parts)) <= 320);
  for (const size of [
    { width: 568, height: 320 },
    { width: 320, height: 568 },
  ]) {
    await page.setViewportSize(size);
    for (const target of await page.locator(".capture-controls button:visible, .shutter").all()) {
      const box = await target.boundingBox();
      const inside =
        box && box.x >= 0 && box.y >= 0 && box.x + box.width <= size.width && box.y + box.height <= size.height;
      assert.ok(
        inside && box.height >= 44,
        `${await target.getAttribute("aria-label")}: ${JSON.stringify({ box, size })}`,
      );
    }
  }
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("CAP-2 photos taken without a network survive a reload and lost answers, and arrive once", async () => {
  const { page } = await open();
  const context = page.context();
  await page.locator(".chip[data-status=live]").waitFor();
  await page.locator(".shutter:enabled").waitFor();
  await context.setOffline(true);
  await page.locator(".chip[data-status=offline]").waitFor();
  await take(page, 2);
  await strip(page, 2, "waiting");
  await page.getByText("2 photos not yet on the server").waitFor();

  // The page comes back, photos do not pass yet.
  const sends = (route: Route) => route.request().method() !== "GET";
  const block = (route: Route) => (sends(route) ? route.abort() : route.continue());
  await context.route("**/v1/**", block);
  await context.setOffline(false);
  await page.reload();
  await strip(page, 2, "waiting", "sending");
  assert.deepEqual(await imagesOf(page), []);

  // They pass, and the answers are lost.
  let lost = 0;
  const lose = async (route: Route) => {
    if (!sends(route)) return route.continue();
    // The page that sent it may be gone by then.
    await route.fetch().catch(() => {});
    lost++;
    return route.abort().catch(() => {});
  };
  await context.route("**/v1/**", lose);
  await page.reload();
  await until(() => lost >= 2);
  await strip(page, 2, "waiting", "sending");
  await context.unroute("**/v1/**", lose);
  await context.unroute("**/v1/**", block);
  await page.reload();
  await strip(page, 2, "kept", "placed", "unplaced");
  const images = await imagesOf(page);
  assert.equal(images.length, 2);
  // What is there stays in sight, and is not sent again.
  await page.reload();
  await strip(page, 2, "kept", "placed", "unplaced");
  assert.equal((await imagesOf(page)).length, 2);
  await context.close();
});

test("CAP-2 photos that the browser cannot read any more stay kept: it says so, and the next visit sends them", async () => {
  const { page } = await open(undefined, async (each) => {
    await each.addInitScript(() => {
      const { transaction } = IDBDatabase.prototype;
      IDBDatabase.prototype.transaction = function (...asked) {
        if (sessionStorage.getItem("broken")) throw new DOMException("The connection is lost.", "InvalidStateError");
        return transaction.apply(this, asked);
      };
    });
  });
  const uncaught: Error[] = [];
  page.on("pageerror", (error) => uncaught.push(error));
  const context = page.context();
  await page.locator(".chip[data-status=live]").waitFor();
  await page.locator(".shutter:enabled").waitFor();
  await context.setOffline(true);
  await take(page, 3);
  await strip(page, 3, "waiting", "sending");
  const breakShelf = (broken: boolean) =>
    page.evaluate((now) => (now ? sessionStorage.setItem("broken", "1") : sessionStorage.clear()), broken);
  await breakShelf(true);
  await context.setOffline(false);
  // Two had been read before; what became of them cannot be noted.
  await page.waitForFunction(() => document.querySelectorAll(".strip [data-state=held]").length === 1);
  await page.waitForFunction(() => !document.querySelector(".strip :is([data-state=waiting], [data-state=sending])"));
  assert.equal((await imagesOf(page)).length, 2);
  await page.locator(".strip [data-state=held] button").click();
  await page.locator(".strip-facts").getByText("The browser cannot read it just now").waitFor();
  await page.getByRole("button", { name: "Throw away" }).click();
  await page.getByText("The connection is lost.").waitFor();

  await page.reload();
  await page.getByText("Photos of an earlier visit cannot be read").waitFor();
  await breakShelf(false);
  await page.reload();
  await strip(page, 3, "kept", "placed", "unplaced");
  assert.equal((await imagesOf(page)).length, 3);
  assert.deepEqual(uncaught, []);
  await context.close();
});

test("CAP-1 without a secure context the page says what to do, and takes photos from the phone's own app", async () => {
  const { port } = new URL(server.url);
  const { page, complaints } = await open(`http://cairn.lan:${port}/capture`);
  const note = page.getByRole("alert");
  await note.getByText("The camera needs HTTPS").waitFor();
  await note.getByText("npx cairn serve --https").waitFor();
  await page.locator(".shutter:enabled").waitFor(); // opens the phone's own app
  const input = page.locator("input[capture=environment]");
  const name = readManifest().photos[0]?.name ?? "";
  await input.setInputFiles({ name, mimeType: "image/jpeg", buffer: await readFile(join(samplePhotosDir, name)) });
  await strip(page, 1, "kept", "unplaced");
  assert.equal((await imagesOf(page))[0]?.name, name);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("CAP-5 a browser that encodes no H.264 says so and sends photos at a pace", async () => {
  const { page, complaints } = await open(undefined, async (each) => {
    await each.addInitScript(() => Reflect.deleteProperty(globalThis, "VideoEncoder"));
  });
  await page.locator(".shutter:enabled").waitFor();
  await page.getByRole("button", { name: "Video" }).click();
  await page.getByText("This browser encodes no H.264").waitFor();
  await page.getByRole("combobox", { name: "Pace" }).selectOption("1");
  await page.locator(".shutter:enabled").click();
  await page.waitForFunction(() => document.querySelectorAll(".strip li").length >= 2);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Start" }).waitFor();
  assert.deepEqual(complaints, []);
  await page.context().close();
});
