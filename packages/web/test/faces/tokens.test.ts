/** Pages on a server with tokens: asked for once, sent with everything, and what it does not allow is said. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import type { BrowserContext, Page } from "playwright-core";
import { assertReachable, assertReadable } from "../accessible.ts";
import { chip, type Dropped, drop, PATIENCE_MS, visit } from "./browser.ts";
import { openStage } from "./stage.ts";
import { TRIANGLE } from "./triangle.ts";

/** With signs that no subprotocol may have: sockets send it another way. */
const VIEW = "a/token=of-one-who+watches";
const CONTRIBUTE = "a-token-of-one-who-sends";
const GUEST = "a-token-for-one-place-only";
const SESSION = "seven-days";
/** What a page says to whom may not. */
const NOT_ALLOWED = "Your token does not allow this. Ask whoever runs the server for one that does.";

let photo: Dropped;

const stage = openStage(async (folder) => {
  const dir = join(folder, "designs");
  await mkdir(dir);
  await writeFile(join(dir, "part.stl"), TRIANGLE);
  return {
    meshFolders: [{ name: "current", dir }],
    listen: [{ face: "heritage", port: 0 }],
    tokens: [
      { token: VIEW, role: "view" },
      { token: CONTRIBUTE, role: "contribute" },
      { token: GUEST, role: "contribute", spaces: ["elsewhere"] },
    ],
  };
});

before(async () => {
  const { name } = readManifest().photos[0]!;
  photo = { name, bytes: await readFile(join(samplePhotosDir, name)) };
});

const enter = async (page: Page, token: string) => {
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Come in" }).click();
};
const alert = (page: Page, text: string) => page.getByRole("alert").getByText(text).first().waitFor();
const at = (path: string) => `${stage.server.url}${path}`;

/** A window whose browser has the token from an earlier visit to any page. */
async function known(token: string): Promise<{ page: Page; context: BrowserContext; complaints: string[] }> {
  const { page, complaints } = await visit(stage.browser, at(`/#token=${encodeURIComponent(token)}`));
  await page.getByRole("button", { name: "Drop your photos here" }).waitFor();
  return { page, context: page.context(), complaints };
}

