/**
 * The whole way in real browsers: photos dropped on the page of a real server with the real engine become coloured
 * points in every window, the page lives through the server's end, and who comes late sees the same.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { freePort } from "@cairn/bus/test/ports";
import { openApi } from "@cairn/client/node";
import { shownGeneration, shownLayers } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import { type RunningServer, startServer } from "@cairn/server";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import sharp from "sharp";

const PHOTOS = 4;
/** Generous: another test may have the other core, and WebGL runs on the CPU. */
const PATIENCE_MS = 150_000;

let browser: Browser;
let server: RunningServer;
let dataDir: string;

const serve = (port: number) =>
  startServer({
    port,
    dataDir,
    logLevel: "error",
    openEngine: (options) => openEmbeddedEngine(options),
    spaceSettings: { preset: "sparse" },
  });

before(async () => {
  // Not compiled: it is used by the tools as well.
  const tool: { chromium(): string; CHROMIUM_FLAGS: string[] } = await import(
    new URL("../../../tools/chromium.mjs", import.meta.url).href
  );
  dataDir = await mkdtemp(join(tmpdir(), "cairn-page-"));
  server = await serve(await freePort());
  browser = await chromium.launch({ executablePath: tool.chromium(), args: tool.CHROMIUM_FLAGS });
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

/** Windows that stay open would draw along with those of the tests to come. */
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

/** A window of its own, as another person's; what its console complains of is collected while the server is up. */
async function visit(url: string): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ viewport: { width: 800, height: 560 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // That the server is away is said by the browser itself, and is what one test is about.
    if (message.type() === "error" && !/ERR_(CONNECTION|INTERNET)|WebSocket connection/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  await page.goto(url);
  return { page, complaints };
}

/** Drops files as a person would: the page gets a DataTransfer and reads it. */
async function drop(page: Page, names: readonly string[]): Promise<void> {
  const files = await Promise.all(
    names.map(async (name) => ({ name, base64: (await readFile(join(samplePhotosDir, name))).toString("base64") })),
  );
  await page.evaluate((dropped) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of dropped) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
    }
    const event = { dataTransfer: transfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent("drop", event));
  }, files);
}

const text = (page: Page, what: "points" | "photos") => page.locator(`[data-count=${what}]`).innerText();
const chip = (page: Page, status: string) => page.locator(`.chip[data-status=${status}]`).waitFor();
const placed = (page: Page, count: number) =>
  page.waitForFunction((n) => document.querySelectorAll(".photos li.placed").length === n, count);

/** All that the view wants is on the screen, whatever was just asked of it is done, and it stays as it is. */
async function still(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("canvas")?.getAttribute("aria-busy") === "false");
  await painted(page);
}

/** What the canvas shows says the same as the bar: the viewer has fetched and drawn it. */
async function drawn(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    if (document.querySelector("canvas")?.getAttribute("aria-busy") !== "false") return false;
    const points = document.querySelector("[data-count=points]")?.textContent ?? "?";
    return (
      points !== "0 points" && document.querySelector("canvas")?.getAttribute("aria-label")?.includes(`: ${points},`)
    );
  });
}

/**
 * Photos that stop coming are followed by a rebuild of all, after which nothing is to be done.
 * @returns the points that there are from then on, as the page says them
 */
async function refinedPoints(space: string, count = PHOTOS): Promise<string> {
  const api = openApi(server);
  for (;;) {
    const { state } = await api.snapshot(space);
    const photos = Object.values(state.images);
    const judged = photos.length === count && photos.every(({ verdict }) => verdict);
    const atRest = Object.values(state.operations).every(({ endedNs }) => endedNs !== undefined);
    if (judged && atRest && shownGeneration(state)?.published?.refined === count) {
      const points = shownLayers(state).reduce((sum, layer) => sum + layer.points, 0);
      return `${points.toLocaleString("en")} points`;
    }
    await setTimeout(50);
  }
}

type Pixels = { stone: number; blue: { x: number; y: number }[] };

