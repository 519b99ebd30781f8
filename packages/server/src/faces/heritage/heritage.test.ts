/** The heritage contract over a real server: the real engine on the sample's photos, and known clients' dialogues. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { FaceUser, type Message } from "../../test/face-user.ts";
import { png } from "../../test/png.ts";
import { samplePhotos } from "../../test/sample-photos.ts";
import { errorOf, receiptOf, type TestServer, testServer } from "../../test/test-server.ts";

class HeritageUser extends FaceUser {
  constructor(server: TestServer, project: string, path = "/ws/") {
    super(server, path + encodeURIComponent(project));
  }

  upload(photo: Buffer, more: object = {}): Promise<void> {
    return this.tell({ type: "upload_image", image_data: photo.toString("base64"), ...more });
  }

  /** Messages about one image, in order, without what only the uploader is told. */
  about(image: unknown): string[] {
    return this.heard
      .filter(({ image_id: of, type }) => of === image && type !== "upload_acknowledged")
      .map(({ type }) => type);
  }
}

/** Short enough to be read when two differ. */
function shardHash({ shard_data }: Message): string {
  return createHash("sha256").update(String(shard_data)).digest("hex");
}

/** The vertices of a shard, held against the header that the contract shows. */
function vertices(message: Message): Buffer {
  const ply = Buffer.from(String(message.shard_data), "base64");
  const end = ply.indexOf("end_header\n") + "end_header\n".length;
  const count = Number(message.points);
  assert.equal(
    ply.toString("latin1", 0, end),
    `ply\nformat binary_little_endian 1.0\nelement vertex ${count}\nproperty float x\nproperty float y\nproperty float z\n` +
      "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n",
  );
  assert.equal(ply.length - end, count * 15);
  assert.ok(ply.length < 1_000_000 && count <= 65_536);
  return ply.subarray(end);
}

const blank = (seed: number) => png(seed);

const ENGINE = { openEngine: openEmbeddedEngine, spaceSettings: { rebuildEvery: 3, preset: "sparse" as const } };

