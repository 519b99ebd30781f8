/** The history of designs in a real browser: rows come and go as files do, each is shown in 3D, nothing is missed. */
import assert from "node:assert/strict";
import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { meshGlb, meshObj, meshPly, type TriangleMesh } from "@cairn/formats/mesh";
import type { Page } from "playwright-core";
import { brightPixels, chip, shows, until, visit, widest } from "./browser.ts";
import { openStage } from "./stage.ts";

let designs: string;
let parts: string;

const stage = openStage(async (folder) => {
  designs = join(folder, "designs");
  parts = join(folder, "parts");
  await mkdir(designs);
  await mkdir(parts);
  for (const [name, write] of Object.entries({ "part.obj": meshObj, "part.ply": meshPly, "part.glb": meshGlb })) {
    await writeFile(join(parts, name), Buffer.concat([...write(PYRAMID)]));
  }
  await place("cube.stl", box(1), 30);
  await place("slab.stl", box(3, 3, 1), 30);
  await place("notes.stl", Buffer.from("nothing that is a mesh"), 30);
  return {
    meshFolders: [
      { name: "current", dir: designs },
      { name: "parts", dir: parts },
    ],
    listen: [{ face: "meshes", port: 0 }],
  };
});

/** Four faces, four vertices, in all colours. */
const PYRAMID: TriangleMesh = {
  origin: [0, 0, 0],
  positions: Float32Array.from([0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2]),
  normals: Int8Array.from([-73, -73, -73, 127, 0, 0, 0, 127, 0, 0, 0, 127]),
  colors: Uint8Array.from([255, 255, 255, 255, 60, 60, 60, 255, 60, 60, 60, 255]),
  triangles: Uint32Array.from([0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3]),
  step: 0.001,
};

/** Twelve faces, eight vertices. */
function box(x: number, y = x, z = x): Buffer {
  const corner = (i: number) => [i & 1 ? x : 0, i & 2 ? y : 0, i & 4 ? z : 0];
  const sides = ["0264", "1573", "0451", "2376", "0132", "4675"];
  const facets = sides.flatMap((side) => {
    const [a, b, c, d] = [...side].map((digit) => corner(Number(digit)));
    return [[a, b, c].flat(), [a, c, d].flat()] as number[][];
  });
  const bytes = Buffer.alloc(84 + 50 * facets.length);
  bytes.writeUInt32LE(facets.length, 80);
  for (const [i, facet] of facets.entries()) {
    for (const [k, value] of facet.entries()) bytes.writeFloatLE(value, 84 + 50 * i + 12 + 4 * k);
  }
  return bytes;
}

/** Moves a file into place, as careful programs do. @param ageMinutes how old it says it is */
async function place(name: string, bytes: Buffer, ageMinutes = 0): Promise<void> {
  await writeFile(join(designs, `.${name}`), bytes);
  const madeS = Date.now() / 1000 - ageMinutes * 60;
  await utimes(join(designs, `.${name}`), madeS, madeS);
  await rename(join(designs, `.${name}`), join(designs, name));
}

const row = (page: Page, name: string) => page.getByRole("button", { name }).filter({ hasText: "View 3D" });
const toast = (page: Page, text: string) => page.locator(".toast", { hasText: text });

