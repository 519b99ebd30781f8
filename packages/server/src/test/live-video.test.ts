/** Video that comes in through a socket builds a model that everyone sees. Rules: docs/spec/keyframes.md. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, openApi } from "@cairn/client/node";
import type { SpaceState } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { samplePhotosDir } from "@cairn/sample";
import { AccessUnitAssembler, HUB_FLAG, HUB_PACKET } from "@cairn/video";
import { HubUser, jpegFrame, packet21 } from "./hub-user.ts";
import { type TestServer, testServer } from "./test-server.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const TAKE = join(
  process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets"),
  "sevenscenes-video/handheld-baseline-12s.h264",
);
const SMALL = join(root, "packages/video/fixtures/baseline-90x74.h264");

function unitsOf(file: string) {
  const assembler = new AccessUnitAssembler();
  return [...assembler.push(readFileSync(file), 0n), ...assembler.flush()];
}

/** Sends a stream as an old producer does: 21-byte headers, a picture a packet; as fast as the server takes it. */
async function stream(user: HubUser, units: ReturnType<typeof unitsOf>, everyUs: number): Promise<void> {
  for (const [i, { data, key }] of units.entries()) {
    const type = key ? HUB_PACKET.key : HUB_PACKET.frame;
    const timestampUs = BigInt(i * everyUs);
    user.send(packet21(type, Buffer.from(data), { timestampUs, flags: key ? HUB_FLAG.key : 0 }));
    // Its answer comes after all that was sent before it has been dealt with.
    if (i % 10 === 9) await user.settled();
  }
}

const photos = (state: SpaceState) => Object.values(state.images);

async function follow(t: TestContext, server: TestServer, space: string, channels: readonly string[] = []) {
  const viewer = connect({ url: server.url, space, channels });
  t.after(() => viewer.close());
  await viewer.ready();
  return viewer;
}

