/** The faces' pages over lines that are slow, break, or end: what was sent, and what the page says of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { chip, type Dropped, drop, visit } from "./browser.ts";
import { fakeLines } from "./fake-lines.ts";
import { openStage } from "./stage.ts";

const stage = openStage();

const visitFake = (path: string) => visit(stage.browser, `${stage.server.url}/${path}`, { before: fakeLines });
const photos = (count: number, sizeBytes = 30): Dropped[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${i}.jpg`, bytes: Buffer.alloc(sizeBytes) }));
const row = (page: Page, name: string, says: string) =>
  page.locator(".photos li", { hasText: name }).getByText(says).waitFor();

/** The counters of a project, as its server would give them. */
async function counters(page: Page, told: { total_images: number; queued_images: number }): Promise<void> {
  const json = { update_count: 0, epoch: 0, active_clients: 1, ...told };
  await page.route("**/projects/*/status", (route) => route.fulfill({ json }));
}

test("MSH-35 a photo that takes minutes to send is sent once; a line that only swallows is given up", async () => {
  const { page, complaints } = await visitFake("heritage/#/slow");
  await counters(page, { total_images: 0, queued_images: 1 });
  await chip(page, "connected");
  await page.evaluate(() => {
    net.bytesPerS = 2000;
  });
  await drop(page, photos(1, 300_000));
  await row(page, "0.jpg", "Uploading");
  await page.clock.runFor(240_000);
  await row(page, "0.jpg", "Waiting its turn");
  assert.deepEqual(await page.evaluate(() => [net.lines.length, net.begun("upload_image")]), [1, 1]);
  await page.evaluate(() => {
    net.deaf = true;
  });
  await page.clock.runFor(95_000);
  assert.ok((await page.evaluate(() => net.lines.length)) > 1);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("HER-14 a photo at which the line breaks each time is given up with a word, and those after it go on", async () => {
  const { page, complaints } = await visitFake("heritage/#/breaks");
  await counters(page, { total_images: 0, queued_images: 1 });
  await chip(page, "connected");
  await page.evaluate(() => Object.assign(net, { bytesPerS: 50_000, breaksAfter: 100_000 }));
  await drop(page, [...photos(1, 300_000), { name: "small.jpg", bytes: Buffer.alloc(30) }]);
  await row(page, "0.jpg", "Uploading");
  for (let s = 0; s < 60; s += 5) await page.clock.runFor(5000);
  await row(page, "0.jpg", "The connection broke 5 times while this photo was sent.");
  await row(page, "small.jpg", "Waiting its turn");
  assert.equal(await page.evaluate(() => net.begun("upload_image")), 6);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("HER-4 a project that is deleted while its page is open is not made again by it, and the page says so", async () => {
  const { page, complaints } = await visitFake("heritage/#/deleted");
  await chip(page, "connected");
  await page.evaluate(() => net.lines[0]!.end(1000));
  await page.getByRole("alert").getByText("This project was deleted.").waitFor();
  await page.clock.runFor(10_000);
  await chip(page, "closed");
  assert.equal(await page.evaluate(() => net.lines.length), 1);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("HER-9 photos that were done while the line was away are known to be after it; a late word of one is heard", async () => {
  const { page, complaints } = await visitFake("heritage/#/away");
  await counters(page, { total_images: 0, queued_images: 2 });
  await chip(page, "connected");
  await drop(page, photos(1));
  await row(page, "0.jpg", "Uploading");
  await page.clock.runFor(2000);
  await row(page, "0.jpg", "Waiting its turn");
  await page.evaluate(() => {
    for (const image_id of ["photo 1", "theirs"]) net.lines[0]!.say({ type: "processing_started", image_id });
  });
  await row(page, "0.jpg", "Reconstructing");
  await row(page, "someone else", "Reconstructing");
  await counters(page, { total_images: 2, queued_images: 0 });
  await page.evaluate(() => net.lines[0]!.end(1006));
  await page.clock.runFor(5000);
  await row(page, "0.jpg", "Part of the project already");
  await row(page, "someone else", "Part of the project already");
  await page.evaluate(() =>
    net.lines.at(-1)!.say({ type: "processing_complete", image_id: "photo 1", total_images: 2 }),
  );
  await row(page, "0.jpg", "Done");
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("DEP-15 photos that a break kept back are no refused ones: nothing is made without them, and asking again sends them", async () => {
  const { page, complaints } = await visitFake("depth/");
  await drop(page, photos(3));
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator(".previews li", { hasText: "Sending" }).waitFor();
  await page.clock.runFor(1500);
  const states = (status: string) => page.locator(`.previews li.${status}`).count();
  await page.waitForFunction(() => net.arrived.some(({ type }) => type === "image"));
  await page.evaluate(() => {
    net.away = true;
    for (const line of net.lines) line.end(1006);
  });
  for (let s = 0; s < 120; s += 10) await page.clock.runFor(10_000);
  await page.getByRole("alert").getByText("The connection to the server broke").waitFor();
  assert.equal(await states("refused"), 0);
  assert.equal(await states("new"), 2);
  assert.equal(await page.evaluate(() => net.begun("generate")), 0);
  await page.evaluate(() => {
    net.away = false;
  });
  await page.getByRole("button", { name: "Generate" }).click();
  for (let s = 0; s < 10; s++) await page.clock.runFor(1000);
  await page.waitForFunction(() => net.begun("generate") === 1);
  assert.deepEqual(
    await page.evaluate(() => net.arrived.filter(({ type }) => type === "image").map(({ filename }) => filename)),
    ["0.jpg", "1.jpg", "2.jpg"],
  );
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("DEP-49 a file that cannot be read is said so, and the others go on", async () => {
  const { page, complaints } = await visitFake("depth/");
  await page.evaluate(() => {
    const read = File.prototype.arrayBuffer;
    File.prototype.arrayBuffer = function () {
      return this.name === "0.jpg" ? Promise.reject(new DOMException("gone", "NotReadableError")) : read.call(this);
    };
  });
  await drop(page, photos(2));
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator(".previews li.refused").getByText("This file cannot be read any more.").waitFor();
  for (let s = 0; s < 5; s++) await page.clock.runFor(1000);
  await page.waitForFunction(() => net.begun("generate") === 1);
  assert.equal(await page.evaluate(() => net.begun("image")), 1);
  assert.deepEqual(complaints, []);
  await page.context().close();
});
