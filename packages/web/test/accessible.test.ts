/** Every page, on a desk and in a hand: who sees little, uses no mouse or bears no motion can use it, too. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { serveDevice } from "@cairn/client";
import { connect, openApi } from "@cairn/client/node";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import type { Page } from "playwright-core";
import { assertReachable, assertReadable } from "./accessible.ts";
import { chip, type Dropped, drop, PATIENCE_MS, visit } from "./faces/browser.ts";
import { openStage } from "./faces/stage.ts";
import { TRIANGLE } from "./faces/triangle.ts";

const PHOTOS = 3;
const SIZES = { desk: { width: 1280, height: 800 }, hand: { width: 390, height: 844 } } as const;

let photo: Dropped;
let leave: (() => void) | undefined;

const stage = openStage(async (folder) => {
  const dir = join(folder, "designs");
  await mkdir(dir);
  await writeFile(join(dir, "part.stl"), TRIANGLE);
  return {
    meshFolders: [{ name: "current", dir }],
    openEngine: (options) => openEmbeddedEngine({ ...options, threads: 1 }),
    spaceSettings: { preset: "sparse", rebuildEvery: PHOTOS },
  };
});

async function send(path: string, body: Blob | FormData): Promise<void> {
  const answer = await fetch(stage.server.url + path, { method: "POST", body });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
}

/** @returns takes it away */
function serveDrone(url: string): () => void {
  const connection = connect({ url, space: "place" });
  const served = serveDevice(
    connection,
    {
      device: "drone",
      kinds: { hover: { properties: {} }, land: { properties: {} } },
      safe: { kind: "hover" },
      stop: { kind: "land" },
      ttlMs: 60_000,
    },
    { command: ({ kind }) => kind, secure() {} },
    { lineMs: 600_000 },
  );
  return () => {
    served.close();
    connection.close();
  };
}

const press = (page: Page, name: string | RegExp) => page.getByRole("button", { name }).click();
const closeMenu = (page: Page) => page.keyboard.press("Escape");

/** The panel at the side, or at the bottom of what is held in a hand. */
async function fold(page: Page, title: string, open: boolean): Promise<void> {
  const head = page.locator(".panel-title", { hasText: title });
  await head.waitFor();
  if ((await head.getAttribute("aria-expanded")) !== String(open)) await head.click();
}

/** What is looked at on each page: it is brought there, and each state of it is given a name. */
const PAGES: Record<string, (page: Page, look: (state: string) => Promise<void>) => Promise<void>> = {
  "": async (page, look) => {
    await page.getByRole("link", { name: /Market square/ }).waitFor();
    await look("start");
  },
  "#/s/place": async (page, look) => {
    await page.locator(".chip[data-status=live]").waitFor();
    await fold(page, "Photos", true);
    await page.locator(".photos li").first().waitFor();
    await page.getByLabel("Your name").fill("Ann");
    await press(page, "Take drone");
    await page.getByText("You hold it").waitFor();
    await look("space");
    for (const menu of ["View", "Report", "History", "Export"]) {
      await page.getByRole("button", { name: menu, exact: true }).click();
      await page.locator(".menu-panel").waitFor();
      await look(menu);
      await closeMenu(page);
    }
    await page.getByRole("button", { name: "History", exact: true }).click();
    await page.getByRole("button", { name: "Record", exact: true }).click();
    await press(page, /^Stop /);
    await press(page, /^Play /);
    await page.getByRole("dialog").waitFor();
    await look("player");
    await press(page, "Close");
    await page.getByRole("button", { name: "History", exact: true }).click();
    await press(page, /^Remove /);
    await page.locator("[data-recording]").waitFor({ state: "detached" });
  },
  "capture?space=place": async (page, look) => {
    await page.getByText("No camera found").waitFor();
    await look("capture");
  },
  "heritage/": async (page, look) => {
    await page.getByRole("button", { name: "Connect" }).waitFor();
    await look("projects");
  },
  "heritage/#/place": async (page, look) => {
    await chip(page, "connected");
    await look("project");
  },
  "depth/": async (page, look) => {
    await drop(page, [photo]);
    await page.locator(".previews li").first().waitFor();
    await look("depth session");
  },
  "meshes/?design=part": async (page, look) => {
    await chip(page, "connected");
    await page.locator(".designs li").first().waitFor();
    await look("designs");
    await fold(page, "History", false);
    await page.getByRole("region", { name: "Design part" }).getByText("Figures").waitFor();
    await look("a design");
  },
  "imagetools/": async (page, look) => {
    await page.getByRole("button", { name: /Start a session/ }).waitFor();
    await look("image sessions");
  },
  "imagetools/#/walk": async (page, look) => {
    await page.getByRole("checkbox", { name: `Select ${photo.name}` }).check();
    await look("image session");
    await press(page, "Compress…");
    await page.getByText("My own figures").click();
    await look("compress");
  },
};

describe("pages for everyone", { timeout: 6 * PATIENCE_MS }, () => {
  before(async () => {
    const photos = await Promise.all(
      readManifest()
        .photos.slice(0, PHOTOS)
        .map(async ({ name }) => ({ name, bytes: await readFile(join(samplePhotosDir, name)) })),
    );
    photo = photos[0]!;
    const api = openApi(stage.server);
    await api.createSpace({ id: "place", title: "Market square" });
    for (const { name, bytes } of photos) {
      await send(`/v1/spaces/place/images?name=${name}`, new Blob([new Uint8Array(bytes)], { type: "image/jpeg" }));
    }
    // A rebuild ends with a report of it.
    while (!(await fetch(`${stage.server.url}/v1/spaces/place/report`)).ok) await setTimeout(50);
    await send("/api/v1/sessions", new Blob(['{"custom_session_id":"walk"}'], { type: "application/json" }));
    const form = new FormData();
    form.set("session_id", "walk");
    form.set("file", new Blob([new Uint8Array(photo.bytes)]), photo.name);
    await send("/api/v1/images", form);
    leave = serveDrone(stage.server.url);
  });
  after(() => leave?.());

  for (const [path, bring] of Object.entries(PAGES)) {
    test(`HTTP-30 /${path} on a desk and in a hand: named, readable, by keyboard alone, and still`, async (t) => {
      const { page, complaints } = await visit(stage.browser, `${stage.server.url}/${path}`);
      t.after(() => page.context().close());
      await page.setViewportSize(SIZES.desk);
      await bring(page, async (state) => {
        for (const [place, size] of Object.entries(SIZES)) {
          await page.setViewportSize(size);
          await assertReadable(page, `${state} in the ${place}`);
          await assertReachable(page, `${state} in the ${place}`);
        }
        await page.setViewportSize(SIZES.desk);
      });
      assert.deepEqual(complaints, []);
    });
  }
});
