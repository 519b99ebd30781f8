/** What goes wrong or is taken back in the page of a space: code that does not come, models gone back to, clouds that were wrong. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { openApi } from "@cairn/client/node";
import { openCore } from "@cairn/core";
import type { EventDraft } from "@cairn/protocol";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { assertReadable } from "./accessible.ts";
import { drop, PATIENCE_MS, visit } from "./faces/browser.ts";
import { openStage } from "./faces/stage.ts";

const PHOTOS = ["a.jpg", "b.jpg"].map((name) => ({ name, image: randomUUID() }));
const NOT_LOADED = /This part of the page could not be loaded/;

const photoAdded = ({ name, image }: (typeof PHOTOS)[number]): EventDraft => ({
  type: "image.added",
  data: {
    ...{ image, name, blob: image.replaceAll("-", "").repeat(2), mediaType: "image/jpeg", sizeBytes: 1 },
    ...{ width: 800, height: 600, orientation: 1, source: "http" },
  },
});

/** A model of the first photos. */
function model(generation: number, photos: typeof PHOTOS): EventDraft[] {
  const intrinsics = { model: "PINHOLE" as const, width: 800, height: 600, params: [500, 500, 400, 300] };
  return [
    { type: "generation.started", data: { generation } },
    ...photos.flatMap(({ image }, i): EventDraft[] => {
      const pose = { rotation: [1, 0, 0, 0], translation: [-i, 0, 0] } as const;
      const posed = { image, pose: structuredClone(pose) as never, intrinsics, reprojectionPx: 0.5 };
      return [
        { type: "camera.posed", data: { generation, ...posed } },
        { type: "image.judged", data: { image, verdict: "registered", reprojectionPx: 0.5 } },
      ];
    }),
    { type: "generation.published", data: { generation, cameras: photos.length, points: 0, refined: photos.length } },
  ];
}

const stage = openStage(async (folder) => {
  const core = await openCore({ dataDir: join(folder, "data") });
  const { log } = await core.spaces.create({ id: "yard" });
  await log.append([...PHOTOS.map(photoAdded), ...model(1, PHOTOS.slice(0, 1)), ...model(2, PHOTOS)]);
  await core.close();
  return {};
});

const at = (path: string) => `${stage.server.url}/${path}`;
const live = (page: Page) => page.locator(".chip[data-status=live]").waitFor();
const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });

