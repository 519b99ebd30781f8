/** The way of a phone to its space: a code on another screen, https, a token; and what is said where there is no camera. */
/// <reference path="../../src/phone/qrcode.d.ts" />
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { create } from "qrcode";
import sharp from "sharp";
import { openBrowser, visit } from "../faces/browser.ts";
import { openPhone, type Phone, PORTRAIT } from "./phone.ts";

declare global {
  var lock: WakeLockSentinel | undefined;
}

const TOKEN = "a-token+of/the-operator";
const SENDER = "a-token-of-one-who-sends";
const TOKENS = [
  { token: TOKEN, role: "operate" },
  { token: SENDER, role: "contribute" },
];
/** A name that is no loopback: what comes from there by plain HTTP is no secure context. */
const LAN = "--host-resolver-rules=MAP cairn.lan 127.0.0.1";

let phone: Phone;
let server: ChildProcess;
let port: string;
let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "cairn-way-"));
  await writeFile(join(dir, "tokens.json"), JSON.stringify(TOKENS));
  const binary = fileURLToPath(new URL("../../../cli/bin/cairn.mjs", import.meta.url));
  const words = ["serve", "--https", "--host", "127.0.0.1", "--port", "0", "--tokens", join(dir, "tokens.json")];
  server = spawn(process.execPath, [binary, ...words, "--data", join(dir, "data"), "--preset", "sparse"], {
    env: { ...process.env, NTP_SERVER: "off" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let said = "";
  for await (const piece of server.stdout!) {
    said += String(piece);
    if (said.includes("\n")) break;
  }
  port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? "";
  assert.ok(port, said);
  phone = await openPhone([LAN]);
});

after(async () => {
  await phone?.close();
  if (server && server.exitCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
  if (dir) await rm(dir, { recursive: true, force: true });
});

const asPhone = { viewport: PORTRAIT, hasTouch: true, isMobile: true, ignoreHTTPSErrors: true };

/** What a camera sees of the code: a square is as dark as its middle. */
async function squaresOf(page: Page, side: number): Promise<string> {
  const { data, info } = await sharp(await page.locator(".qr-code").screenshot())
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const drawn = Math.min(info.width, info.height);
  const [left, top] = [(info.width - drawn) / 2, (info.height - drawn) / 2];
  const at = (square: number) => ((square + 0.5) * drawn) / side;
  let squares = "";
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const pixel = Math.floor(top + at(row)) * info.width + Math.floor(left + at(column));
      squares += data[pixel * info.channels]! < 128 ? "#" : ".";
    }
    squares += "\n";
  }
  return squares;
}

/** The same of what a code for this text looks like, with its quiet zone. */
function squaresFor(text: string): { squares: string; side: number } {
  const { size, data } = create(text, { errorCorrectionLevel: "M" }).modules;
  const side = size + 8;
  const empty = ".".repeat(side);
  const rows = Array.from({ length: size }, (_, row) => {
    const own = [...data.subarray(row * size, (row + 1) * size)].map((dark) => (dark ? "#" : "."));
    return `....${own.join("")}....`;
  });
  return { squares: `${[empty, empty, empty, empty, ...rows, empty, empty, empty, empty].join("\n")}\n`, side };
}

