/** Devices: counted on the start page; on a space's page seen and held by one window at a time, and stopped from any. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { serveDevice } from "@cairn/client";
import { connect, openApi } from "@cairn/client/node";
import type { Page } from "playwright-core";
import { PATIENCE_MS, until, visit, widest } from "./faces/browser.ts";
import { openStage } from "./faces/stage.ts";
import { TRIANGLE } from "./faces/triangle.ts";

const stage = openStage(async (folder) => {
  const dir = join(folder, "designs");
  await mkdir(dir);
  await writeFile(join(dir, "part.stl"), TRIANGLE);
  return { meshFolders: [{ name: "current", dir }] };
});

/** A drone that says what it was told. */
function drone(device: string, space = "place") {
  const connection = connect({ url: stage.server.url, space });
  const done: string[] = [];
  const served = serveDevice(
    connection,
    {
      device,
      kinds: {
        hover: { properties: {} },
        land: { properties: {} },
        move: { properties: { x: { type: "number" } }, required: ["x"] },
      },
      safe: { kind: "hover" },
      stop: { kind: "land" },
      ttlMs: 60_000,
    },
    {
      command: ({ kind }) => {
        done.push(kind);
        return `${kind}ing`;
      },
      secure: (what) => void done.push(what),
    },
    { lineMs: 600_000 },
  );
  return {
    done,
    leave() {
      served.close();
      connection.close();
    },
  };
}

const says = (page: Page, device: string, text: string) =>
  page.locator(`[data-device="${device}"]`).getByText(text, { exact: true }).waitFor();
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const STOP = /^STOP/;

test("CTL-21 one window takes a device and steers it, the other sees who and stops it, and a window that closes loses it", {
  timeout: 2 * PATIENCE_MS,
}, async () => {
  await openApi(stage.server).createSpace({ id: "place", title: "Place" });
  const ann = await visit(stage.browser, `${stage.server.url}/#/s/place`);
  const bob = await visit(stage.browser, ann.page.url());
  for (const { page } of [ann, bob]) {
    await page.locator(".chip[data-status=live]").waitFor();
    assert.equal(await page.getByRole("region", { name: "Devices" }).count(), 0, "there are none");
  }
  const red = drone("red");
  for (const { page } of [ann, bob]) await says(page, "red", "Free");
  assert.equal(await button(ann.page, "Take red").isDisabled(), true, "nobody takes it without a name");

  await ann.page.getByLabel("Your name").fill("Ann");
  await button(ann.page, "Take red").click();
  await says(ann.page, "red", "You hold it");
  await says(bob.page, "red", "Held by Ann");
  await bob.page.getByLabel("Your name").fill("Bob");
  assert.equal(await button(bob.page, "Take red").isDisabled(), true);
  assert.equal(await button(ann.page, "move").count(), 0, "it takes more than a word");
  await button(ann.page, "hover").click();
  await ann.page.getByText("hover: hovering").waitFor();

  await bob.page.getByRole("button", { name: STOP }).click();
  for (const [{ page }, who] of [
    [ann, "You hold it"],
    [bob, "Held by Ann"],
  ] as const) {
    await says(page, "red", `Stopped, by Bob · ${who}`);
  }
  assert.deepEqual(red.done, ["hover", "stop"]);
  assert.equal(await button(ann.page, "hover").count(), 0);
  await button(ann.page, "Clear the stop of red").click();
  await says(ann.page, "red", "You hold it");
  await button(ann.page, "Release red").click();
  for (const { page } of [ann, bob]) await says(page, "red", "Free");
  await until(() => red.done.includes("safe"));

  await button(bob.page, "Take red").click();
  await says(ann.page, "red", "Held by Bob");
  // A stop needs no name.
  const blue = drone("blue");
  await says(ann.page, "blue", "Free");
  await ann.page.getByLabel("Your name").fill("");
  await button(ann.page, "Stop blue").click();
  await says(bob.page, "blue", "Stopped");
  await ann.page.getByRole("button", { name: STOP }).click();
  await says(ann.page, "red", "Stopped · Held by Bob");
  await button(bob.page, "Clear the stop of red").click();
  await says(ann.page, "red", "Held by Bob");

  assert.equal(await widest(ann.page, ".devices"), 320);
  await bob.page.context().close();
  await says(ann.page, "red", "Free");
  await until(() => red.done.at(-1) === "safe");
  assert.deepEqual(red.done, ["hover", "stop", "safe", "stop", "safe"]);
  red.leave();
  await ann.page.locator(`[data-device="red"]`).waitFor({ state: "detached" });
  blue.leave();
  await says(ann.page, "blue", "Stopped · away");
  assert.deepEqual([...ann.complaints, ...bob.complaints], []);
});

test("CTL-21 who goes to another page lets go at once", { timeout: PATIENCE_MS }, async () => {
  await openApi(stage.server).createSpace({ id: "field", title: "Field" });
  const { page, complaints } = await visit(stage.browser, `${stage.server.url}/#/s/field`);
  const grey = drone("grey", "field");
  await page.getByLabel("Your name").fill("Ann");
  await button(page, "Take grey").click();
  await says(page, "grey", "You hold it");
  await page.evaluate(() => {
    location.hash = "#/";
  });
  await until(() => grey.done.includes("safe"));
  // Let go, and not lost because three heartbeats were missed.
  const ends = async () => {
    const { events } = await openApi(stage.server).events("field", 0);
    return events.flatMap(({ type, data }) => (type === "control.released" ? data.reason : []));
  };
  while ((await ends()).length === 0) await setTimeout(20);
  assert.deepEqual(await ends(), ["released"]);
  grey.leave();
  assert.deepEqual(complaints, []);
});

test("HTTP-31 the start page says what each space holds, and leads from the designs to their page", async (t) => {
  const api = openApi(stage.server);
  await api.createSpace({ id: "yard", title: "Yard" });
  await api.createSpace({ id: "nothing", title: "Nothing yet" });
  const connection = connect({ url: stage.server.url, space: "yard" });
  const device = {
    device: "rover",
    kinds: { halt: { properties: {} } },
    safe: { kind: "halt" },
    stop: { kind: "halt" },
  };
  const rover = serveDevice(connection, { ...device, ttlMs: 60_000 }, { command: ({ kind }) => kind, secure() {} });
  t.after(() => {
    rover.close();
    connection.close();
  });
  const known = async (id: string) => (await api.spaces()).find((space) => space.id === id);
  while ((await known("yard"))?.devices !== 1 || (await known("mesh-designs"))?.designs !== 1) await setTimeout(20);
  const { page, complaints } = await visit(stage.browser, stage.server.url);
  const says = (name: RegExp) => page.getByRole("link", { name }).locator("span").innerText();
  assert.equal(await says(/Yard/), "1 device");
  assert.equal(await says(/Nothing yet/), "Empty");
  assert.equal(await says(/Designs/), "1 design");
  await page.getByRole("link", { name: /Designs/ }).click();
  await page.waitForURL(/\/meshes\/$/);
  await page.locator(".designs li", { hasText: "part" }).waitFor();
  assert.deepEqual(complaints, []);
});
