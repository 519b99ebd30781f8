/** A server that is killed while faces are at work: what was acknowledged is done, once, after the next start. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { freePort } from "@cairn/bus/test/ports";
import type { ReceivedPacket } from "@cairn/client";
import { openApi } from "@cairn/client/node";
import type { CairnEvent } from "@cairn/protocol";
import { smallPhoto } from "@cairn/sample/small-photo";
import { eventually } from "../test/eventually.ts";
import { FaceUser, type Message } from "../test/face-user.ts";
import { frameNal, HubUser, keyNal, PPS, SPS } from "../test/hub-user.ts";
import { answer, killableHouse, processed } from "../test/killable.ts";

const PHOTOS = ["07.jpg", "08.jpg", "09.jpg", "10.jpg", "11.jpg"];

const photo = async (name: string) => (await smallPhoto(name)).toString("base64");

test("HER-14 HER-25 GEN-42 GEN-44 killed twice, a project processes what it acknowledged, once, and counts on", async (t) => {
  const start = await killableHouse(t);
  const acknowledged: unknown[] = [];
  let server = await start();
  // Killed when a photo has just been taken, then while everything is reconstructed anew.
  const kills: [uploads: string[], enough: (url: string) => Promise<unknown>][] = [
    [PHOTOS.slice(0, 2), async () => {}],
    [
      PHOTOS.slice(2, 4),
      (url) => eventually(url, (event) => event.type === "operation.started" && event.data.kind === "rebuild", "site"),
    ],
  ];
  for (const [uploads, enough] of kills) {
    const user = new FaceUser(server, "/ws/site");
    await user.of("initial_state_complete");
    for (const name of uploads) await user.tell({ type: "upload_image", image_data: await photo(name) });
    acknowledged.push(...(await user.of("upload_acknowledged", 2)).map(({ image_id }) => image_id));
    await enough(server.url);
    await server.killed();
    server = await start();
  }

  const user = new FaceUser(server, "/ws/site");
  await user.tell({ type: "upload_image", image_data: await photo(PHOTOS[4]!) });
  acknowledged.push((await user.of("upload_acknowledged"))[0]!.image_id);
  const last = await user.until((heard) =>
    heard.find(({ type, image_id }) => type === "processing_complete" && image_id === acknowledged[4]),
  );
  assert.deepEqual([last.sequence, last.total_images, last.epoch], [2, 5, 1]);
  const status = await answer(`${server.url}/projects/site/status`);
  const { update_count, total_images, epoch, queued_images } = status;
  assert.deepEqual([update_count, total_images, epoch, queued_images], [2, 5, 1, 0]);
  const order = await processed(server.url, "site");
  assert.deepEqual(order, acknowledged, "each once, in the order of the acknowledgements");

  // Nobody was told of one photo's course twice, and the last client's cloud is what a new one gets.
  const completed = user.heard.filter(({ type }) => type === "processing_complete").map(({ image_id }) => image_id);
  assert.equal(new Set(completed).size, completed.length);
  const late = new FaceUser(server, "/ws/site");
  await late.of("initial_state_complete");
  const points = late.heard.reduce((sum, message) => sum + Number(message.points ?? 0), 0);
  assert.ok(points > 500, `${points} points`);
  await server.killed();
});

test("DEP-16 DEP-15 DEP-32 GEN-42 a run that a kill cut off begins again by itself and completes, for who comes back", async (t) => {
  const start = await killableHouse(t);
  let server = await start();
  let session_id: unknown;
  let path = "";
  let back: FaceUser;
  let connected: Message | undefined;
  do {
    ({ session_id } = await answer(`${server.url}/ws/session/create`, { method: "POST" }));
    path = `/ws/reconstruct/${session_id}`;
    const user = new FaceUser(server, path);
    for (const name of PHOTOS.slice(0, 3)) await user.tell({ type: "image", data: await photo(name), filename: name });
    await user.of("ack", 3);
    await user.tell({ type: "generate" });
    await user.until((heard) => heard.find(({ stage }) => stage === "inference"));
    await server.killed();

    server = await start();
    back = new FaceUser(server, path);
    [connected] = await back.of("connected");
  } while (connected?.has_result); // the run was quicker than those who watch it
  assert.deepEqual([connected?.status, connected?.image_count, connected?.has_result], ["processing", 3, false]);
  const [complete] = await back.of("complete");
  assert.deepEqual([complete?.image_count, back.heard.at(-1)], [3, complete]);
  const { registered, filenames } = complete!.metadata as { registered: boolean[]; filenames: string[] };
  assert.deepEqual([registered, filenames], [[true, true, true], PHOTOS.slice(0, 3)]);
  const { status } = await answer(`${server.url}/ws/session/${session_id}`);
  assert.equal(status, "active");
  assert.equal((await processed(server.url, String(session_id))).length, 3);

  // What is done does not begin again: killed once more, the result lies there.
  await server.killed();
  server = await start();
  const again = new FaceUser(server, path);
  assert.deepEqual((await again.of("connected"))[0], { ...connected, status: "active", has_result: true });
  const file = await fetch(`${server.url}/ws/session/${session_id}/result.glb`);
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), Buffer.from(String(complete?.glb_base64), "base64"));
  await server.killed();
});

/** What a session notes of its requests, event by event; `undefined` where it notes something else. */
function requestsIn(event: CairnEvent): string[] | undefined {
  const text = event.type === "space.labelled" ? event.data.labels["depth.requests"] : undefined;
  if (text === undefined) return undefined;
  return text === "" ? [] : (JSON.parse(String(text)) as { kind: string }[]).map(({ kind }) => kind);
}