/** Bright pixels of the model's part of the window: stone is never bluer than red, the cameras' lines are clearly blue. */
async function pixels(page: Page): Promise<Pixels> {
  await page.waitForFunction(() => !document.querySelector(".toast")); // notices have coloured edges
  const clip = { x: 12, y: 150, width: 428, height: 290 }; // beside the panel, inside the focus ring
  const { data, info } = await sharp(await page.screenshot({ clip }))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const found: Pixels = { stone: 0, blue: [] };
  for (let i = 0; i < info.width * info.height; i++) {
    const [r, g, b] = [0, 1, 2].map((channel) => data[i * info.channels + channel]!) as [number, number, number];
    if (Math.max(r, g, b) < 90) continue;
    if (r >= b) found.stone++;
    else if (b - r > 45 && g - r > 22)
      found.blue.push({ x: clip.x + (i % info.width), y: clip.y + Math.floor(i / info.width) });
  }
  return found;
}

/** Resolves when what was asked for before is on the screen. */
const painted = (page: Page) =>
  page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));

test("photos dropped in one window become points in two, through a restart, and for a latecomer", async () => {
  const names = readManifest()
    .photos.slice(0, PHOTOS)
    .map(({ name }) => name);

  const first = await visit(server.url);
  await first.page.getByRole("button", { name: "Try the sample capture" }).waitFor();
  await drop(first.page, names);
  await first.page.waitForURL(/#\/s\/.+/);
  await chip(first.page, "live");
  const second = await visit(first.page.url());
  await chip(second.page, "live");
  await first.page.locator(".presence", { hasText: "2" }).waitFor();

  const windows = [first, second];
  const refined = await refinedPoints(decodeURIComponent(first.page.url().split("/s/")[1] ?? ""));
  for (const { page } of windows) {
    await placed(page, PHOTOS);
    await page.locator("[data-count=points]", { hasText: refined }).waitFor();
    await page.locator(".running").waitFor({ state: "detached" });
    await drawn(page);
    await painted(page);
    assert.equal(await text(page, "photos"), `${PHOTOS} of ${PHOTOS} photos`);
  }
  assert.equal(await text(second.page, "points"), await text(first.page, "points"));
  for (const { page } of windows) {
    const { stone, blue } = await pixels(page);
    assert.ok(stone > 500, `${stone} pixels of stone`);
    assert.ok(blue.length > 20, `${blue.length} pixels of cameras`);
    await page.getByRole("button", { name: "View", exact: true }).click();
    await page.getByRole("checkbox", { name: "Cameras" }).uncheck();
    await page.getByRole("combobox", { name: "Colour by" }).selectOption("age");
    await page.getByRole("region", { name: "Colours: Age" }).getByText("newest photo").waitFor();
    await page.getByRole("combobox", { name: "Colour by" }).selectOption("photo");
    await page.locator(".legend").waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await still(page);
    const bare = await pixels(page);
    assert.ok(bare.blue.length < blue.length / 3, `${bare.blue.length} of ${blue.length} pixels without cameras`);
  }

  const counts = await text(first.page, "points");
  await server.close();
  for (const { page } of windows)
    await page.locator(".chip[data-status=reconnecting], .chip[data-status=offline]").waitFor();
  assert.equal(await text(first.page, "points"), counts, "what was there stays visible");
  server = await serve(server.port);
  for (const { page } of windows) {
    await chip(page, "live");
    await drawn(page);
    assert.equal(await text(page, "points"), counts);
  }

  const title = first.page.getByRole("textbox", { name: "Name of this space" });
  await title.fill("Stones");
  await title.press("Enter");
  await second.page.waitForFunction(() => document.title === "Stones · Cairn");

  const late = await visit(first.page.url());
  await placed(late.page, PHOTOS);
  await drawn(late.page);
  assert.equal(await text(late.page, "points"), counts);
  assert.ok((await pixels(late.page)).stone > 500);

  for (const { complaints } of [...windows, late]) assert.deepEqual(complaints, []);
});

test("the mouse turns and zooms, F frames again, a camera shows its photo, a lost GPU comes back", async () => {
  const { page, complaints } = await visit(server.url);
  await page.getByRole("link", { name: /Stones/ }).click();
  await drawn(page);
  await painted(page);
  const framed = await pixels(page);
  const canvas = page.locator("canvas");

  const [x, y] = [220, 290];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 140, y + 20, { steps: 4 });
  await page.mouse.up();
  await page.mouse.wheel(0, 900); // away
  await still(page);
  const away = await pixels(page);
  assert.ok(away.stone < framed.stone * 0.9, `${away.stone} of ${framed.stone} from farther away`);
  await page.keyboard.press("f");
  await still(page);
  const again = await pixels(page);
  assert.ok(Math.abs(again.stone - framed.stone) < framed.stone * 0.05, `${again.stone}, not ${framed.stone}`);

  // A line of a frustum is its edge: beside one of several pixels of lines lies its inside.
  const card = page.locator(".hover-card");
  const beside = [0, 4, -4, 8, -8].flatMap((dy) => [0, 5, -5].map((dx) => ({ dx, dy })));
  const lines = again.blue.filter((_, i) => i % Math.ceil(again.blue.length / 12) === 0);
  search: for (const { dx, dy } of beside) {
    for (const line of lines) {
      await page.mouse.move(line.x + dx, line.y + dy);
      await painted(page);
      if (await card.isVisible()) break search;
    }
  }
  assert.ok(await card.isVisible(), "no camera under any of its lines");
  const name = await card.innerText();
  assert.match(name, /^0\d\.jpg$/);
  await page.mouse.down();
  await page.mouse.up();
  await page.locator(".photo-card", { hasText: name }).waitFor();
  assert.equal(await page.locator(".photos [aria-pressed=true]", { hasText: name }).count(), 1);
  await page.keyboard.press("Escape");
  await page.mouse.move(1, 1);

  const context = await canvas.evaluateHandle((element) => {
    const gl = (element as HTMLCanvasElement).getContext("webgl2");
    return gl?.getExtension("WEBGL_lose_context");
  });
  await context.evaluate((extension) => extension?.loseContext());
  await page.getByText("The graphics driver took a break").waitFor();
  await context.evaluate((extension) => extension?.restoreContext());
  await page.getByText("The graphics driver took a break").waitFor({ state: "detached" });
  await still(page);
  const restored = await pixels(page);
  assert.ok(Math.abs(restored.stone - framed.stone) < framed.stone * 0.05, `${restored.stone}, not ${framed.stone}`);

  // Idle means idle: nothing asks for another frame.
  const framesAsked = () =>
    page.evaluate(async () => {
      let asked = 0;
      const real = window.requestAnimationFrame.bind(window);
      window.requestAnimationFrame = (callback) => {
        asked++;
        return real(callback);
      };
      await new Promise<void>((done) => real(() => real(() => real(() => done()))));
      window.requestAnimationFrame = real;
      return asked;
    });
  // What is still on its way is drawn; then it rests.
  let frames = await framesAsked();
  for (let tries = 0; frames > 0 && tries < 200; tries++) frames = await framesAsked();
  assert.equal(frames, 0);
  assert.deepEqual(
    complaints.filter((line) => !/CONTEXT_LOST|Context Lost/i.test(line)),
    [],
  );
});

