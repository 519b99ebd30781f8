/** Clients of the faces and a viewer in one space: what one of them adds all see, once and in one order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CairnEvent } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { smallPhoto } from "@cairn/sample/small-photo";
import { eventually } from "../test/eventually.ts";
import { FaceUser, type Message } from "../test/face-user.ts";
import { frameNal, HubUser, keyNal, packet21 } from "../test/hub-user.ts";
import { newSession, Page, upload } from "../test/imagetools-client.ts";
import { answer, killableHouse, processed } from "../test/killable.ts";
import { MeshUser, meshFolder, place, sizedCube } from "../test/mesh-fixtures.ts";
import { receiptOf, testServer } from "../test/test-server.ts";

/** Photos of which a viewer was told. */
function added(heard: readonly Message[]): string[] {
  const events = heard.flatMap((message) => (message.type === "events" ? (message.events as CairnEvent[]) : []));
  return events.flatMap((event) => (event.type === "image.added" ? [event.data.image] : []));
}

test("GEN-41 GEN-42 GEN-43 GEN-44 HER-16 HER-20 HUB-7 HUB-20 HUB-37 HUB-41 five faces and a viewer at once in one space", async (t) => {
  const server = await testServer(t, {
    openEngine: openEmbeddedEngine,
    spaceSettings: { rebuildEvery: 4, preset: "sparse" },
  });
  const photos = await Promise.all(["07", "08", "09", "10", "11"].map((name) => smallPhoto(`${name}.jpg`)));
  const base64 = (i: number) => photos[i]!.toString("base64");
  const made = await server.send("POST", "/ws/session/create");
  const { session_id } = (await made.json()) as { session_id: string };

  const depth = new FaceUser(server, `/ws/reconstruct/${session_id}`);
  await depth.of("connected");
  const heritage = new FaceUser(server, `/ws/${session_id}`);
  const watcher = new FaceUser(server, `/heritage/ws/${session_id}`);
  for (const user of [heritage, watcher]) await user.of("initial_state_complete");
  const page = new Page(server, session_id);
  await page.of("connection.status");
  const viewer = new FaceUser(server, `/v1/spaces/${session_id}/live`);
  await viewer.tell({ type: "hello", version: 1, after: 0 });

  // A drone records into the same space; a page of the hub watches it.
  const drone = await HubUser.open(server, `/ws/phone?source=drone&space=${session_id}`);
  const pilot = await HubUser.open(server, "/ws/viewer?source=drone");

  // A camera streams all the while.
  const camera = await HubUser.open(server, "/ws/video?source=eye");
  const watching = await Promise.all(
    ["/ws/video/consume?source=eye", "/v1/video/eye?layout=h264"].map((path) => HubUser.open(server, path)),
  );
  const pictures: Buffer[] = [];
  const filming = setInterval(() => {
    const picture = pictures.length % 30 === 0 ? keyNal(pictures.length, 4000) : frameNal(pictures.length, 1000);
    pictures.push(picture);
    camera.send(packet21(pictures.length % 30 === 1 ? 3 : 4, picture));
  }, 10);
  t.after(() => clearInterval(filming));

  // All at once, each in its own way.
  const [, , native, tools] = await Promise.all([
    depth.tell({ type: "image", data: base64(0), filename: "depth.jpg" }),
    heritage.tell({ type: "upload_image", image_data: base64(1), filename: "heritage.jpg" }),
    server.upload(photos[2]!, "name=native.jpg", session_id).then(receiptOf),
    upload(server, session_id, photos[3]!, {}, "tools.jpg"),
  ]);
  await depth.of("ack");
  const [acknowledged] = await heritage.of("upload_acknowledged");

  // The order is the log's; everybody has it.
  await viewer.until((heard) => (added(heard).length === 4 ? true : undefined));
  const order = added(viewer.heard);
  assert.equal(new Set(order).size, 4);
  for (const image of [native.image, tools.id, acknowledged?.image_id]) assert.ok(order.includes(String(image)));
  const uploads = await page.of("image.uploaded", 4);
  assert.deepEqual(
    uploads.map(({ data }) => data.image_id),
    order,
  );
  for (const user of [heritage, watcher]) {
    for (const type of ["processing_started", "processing_complete"]) {
      const told = (await user.of(type, 4)).map(({ image_id }) => image_id);
      assert.deepEqual(told, order, type);
    }
  }
  const shards = (user: FaceUser) =>
    user.heard.filter(({ type }) => type === "shard_update" || type === "refetch_starting");
  assert.deepEqual(shards(watcher), shards(heritage));
  assert.ok(shards(watcher).some(({ is_full_refetch }) => is_full_refetch === true));

  // A run over all of them is the same model; a heritage client who is told of it does nothing for it.
  await depth.tell({ type: "generate", glb: "url" });
  const [complete] = await depth.of("complete");
  const { registered, filenames } = complete!.metadata as { registered: boolean[]; filenames: string[] };
  assert.deepEqual(registered, [true, true, true, true]);
  assert.deepEqual([...filenames].sort(), ["depth.jpg", "heritage.jpg", "native.jpg", "tools.jpg"]);

  // The pilot hears where each camera stood, and of the points.
  const [points] = await pilot.of("ply_update");
  const named = await server.send("GET", String(points?.ply_url));
  assert.match(Buffer.from(await named.arrayBuffer()).toString("latin1", 0, 100), /^ply\nformat binary_little_endian/);
  const poses = (await pilot.of("trajectory_update", 4)).map(({ pose }) => pose as { pose_matrix: number[][] });
  for (const { pose_matrix } of poses) assert.deepEqual([pose_matrix.length, pose_matrix[3]], [4, [0, 0, 0, 1]]);
  for (const { ws } of [drone, pilot]) ws.terminate();

  // Who watched the camera has all of it, and who watches something else nothing of it.
  clearInterval(filming);
  assert.ok(pictures.length > 100, `${pictures.length} pictures`);
  for (const user of watching) assert.deepEqual(await user.packets(pictures.length), pictures);
  assert.deepEqual(pilot.binary, []);
  for (const { ws } of [camera, ...watching]) ws.terminate();

  // A restart later everyone goes on, and the next photo is everyone's, too.
  await server.restart();
  const after = {
    heritage: new FaceUser(server, `/ws/${session_id}`),
    depth: new FaceUser(server, `/ws/reconstruct/${session_id}`),
    page: new Page(server, session_id, `?after=${uploads[3]!.seq}`),
    viewer: new FaceUser(server, `/v1/spaces/${session_id}/live`),
  };
  assert.deepEqual((await after.heritage.of("initial_state_complete"))[0]?.total_images, 4);
  assert.equal((await after.depth.of("connected"))[0]?.image_count, 4);
  await after.page.of("connection.status");
  await after.viewer.tell({ type: "hello", version: 1, after: 0 });
  await after.heritage.tell({ type: "upload_image", image_data: base64(4), filename: "last.jpg" });
  const [last] = await after.heritage.of("processing_complete");
  assert.deepEqual([last?.total_images, last?.sequence], [5, 1]);
  assert.equal((await after.page.of("image.uploaded"))[0]?.data.image_id, last?.image_id);
  await after.viewer.until((heard) => (added(heard).length >= 5 ? true : undefined));
  assert.deepEqual(added(after.viewer.heard), [...order, last?.image_id]);
  const status = await server.send("GET", `/ws/session/${session_id}`);
  assert.equal(((await status.json()) as { image_count: number }).image_count, 5);
  for (const { ws } of [depth, heritage, watcher, page, viewer, ...Object.values(after)]) ws.terminate();
});