describe("mishaps in the page", { timeout: 3 * PATIENCE_MS }, () => {
  test("code that does not come is said where it was asked for; all the rest goes on, and asking again fetches again", async () => {
    const { page } = await visit(stage.browser, at("#/s/yard"));
    await live(page);
    await page.route("**/assets/phone-dialog*", (route) => route.abort());
    await button(page, "Add a phone").click();
    await page.getByRole("dialog").getByText(NOT_LOADED).waitFor();
    await button(page, "Close").click();
    await live(page);
    await page.unroute("**/assets/phone-dialog*");
    await button(page, "Add a phone").click();
    await page.getByRole("dialog").getByText("This server talks to this machine only").waitFor();
    await page.route("**/assets/*-page-*.js", (route) => route.fulfill({ status: 404, body: "{}" }));
    await page.goto(at("heritage/"));
    await page.getByRole("alert").getByText(NOT_LOADED).waitFor();
    await assertReadable(page, "a page without its code");
    await page.unroute("**/assets/*-page-*.js");
    await page.route("**/assets/index-*.js", (route) => route.abort());
    await button(page, "Reload").click();
    await page.getByText("If nothing comes, reload").waitFor();
    await page.unroute("**/assets/index-*.js");
    await page.reload();
    await button(page, "Connect").waitFor();
    await page.context().close();
  });

  test("what breaks in a page is said in an empty window's place", async () => {
    const { page } = await visit(stage.browser, at(""), {
      before: async (fresh) => {
        await fresh.route("**/v1/spaces", (route) => route.fulfill({ json: { spaces: [null] } }));
      },
    });
    await page.getByRole("alert").getByText("Something broke in this page").waitFor();
    await page.unroute("**/v1/spaces");
    await button(page, "Reload").click();
    await page.getByRole("link", { name: "yard" }).waitFor();
    await page.context().close();
  });

  test("GENR-2 of an earlier model the page says which photos are not in it, and every model keeps its name", async () => {
    const { page, complaints } = await visit(stage.browser, at("#/s/yard"));
    const said = (text: string) => page.locator(".panel-title span").getByText(text, { exact: true }).waitFor();
    const goBack = async (from: string) => {
      await button(page, new RegExp(`^Go back to ${from},`)).click();
      await page.locator(".history li[aria-current=true]", { hasText: `back to ${from.toLowerCase()}` }).waitFor();
    };
    await said("2 of 2 placed");
    await button(page, "History").click();
    // For a moment only: looked for before it comes.
    const told = page.waitForFunction(() => {
      const button = document.querySelector(".toast button");
      const { x, y, width, height } = button?.getBoundingClientRect() ?? new DOMRect();
      return button?.contains(document.elementFromPoint(x + width / 2, y + height / 2));
    });
    await goBack("Model 1");
    await told; // and the menu does not lie over it
    await said("1 of 2 placed");
    await page.locator(".photos li.waiting", { hasText: "b.jpg" }).getByText("Not in the model shown").waitFor();
    await goBack("Model 2");
    await said("2 of 2 placed");
    await goBack("Model 3");
    await said("1 of 2 placed");
    const names = await page.locator(".history strong").allInnerTexts();
    assert.deepEqual(
      names.map((name) => name.split(",")[0]),
      [5, 4, 3, 2, 1].map((number) => `Model ${number}`),
    );
    await page.setViewportSize({ width: 390, height: 844 });
    const roomPx = await page.locator(".history .button").evaluateAll((buttons) => {
      const words = document.createRange();
      const left = (each: Element) => {
        words.selectNodeContents(each);
        return words.getBoundingClientRect().left - each.getBoundingClientRect().left;
      };
      return Math.min(...buttons.map(left));
    });
    assert.ok(roomPx >= 8, `${roomPx} px beside the words of a button in a hand`);
    await page.setViewportSize({ width: 1100, height: 700 });
    // Their bytes are nowhere.
    await page.keyboard.press("Escape");
    const pictures = page.locator(".photos li img");
    await page.locator(".photos li .no-picture").nth(1).waitFor();
    assert.equal(await pictures.count(), 0, "no picture is better than a broken one");
    const body = await sharp({ create: { width: 8, height: 6, channels: 3, background: "#aa5500" } })
      .png()
      .toBuffer();
    await page.route("**/thumbnail?*", (route) => route.fulfill({ contentType: "image/png", body }));
    await page.context().setOffline(true);
    await page.locator(".chip[data-status=offline]").waitFor();
    await page.context().setOffline(false);
    await pictures.nth(1).waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test("EXC-13 a cloud that was added is in the list, and goes again for everyone", async () => {
    const { id } = await openApi(stage.server).createSpace({ title: "scan" });
    const { page, complaints } = await visit(stage.browser, at(`#/s/${id}`));
    const other = await visit(stage.browser, at(`#/s/${id}`));
    await live(page);
    const head = ["ply", "format ascii 1.0", "element vertex 3", ..."xyz"].map((word) =>
      word.length === 1 ? `property float ${word}` : word,
    );
    const bytes = Buffer.from([...head, "end_header", "0 0 0", "1 0 0", "0 1 0", ""].join("\n"));
    await drop(page, [{ name: "wrong place.ply", type: "", bytes }]);
    for (const each of [page, other.page]) {
      await each.locator(".photos li", { hasText: "wrong place" }).getByText("3 points").waitFor();
    }
    const away = button(page, "Remove wrong place.ply");
    await away.click();
    await assertReadable(page, "the question whether a cloud goes");
    await button(page, "Keep it").click();
    await away.click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    for (const each of [page, other.page]) {
      await each.locator(".photos li", { hasText: "wrong place" }).waitFor({ state: "detached" });
      await each.getByText("0 points").waitFor();
    }
    assert.deepEqual([...complaints, ...other.complaints], []);
    await page.context().close();
    await other.page.context().close();
  });

  test("photos go on being sent when their space is left, and are there for who comes back", async () => {
    const { id } = await openApi(stage.server).createSpace({ title: "left", settings: { reconstruct: false } });
    const { page, complaints } = await visit(stage.browser, at(`#/s/${id}`));
    await live(page);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(`**/v1/spaces/${id}/images**`, async (route) => {
      if (route.request().method() === "POST") await held;
      await route.continue();
    });
    const photos = await Promise.all(
      ["red", "green", "blue"].map(async (background) => {
        const create = { width: 64, height: 48, channels: 3 as const, background };
        return { name: `${background}.jpg`, type: "image/jpeg", bytes: await sharp({ create }).jpeg().toBuffer() };
      }),
    );
    await drop(page, photos);
    const uploading = page.locator(".photos li.uploading");
    await uploading.nth(2).waitFor();
    const leave = () =>
      page.evaluate(() => {
        location.hash = "#/";
      });
    await leave();
    await page.getByText("Try the sample capture").waitFor();
    await page.goBack();
    await uploading.nth(2).waitFor();
    await live(page);
    await leave();
    await page.getByText("Try the sample capture").waitFor();
    release();
    const arrived = async () => (await openApi(stage.server).images(id)).length;
    while ((await arrived()) < 3) await setTimeout(50);
    await page.goBack();
    await page.getByText("3 photos").first().waitFor();
    assert.equal(await uploading.count(), 0);
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test("a name that was refused is not shown, and not asked for again by itself", async () => {
    const { id } = await openApi(stage.server).createSpace({ title: "quarry" });
    const { page, complaints } = await visit(stage.browser, at(`#/s/${id}`));
    await live(page);
    const refusal = { code: "auth.forbidden", detail: "", retry: false, facts: {} };
    let asked = 0;
    await page.route(`**/v1/spaces/${id}`, (route) => {
      asked++;
      return route.fulfill({ status: 403, json: refusal });
    });
    const name = page.getByRole("textbox", { name: "Name of this space" });
    await name.fill("pit");
    await name.press("Enter");
    await page.locator(".toast", { hasText: "Not renamed" }).waitFor();
    await page.locator(".name h1").getByText("quarry").waitFor();
    assert.equal(await name.inputValue(), "quarry");
    await name.focus();
    await name.blur();
    await page.unroute(`**/v1/spaces/${id}`);
    // Whoever asks again is heard, also for the same name.
    await name.fill("pit");
    await name.press("Enter");
    await page.waitForFunction(() => document.title === "pit · Cairn");
    assert.equal(asked, 1);
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test("KEY-11 where nothing is live the page asks for video ever more seldom", async () => {
    const asked: number[] = [];
    const { page } = await visit(stage.browser, at("#/s/yard"), {
      before: async (fresh) => {
        await fresh.clock.install();
        fresh.on("request", (request) => request.url().endsWith("/v1/video") && asked.push(performance.now()));
      },
    });
    await live(page);
    const pageS = async () => (await page.evaluate(() => performance.now())) / 1000;
    const fromS = await pageS();
    asked.length = 0;
    for (let s = 0; s < 120; s += 2) await page.clock.runFor(2000);
    // Its own time goes on as well while the test lets some pass.
    const seconds = (await pageS()) - fromS;
    assert.ok(seconds >= 120, `${seconds} s`);
    assert.ok(asked.length <= 6 + seconds / 12, `${asked.length} times in ${seconds} s`);
    await page.context().close();
  });
});