test("GENR-2 the history has every model, and going back to one is seen in every window", async () => {
  const { page, complaints } = await visit(server.url);
  await page.getByRole("link", { name: /Stones/ }).click();
  await drawn(page);
  const other = await visit(page.url());
  await drawn(other.page);
  // With one photo more the newest model is another one than the first.
  await drop(other.page, [readManifest().photos[PHOTOS]!.name]);
  const more = await refinedPoints(decodeURIComponent(page.url().split("/s/")[1] ?? ""), PHOTOS + 1);
  await page.locator("[data-count=points]", { hasText: more }).waitFor();
  await page.getByRole("button", { name: "History" }).click();
  const first = page.locator(".history li").filter({ hasText: /^Model 1,/ });
  const points = (await first.locator("span").innerText()).split(" · ")[1];
  assert.notEqual(await text(page, "points"), points, "the newest model is another one");
  // A message goes by itself, so it is looked for before anything that may take longer.
  const told = [page, other.page].map((each) =>
    each.locator(".toast", { hasText: "Back to model 1" }).first().waitFor(),
  );
  await first.getByRole("button", { name: /^Go back to Model 1,/ }).click();
  await Promise.all(told);
  await page.locator(".history li[aria-current=true]", { hasText: "back to model 1" }).waitFor();
  for (const each of [page, other.page]) {
    await each.waitForFunction((n) => document.querySelector("[data-count=points]")?.textContent === n, points);
    await drawn(each);
  }
  await page.setViewportSize({ width: 360, height: 640 });
  const widest = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(widest <= 360, `${widest} pixels`);
  for (const { complaints: said } of [{ complaints }, other]) assert.deepEqual(said, []);
});