test("GEN-41 HER-17 a session of image tools that is opened as a site becomes one, with the photos it had", async (t) => {
  const server = await testServer(t, { openEngine: openEmbeddedEngine, spaceSettings: { preset: "sparse" } });
  const session = await newSession(server);
  const photo = await smallPhoto("07.jpg");
  const first = await upload(server, session, photo, {}, "tools.jpg");
  const heritage = new FaceUser(server, `/ws/${session}`);
  await heritage.tell({ type: "upload_image", image_data: photo.toString("base64") });
  const done = await heritage.of("processing_complete", 2);
  const [acknowledged] = await heritage.of("upload_acknowledged");
  assert.deepEqual(
    done.map(({ image_id, total_images }) => [image_id, total_images]),
    [
      [first.id, 1],
      [acknowledged?.image_id, 2],
    ],
  );
  heritage.ws.terminate();
});

/** Designs of which a viewer was told. */
function published(heard: readonly Message[]): string[] {
  const events = heard.flatMap((message) => (message.type === "events" ? (message.events as CairnEvent[]) : []));
  return events.flatMap((event) => (event.type === "design.published" ? [event.data.design] : []));
}

test("GEN-41 GEN-42 GEN-43 GEN-44 MSH-8 MSH-17 killed in the middle: what four faces took all see, in one order, done once", async (t) => {
  const dir = await meshFolder(t);
  const meshFolders = [{ name: "current", dir }];
  const start = await killableHouse(t, { reconstruct: "sparse", rebuildEvery: 4, meshFolders });
  let server = await start();
  const [one, two, three, four, five] = await Promise.all(
    ["07", "08", "09", "10", "11"].map((name) => smallPhoto(`${name}.jpg`)),
  );
  const { session_id } = await answer(`${server.url}/ws/session/create`, { method: "POST" });
  const id = String(session_id);
  const native = async (photo: Buffer) => {
    const receipt = await fetch(`${server.url}/v1/spaces/${id}/images`, {
      method: "POST",
      body: new Uint8Array(photo),
      headers: { "content-type": "image/jpeg" },
    });
    assert.ok(receipt.ok);
  };
  const meet = async (after: { seq: number; page: number; design?: number } | undefined) => {
    const user = {
      depth: new FaceUser(server, `/ws/reconstruct/${id}`),
      heritage: new FaceUser(server, `/ws/${id}`),
      page: new Page(server, id, after ? `?after=${after.page}` : ""),
      viewer: new FaceUser(server, `/v1/spaces/${id}/live`),
      meshes: new MeshUser(Number(new URL(server.url).port), after ? `?since=${after.design}` : ""),
    };
    await user.viewer.tell({ type: "hello", version: 1, after: after?.seq ?? 0 });
    await user.depth.of("connected");
    await user.heritage.of("initial_state_complete");
    await user.page.of("connection.status");
    await user.meshes.of("connection_ack");
    return user;
  };

  const before = await meet(undefined);
  const base64 = (photo: Buffer | undefined) => photo!.toString("base64");
  await Promise.all([
    before.depth.tell({ type: "image", data: base64(one), filename: "depth.jpg" }),
    before.heritage.tell({ type: "upload_image", image_data: base64(two), filename: "heritage.jpg" }),
    native(three!),
    upload(server, id, four!, {}, "tools.jpg"),
    place(dir, "first.stl", sizedCube(1)),
  ]);
  await before.depth.of("ack");
  await before.heritage.of("upload_acknowledged");
  const design = await before.meshes.about("first");
  await before.viewer.until((heard) => (added(heard).length === 4 ? true : undefined));
  const uploads = await before.page.of("image.uploaded", 4);
  const order = added(before.viewer.heard);
  assert.deepEqual(
    uploads.map(({ data }) => data.image_id),
    order,
  );
  // In the middle: a photo is with the engine, others wait.
  await eventually(server.url, ({ type, data }) => type === "operation.started" && data.kind === "reconstruct", id);
  await server.killed();
  await place(dir, "second.stl", sizedCube(2));

  server = await start();
  const seq = uploads[3]!.seq;
  const after = await meet({ seq, page: seq, design: Number(design.seq) });
  await upload(server, id, five!, {}, "last.jpg");
  const [last] = await after.page.of("image.uploaded");
  const all = [...order, String(last?.data.image_id)];
  await after.depth.tell({ type: "generate", glb: "url" });
  const [complete] = await after.depth.of("complete");
  const { filenames, registered } = complete!.metadata as { filenames: string[]; registered: boolean[] };
  assert.deepEqual([filenames.length, registered], [5, [true, true, true, true, true]]);
  assert.deepEqual(await processed(server.url, id), all, "each once, in the order in which they came");
  await after.heritage.until((heard) =>
    heard.find((each) => each.type === "processing_complete" && each.total_images === 5),
  );
  const status = await answer(`${server.url}/projects/${id}/status`);
  assert.deepEqual([status.total_images, status.queued_images], [5, 0]);

  // Nothing of before is told again, nothing is left out.
  assert.deepEqual(added(after.viewer.heard), all.slice(4));
  assert.equal(after.page.heard.filter(({ type }) => type === "image.uploaded").length, 1);
  const whole = new FaceUser(server, `/v1/spaces/${id}/live`);
  await whole.tell({ type: "hello", version: 1, after: 0 });
  await whole.until((heard) => (added(heard).length >= 5 ? true : undefined));
  assert.deepEqual(added(whole.heard), all);
  await after.meshes.of("replay_complete");
  const replayed = await after.meshes.about("second");
  assert.deepEqual(
    [replayed.change, after.meshes.heard.some(({ design_id }) => design_id === "first")],
    ["added", false],
  );
  const designs = new FaceUser(server, "/v1/spaces/mesh-designs/live");
  await designs.tell({ type: "hello", version: 1, after: 0 });
  await designs.until((heard) => (published(heard).length >= 2 ? true : undefined));
  assert.deepEqual(published(designs.heard), ["first", "second"]);
  for (const { ws } of [...Object.values(before), ...Object.values(after), whole, designs]) ws.terminate();
  await server.killed();
});