test("CAP-12 a code on one screen brings a phone, its token and its camera to the space", async () => {
  // Who is not let in is asked for a token, once: not before by a page that hears no to something else first.
  let offered = false;
  const before = async (fresh: Page) => {
    await fresh.exposeFunction("noteOffer", () => {
      offered = true;
    });
    await fresh.addInitScript(() => {
      new MutationObserver(() => {
        if (document.querySelector(".token-offer")) (globalThis as unknown as { noteOffer(): void }).noteOffer();
      }).observe(document, { childList: true, subtree: true });
    });
    await fresh.route("**/v1/reach", async (route) => {
      await setTimeout(500);
      await route.continue();
    });
  };
  const { page, complaints } = await visit(phone.browser, `http://cairn.lan:${port}/`, { before });
  // Nobody comes in without a token, nor with any.
  const enter = async (token: string) => {
    await page.getByLabel("Token").fill(token);
    await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Come in" }).click()]);
  };
  await enter("some-other-token-of-mine");
  await page.getByText("is not known here").waitFor();
  await enter(TOKEN);
  await page.getByRole("heading", { name: "Cairn" }).waitFor();
  assert.equal(offered, false);
  const made = await page.evaluate(async (token) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return (await fetch("./v1/spaces", { method: "POST", headers, body: '{"title":"Courtyard"}' })).json();
  }, TOKEN);
  const space = String((made as { id: string }).id);
  await page.goto(`http://cairn.lan:${port}/#/s/${space}`);
  await page.locator(".chip[data-status=live]").waitFor();
  await page.getByRole("button", { name: "Add a phone" }).click();
  const url = `https://cairn.lan:${port}/capture?space=${space}#${new URLSearchParams({ token: TOKEN }).toString()}`;
  const { squares, side } = squaresFor(url);
  await page.locator(".qr-code").waitFor();
  await page.getByText("carries your token").waitFor();
  assert.equal(await squaresOf(page, side), squares);
  await page.getByText("The phone will warn once").click();
  await page.getByText(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".phone-dialog").waitFor({ state: "detached" });

  const { page: hand, complaints: others } = await visit(phone.browser, url, asPhone);
  await hand.locator(".shutter:enabled").click();
  await hand.locator(".strip [data-state=kept], .strip [data-state=unplaced]").waitFor();
  assert.equal(hand.url(), `https://cairn.lan:${port}/capture?space=${space}`, "no token to copy with the address");
  // Also a picture that the browser fetches by itself, on the other screen.
  await page.waitForFunction(() => {
    const image = document.querySelector<HTMLImageElement>(".photos img");
    return image?.complete && image.naturalWidth > 0;
  });
  await hand.reload();
  await hand.locator(".shutter:enabled").waitFor();
  assert.deepEqual([...complaints, ...others], []);
  for (const each of [page, hand]) await each.context().close();
});

test("CAP-1 CAP-10 by http the page says why the camera is closed and brings one to https", async () => {
  const fragment = `#${new URLSearchParams({ token: TOKEN }).toString()}`;
  const { page, complaints } = await visit(phone.browser, `http://cairn.lan:${port}/capture${fragment}`, asPhone);
  await page.getByText("The camera needs HTTPS").waitFor();
  const before = await page.evaluate(() => location.href);
  await page.getByRole("link", { name: "Open this page by HTTPS" }).click();
  await page.waitForURL((url) => url.protocol === "https:");
  await page.locator(".shutter:enabled").waitFor();
  await page.locator(".capture[data-camera=on]").waitFor();
  assert.equal(new URL(page.url()).search, new URL(before).search, "the same space");
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("CAP-1 a camera that is refused, and one that is not there, are said and tried again; photos go on", async () => {
  const url = `http://127.0.0.1:${port}/capture#${new URLSearchParams({ token: TOKEN }).toString()}`;
  const strict = await openPhone([], true);
  try {
    const { page, complaints } = await visit(strict.browser, url, { viewport: PORTRAIT });
    await page.getByText("The camera is not allowed").waitFor();
    await page.context().grantPermissions(["camera"]);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".capture[data-camera=on]").waitFor();
    assert.deepEqual(complaints, []);
  } finally {
    await strict.close();
  }

  const browser = await openBrowser(); // without a camera
  try {
    const { page: blind } = await visit(browser, url, { viewport: PORTRAIT });
    await blind.getByText("No camera found").waitFor();
    // The shutter is the phone's own app then.
    const chooser = blind.waitForEvent("filechooser");
    await blind.locator(".shutter:enabled").click();
    assert.equal(await (await chooser).element().getAttribute("capture"), "environment");
  } finally {
    await browser.close();
  }
});

test("CAP-14 the screen stays on; a token that may not stream leaves photos, and says so", async () => {
  const url = `http://127.0.0.1:${port}/capture#${new URLSearchParams({ token: SENDER }).toString()}`;
  const { page, complaints } = await visit(phone.browser, url, {
    viewport: PORTRAIT,
    before: async (each) => {
      await each.addInitScript(() => {
        const { request } = WakeLock.prototype;
        WakeLock.prototype.request = async function (type) {
          globalThis.lock = await request.call(this, type);
          return globalThis.lock;
        };
      });
    },
  });
  await page.waitForFunction(() => globalThis.lock?.released === false);
  await page.getByRole("button", { name: "Video" }).click();
  await page.getByText("allows photos, but no video").waitFor();
  assert.ok(await page.locator(".shutter").isDisabled());
  await page.getByRole("button", { name: "Photo", exact: true }).click();
  // By keyboard alone.
  await page.locator(".shutter:enabled").press("Enter");
  await page.locator(".strip li").waitFor();
  await page.getByRole("button", { name: /^Photo of .*: (On disk|Not yet placed)/ }).waitFor();
  assert.deepEqual(complaints, []);
  await page.context().close();
});
