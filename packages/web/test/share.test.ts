/** A page's address on its way to others, in a real browser. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openApi } from "@cairn/client/node";
import { type RunningServer, startServer } from "@cairn/server";
import type { Browser } from "playwright-core";
import { openBrowser, visit } from "./faces/browser.ts";

let browser: Browser;
let server: RunningServer;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cairn-share-"));
  server = await startServer({ port: 0, dataDir, logLevel: "error", openEngine: null });
  // A name that is no loopback: a page that came from there by plain HTTP is not lent the clipboard.
  browser = await openBrowser("--host-resolver-rules=MAP cairn.lan 127.0.0.1");
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

test("Share copies the address, by plain http from another machine, too", async () => {
  await openApi(server).createSpace({ id: "yard" });
  const url = `http://cairn.lan:${new URL(server.url).port}/#/s/yard`;
  const { page, complaints } = await visit(browser, url);
  await page.getByRole("button", { name: "Share" }).click();
  await page.getByText("Link copied").waitFor();
  assert.equal(await page.locator("body > textarea").count(), 0, "nothing is left on the page");
  await page.evaluate(() => document.body.append(document.createElement("textarea")));
  await page.locator("body > textarea").focus();
  await page.keyboard.press("Control+V");
  assert.equal(await page.locator("body > textarea").inputValue(), url);
  assert.deepEqual(complaints, []);
});