describe("the faces' pages on a server with tokens", { timeout: 3 * PATIENCE_MS }, () => {
  test("HTTP-23 GEN-34 a page asks for the token once, wherever it is served, and the other pages have it then", async () => {
    const { page, complaints } = await visit(stage.browser, at("/heritage/#/old-bridge"));
    await enter(page, "a-token-of-nobody-here");
    await alert(page, "is not known here");
    await assertReadable(page, "token page");
    await assertReachable(page, "token page");
    await enter(page, VIEW);
    await chip(page, "connected");
    await page.goto(at("/meshes/"));
    await chip(page, "connected");
    assert.equal(await page.getByLabel("Token", { exact: true }).count(), 0);
    // A listener of one face's own asks at its root.
    const { port } = stage.server.listeners[0]!;
    await page.goto(`http://127.0.0.1:${port}/`);
    await enter(page, VIEW);
    await page.getByRole("button", { name: "Connect" }).waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test("GEN-34 GEN-35 heritage: what one sends is taken, and one who watches finds the project and is told what that token may not", async () => {
    const [giver, watcher] = [await known(CONTRIBUTE), await known(VIEW)];
    for (const { page } of [giver, watcher]) {
      await page.goto(at("/heritage/#/old-bridge"));
      await chip(page, "connected");
    }
    await drop(giver.page, [photo]);
    await giver.page.locator(".photos li", { hasText: photo.name }).getByText("Waiting its turn").waitFor();
    await watcher.page.goto(at("/heritage/"));
    await watcher.page.getByRole("link", { name: /old-bridge/ }).click();
    await chip(watcher.page, "connected");
    await drop(watcher.page, [photo]);
    await watcher.page.locator(".photos li.unused").getByText(NOT_ALLOWED).waitFor();
    await watcher.page.getByRole("button", { name: "Use another token" }).click();
    await assertReadable(watcher.page, "the question for another token");
    await enter(watcher.page, CONTRIBUTE);
    await chip(watcher.page, "connected");
    await drop(watcher.page, [photo]);
    await watcher.page.locator(".photos li", { hasText: photo.name }).getByText("Waiting its turn").waitFor();
    const guest = await known(GUEST);
    await guest.page.goto(at("/heritage/#/old-bridge"));
    await chip(guest.page, "closed");
    await alert(guest.page, NOT_ALLOWED);
    for (const { complaints, context } of [giver, watcher, guest]) {
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });

  test("HTTP-23 Cairn's own pages: what the token does not allow is said, and another one is taken on the spot", async () => {
    const { page, complaints, context } = await known(VIEW);
    const offer = page.getByRole("region", { name: "Another token" });
    assert.equal(await offer.count(), 0, "nothing was refused yet");
    for (const going of [true, false]) {
      await page.getByRole("button", { name: "Drop your photos here" }).waitFor();
      await drop(page, [photo]);
      await alert(page, NOT_ALLOWED);
      await offer.waitFor();
      if (going) await page.getByRole("button", { name: "Go on with this token" }).click();
      if (going) await offer.waitFor({ state: "detached" });
    }
    await page.getByRole("button", { name: "Use another token" }).click();
    await enter(page, "a-token-of-nobody-here");
    await alert(page, "is not known here");
    await enter(page, GUEST);
    await page.getByRole("button", { name: "Drop your photos here" }).waitFor();
    await page.goto(at("/#/s/old-bridge"));
    await page.getByRole("heading", { name: "Not open to you" }).waitFor();
    await page.getByText(NOT_ALLOWED).waitFor();
    await page.getByRole("button", { name: "Use another token" }).click();
    await enter(page, CONTRIBUTE);
    await page.locator(".chip[data-status=live]").waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("CAP-2 a phone whose token is not known any more keeps its photos, and sends them with another one", async () => {
    const { page, complaints, context } = await known(CONTRIBUTE);
    await page.route("**/images?*", (route) => route.abort("connectionrefused"));
    await page.route("**/uploads", (route) => route.abort("connectionrefused"));
    await page.goto(at("/capture"));
    await page.locator(".chip[data-status=live]").waitFor();
    const picker = page.getByLabel("Photos", { exact: true });
    await picker.setInputFiles([{ name: photo.name, mimeType: "image/jpeg", buffer: photo.bytes }]);
    await page.locator(".strip li").waitFor();
    await page.unrouteAll();

    // Until the server has said that it wants another token, the page goes on with the one it has.
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route("**/v1/reach", (route) => held.then(() => route.continue()));
    await page.evaluate(() => localStorage.setItem("cairn-token", "a-token-of-nobody-here"));
    await page.reload();
    await page.getByText("1 photo not yet on the server. What waits stays on this phone").waitFor();
    await page.locator(".strip li button").click();
    await page.getByRole("button", { name: "Throw away" }).waitFor();
    await assertReadable(page, "what waits on a phone that is not let in");
    answer();
    await alert(page, "is not known here");
    await enter(page, CONTRIBUTE);
    await page.locator(".strip [data-state=kept]").waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("GEN-34 GEN-35 depth: photos go with the token, and one who only watches sees the session and not more", async () => {
    const [giver, watcher] = [await known(CONTRIBUTE), await known(VIEW)];
    await giver.page.goto(at("/depth/"));
    await drop(giver.page, [photo]);
    await giver.page.getByRole("button", { name: "Generate" }).click();
    await giver.page.locator(".previews li.stored").waitFor();
    await watcher.page.goto(at("/depth/"));
    await drop(watcher.page, [photo]);
    await watcher.page.getByRole("button", { name: "Generate" }).click();
    await alert(watcher.page, NOT_ALLOWED);
    await watcher.page.goto("about:blank");
    await watcher.page.goto(giver.page.url());
    await watcher.page.getByText("1 photo in this session from before.").waitFor();
    for (const { complaints, context } of [giver, watcher]) {
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });

  test("GEN-34 GEN-35 image tools: uploads, pictures and files carry the token; what one who watches tries is refused in words", async () => {
    const [giver, watcher] = [await known(CONTRIBUTE), await known(VIEW)];
    await fetch(at("/api/v1/sessions"), {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${CONTRIBUTE}` },
      body: JSON.stringify({ custom_session_id: SESSION }),
    });
    for (const { page } of [giver, watcher]) {
      await page.goto(at(`/imagetools/#/${SESSION}`));
      await page.locator(".chip[data-status=connected]").waitFor();
    }
    await drop(giver.page, [photo]);
    for (const { page } of [giver, watcher]) {
      await page.waitForFunction(() => {
        const picture = document.querySelector<HTMLImageElement>(".tile a img");
        return picture?.complete === true && picture.naturalWidth > 0;
      });
    }
    const { page } = watcher;
    const original = (await page.locator(".tile a").getAttribute("href")) ?? "";
    assert.equal((await fetch(original)).status, 200);
    await page.getByRole("checkbox", { name: `Select ${photo.name}` }).check();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save" }).click(),
    ]);
    assert.equal(download.suggestedFilename(), "images.zip");
    // A message goes by itself, so it is looked for before anything that may take longer.
    const told = page.locator(".toast.bad").getByText(NOT_ALLOWED).waitFor();
    await page.getByRole("button", { name: "Turn right" }).click();
    await told;
    await drop(page, [photo]);
    await page.locator(".tile.unused").getByText(NOT_ALLOWED).waitFor();
    for (const { complaints, context } of [giver, watcher]) {
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });

  test("GEN-34 GEN-35 designs: list, picture, model and file come with the token, and who is let into one place only is told", async () => {
    const watcher = await known(VIEW);
    await watcher.page.goto(at("/meshes/"));
    await chip(watcher.page, "connected");
    const row = watcher.page.locator(".designs li", { hasText: "part" });
    await row.getByRole("button").click();
    const card = watcher.page.getByRole("region", { name: "Design part" });
    await card.getByText("1 face", { exact: true }).waitFor();
    await watcher.page.waitForFunction(
      () => (document.querySelector<HTMLImageElement>(".designs img")?.naturalWidth ?? 0) > 0,
    );
    const [download] = await Promise.all([
      watcher.page.waitForEvent("download"),
      card.getByRole("link", { name: "Download" }).click(),
    ]);
    assert.equal(await readFile((await download.path())!, "utf8"), TRIANGLE);
    const guest = await known(GUEST);
    await guest.page.goto(at("/meshes/"));
    await chip(guest.page, "closed");
    await alert(guest.page, NOT_ALLOWED);
    for (const { complaints, context } of [watcher, guest]) {
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });
});