test("MSH-34 rows with size, age, counts and NEW; search; figures and 3D; a new one in place, with a note for 5 s", async () => {
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/meshes/`, {
    before: (page) => page.clock.install(),
  });
  await chip(page, "connected");
  assert.match(await page.locator(".chip").innerText(), /Connected/);
  await row(page, "cube").getByText("12 faces · 8 vertices").waitFor();
  await row(page, "notes").getByText("No mesh that can be read").waitFor();
  await row(page, "slab").waitFor();
  assert.equal(await page.locator(".designs li").count(), 3);
  await row(page, "cube")
    .getByText(/3\d minutes ago/)
    .waitFor();
  assert.equal(await page.locator(".badge-new").count(), 0);
  assert.equal(await page.locator("[data-count=designs]").innerText(), "3 designs");
  assert.equal(await page.locator("[data-count=recent]").textContent(), " · 3 in the last hour");

  await page.getByRole("searchbox", { name: "Search designs" }).fill("SLA");
  await page.waitForFunction(() => document.querySelectorAll(".designs li").length === 1);
  await row(page, "slab").click();
  await shows(page, /12 faces/);
  const card = page.getByRole("region", { name: "Design slab" });
  await card.getByText("3 × 3 × 1").waitFor();
  const figure = (name: string) => card.locator(".facts div", { hasText: name }).locator("dd").innerText();
  assert.equal(await figure("Volume"), "9");
  assert.equal(await figure("Area"), "30");
  assert.equal(await figure("Watertight"), "Yes");
  assert.match(page.url(), /\?design=slab$/);
  const bright = await brightPixels(page, { x: 340, y: 80, width: 360, height: 560 });
  assert.ok(bright > 3000, `${bright} pixels of the slab`);
  await page.getByRole("searchbox", { name: "Search designs" }).fill("");

  // A mark that a reload would wipe out.
  await page.evaluate(() => document.body.setAttribute("data-mark", "1"));
  const told = toast(page, "New design").getByText("tower").waitFor();
  await place("tower.stl", box(1, 1, 4));
  await told;
  await page.locator(".designs li").first().getByText("tower").waitFor();
  assert.equal(await row(page, "tower").locator(".badge-new").textContent(), "NEW");
  await row(page, "tower")
    .getByText(/just now|seconds? ago/)
    .waitFor();
  await page.locator("[data-count=designs]", { hasText: "4 designs" }).waitFor();
  await page.clock.fastForward(5000);
  await toast(page, "New design").waitFor({ state: "detached" });
  assert.equal(await page.locator("body").getAttribute("data-mark"), "1");

  // What is shown follows its file, and leaves with it.
  const changed = toast(page, "New revision").waitFor();
  await place("slab.stl", box(2, 2, 2));
  await changed;
  await card.getByText("2 × 2 × 2").waitFor();
  await card.getByRole("combobox", { name: "Revision" }).selectOption("1");
  await card.getByText("3 × 3 × 1").waitFor();
  await page.clock.fastForward(61_000);
  await page.locator(".badge-new").first().waitFor({ state: "detached" });
  await row(page, "cube")
    .getByText(/minutes? ago/)
    .waitFor();
  await page.getByRole("combobox", { name: "Age" }).selectOption("new");
  await page.getByText("No design fits").waitFor();
  await page.getByRole("combobox", { name: "Age" }).selectOption("all");
  await rm(join(designs, "tower.stl"));
  await row(page, "tower").waitFor({ state: "detached" });

  await row(page, "notes").click();
  await page.getByText("This file cannot be shown").waitFor();
  await page.getByText("Failed to load mesh metadata: not an STL file.").waitFor();
  assert.ok((await widest(page, ".bar, .panel, .corner")) <= 320);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("MSH-34 limit, and refresh every 10 s where it is asked for", async () => {
  const { page } = await visit(stage.browser, `${stage.server.url}/meshes/`, {
    before: (page) => page.clock.install(),
  });
  await chip(page, "connected");
  const asked: string[] = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname.endsWith("/timeline")) asked.push(searchParams.get("limit") ?? "");
  });
  const answered = () => page.waitForResponse((response) => response.url().includes("/timeline?limit=10"));
  const first = answered();
  await page.getByRole("combobox", { name: "Most shown" }).selectOption("10");
  await first;
  await chip(page, "connected");
  await page.getByRole("checkbox", { name: "Refresh each 10 s" }).check();
  const second = answered();
  await page.clock.fastForward(10_000);
  await second;
  assert.ok(
    asked.every((limit) => limit === "10"),
    asked.join(),
  );
  await page.context().close();
});

test("MSH-35 a ping every 30 s by one timer; back after 5 s, again and again, and nothing missed", async () => {
  const dials: string[] = [];
  const sent: string[] = [];
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/meshes/`, {
    before: async (page) => {
      await page.clock.install();
      // Counted where the page hears them: one on its way is not heard yet.
      await page.addInitScript(() => {
        let pongs = 0;
        globalThis.WebSocket = class extends WebSocket {
          constructor(url: string | URL, protocols?: string | string[]) {
            super(url, protocols);
            this.addEventListener("message", ({ data }) => {
              if (data === '{"event":"pong"}') sessionStorage.setItem("pongs", String(++pongs));
            });
          }
        };
      });
      page.on("websocket", (socket) => {
        dials.push(socket.url());
        socket.on("framesent", ({ payload }) => sent.push(String(payload)));
      });
    },
  });
  await chip(page, "connected");
  const pinged = (times: number) => page.waitForFunction((n) => Number(sessionStorage.getItem("pongs")) >= n, times);
  await page.clock.fastForward(30_000);
  await pinged(1);
  await page.clock.fastForward(30_000);
  await pinged(2);
  assert.deepEqual(sent, ["ping", "ping"]);

  const dialled = (times: number) => until(() => dials.length >= times);
  await stage.server.close();
  await chip(page, "disconnected");
  assert.match(await page.locator(".chip").innerText(), /Disconnected/);
  for (let tries = 2; tries < 7; tries++) {
    await page.clock.fastForward(5000);
    await dialled(tries);
    await chip(page, "disconnected");
  }
  await place("away.stl", box(2));
  await stage.restart();
  await page.clock.fastForward(5000);
  await chip(page, "connected");
  await row(page, "away").waitFor();
  const since = dials.map((url) => Number(new URL(url).searchParams.get("since")));
  assert.ok(
    since.every((seq) => seq >= 3),
    since.join(),
  );
  assert.equal(await page.locator(".designs li", { hasText: "away" }).count(), 1);

  // Still one timer.
  sent.length = 0;
  await page.clock.fastForward(30_000);
  await pinged(3);
  assert.deepEqual(sent, ["ping"]);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("MSH-35 a line on which no ping is answered is given up, and another one is taken", async () => {
  const heard: string[] = [];
  let dials = 0;
  const { page } = await visit(stage.browser, `${stage.server.url}/meshes/`, {
    before: async (page) => {
      await page.clock.install();
      // A peer that is gone without a word: it said hello, and takes what it is sent.
      await page.routeWebSocket(/ws\/meshes/, (socket) => {
        if (++dials > 1) return void socket.connectToServer();
        socket.onMessage((message) => heard.push(String(message)));
        socket.send('{"event":"connection_ack","seq":0}');
      });
    },
  });
  await chip(page, "connected");
  await page.clock.fastForward(30_000);
  await until(() => heard.length === 1);
  await page.clock.fastForward(30_000);
  await chip(page, "disconnected");
  await page.clock.fastForward(5000);
  await until(() => dials === 2);
  await chip(page, "connected");
  assert.deepEqual(heard, ["ping"]);
  await page.context().close();
});

test("MSH-27 designs of every collection, in each format, are shown when they are asked for", async () => {
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/meshes/`);
  await chip(page, "connected");
  await row(page, "cube").waitFor();
  assert.equal(await page.locator(".designs li", { hasText: "part" }).count(), 0);
  await page.getByRole("combobox", { name: "Collections" }).selectOption("all");
  for (const name of ["part.obj", "part.ply", "part.glb"]) {
    await row(page, name).click();
    await page
      .getByRole("region", { name: `Design ${name}` })
      .getByText("2 × 2 × 2")
      .waitFor();
    await shows(page, /: 4 faces/);
    const bright = await brightPixels(page, { x: 340, y: 80, width: 360, height: 560 });
    assert.ok(bright > 2000, `${bright} pixels of ${name}`);
    await page.getByRole("button", { name: "Close" }).click();
    await shows(page, /nothing yet/);
  }
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("GEN-3 a listener tied to the face shows its page from the root, and a link to a design shows that", async () => {
  const [tied] = stage.server.listeners;
  const { page, complaints } = await visit(stage.browser, `http://127.0.0.1:${tied?.port}/?design=cube`);
  await page.getByRole("region", { name: "Design cube" }).getByText("1 × 1 × 1").waitFor();
  await shows(page, /12 faces/);
  assert.deepEqual(complaints, []);
});