describe("the heritage face", () => {
  test("HER-5..HER-35 HER-2 a site from its first photo through a full refetch, a restart and a late client", async (t) => {
    const server = await testServer(t, ENGINE);
    const photos = await samplePhotos(5);
    const uploader = new HeritageUser(server, "A site");
    const watcher = new HeritageUser(server, "A site", "/heritage/ws/");
    assert.deepEqual(await watcher.of("initial_state_complete"), [
      { type: "initial_state_complete", total_images: 0, epoch: 0 },
    ]);
    assert.deepEqual(watcher.heard[0], { type: "initial_state_starting", total_shards: 0, total_images: 0, epoch: 0 });

    for (const [i, photo] of photos.slice(0, 4).entries()) await uploader.upload(photo, { client_ref: `r${i}` });
    const done = await watcher.of("processing_complete", 4);
    assert.deepEqual(
      done.map(({ sequence, total_images, epoch }) => [sequence, total_images, epoch]),
      [
        [1, 1, 0],
        [2, 2, 0],
        [3, 3, 1],
        [1, 4, 1],
      ],
    );
    await uploader.of("processing_complete", 4);
    const acknowledged = await uploader.of("upload_acknowledged", 4);
    assert.deepEqual(
      acknowledged.map(({ message, client_ref }) => [message, client_ref]),
      [0, 1, 2, 3].map((i) => ["Image received, processing...", `r${i}`]),
    );
    assert.equal(watcher.heard.filter(({ type }) => type === "upload_acknowledged").length, 0);
    for (const [i, { image_id }] of acknowledged.entries()) {
      // One image after the other, never mixed; the acknowledgement before all of it.
      const course = watcher.about(image_id);
      assert.equal(course[0], "processing_started");
      assert.equal(course.at(-1), "processing_complete");
      const at = uploader.heard.findIndex((message) => message.image_id === image_id);
      assert.equal(uploader.heard[at]?.type, "upload_acknowledged", `photo ${i}`);
    }
    const told = watcher.heard.slice(2).map(({ type, image_id }) => [type, image_id ?? ""]);
    const images = told.filter(([type]) => type === "processing_started").map(([, image]) => image);
    assert.deepEqual(
      images,
      acknowledged.map(({ image_id }) => image_id),
    );

    const refetch = (await watcher.of("refetch_starting"))[0]!;
    const shards = watcher.heard.filter(({ type }) => type === "shard_update");
    const full = shards.filter(({ is_full_refetch }) => is_full_refetch);
    assert.deepEqual(refetch, {
      type: "refetch_starting",
      reason: "3 updates reached - full reconstruction",
      total_shards: full.length,
      sequence: 3,
      epoch: 1,
    });
    assert.deepEqual(
      full.map(({ shard_index }) => shard_index),
      [...full.keys()],
    );
    assert.ok(full.every(({ sequence, image_id }) => sequence === 3 && image_id === acknowledged[2]!.image_id));
    // The first photo alone brought nothing, and counts.
    const first = shards.find(({ image_id }) => image_id === acknowledged[0]!.image_id)!;
    assert.equal(first.points, 0);
    assert.match(String(first.timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
    for (const shard of shards) vertices(shard);
    assert.deepEqual(
      uploader.heard.filter(({ type }) => type === "shard_update").map(shardHash),
      shards.map(shardHash),
    );
    const now = shards.filter(({ epoch }) => epoch === 1);
    const points = now.reduce((sum, shard) => sum + Number(shard.points), 0);
    assert.ok(points > 200, `${points} points`);
    // In the frame of the first camera: z forward, and what it sees lies before it.
    const z = now.flatMap((shard) =>
      Array.from({ length: Number(shard.points) }, (_, i) => vertices(shard).readFloatLE(i * 15 + 8)),
    );
    assert.ok(z.filter((each) => each > 0).length > 0.9 * z.length);

    const status = async () => (await server.send("GET", "/projects/A%20site/status")).json() as Promise<Message>;
    const before = await status();
    assert.deepEqual(
      [
        before.project_id,
        before.active_clients,
        before.update_count,
        before.total_images,
        before.epoch,
        before.queued_images,
      ],
      ["A site", 2, 1, 4, 1, 0],
    );
    assert.match(String(before.last_full_refetch), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);

    // A resync and a late client get what everybody has; also after a restart.
    await watcher.tell({ type: "request_resync" });
    const again = await watcher.of("initial_state_complete", 2);
    assert.deepEqual(again[1], { type: "initial_state_complete", total_images: 4, epoch: 1 });
    // As many blocks as were asked for, also at once.
    for (let i = 0; i < 2; i++) watcher.ws.send(JSON.stringify({ type: "request_resync" }));
    await watcher.of("initial_state_complete", 4);
    watcher.heard.splice(watcher.heard.indexOf(again[1]!) + 1);
    const block = watcher.heard.filter(({ type }) => type === "initial_state_shard");
    assert.deepEqual(block.map(shardHash), now.map(shardHash));
    await server.restart();
    assert.deepEqual(await uploader.closed, { code: 1001, reason: "server shutting down" });
    const late = new HeritageUser(server, "A site");
    await late.of("initial_state_complete");
    const lateBlock = late.heard.filter(({ type }) => type === "initial_state_shard");
    assert.deepEqual(lateBlock.map(shardHash), block.map(shardHash));
    assert.deepEqual({ ...(await status()), active_clients: 2 }, before);
    await late.upload(photos[4]!);
    const [next] = await late.of("processing_complete");
    assert.deepEqual([next?.sequence, next?.total_images, next?.epoch], [2, 5, 1]);
    late.ws.close();
  });

  test("HER-18 HER-24 HER-26 copies and photos without points count, and lead to a refetch of nothing", async (t) => {
    const server = await testServer(t, ENGINE);
    const user = new HeritageUser(server, "blank");
    for (let i = 0; i < 3; i++) await user.upload(blank(200));
    const done = await user.of("processing_complete", 3);
    assert.deepEqual(
      done.map(({ sequence, epoch }) => [sequence, epoch]),
      [
        [1, 0],
        [2, 0],
        [3, 1],
      ],
    );
    const shards = user.heard.filter(({ type }) => type === "shard_update");
    assert.deepEqual(
      shards.map(({ points, total_shards, is_full_refetch }) => [points, total_shards, is_full_refetch]),
      [
        [0, 1, false],
        [0, 1, false],
        [0, 1, true],
      ],
    );
    assert.equal((await user.of("refetch_starting"))[0]?.total_shards, 1);
    user.ws.close();
  });

  test("HER-13 HER-36..HER-45 what cannot be used is said to its sender, and the socket stays", async (t) => {
    const server = await testServer(t);
    const user = new HeritageUser(server, "bad");
    await user.of("initial_state_complete");
    const said: [object | string | Buffer, object][] = [
      [{ type: "upload_image" }, { message: "No image data provided" }],
      [
        { type: "upload_image", image_data: 5, client_ref: "r" },
        { message: "No image data provided", client_ref: "r" },
      ],
      [{ type: "upload_image", image_data: "!!" }, { message: "Failed to process image: invalid base64" }],
      [{ type: "upload_image", image_data: "aGVsbG8=" }, { message: "Failed to process image: not a readable image" }],
      [{ type: "nonsense" }, { message: "Unknown message type: nonsense" }],
      [{}, { message: "Unknown message type: null" }],
      ["no json", { message: "Invalid message: expected a JSON object" }],
      ["[1]", { message: "Invalid message: expected a JSON object" }],
      [Buffer.of(1), { message: "Binary messages are not accepted here" }],
    ];
    for (const [message] of said) await user.tell(message);
    const errors = await user.of("error", said.length);
    assert.deepEqual(
      errors,
      said.map(([, error]) => ({ type: "error", ...error })),
    );
    await user.tell({ type: "ping" });
    assert.match(String((await user.of("pong"))[0]?.timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
    user.ws.close();
  });

  test("HER-4 GEN-5 names that are not allowed are said and closed with 1008; asking creates nothing", async (t) => {
    const server = await testServer(t);
    for (const name of ["a/b", "..", "phone", "x".repeat(129), "a\u0007"]) {
      // At the root `phone` is a door of its own; under the prefix it is a name, and not allowed either.
      const path = name === "phone" ? "/heritage/ws/" : "/ws/";
      const user = new HeritageUser(server, name === ".." ? "%2e%2e" : name, path);
      if (name === "..") {
        // `..` never arrives as it is: twice encoded it is another name.
        await user.of("initial_state_complete");
        user.ws.close();
        continue;
      }
      assert.equal((await user.closed).code, 1008, name);
      assert.deepEqual(user.heard, [{ type: "error", message: "Project id is not allowed" }]);
      assert.equal((await server.send("GET", `/projects/${encodeURIComponent(name)}/status`)).status, 400);
    }
    const unknown = await server.send("GET", "/heritage/projects/nobody/status");
    assert.deepEqual(await unknown.json(), {
      project_id: "nobody",
      active_clients: 0,
      update_count: 0,
      total_images: 0,
      last_full_refetch: null,
      epoch: 0,
      queued_images: 0,
    });
    const { projects } = (await (await server.send("GET", "/projects")).json()) as { projects: Message[] };
    assert.ok(!projects.some(({ project_id }) => project_id === "nobody"));
  });

  test("HER-3 projects are listed, those with the newest activity first, each as its status says", async (t) => {
    const server = await testServer(t);
    const [one, two] = [new HeritageUser(server, "one"), new HeritageUser(server, "two")];
    await one.of("initial_state_complete");
    await two.of("initial_state_complete");
    const list = async () =>
      ((await (await server.send("GET", "/projects")).json()) as { projects: Message[] }).projects;
    for (const [user, order] of [
      [one, ["one", "two"]],
      [two, ["two", "one"]],
    ] as const) {
      await user.upload(blank(1));
      await user.of("upload_acknowledged");
      const projects = await list();
      assert.deepEqual(
        projects.map(({ project_id }) => project_id),
        order,
      );
      for (const each of projects) {
        assert.deepEqual(await (await server.send("GET", `/projects/${each.project_id}/status`)).json(), each);
      }
    }
    for (const { ws } of [one, two]) ws.close();
  });

  test("HER-1 GEN-10 GEN-11 health counts sockets and projects while they are open", async (t) => {
    const server = await testServer(t);
    const users = [new HeritageUser(server, "one"), new HeritageUser(server, "one"), new HeritageUser(server, "two")];
    for (const user of users) await user.of("initial_state_complete");
    const health = async (path: string) => (await (await server.send("GET", path)).json()) as Message;
    const { status, service, active_projects, total_connections } = await health("/heritage/health");
    assert.deepEqual(
      [status, service, active_projects, total_connections],
      ["healthy", "heritage-reconstruction-websocket", 2, 3],
    );
    const root = await health("/health");
    assert.deepEqual([root.active_projects, root.total_connections], [2, 3]);
    assert.deepEqual(root.connections, {
      heritage: 3,
      depth: 0,
      meshes: 0,
      hub: 0,
      imagetools: 0,
      live: 0,
    });
    for (const user of users) user.ws.close();
    await Promise.all(users.map(({ closed }) => closed));
    while ((await health("/heritage/health")).total_connections !== 0)
      await new Promise((resolve) => setImmediate(resolve));
    for (const path of ["/health", "/heritage/health"]) assert.equal((await health(path)).active_projects, 0);
  });

  test("HER-49..HER-53 the older way over HTTP counts like the socket and answers with the whole cloud", async (t) => {
    const server = await testServer(t, ENGINE);
    const photos = await samplePhotos(2);
    const send = (path: string, photo: Buffer | undefined, fields: Record<string, string> = {}, name = "file") => {
      const form = new FormData();
      for (const [field, value] of Object.entries(fields)) form.set(field, value);
      if (photo) form.set(name, new Blob([photo]), "photo.jpg");
      return server.send("POST", path, form);
    };
    assert.deepEqual(await (await server.send("GET", "/pointcloud/old/latest")).json(), {
      error: "Point cloud not found",
    });
    const quick = await send("/pointcloud/old", photos[0], { user_id: "u" });
    const { success, message, image_id } = (await quick.json()) as Message;
    assert.deepEqual([success, message, typeof image_id], [true, "Image received, processing...", "string"]);
    const whole = await send("/pointcloud/old", photos[1]);
    assert.equal(whole.status, 200);
    assert.match(whole.headers.get("content-type") ?? "", /^multipart\/form-data/);
    const form = await whole.formData();
    const ply = Buffer.from(await (form.get("pointcloud") as Blob).arrayBuffer());
    const count = Number(/element vertex (\d+)/.exec(ply.toString("latin1"))?.[1]);
    assert.ok(count > 100, `${count} points`);
    const pose = JSON.parse(await (form.get("camera_pose") as Blob).text()) as number[][];
    assert.deepEqual(pose[3], [0, 0, 0, 1]);
    for (const row of [0, 1, 2]) assert.ok(Math.abs(Math.hypot(...pose[row]!.slice(0, 3)) - 1) < 1e-6);
    assert.equal((await send("/pointcloud/old", undefined)).status, 422);
    const refused = await send("/pointcloud/old", Buffer.from("no image"));
    assert.deepEqual([refused.status, await refused.json()], [400, { detail: "File must be an image" }]);
    assert.equal((await send("/pointcloud/phone", photos[0])).status, 400);

    const shown = async (path: string) => (await server.send("GET", path)).json() as Promise<Message>;
    const scene = Buffer.from(String((await shown("/scene/old")).thumbnail_path), "base64");
    assert.equal(scene.toString("latin1", 1, 4), "PNG");
    const set = await send("/scene/old", blank(7), {}, "thumbnail");
    assert.equal(set.status, 200);
    const own = Buffer.from(String((await shown("/scene/old")).thumbnail_path), "base64");
    assert.notDeepEqual(own, scene);
    const { scenes } = (await shown("/scenes")) as unknown as { scenes: { name: string }[] };
    assert.deepEqual(
      scenes.map(({ name }) => name),
      ["old"],
    );
    assert.equal((await server.send("GET", "/scene/nobody")).status, 404);
  });

  test("BLOB-9 HER-52 a scene's picture and a session's result are what the server made, not what somebody names", async (t) => {
    const [boss, guest] = ["boss-boss-boss-boss", "guest-guest-guest"];
    const tokens = [{ token: guest, role: "admin" as const, spaces: ["mine", "made"] }];
    const server = await testServer(t, { token: boss, tokens });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const ask = (method: string, path: string, body?: object) =>
      server.send(method, path, body ? JSON.stringify(body) : null, as(guest));
    for (const id of ["mine", "theirs"]) await server.send("POST", "/v1/spaces", JSON.stringify({ id }), as(boss));
    const { blob } = await receiptOf(await server.upload(blank(9), "", "theirs"));
    const session = { "depth.max_images": 5, "depth.result.glb": blob };
    for (const labels of [{ heritage: true, "heritage.thumbnail": blob }, session, { "imagetools.user": "somebody" }]) {
      for (const answer of [
        await ask("PATCH", "/v1/spaces/mine", { labels }),
        await ask("POST", "/v1/spaces", { id: "made", labels }),
      ]) {
        const { status, code } = await errorOf(answer);
        assert.deepEqual([status, code], [400, "space.label_reserved"]);
      }
    }
    const opened = new FaceUser(server, `/ws/mine?token=${guest}`);
    await opened.until((heard) => heard[0]);
    opened.ws.close();
    const words = { labels: { note: blob } };
    assert.equal((await ask("PATCH", "/v1/spaces/mine", words)).status, 200);
    assert.equal((await ask("GET", "/scene/mine")).status, 404);
    assert.equal((await ask("GET", "/ws/session/mine/result.glb")).status, 404);
  });

  test("HER-52 GEN-44 a scene whose photo is lost is left out, and hides no other", async (t) => {
    const server = await testServer(t);
    for (const [i, space] of ["whole", "lost"].entries()) {
      const user = new FaceUser(server, `/ws/${space}`);
      await user.tell({ type: "upload_image", image_data: blank(20 + i).toString("base64") });
      await user.of("upload_acknowledged");
      user.ws.close();
    }
    const added = (await server.events("lost")).find(({ type }) => type === "image.added")!;
    const { blob } = added.data as { blob: string };
    for (const entry of await readdir(server.dataDir, { recursive: true })) {
      if (entry.replaceAll("/", "").endsWith(blob)) await rm(join(server.dataDir, entry));
    }
    const response = await server.send("GET", "/scenes");
    assert.equal(response.status, 200);
    const { scenes } = (await response.json()) as { scenes: { name: string }[] };
    assert.deepEqual(
      scenes.map(({ name }) => name),
      ["whole"],
    );
  });
});
