/** Recordings over HTTP: what is sent by a socket comes back as files. Rules: docs/spec/recordings.md. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CairnApi } from "@cairn/client";
import type { CairnEvent } from "@cairn/protocol";
import { AccessUnitAssembler, HUB_PACKET } from "@cairn/video";
import { HubUser, packet21 } from "./hub-user.ts";
import { errorOf, type TestServer, testServer } from "./test-server.ts";

const STREAM = fileURLToPath(new URL("../../../video/fixtures/baseline-90x74.h264", import.meta.url));
const RECORDINGS = "/v1/spaces/place/recordings";

/** 24 pictures by the hub's socket; resolves when the server has them all. */
async function stream(server: TestServer, source: string, place: string, headers = {}): Promise<void> {
  const producer = await HubUser.open(server, `/ws/video?source=${source}${place}`, { headers });
  const assembler = new AccessUnitAssembler();
  const units = [...assembler.push(await readFile(STREAM), 0n), ...assembler.flush()];
  for (const [i, { data, key }] of units.entries()) {
    const timestampUs = 1_000_000n + BigInt(i) * 33_333n;
    producer.send(packet21(key ? HUB_PACKET.key : HUB_PACKET.frame, Buffer.from(data), { timestampUs }));
  }
  await producer.settled();
  await producer.leave();
}

test("RCD-10 started, listed, ended, fetched whole and in ranges, removed", async (t) => {
  const server = await testServer(t);
  const api = new CairnApi(server);
  const { recording, channels, maxDurationMs } = await api.startRecording("place", { name: "flight" });
  assert.deepEqual([channels, maxDurationMs], [["*"], 3_600_000]);
  await stream(server, "front", "&space=place");
  const [running] = await api.recordings("place");
  assert.deepEqual([running?.recording, running?.name, running?.progress?.pictures], [recording, "flight", 24]);
  assert.equal(
    (await errorOf(await server.send("GET", `${RECORDINGS}/${recording}/files/x`))).code,
    "recording.running",
  );

  const { ended, progress } = await api.stopRecording("place", recording);
  assert.equal(progress, undefined);
  assert.equal(ended?.reason, "stopped");
  assert.deepEqual(
    ended.files.map(({ format, source, pictures }) => [format, source, pictures]),
    [
      ["mp4", "front", 24],
      ["mcap", undefined, undefined],
    ],
  );
  const told = (await server.events()).filter(({ type }) => type.startsWith("recording."));
  const [started, over] = told as CairnEvent[];
  assert.deepEqual([started?.type, over?.type, told.length], ["recording.started", "recording.ended", 2]);
  assert.deepEqual(over?.data, { recording, ...ended });
  assert.deepEqual((await api.stopRecording("place", recording)).ended, ended, "it stays as it is");

  const [mp4] = ended.files;
  const url = new URL(api.recordingFileUrl("place", recording, mp4!.name));
  const whole = await server.send("GET", url.pathname);
  assert.equal(whole.headers.get("content-type"), "video/mp4");
  assert.equal(whole.headers.get("accept-ranges"), "bytes");
  const bytes = Buffer.from(await whole.arrayBuffer());
  assert.equal(bytes.length, mp4!.sizeBytes);
  const part = await server.send("GET", url.pathname, null, { range: "bytes=100-299" });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), `bytes 100-299/${bytes.length}`);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(100, 300));
  const mcap = Buffer.from(await (await api.recordingFile("place", recording, "everything.mcap")).arrayBuffer());
  assert.equal(mcap.subarray(1, 5).toString(), "MCAP");

  await api.removeRecording("place", recording);
  assert.deepEqual(await api.recordings("place"), []);
  assert.equal((await errorOf(await server.send("GET", url.pathname))).code, "recording.missing");
});

test("RCD-10 RCD-1 watching and sending are not recording; a token for some spaces records what is in them", async (t) => {
  const ADMIN = "the-token-of-the-house";
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const tokens = [
    { token: "giver-giver-giver", role: "contribute" },
    { token: "guest-guest-guest", role: "operate", spaces: ["place"] },
  ] as const;
  const server = await testServer(t, { token: ADMIN, tokens });
  const start = (token: string, channels: string[]) =>
    server.send("POST", RECORDINGS, JSON.stringify({ channels, formats: ["mp4"] }), as(token));
  assert.equal((await start("giver-giver-giver", ["*"])).status, 403);
  const both = ["video/*", "video/stray"];
  const guest = (await (await start("guest-guest-guest", both)).json()) as { recording: string };
  const admin = (await (await start(ADMIN, both)).json()) as { recording: string };
  await stream(server, "front", "&space=place", as(ADMIN));
  await stream(server, "stray", "", as(ADMIN));
  const sources = async (token: string, { recording }: { recording: string }) => {
    const stopped = await server.send("POST", `${RECORDINGS}/${recording}/stop`, null, as(token));
    const { ended } = (await stopped.json()) as { ended: { files: { source: string }[] } };
    return ended.files.map(({ source }) => source);
  };
  assert.deepEqual(await sources("guest-guest-guest", guest), ["front"]);
  assert.deepEqual(await sources(ADMIN, admin), ["front", "stray"]);
});