test("DEP-16 DEP-31 GEN-42 what waits behind a run that a kill cut off is done after it, in order", async (t) => {
  const start = await killableHouse(t);
  let server = await start();
  let id = "";
  for (let inTime = false; !inTime; ) {
    id = String((await answer(`${server.url}/ws/session/create`, { method: "POST" })).session_id);
    const user = new FaceUser(server, `/ws/reconstruct/${id}`);
    for (const name of PHOTOS.slice(0, 2)) await user.tell({ type: "image", data: await photo(name) });
    await user.of("ack", 2);
    await user.tell({ type: "generate" });
    await user.tell({ type: "generate", incremental: true, glb: "url" });
    await user.tell({ type: "finalize", glb: "url" });
    // The first may be done before the last is noted; then all of it is tried again.
    let most = 0;
    const noted = (event: CairnEvent) => {
      const before = most;
      most = Math.max(most, requestsIn(event)?.length ?? 0);
      return most === 3 || (requestsIn(event)?.length ?? before) < before;
    };
    await eventually(server.url, noted, id);
    inTime = most === 3;
  }
  await server.killed();

  // Nobody is there to ask: they are done all the same.
  server = await start();
  const noted: string[][] = [];
  const done = (event: CairnEvent) => {
    const requests = requestsIn(event);
    if (requests) noted.push(requests);
    return requests?.length === 0;
  };
  await eventually(server.url, done, id);
  const order = noted.map((requests) => requests.join(" "));
  const each = order.filter((requests, i) => requests !== order[i - 1]);
  assert.deepEqual(each, [
    "generate",
    "generate generate",
    "generate generate finalize",
    "generate finalize",
    "finalize",
    "",
  ]);
  const back = new FaceUser(server, `/ws/reconstruct/${id}`);
  const [connected] = await back.of("connected");
  assert.deepEqual([connected?.status, connected?.has_result], ["completed", true]);
  assert.equal((await processed(server.url, id)).length, 2);
  await server.killed();
});

test("HUB-21 HUB-66 HUB-68 STR-3 STR-11 GEN-42 killed in mid-stream: who films and who watches come back by themselves, files stand and go on", async (t) => {
  const start = await killableHouse(t, { port: await freePort() });
  let server = await start();
  const backoff = { firstMs: 5, maxMs: 50 };
  const { video } = openApi({ url: server.url });
  const consumer = video.consume("cam", { backoff });
  const producer = video.produce("cam", { backoff });
  t.after(() => {
    consumer.close();
    producer.close();
  });
  const packets: ReceivedPacket[] = [];
  let look = () => {};
  consumer.on("packet", (packet) => {
    packets.push(packet);
    look();
  });
  const until = async (fits: () => boolean) => {
    while (!fits()) {
      await new Promise<void>((resolve) => {
        look = resolve;
      });
    }
  };
  const asked: (() => void)[] = [];
  let keysWanted = 0;
  producer.on("keyWanted", () => {
    keysWanted++;
    for (const go of asked.splice(0)) go();
  });
  const keyWanted = async (count: number) => {
    while (keysWanted < count) await new Promise<void>((resolve) => asked.push(resolve));
  };
  const sets = Buffer.concat([SPS, PPS]);
  const film = (picture: number) => {
    assert.ok(producer.send({ data: sets, timeNs: BigInt(picture), configuration: true }));
    assert.ok(producer.send({ data: keyNal(picture), timeNs: BigInt(picture), key: true }));
    assert.ok(producer.send({ data: frameNal(picture), timeNs: BigInt(picture + 1) }));
  };
  await keyWanted(1);
  film(1);
  await until(() => packets.at(-1)?.timeNs === 2n);

  const phone = await HubUser.open(server, "/ws/phone?source=p");
  phone.send({ type: "file_upload", fileName: "whole.csv", fileContent: "whole" });
  phone.send({ type: "file_upload_start", fileName: "parts.csv", totalChunks: 3 });
  for (const chunkIndex of [0, 2]) {
    phone.send({ type: "file_upload_chunk", fileName: "parts.csv", chunk: `part ${chunkIndex};`, chunkIndex });
  }
  const said = (await phone.of("file_upload_status", 4)).map(({ status }) => status);
  assert.deepEqual(said, ["stored", "started", "progress", "progress"]);
  await server.killed();

  server = await start();
  await keyWanted(2);
  const seen = packets.length;
  // It may be back before those who watch are: they begin with the current group of pictures all the same.
  film(11);
  await until(() => packets.at(-1)?.timeNs === 12n);
  const after = packets.slice(seen).map(({ data }) => Buffer.from(data));
  assert.deepEqual(after.slice(-2), [keyNal(11), frameNal(11)]);
  assert.deepEqual(after[0], sets);
  assert.equal(
    packets.every(({ lost }) => lost === 0),
    true,
  );

  const back = await HubUser.open(server, "/ws/phone?source=p");
  back.send({ type: "file_upload_chunk", fileName: "parts.csv", chunk: "part 1;", chunkIndex: 1 });
  back.send({ type: "file_upload_complete", fileName: "parts.csv" });
  const stored = (await back.of("file_upload_status", 2))[1];
  const text = "part 0;part 1;part 2;";
  assert.deepEqual([stored?.status, stored?.sha256], ["stored", createHash("sha256").update(text).digest("hex")]);
  for (const [name, content] of [
    ["whole.csv", "whole"],
    ["parts.csv", text],
  ]) {
    assert.equal(await (await fetch(`${server.url}/api/uploads/${name}`)).text(), content);
  }
  await server.killed();
});
