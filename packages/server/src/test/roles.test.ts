/** Who may do what: tokens with roles, for all spaces or for some, at every door. Rules GEN-34 to GEN-37. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { VIDEO_FLAG, writeVideoPacket } from "@cairn/protocol";
import { accessBy } from "../http/access.ts";
import { addressOf, trustedProxies } from "../http/proxies.ts";
import { FaceUser } from "./face-user.ts";
import { HubUser, keyNal } from "./hub-user.ts";
import { formOf } from "./imagetools-client.ts";
import { floor, layerSpace } from "./layer-space.ts";
import { png } from "./png.ts";
import { testServer } from "./test-server.ts";

const ADMIN = "the-token-of-the-house";
const TOKENS = [
  { token: "viewer-viewer-viewer", role: "view" },
  { token: "giver-giver-giver", role: "contribute" },
  { token: "driver-driver-driver", role: "operate" },
  { token: "guest-guest-guest", role: "contribute", spaces: ["place", "garden"] },
] as const;
const [VIEW, CONTRIBUTE, OPERATE, GUEST] = TOKENS.map(({ token }) => token) as [string, string, string, string];

const OPTIONS = { token: ADMIN, tokens: TOKENS };
const as = (token: string) => ({ authorization: `Bearer ${token}` });

describe("roles", () => {
  test("HTTP-29 GEN-34 GEN-35 HTTP: each role may do what those below it may, and 401 or 403 says that it may not", async (t) => {
    const server = await testServer(t, OPTIONS);
    const form = (fields: Record<string, string> = {}) => formOf(fields, { bytes: png(1), name: "a.png" });
    const session = await server.send("POST", "/ws/session/create");
    const { session_id } = (await session.json()) as { session_id: string };
    const requests: [method: string, path: string, body: () => string | Buffer | FormData | null, allowed: number][] = [
      ["GET", "/v1/spaces/place", () => null, 1],
      ["GET", "/metrics", () => null, 1],
      ["GET", "/ws/sessions", () => null, 1],
      ["GET", "/projects", () => null, 1],
      ["GET", "/api/meshes/list", () => null, 1],
      ["POST", "/v1/spaces/place/images?key=k", () => png(2), 2],
      ["POST", "/pointcloud/site", () => form({ user_id: "u" }), 2],
      ["POST", "/ws/session/create", () => "{}", 2],
      ["POST", "/api/v1/sessions", () => "{}", 2],
      ["PATCH", "/v1/spaces/place", () => JSON.stringify({ title: "T" }), 3],
      ["POST", "/api/restart", () => null, 3],
      ["DELETE", `/v1/spaces/${session_id}`, () => null, 4],
    ];
    for (const [method, path, body, allowed] of requests) {
      const statuses: number[] = [];
      for (const token of ["nobody-nobody-nobody", VIEW, CONTRIBUTE, OPERATE, ADMIN]) {
        const bytes = body();
        const type = Buffer.isBuffer(bytes) ? { "content-type": "application/octet-stream" } : {};
        const answer = await server.send(method, path, bytes, { ...type, ...as(token) });
        if (answer.status === 401) {
          assert.equal(answer.headers.get("www-authenticate"), "Bearer");
          assert.equal(((await answer.json()) as { detail: string }).detail, "Not authenticated");
        } else if (answer.status === 403) {
          assert.equal(((await answer.json()) as { detail: string }).detail, "Not allowed");
        } else assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`);
        statuses.push(answer.status === 401 ? 0 : answer.status === 403 ? 1 : 2);
      }
      const wanted = statuses.map((_, role) => (role === 0 ? 0 : role < allowed ? 1 : 2));
      assert.deepEqual(statuses, wanted, `${method} ${path}`);
    }
  });

  test("GEN-35 a token for some spaces reaches these, in every list and by every address, and no other", async (t) => {
    const server = await testServer(t, OPTIONS);
    for (const id of ["garden", "cellar"]) await server.send("POST", "/v1/spaces", JSON.stringify({ id }));
    const get = (path: string) => server.send("GET", path, null, as(GUEST));
    const { spaces } = (await (await get("/v1/spaces")).json()) as { spaces: { id: string }[] };
    assert.deepEqual(spaces.map(({ id }) => id).sort(), ["garden", "place"]);
    for (const [path, status] of [
      ["/v1/spaces/garden", 200],
      ["/v1/spaces/cellar", 403],
      ["/v1/spaces/cellar/events", 403],
      ["/projects/garden/status", 200],
      ["/heritage/projects/cellar/status", 403],
      ["/projects", 200],
      ["/api/meshes/list", 403],
      ["/api/v1/compression/presets", 200],
      ["/api/v1/images/session/cellar", 403],
      ["/status", 200],
    ] as const) {
      assert.equal((await get(path)).status, status, path);
    }
    for (const [source, space] of [
      ["gate", "garden"],
      ["stairs", "cellar"],
      ["roof", undefined],
    ] as const) {
      const query = new URLSearchParams({ role: "produce", token: ADMIN, ...(space && { space }) });
      await new FaceUser(server, `/v1/video/${source}?${query}`).of("welcome");
    }
    const listed = async (token: string) => {
      const answer = await (await server.send("GET", "/v1/video", null, as(token))).json();
      return (answer as { sources: { source: string }[] }).sources.map(({ source }) => source).sort();
    };
    assert.deepEqual(await listed(GUEST), ["gate"]);
    assert.deepEqual(await listed(ADMIN), ["gate", "roof", "stairs"]);
    const put = (path: string, fields: Record<string, string>, token = GUEST) =>
      server.send("POST", path, formOf(fields, { bytes: png(3), name: "a.png" }), as(token));
    const made = { custom_session_id: "garden" };
    assert.equal((await server.send("POST", "/api/v1/sessions", JSON.stringify(made), as(GUEST))).status, 200);
    assert.equal((await server.send("POST", "/api/v1/sessions", "{}", as(GUEST))).status, 403);
    assert.equal((await put("/api/v1/images", { session_id: "garden" })).status, 200);
    assert.equal((await put("/api/v1/images", { session_id: "cellar" })).status, 403);
    const other = await server.send("POST", "/api/v1/sessions", JSON.stringify({ custom_session_id: "cellar" }));
    assert.equal(other.status, 200);
    const image = (await (await put("/api/v1/images", { session_id: "cellar" }, ADMIN)).json()) as { id: string };
    assert.equal((await get(`/api/v1/images/${image.id}/current`)).status, 403);
    const zip = JSON.stringify({ image_ids: [image.id] });
    assert.equal((await server.send("POST", "/api/v1/images/download-zip", zip, as(GUEST))).status, 403);
    assert.equal((await server.send("POST", "/v1/spaces", JSON.stringify({ id: "attic" }), as(GUEST))).status, 403);
  });

  test("BLOB-9 GEN-35 a token for some spaces reads the blobs of these, old and new, and cannot tell whether another is there", async (t) => {
    const place = await layerSpace();
    const named = await place.change(async (core, space) => {
      const writer = core.layers.start(space, { kind: "import", name: "sheet" });
      for (const seed of [1, 2]) await space.log.append(await writer.insert([floor(2000, 1, [0, 0, 0], seed)]));
      await core.layers.compact(space, writer.layer);
      const { index } = space.log.snapshot().state.layers[writer.layer]!;
      const packs = (await space.log.read(0, 1000)).flatMap(({ type, data }) =>
        type === "segments.added" ? [data] : [],
      );
      return [index!.index, ...index!.blobs, ...packs.map(({ blob }) => blob)];
    });
    const server = await testServer(t, { ...OPTIONS, dataDir: place.dataDir });
    for (const id of ["garden", "cellar"]) await server.send("POST", "/v1/spaces", JSON.stringify({ id }));
    const blobOf = async (answer: Promise<Response>) => ((await (await answer).json()) as { blob: string }).blob;
    const theirs = await blobOf(server.upload(png(41), "", "cellar"));
    const asked = async (digest: string, more: { method?: string; headers?: Record<string, string> } = {}) => {
      const { method = "GET", headers } = more;
      const answer = await server.send(method, `/v1/blobs/${digest}`, null, { ...as(GUEST), ...headers });
      return [answer.status, answer.headers.get("etag"), await answer.text()] as const;
    };
    for (const digest of named) assert.equal((await asked(digest))[0], 200);
    // Named after their blob, here and there.
    const words = { title: theirs, labels: { blob: theirs, note: theirs } };
    assert.equal((await server.send("PATCH", "/v1/spaces/garden", JSON.stringify(words))).status, 200);
    await server.upload(png(42), `name=${theirs}&contributor=${theirs}&key=${theirs}`, "garden");
    for (const more of [
      {},
      { method: "HEAD" },
      { headers: { range: "bytes=0-3" } },
      { headers: { "if-none-match": `"${theirs}"` } },
    ]) {
      const none = "0".repeat(64);
      const [status, etag, body] = await asked(theirs, more);
      assert.deepEqual([status, etag], [404, null]);
      const [, , other] = await asked(none, more);
      assert.equal(body, other.replaceAll(none, theirs));
    }
    // At once, as it comes, in any space of the token; the same bytes then are theirs, too.
    for (const [photo, space] of [
      [43, "place"],
      [44, "garden"],
      [41, "garden"],
    ] as const) {
      const digest = await blobOf(server.upload(png(photo), "", space));
      assert.deepEqual((await asked(digest)).slice(0, 2), [200, `"${digest}"`]);
    }
    for (const token of [VIEW, ADMIN]) {
      assert.equal((await server.send("GET", `/v1/blobs/${theirs}`, null, as(token))).status, 200);
    }
    await server.restart();
    for (const digest of named) assert.equal((await asked(digest))[0], 200);
  });

  test("GEN-28 GEN-34 GEN-35 sockets: 4001 and 4003 with nothing said before; what is not allowed is said", async (t) => {
    const server = await testServer(t, OPTIONS);
    const { session_id } = (await (await server.send("POST", "/ws/session/create")).json()) as { session_id: string };
    const end = async (path: string) => {
      const user = new FaceUser(server, path);
      const { code, reason } = await user.closed;
      assert.deepEqual(user.heard, [], path);
      return [code, reason];
    };
    for (const path of [
      "/ws/place",
      "/ws/meshes",
      "/ws/phone",
      `/ws/reconstruct/${session_id}`,
      "/v1/spaces/place/live",
    ]) {
      assert.deepEqual(await end(path), [4001, "Not authenticated"], path);
      assert.deepEqual(await end(`${path}?token=wrong`), [4001, "Not authenticated"], path);
      assert.deepEqual(await end(`${path}?token=${ADMIN}&token=${ADMIN}`), [4001, "Not authenticated"], path);
    }
    for (const path of [
      `/ws/phone?token=${CONTRIBUTE}`,
      `/ws/video?token=${VIEW}`,
      `/ws/cellar?token=${GUEST}`,
      `/ws/meshes?token=${GUEST}`,
      `/v1/spaces/cellar/live?token=${GUEST}`,
    ]) {
      assert.deepEqual(await end(path), [4003, "Not allowed"], path);
    }
    const photo = png(4).toString("base64");
    const watcher = new FaceUser(server, `/ws/place?token=${VIEW}`);
    await watcher.of("initial_state_complete");
    await watcher.tell({ type: "upload_image", image_data: photo, client_ref: "mine" });
    const [refusal] = await watcher.of("error");
    assert.deepEqual([refusal?.message, refusal?.client_ref], ["Not allowed", "mine"]);
    const giver = new FaceUser(server, `/ws/place?token=${GUEST}`);
    await giver.of("initial_state_complete");
    await giver.tell({ type: "upload_image", image_data: photo });
    await giver.of("upload_acknowledged");
    const depth = new FaceUser(server, `/ws/reconstruct/${session_id}?token=${VIEW}`);
    await depth.of("connected");
    for (const message of [{ type: "image", data: photo }, { type: "generate" }]) await depth.tell(message);
    assert.deepEqual(
      (await depth.of("error", 2)).map(({ message }) => message),
      ["Not allowed", "Not allowed"],
    );
    const live = new FaceUser(server, `/v1/spaces/place/live?token=${CONTRIBUTE}`);
    await live.tell({ type: "hello", version: 1 });
    await live.of("welcome");
    await live.tell({ type: "operation.start", id: "1", kind: "rebuild" });
    const [refused] = await live.of("error");
    assert.equal((refused!.error as { code: string }).code, "auth.forbidden");
    for (const { ws } of [watcher, giver, depth, live]) ws.terminate();
  });

  test("HTTP-29 HER-4 who may only watch makes no project and changes none, and sees what others begin", async (t) => {
    const server = await testServer(t, OPTIONS);
    const made = JSON.stringify({ custom_session_id: "album" });
    assert.equal((await server.send("POST", "/api/v1/sessions", made)).status, 200);
    const before = await server.events("album");
    const [early, late] = ["site", "album"].map((name) => new FaceUser(server, `/ws/${name}?token=${VIEW}`));
    const nothing = [
      { type: "initial_state_starting", total_shards: 0, total_images: 0, epoch: 0 },
      { type: "initial_state_complete", total_images: 0, epoch: 0 },
    ];
    for (const user of [early!, late!]) {
      await user.of("initial_state_complete");
      assert.deepEqual(user.heard, nothing);
      await user.tell({ type: "ping" });
      await user.tell({ type: "request_resync" });
      await user.of("initial_state_complete", 2);
      await user.tell({ type: "dance" });
      await user.tell({ type: "upload_image", image_data: "AAAA", client_ref: "mine" });
      const [unknown, refused] = await user.of("error", 2);
      assert.deepEqual(unknown, { type: "error", message: "Unknown message type: dance" });
      assert.deepEqual(refused, { type: "error", message: "Not allowed", client_ref: "mine" });
      await user.of("pong");
    }
    assert.equal((await server.send("GET", "/v1/spaces/site")).status, 404);
    assert.deepEqual(await server.events("album"), before);
    assert.deepEqual(await new FaceUser(server, `/ws/${encodeURIComponent("a/b")}?token=${VIEW}`).closed, {
      code: 1008,
      reason: "Project id is not allowed",
    });
    // What somebody begins who may, all see.
    const giver = new FaceUser(server, `/ws/site?token=${CONTRIBUTE}`);
    await giver.of("initial_state_complete");
    await early!.of("initial_state_complete", 3);
    const status = await (await server.send("GET", "/projects/site/status")).json();
    assert.equal((status as { active_clients: number }).active_clients, 2);
    for (const { ws } of [early!, late!, giver]) ws.terminate();
  });

  describe("live video of spaces that a token does not reach", () => {
    const SPACES = [
      { token: "looks-into-garden", role: "view", spaces: ["garden"] },
      { token: "drives-in-garden", role: "operate", spaces: ["garden"] },
      { token: "drives-in-cellar", role: "operate", spaces: ["cellar"] },
    ] as const;
    const key = (n: number) =>
      Buffer.from(writeVideoPacket({ flags: VIDEO_FLAG.key, number: n, timeNs: BigInt(n), data: keyNal(n) }));

    const end = ({ closed }: HubUser) => Promise.race([closed, delay(60_000, "it stays", { ref: false })]);

    async function houseOf(t: TestContext) {
      const server = await testServer(t, { token: ADMIN, tokens: SPACES });
      for (const id of ["garden", "cellar"]) await server.send("POST", "/v1/spaces", JSON.stringify({ id }));
      return {
        watch: (token: string, source = "cam") => HubUser.open(server, `/v1/video/${source}?token=${token}`),
        produce(token: string, space?: string, source = "cam") {
          const query = new URLSearchParams({ role: "produce", token, ...(space && { space }) });
          return HubUser.open(server, `/v1/video${source && `/${source}`}?${query}`);
        },
        async sourceOf(name: string) {
          const answer = await (await server.send("GET", `/v1/video/${name}`, null, as(ADMIN))).json();
          const { space, live } = answer as { space?: string; live: boolean };
          return { space, live };
        },
      };
    }

    test("GEN-35 STR-12 who watches a source is let go when it goes on in a space that the token does not reach", async (t) => {
      const { watch, produce, sourceOf } = await houseOf(t);
      const first = await produce("drives-in-garden", "garden");
      await first.of("welcome");
      const [watcher, owner] = [await watch("looks-into-garden"), await watch(ADMIN)];
      first.send(key(1));
      await Promise.all([watcher.packets(1), owner.packets(1)]);
      await first.leave();
      // The same source in the same space: who waits is there.
      const again = await produce("drives-in-garden", "garden");
      again.send(key(2));
      const heard = (await watcher.packets(3)).length;
      await again.leave();
      await owner.packets(4);
      const other = await produce("drives-in-cellar", "cellar");
      other.send(key(3));
      await owner.packets(5);
      assert.deepEqual(await end(watcher), { code: 4003, reason: "Not allowed" });
      assert.ok(watcher.binary.length <= heard + 1, "the end of what it might see, and nothing else");
      assert.deepEqual(await sourceOf("cam"), { space: "cellar", live: true });
      assert.deepEqual(await end(await watch("looks-into-garden")), { code: 4003, reason: "Not allowed" });
      for (const user of [other, owner]) await user.leave();
    });

    test("GEN-35 STR-12 nobody takes a source from who produces it in a space that the token does not reach, or in none", async (t) => {
      const { watch, produce, sourceOf } = await houseOf(t);
      const holders: [source: string, token: string, space: string | undefined][] = [
        ["cam", "drives-in-cellar", "cellar"],
        ["roof", ADMIN, undefined],
        ["default", ADMIN, "cellar"],
      ];
      for (const [source, token, space] of holders) {
        const holder = await produce(token, space, source);
        await holder.of("welcome");
        const taker = await produce("drives-in-garden", "garden", source);
        assert.deepEqual(await end(taker), { code: 4003, reason: "Not allowed" }, source);
        assert.deepEqual(await sourceOf(source), { space, live: true });
        const watcher = await watch(ADMIN, source);
        holder.send(key(1));
        assert.equal((await watcher.packets(1)).length, 1);
        await watcher.leave();
      }
      // Who leaves the name to the server gets one that is free, also from where another one produces.
      const nameless = await produce("drives-in-garden", "garden", "");
      assert.equal((await nameless.of("welcome"))[0]?.source, "default-2");
      // Who may be in both takes it, as ever.
      const house = await produce(ADMIN, "garden");
      await house.of("welcome");
      assert.deepEqual(await sourceOf("cam"), { space: "garden", live: true });
      for (const user of [house, nameless]) await user.leave();
    });
  });

  test("GEN-34 without tokens everybody is everywhere", () => {
    const open = accessBy({});
    assert.equal(open.tokenRequired, false);
    assert.equal(open.judge(undefined, "admin", undefined), "granted");
  });
});

test("GEN-37 who asks, and over what, is believed of named proxies only", async (t) => {
  const trusted = trustedProxies(["10.0.0.0/8", "::1"]);
  assert.deepEqual(["10.2.3.4", "::ffff:10.1.1.1", "::1", "11.0.0.1", "nonsense"].map(trusted), [
    true,
    true,
    true,
    false,
    false,
  ]);
  assert.throws(() => trustedProxies(["example.org"]), RangeError);
  const from = (remoteAddress: string, forwarded: string) =>
    addressOf({ headers: { "x-forwarded-for": forwarded }, socket: { remoteAddress } } as never, trusted);
  assert.equal(from("10.0.0.1", "8.8.8.8, 9.9.9.9, 10.0.0.2"), "9.9.9.9");
  assert.equal(from("9.9.9.9", "8.8.8.8"), "9.9.9.9");

  const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "cairn.example" };
  const videoUrl = async (trustedProxies?: string[]) => {
    const server = await testServer(t, trustedProxies ? { trustedProxies } : {});
    const answer = (await (await server.send("GET", "/health/video", null, headers)).json()) as { video_url: string };
    return answer.video_url.replace(`:${server.port}`, "");
  };
  assert.equal(await videoUrl(), "ws://127.0.0.1/ws/video/consume");
  assert.equal(await videoUrl(["127.0.0.1"]), "wss://cairn.example/ws/video/consume");
});
