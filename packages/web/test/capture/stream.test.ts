/** A phone streams: every consumer gets what was sent, byte for byte, decodes the same pictures, and the motion is told. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { serveDevice } from "@cairn/client";
import { connect, openApi } from "@cairn/client/node";
import { samplePhotosDir } from "@cairn/sample";
import { type RunningServer, startServer } from "@cairn/server";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { openBrowser, visit } from "../faces/browser.ts";
import { consume, consumedBy, streamOf } from "./consumer.ts";
import { filmPictures, openPhone, type Phone, PORTRAIT } from "./phone.ts";

declare global {
  var sent: Promise<string>[];
  var sockets: WebSocket[];
  var samples: string[];
}

const PICTURES = 24;
/** Encoded and decoded many times over. */
const SMALL_FILM = { width: 480, height: 320 };

let phone: Phone;
/** Another machine's, as far as browsers know of each other. */
let viewers: Browser;
let server: RunningServer;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cairn-stream-"));
  server = await startServer({ port: 0, dataDir, logLevel: "error", openEngine: null });
  phone = await openPhone([], false, SMALL_FILM);
  viewers = await openBrowser();
});

after(async () => {
  await phone?.close();
  await viewers?.close();
  await server?.close();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

/** A page that remembers the hash of every packet that it sends, and its sockets. */
async function openStreaming(query = ""): Promise<{ page: Page; source: string; complaints: string[] }> {
  const { page, complaints } = await visit(phone.browser, `${server.url}/capture${query}`, {
    viewport: PORTRAIT,
    before: async (each) => {
      await each.addInitScript(() => {
        globalThis.sent = [];
        globalThis.sockets = [];
        const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (this: WebSocket, data) {
          if (!globalThis.sockets.includes(this)) globalThis.sockets.push(this);
          if (data instanceof Uint8Array && this.url.includes("/ws/phone")) {
            const bytes = new Uint8Array(data);
            const hex = (digest: ArrayBuffer) =>
              [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
            globalThis.sent.push(crypto.subtle.digest("SHA-256", bytes).then(hex));
          }
          return send.call(this, data);
        };
      });
      const devtools = await each.context().newCDPSession(each);
      const feels = async (type: "accelerometer" | "linear-acceleration" | "gyroscope", xyz: object) => {
        const metadata = { available: true, minimumFrequency: 1, maximumFrequency: 60 };
        await devtools.send("Emulation.setSensorOverrideEnabled", { enabled: true, type, metadata });
        await devtools.send("Emulation.setSensorOverrideReadings", { type, reading: { xyz } as never });
      };
      await feels("accelerometer", { x: 0.5, y: 9.7, z: 1.2 });
      await feels("linear-acceleration", { x: 0, y: 0, z: 0 });
      await feels("gyroscope", { x: 0.1, y: -0.2, z: 0.3 });
    },
  });
  await page.locator(".shutter:enabled").waitFor();
  await page.getByRole("button", { name: "Video" }).click();
  await page.getByText("H.264 constrained baseline, 480 × 320").waitFor();
  await page.locator(".shutter:enabled").click();
  await page.waitForFunction(() => globalThis.sent.length > 3);
  const source = await page.evaluate(() => sessionStorage.getItem("cairn-source"));
  return { page, complaints, source: source ?? "" };
}

const has = (page: Page, pictures: number) =>
  page.waitForFunction(
    (n) => globalThis.consumed.problem !== undefined || globalThis.consumed.pictures.length >= n,
    pictures,
  );

test("CAP-4 video reaches every consumer byte for byte, and all of them decode the same pictures", async (t) => {
  const { page, source, complaints } = await openStreaming();
  const watchers: Page[] = [];
  for (const pictures of [PICTURES, PICTURES / 2]) {
    // Whoever comes gets all since the last key picture, of which there is one each two seconds.
    await watchers[0]?.waitForFunction((afterUs) => {
      const { pictures: seen } = globalThis.consumed;
      return seen.at(-1)![0] - seen[0]![0] > afterUs;
    }, 2.5e6);
    const { page: watcher } = await visit(viewers, `${server.url}/health`);
    await consume(watcher, source);
    await has(watcher, pictures); // the second one joins in the middle of what the first one has seen
    watchers.push(watcher);
  }
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Start" }).waitFor();
  const sent = await page.evaluate(() => Promise.all(globalThis.sent));
  // Whatever was sent last has come, and every packet has become a picture or waits in the decoder for the next.
  for (const watcher of watchers) {
    await watcher.waitForFunction((last) => globalThis.consumed.packets.at(-1) === last, sent.at(-1));
  }
  const [first, second] = await Promise.all(watchers.map(consumedBy));
  assert.ok(first && second);
  for (const { packets, pictures, problem, firstPictureMs } of [first, second]) {
    assert.equal(problem, undefined);
    assert.deepEqual(packets, sent.slice(-packets.length), "every packet from the first one on");
    assert.ok(packets.length < sent.length || packets === first.packets);
    assert.ok(pictures.length >= PICTURES / 2);
    t.diagnostic(`join to first picture decoded: ${firstPictureMs?.toFixed(0)} ms`);
  }
  const seen = new Map(first.pictures);
  const common = second.pictures.filter(([timestampUs]) => seen.has(timestampUs));
  assert.ok(common.length >= PICTURES / 4, `${common.length} pictures of both`);
  for (const [timestampUs, hash] of common) assert.equal(seen.get(timestampUs), hash);

  // The same pictures as ffmpeg makes of the same bytes: its frame hashes, of the digest that browsers have as well.
  const [watcher] = watchers;
  assert.ok(watcher);
  const input = await streamOf(watcher);
  const args = [
    "-v",
    "error",
    "-f",
    "h264",
    "-i",
    "-",
    "-pix_fmt",
    "yuv420p",
    "-f",
    "framehash",
    "-hash",
    "sha256",
    "-",
  ];
  const judge = spawnSync("ffmpeg", args, { input, maxBuffer: 2 ** 26, encoding: "utf8" });
  if (judge.error) t.diagnostic("SKIPPED: ffmpeg not found, so nobody else judges the pictures");
  else {
    const hashes = judge.stdout.split("\n").flatMap((line) => (line.startsWith("0,") ? [line.slice(-64)] : []));
    assert.equal(hashes.length, first.packets.length);
    assert.deepEqual(
      first.pictures.map(([, hash]) => hash),
      hashes.slice(0, first.pictures.length),
    );
  }

  // A broken line: the stream goes on with a key picture, which a new consumer decodes.
  await page.getByRole("button", { name: "Start" }).click();
  const before = await page.evaluate(() => {
    for (const socket of globalThis.sockets) if (socket.url.includes("/ws/phone")) socket.close();
    return globalThis.sent.length;
  });
  await page.waitForFunction((n) => globalThis.sent.length > n + 3, before);
  const { page: late } = await visit(viewers, `${server.url}/health`);
  await consume(late, source);
  await has(late, 3);
  assert.equal((await consumedBy(late)).problem, undefined);
  assert.deepEqual(complaints, []);
  for (const each of [page, late, ...watchers]) await each.context().close();
});

/** Mean difference of two pictures, 0 to 255. */
function difference(a: Uint8Array, b: Uint8Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
}

const small = (picture: Buffer) => sharp(picture).removeAlpha().resize(48, 32, { fit: "fill" }).raw().toBuffer();

test("CAP-13 who watches the space sees the picture of the phone, also after it was away, and no more when it ends", async (t) => {
  const { page, source, complaints } = await openStreaming();
  const space = new URL(page.url()).searchParams.get("space");
  const { page: watcher, complaints: others } = await visit(viewers, `${server.url}/#/s/${space}`);
  const canvas = watcher.locator(".live-picture canvas[data-state=showing]");
  await canvas.waitFor();
  const drawn = await watcher.evaluate(() =>
    document.querySelector<HTMLCanvasElement>(".live-picture canvas")?.toDataURL(),
  );
  const seen = await small(Buffer.from(drawn?.split(",")[1] ?? "", "base64"));
  const differences = await Promise.all(
    (await filmPictures(SMALL_FILM)).map(async (each) => difference(seen, await small(each))),
  );
  differences.sort((a, b) => a - b);
  t.diagnostic(`differences from the film's pictures: ${differences.map((each) => each.toFixed(1)).join(" ")}`);
  assert.ok(
    differences[0]! < 16 && differences[1]! > 2 * differences[0]!,
    `one of the film's pictures: ${differences}`,
  );

  // It goes on, also over a new line of the phone's.
  const goesOn = async () => {
    const pictures = () => Number(document.querySelector<HTMLElement>(".live-picture canvas")?.dataset.pictures ?? 0);
    const from = await watcher.evaluate(pictures);
    await watcher.waitForFunction((before) => {
      const now = Number(document.querySelector<HTMLElement>(".live-picture canvas")?.dataset.pictures);
      // While the phone is away there may be no canvas, and a new one counts from the beginning.
      return now > before + 3 || (now < before && now > 3);
    }, from);
  };
  await goesOn();
  const sent = await page.evaluate(() => {
    for (const socket of globalThis.sockets) if (socket.url.includes("/ws/phone")) socket.close();
    return globalThis.sent.length;
  });
  await page.waitForFunction((n) => globalThis.sent.length > n, sent);
  await canvas.waitFor();
  await goesOn();

  // By hand, and for ears.
  await watcher.getByRole("region", { name: "Live video of phone-" }).waitFor();
  await watcher.getByRole("button", { name: "Show it large" }).click();
  // Nothing from the phone for a moment: it comes back as large as it was.
  await watcher.route("**/v1/video", (route) => route.fulfill({ json: { sources: [], pictures: [] } }));
  await watcher.locator(".live-card").waitFor({ state: "detached" });
  await watcher.unrouteAll({ behavior: "wait" });
  await watcher.getByRole("button", { name: "Show it small" }).click();
  await watcher.getByRole("button", { name: "Hide the live video" }).click();
  await watcher.getByRole("button", { name: "Live video" }).click();
  await canvas.waitFor();

  // A page that nobody sees takes no video.
  const consumers = async () => {
    const { sources } = (await (await fetch(`${server.url}/v1/video`)).json()) as {
      sources: { source: string; consumers: number }[];
    };
    return sources.find((each) => each.source === source)?.consumers;
  };
  const show = (visibility: DocumentVisibilityState) =>
    watcher.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, visibility);
  while ((await consumers()) !== 1) await setTimeout(20); // the one before it has gone
  await show("hidden");
  while ((await consumers()) !== 0) await setTimeout(20);
  await show("visible");
  await goesOn();
  assert.deepEqual([...complaints, ...others], []);
  await page.context().close();
  await watcher.locator(".live-card").waitFor({ state: "detached" });
  await watcher.context().close();
});

test("CAP-6 motion arrives with its digits, axes and units, on the clock of the pictures", async () => {
  const { page, source, complaints } = await openStreaming();
  const { page: watcher } = await visit(viewers, `${server.url}/health`);
  await watcher.evaluate(() => {
    globalThis.samples = [];
    new WebSocket(`${location.origin.replace("http", "ws")}/ws/viewer`).onmessage = ({ data }) => {
      if (typeof data === "string" && data.includes('"imu_data"')) globalThis.samples.push(data);
    };
  });
  await watcher.waitForFunction(() => globalThis.samples.length >= 10);
  const texts = await watcher.evaluate(() => globalThis.samples);
  const times = texts.map((text) => BigInt(/"timestamp":(\d+)/.exec(text)?.[1] ?? "0"));
  for (const [i, timeNs] of times.entries()) {
    assert.ok(i === 0 || timeNs > (times[i - 1] ?? 0n), "later than the one before");
    const offMs = Number(timeNs / 1_000_000n) - Date.now();
    assert.ok(Math.abs(offMs) < 120_000, `${offMs} ms from now`);
  }
  type Axes = { x: number; y: number; z: number };
  const told = JSON.parse(texts.at(-1) ?? "{}") as {
    source: string;
    imu_data: { accelerometer: Axes; gyroscope: Axes };
  };
  assert.equal(told.source, source);
  const sample = told.imu_data;
  const near = (given: Axes, x: number, y: number, z: number) =>
    assert.ok(
      Math.hypot(given.x - x, given.y - y, given.z - z) < 0.06, // browsers round what sensors say
      JSON.stringify(given),
    );
  near(sample.accelerometer, 0.5, 9.7, 1.2);
  near(sample.gyroscope, 0.1, -0.2, 0.3);
  assert.deepEqual(complaints, []);
  for (const each of [page, watcher]) await each.context().close();
});

test("CAP-15 MOT-14 a phone whose video becomes no photos is told why, and how its clock stands is known", async (t) => {
  const api = openApi(server);
  await api.createSpace({ id: "full", settings: { maxImages: 1 } });
  const photo = new Uint8Array(await readFile(join(samplePhotosDir, "01.jpg")));
  await api.addImage("full", photo, { name: "01.jpg" });
  const { page, source, complaints } = await openStreaming("?space=full");
  await page
    .getByRole("alert")
    .getByText(/^The video becomes no photos\. .*(quota|decode)/)
    .waitFor();
  const connection = connect({ url: server.url, space: "full" });
  const device = {
    device: source,
    kinds: { halt: { properties: {} } },
    safe: { kind: "halt" },
    stop: { kind: "halt" },
  };
  const served = serveDevice(connection, { ...device, ttlMs: 60_000 }, { command: ({ kind }) => kind, secure() {} });
  t.after(() => {
    served.close();
    connection.close();
  });
  const clock = async () => (await api.devices("full")).find((each) => each.device === source)?.clock;
  let told = await clock();
  while (!told) {
    await setTimeout(50);
    told = await clock();
  }
  // The same machine's clock, and what the browser rounds.
  assert.ok(Math.abs(Number(told.offsetNs)) < 1e9 + Number(told.uncertaintyNs), JSON.stringify(told));
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Photo", exact: true }).click();
  await page.getByRole("alert").waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await page.context().close();
});