test("KEY-1 KEY-9 KEY-10 a handheld video through the hub's socket becomes cameras, points and a path, by itself", async (t) => {
  if (!existsSync(TAKE)) return t.skip("SKIPPED: the data set sevenscenes-video was not found");
  const server = await testServer(t, { openEngine: openEmbeddedEngine, spaceSettings: { preset: "sparse" } });
  const viewer = await follow(t, server, "place");
  const producer = await HubUser.open(server, "/ws/video?source=phone&space=place");
  await stream(producer, unitsOf(TAKE).slice(0, 140), 33_333);
  await producer.leave();
  await viewer.waitFor((state) => photos(state).length >= 5 && photos(state).every(({ verdict }) => verdict));
  const { state } = viewer;
  const placed = photos(state).filter(({ verdict }) => verdict!.verdict === "registered");
  assert.ok(placed.length >= 0.8 * photos(state).length, `${placed.length} of ${photos(state).length} placed`);
  assert.ok(photos(state).every(({ source, contributor }) => source === "video" && contributor === "phone"));
  await viewer.waitFor(
    (each) =>
      Object.values(each.paths ?? {})[0]?.poses.length ===
      Object.keys(each.generations[each.generation]!.cameras).length,
  );
  const metrics = await (await server.send("GET", "/metrics")).text();
  const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)`, "m").exec(metrics)?.[1]);
  assert.equal(figure("cairn_keyframes_total"), photos(state).length);
  assert.ok(figure("cairn_keyframe_pictures_total") + figure("cairn_keyframe_pictures_left_out_total") >= 139);
});

test("KEY-7 ?keyframes=off at a socket, and a server without keyframes, relay video and make no photos of it", async (t) => {
  const units = unitsOf(SMALL);
  const server = await testServer(t);
  const off = await HubUser.open(server, "/ws/video?source=off&space=place&keyframes=off");
  const on = await HubUser.open(server, "/ws/video?source=on&space=place");
  const phoneOff = await HubUser.open(server, "/ws/phone?source=phone&space=place&keyframes=off");
  const consumer = await HubUser.open(server, "/ws/video/consume?source=off");
  await stream(off, units, 250_000);
  for (const { data } of units) phoneOff.send(packet21(HUB_PACKET.frame, Buffer.from(data)));
  await phoneOff.settled();
  const nativeOff = await HubUser.open(server, "/v1/video/native?role=produce&layout=hub&space=place&keyframes=off");
  for (const { data } of units) nativeOff.send(packet21(HUB_PACKET.frame, Buffer.from(data)));
  nativeOff.send({ type: "ping" });
  await nativeOff.of("pong");
  await stream(on, units, 250_000);
  assert.ok((await consumer.packets(units.length)).length === units.length);
  for (const user of [off, on, phoneOff, nativeOff, consumer]) await user.leave();
  const viewer = await follow(t, server, "place");
  await viewer.waitFor((state) => photos(state).length >= 1);
  assert.ok(photos(viewer.state).every(({ contributor }) => contributor === "on"));
  const { sources } = (await (await server.send("GET", "/v1/video")).json()) as {
    sources: { source: string; frames: number; keyframes?: { sequence: string; keyframes: number } }[];
  };
  for (const { source, keyframes, frames } of sources) {
    assert.ok(frames >= units.length, source);
    assert.equal(keyframes !== undefined, source === "on", source);
    if (keyframes) assert.match(keyframes.sequence, /^stream:on:/);
  }
  assert.deepEqual(sources.map(({ source }) => source).sort(), ["native", "off", "on", "phone"]);

  const without = await testServer(t, { keyframes: false });
  const user = await HubUser.open(without, "/ws/video?source=cam&space=place");
  await stream(user, units, 250_000);
  await user.leave();
  assert.doesNotMatch(await (await without.send("GET", "/metrics")).text(), /cairn_keyframe/);
});

test("KEY-12 a client that knows of no spaces builds a model in the hub's own, from its first key picture on", async (t) => {
  const units = unitsOf(SMALL);
  const server = await testServer(t, { hubSpace: "yard" });
  const status = async (path: string) => (await server.send("GET", path)).status;
  const sources = async () => {
    const { sources: all } = (await (await server.send("GET", "/v1/video")).json()) as {
      sources: { source: string; space?: string }[];
    };
    return Object.fromEntries(all.map(({ source, space }) => [source, space]));
  };
  const devices = async () => {
    const { devices: all } = (await (await server.send("GET", "/v1/spaces/yard/devices")).json()) as {
      devices: { device: string; connected: boolean }[];
    };
    return all.filter(({ connected }) => connected).map(({ device }) => device);
  };

  const phone = await HubUser.open(server, "/ws/phone");
  const producer = await HubUser.open(server, "/ws/video");
  const quiet = await HubUser.open(server, "/ws/video?source=quiet&keyframes=off");
  const consumer = await HubUser.open(server, "/ws/video/consume?source=default");
  const frames = units.filter(({ key }) => !key);
  await stream(producer, frames, 250_000);
  await producer.settled();
  assert.deepEqual(await sources(), { default: undefined, quiet: undefined });
  assert.equal(await status("/v1/spaces/yard"), 404, "there was nothing to see yet");

  while ((await sources()).default === undefined) {
    await stream(producer, units, 250_000);
    await stream(quiet, units, 250_000);
  }
  const viewer = await follow(t, server, "yard");
  while (photos(viewer.state).length === 0) await stream(producer, units, 250_000);
  assert.ok(photos(viewer.state).every(({ contributor, source }) => contributor === "default" && source === "video"));
  const relayed = await consumer.packets(frames.length + units.length);
  assert.ok(relayed.slice(frames.length).every((packet, i) => packet.equals(units[i]!.data)));
  while ((await devices()).length === 0) await phone.settled();
  assert.deepEqual(await devices(), ["default"], "it can be held and stopped there");
  assert.deepEqual(await sources(), { default: "yard", quiet: undefined });

  // Whoever is called so next may say where it records.
  for (const user of [producer, phone]) await user.leave();
  while ((await sources()).default !== undefined) await quiet.settled();
  const named = await HubUser.open(server, "/ws/video?space=garden");
  await stream(named, units, 250_000);
  assert.equal((await sources()).default, "garden");

  const without = await testServer(t);
  const spaces = async () => (await without.send("GET", "/v1/spaces")).text();
  const before = await spaces();
  const user = await HubUser.open(without, "/ws/video");
  await stream(user, units, 250_000);
  await user.settled();
  assert.equal(await spaces(), before);
});

test("KEY-13 KEY-12 HUB-27 single pictures of a phone build a model, also of one that names no space; each as it came", async (t) => {
  const server = await testServer(t, { hubSpace: "yard" });
  const { default: sharp } = await import("sharp");
  const wall = sharp(readFileSync(join(samplePhotosDir, "01.jpg"))).resize({ width: 1200 });
  // The camera goes along: what is seen moves by a twentieth of the width from picture to picture.
  const jpegs: Buffer[] = [];
  for (let n = 0; n < 16; n++) {
    jpegs.push(
      await wall
        .clone()
        .extract({ left: 24 * n, top: 60, width: 480, height: 360 })
        .jpeg()
        .toBuffer(),
    );
  }
  const phone = await HubUser.open(server, "/ws/phone?source=named&space=garden");
  const older = await HubUser.open(server, "/ws/phone");
  const off = await HubUser.open(server, "/ws/phone?source=off&space=garden&keyframes=off");
  const beganNs = 1_700_000_000_000_000_000n;
  let sent = 0;
  const walk = async () => {
    for (const jpeg of jpegs) {
      const frame = jpegFrame(beganNs + BigInt(sent++) * 250_000_000n, jpeg);
      for (const user of [phone, older, off]) {
        user.send(frame);
        await user.settled();
      }
    }
  };
  const spaces = async () => {
    const { spaces: all } = (await (await server.send("GET", "/v1/spaces")).json()) as {
      spaces: { id: string; images: number }[];
    };
    return new Map(all.map(({ id, images }) => [id, images]));
  };
  for (;;) {
    await walk();
    const counts = await spaces();
    if ((counts.get("garden") ?? 0) >= 2 && (counts.get("yard") ?? 0) >= 2) break;
  }
  for (const [space, source] of [
    ["garden", "named"],
    ["yard", "default"],
  ] as const) {
    const viewer = await follow(t, server, space);
    const all = photos(viewer.state);
    assert.ok(all.every((each) => each.contributor === source && each.source === "video"));
    assert.match(all[0]!.sequence!, new RegExp(`^stream:${source}:\\d+$`));
    assert.ok(all.length < sent, "not every picture is worth it");
    const digests = new Set(jpegs.map((jpeg) => createHash("sha256").update(jpeg).digest("hex")));
    for (const { blob } of all) assert.ok(digests.has(blob), blob);
  }

  // What becomes of them is told as of video: in the list, in the metrics, and to whoever is in the space.
  type Listed = {
    source: string;
    space: string;
    keyframes: { pictures: number; keyframes: number; problem?: { code: string } };
  };
  const listed = async () => {
    const { pictures } = (await (await server.send("GET", "/v1/video")).json()) as { pictures: Listed[] };
    return new Map(pictures.map((each) => [each.source, each]));
  };
  const both = (streams: Map<string, Listed>) => [streams.get("named")!, streams.get("default")!] as const;
  // A picture is counted when it was looked at, and not at all where a newer one came meanwhile.
  while (both(await listed()).some(({ keyframes }) => keyframes.pictures < 16 || keyframes.keyframes < 2)) await walk();
  const streams = await listed();
  const [garden, yard] = both(streams);
  assert.deepEqual([garden.space, yard.space], ["garden", "yard"]);
  const photosOfAll = garden.keyframes.keyframes + yard.keyframes.keyframes;
  assert.equal(streams.has("off"), false);
  const metrics = await (await server.send("GET", "/metrics")).text();
  assert.ok(Number(/^cairn_keyframes_total (\d+)/m.exec(metrics)?.[1]) >= photosOfAll);
  const viewer = await follow(t, server, "garden", ["keyframes/named"]);
  const told: unknown[] = [];
  viewer.onSignal("keyframes/named", (data) => told.push(data));
  const maxImages = (await spaces()).get("garden")!;
  await openApi(server).configureSpace("garden", { maxImages });
  do await walk();
  while ((await listed()).get("named")?.keyframes.problem?.code !== "space.quota");
  const full = (await spaces()).get("garden");
  await walk();
  assert.equal((await spaces()).get("garden"), full, "it takes no more");
  while (!JSON.stringify(told).includes("space.quota")) await phone.settled();
});