test("EXC-13 a cloud dropped on the page becomes points in every window, and can be saved in every format", async () => {
  const { id } = (await (
    await fetch(`${server.url}/v1/spaces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title: "scan" }),
    })
  ).json()) as { id: string };
  const { page, complaints } = await visit(`${server.url}/#/s/${id}`);
  const other = await visit(`${server.url}/#/s/${id}`);
  await chip(page, "live");
  await chip(other.page, "live");
  const rows = Array.from({ length: 900 }, (_, i) => `${i % 30} ${Math.floor(i / 30)} 0`).join("\n");
  const ply = `ply\nformat ascii 1.0\nelement vertex 900\nproperty float x\nproperty float y\nproperty float z\nend_header\n${rows}\n`;
  await page.evaluate((content) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([content], "scan.ply"));
    transfer.items.add(new File(["no cloud"], "broken.las"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, ply);
  for (const each of [page, other.page]) {
    await each.waitForFunction(() => document.querySelector("[data-count=points]")?.textContent?.startsWith("900"));
  }
  const refused = page.locator(".photos").getByText(/neither PLY nor LAS/);
  assert.doesNotMatch(await refused.innerText(), /`/, "in words, not in code");
  await page.getByRole("button", { name: "Export" }).click();
  const links = page.locator(".menu-panel a.menu-item");
  const hrefs = await links.evaluateAll((all) => all.map((each) => (each as HTMLAnchorElement).href));
  assert.equal(hrefs.length, 6, "a space without cameras offers points only");
  for (const href of hrefs) assert.equal((await fetch(href)).status, 200, href);
  const [download] = await Promise.all([page.waitForEvent("download"), links.first().click()]);
  assert.match(download.suggestedFilename(), /\.ply$/);
  // A mesh is made first; its card goes when it is saved.
  await page.getByRole("button", { name: "Export" }).click();
  const [mesh] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Mesh GLB, with colours" }).click(),
  ]);
  assert.match(mesh.suggestedFilename(), /-mesh\.glb$/);
  assert.equal((await readFile((await mesh.path())!)).subarray(0, 4).toString(), "glTF");
  await page.locator(".running").waitFor({ state: "detached" });
  assert.deepEqual(
    complaints.filter((line) => !/status of 4\d\d/.test(line)),
    [],
  );
});

test("KEY-11 whether live video adds photos is set on the page, and holds in every window and on the server", async () => {
  const api = openApi(server);
  const { id } = await api.createSpace({ title: "watched" });
  const windows = [await visit(`${server.url}/#/s/${id}`), await visit(`${server.url}/#/s/${id}`)];
  const switches = [];
  for (const { page } of windows) {
    await chip(page, "live");
    await page.getByRole("button", { name: "View", exact: true }).click();
    switches.push(page.getByRole("checkbox", { name: "Live video adds photos" }));
  }
  const [own, other] = switches as [Locator, Locator];
  const both = (checked: boolean) =>
    Promise.all(
      windows.map(({ page }) => page.getByRole("checkbox", { name: "Live video adds photos", checked }).waitFor()),
    );
  await both(true);
  for (const [turned, checked] of [
    [own, false],
    [other, true],
  ] as const) {
    await turned.click();
    await both(checked);
    assert.equal((await api.snapshot(id)).state.settings.keyframes, checked);
  }
  for (const { complaints } of windows) assert.deepEqual(complaints, []);
});

test("a file that is no photo is refused in words, and the next one is taken", async () => {
  const { page, complaints } = await visit(server.url);
  // A message goes by itself, so it is looked for before anything that may take longer.
  const told = page.locator(".toast.bad", { hasText: "notes.jpg was not taken" }).waitFor();
  await page.getByLabel("Choose photos").setInputFiles([
    { name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("these are no pixels") },
    { name: "01.jpg", mimeType: "image/jpeg", buffer: await readFile(join(samplePhotosDir, "01.jpg")) },
  ]);
  await page.waitForURL(/#\/s\/.+/);
  await told;
  await page.locator(".photos li.unused", { hasText: "notes.jpg" }).getByText("Not a photo that Cairn reads").waitFor();
  await page.getByText("Waiting for a second photo from another place.").waitFor();
  await page.getByRole("button", { name: "Dismiss notes.jpg" }).click();
  await page.locator(".photos li", { hasText: "notes.jpg" }).waitFor({ state: "detached" });
  assert.equal(await page.locator(".photos li").count(), 1);
  // The browser itself notes the refusal; nothing else complains.
  assert.deepEqual(
    complaints.filter((line) => !/status of 4\d\d/.test(line)),
    [],
  );
});

test("without a network, without the viewer's code and without WebGL 2 the page says which, and what to do", async () => {
  const { page } = await visit(server.url);
  await page.getByRole("link", { name: /Stones/ }).waitFor();
  await page.route("**/assets/**", (route) => route.abort());
  await page.getByRole("link", { name: /Stones/ }).click();
  await page.getByText("The 3D view could not be loaded").waitFor();
  await page.unroute("**/assets/**");

  await page.addInitScript(() => {
    HTMLCanvasElement.prototype.getContext = () => null;
  });
  await page.reload();
  await page.getByText("Turn on hardware acceleration").waitFor();
  await placed(page, PHOTOS); // the rest is there

  await chip(page, "live");
  await page.context().setOffline(true);
  const note = page.getByText("This device has no network.");
  await note.waitFor();
  await page.context().setOffline(false);
  await note.waitFor({ state: "detached" });
  await chip(page, "live");
});

test("a long list of spaces is looked through by name, no name is wider than a phone, and an empty space says what comes", async () => {
  const api = openApi(server);
  const long = "Landesvermessungsamtsaussenstellendachgeschossfensterlaibung";
  for (let i = 1; i <= 13; i++) await api.createSpace({ title: i === 7 ? long : `Room ${i}` });
  const { page, complaints } = await visit(server.url);
  await page.getByRole("link", { name: /Room 12/ }).waitFor();
  await page.setViewportSize({ width: 320, height: 568 });
  const widest = await page.locator(".home").evaluate((element) => element.scrollWidth);
  assert.ok(widest <= 320, `${widest} pixels`);
  const field = page.getByRole("searchbox", { name: "Find a space by its name" });
  await field.fill("room 1");
  await page.getByRole("link", { name: /Stones/ }).waitFor({ state: "detached" });
  assert.equal(await page.locator(".spaces li").count(), 5);
  await field.fill("nowhere");
  await page.getByText("No space has a name with “nowhere” in it.").waitFor();
  await field.fill("VERMESSUNG");
  await page.getByRole("link", { name: new RegExp(long) }).click();

  await page.getByText("Drop photos or a point cloud anywhere").waitFor();
  assert.equal(await text(page, "photos"), "no photos");
  for (const name of ["Report", "Export"]) assert.ok(await page.getByRole("button", { name }).isDisabled(), name);
  await page.getByRole("button", { name: "History" }).click();
  await page.getByText("you can go back to it").waitFor();
  await page.keyboard.press("Escape");
  await page.getByLabel("Choose photos").setInputFiles(join(samplePhotosDir, "01.jpg"));
  await page.getByText("No two photos fit together yet").waitFor();
  assert.deepEqual(complaints, []);
});

test("a space that does not exist says so, and nothing is wider than a small phone", async () => {
  const { page } = await visit(`${server.url}/#/s/nowhere`);
  await page.getByRole("heading", { name: "Nothing here" }).waitFor();
  await page.getByText("There is no such space").waitFor();
  await page.getByRole("link", { name: "All spaces" }).click();
  await page.setViewportSize({ width: 320, height: 568 });
  await page.getByRole("link", { name: /Stones/ }).click();
  await chip(page, "live");
  await drawn(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  const bar = await page.locator(".bar").evaluate((element) => element.scrollWidth);
  assert.ok(bar <= 320, `the bar is ${bar} px wide`);

  // A long name is cut, and read in full where it is tapped on.
  const long = "Stones of the old cathedral, north side, seen from the garden in the evening light";
  const name = page.getByRole("textbox", { name: "Name of this space" });
  await name.fill(long);
  await name.press("Enter");
  await page.waitForFunction((wanted) => document.title.startsWith(wanted), long);
  const hidden = (element: Element) => [
    element.scrollWidth - element.clientWidth,
    element.scrollHeight - element.clientHeight,
  ];
  assert.ok((await page.locator(".name h1").evaluate(hidden))[0]! > 0, "it is longer than there is room for");
  await name.click();
  assert.deepEqual(await name.evaluate(hidden), [0, 0]);
  await name.press("Escape");

  await page.getByRole("button", { name: "View", exact: true }).click();
  await page.getByRole("button", { name: "Delete this space…" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Try the sample capture" }).waitFor();
  assert.equal(await page.getByRole("link", { name: /Stones/ }).count(), 0);
});
