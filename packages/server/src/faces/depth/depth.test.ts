/** The depth contract over a real server: a session from its creation to its GLB, with the sample's photos. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpaceState } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { validateBytes } from "gltf-validator";
import { createSession, DepthUser } from "../../test/depth-user.ts";
import type { Message } from "../../test/face-user.ts";
import { png } from "../../test/png.ts";
import { samplePhotos } from "../../test/sample-photos.ts";
import { type TestServer, testServer } from "../../test/test-server.ts";

type Gltf = {
  scenes: { extras: { hf_alignment: number[][] } }[];
  meshes: { primitives: { mode: number; attributes: { POSITION: number } }[] }[];
  accessors: { count: number; type: string; componentType: number }[];
  extensionsRequired?: string[];
};

const ENGINE = { openEngine: openEmbeddedEngine, spaceSettings: { preset: "sparse" as const } };

async function readGlb(base64: unknown): Promise<{ gltf: Gltf; bytes: Buffer }> {
  const bytes = Buffer.from(String(base64), "base64");
  const { issues } = await validateBytes(new Uint8Array(bytes));
  assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages.slice(0, 3)));
  const length = bytes.readUInt32LE(12);
  return { gltf: JSON.parse(bytes.toString("utf8", 20, 20 + length)) as Gltf, bytes };
}

async function snapshot(server: TestServer, id: string): Promise<SpaceState> {
  const response = await server.send("GET", `/v1/spaces/${id}/snapshot`);
  return ((await response.json()) as { state: SpaceState }).state;
}

describe("the depth face", () => {
  test("DEP-1..DEP-5 DEP-7 DEP-45 DEP-46 a session is made, found, listed, deleted, and then gone", async (t) => {
    const server = await testServer(t);
    const made = await createSession(
      server,
      "?max_images=7&process_res=300",
      JSON.stringify({ process_res: 200, show_cameras: false }),
    );
    assert.match(made.session_id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(made, {
      success: true,
      session_id: made.session_id,
      created_at: made.created_at,
      max_images: 7,
      config: {
        process_res: 200,
        process_res_method: "upper_bound_resize",
        conf_thresh_percentile: 10,
        num_max_points: 10_000_000,
        show_cameras: false,
        auto_generate_after: 0,
      },
      websocket_url: `/ws/reconstruct/${made.session_id}`,
    });
    assert.ok(Math.abs(Number(made.created_at) - Date.now() / 1000) < 60);
    for (const body of [undefined, "", "{}"]) await createSession(server, "", body);
    const form = await server.send("POST", "/depth/ws/session/create", "show_cameras=0&max_images=3", {
      "content-type": "application/x-www-form-urlencoded",
    });
    const { config, max_images } = (await form.json()) as { config: { show_cameras: boolean }; max_images: number };
    assert.deepEqual([config.show_cameras, max_images], [false, 3]);

    const got = await server.send("GET", `/ws/session/${made.session_id}`);
    const { status, image_count, error_message, has_result, connections } = (await got.json()) as Message;
    assert.deepEqual([status, image_count, error_message, has_result, connections], ["active", 0, null, false, 0]);
    const { stats, sessions } = (await (await server.send("GET", "/ws/sessions")).json()) as {
      stats: Record<string, number>;
      sessions: Message[];
    };
    assert.deepEqual(stats, {
      total_sessions: 5,
      active_sessions: 5,
      processing_sessions: 0,
      max_sessions: 100,
      total_images: 0,
      session_timeout: 3600,
    });
    assert.equal(sessions.at(-1)?.session_id, made.session_id, "newest first");
    const user = new DepthUser(server, String(made.websocket_url));
    await user.of("connected");
    const gone = await server.send("DELETE", `/ws/session/${made.session_id}`);
    assert.deepEqual(await gone.json(), { success: true, message: `Session ${made.session_id} deleted` });
    assert.deepEqual(await user.closed, { code: 1000, reason: "" });
    assert.deepEqual(user.heard.at(-1), { type: "error", message: "Session deleted" });
    for (const method of ["GET", "DELETE"]) {
      const again = await server.send(method, `/ws/session/${made.session_id}`);
      assert.deepEqual([again.status, await again.json()], [404, { detail: "Session not found" }]);
    }
    const wrong = await server.send("POST", "/ws/session/create?max_images=0&show_cameras=maybe");
    assert.equal(wrong.status, 422);
    const { detail } = (await wrong.json()) as { detail: { loc: string[] }[] };
    assert.deepEqual(
      detail.map(({ loc }) => loc),
      [
        ["query", "max_images"],
        ["query", "show_cameras"],
      ],
    );
    // As libraries and tools say it: a type of bytes for no body at all, that of a form or of text for JSON.
    for (const [type, body, max] of [
      ["application/octet-stream", "", 100],
      ["application/x-www-form-urlencoded", '{"max_images":4}', 4],
      ["text/plain;charset=UTF-8", '{"max_images":4}', 4],
      ["application/vnd.api+json", '{"max_images":4,"show_cameras":1}', 4],
      ["", '{"max_images":4,"show_cameras":"true"}', 4],
    ] as const) {
      // Bytes, of which `fetch` says nothing by itself.
      const answer = await server.send("POST", "/ws/session/create", Buffer.from(body), {
        ...(type && { "content-type": type }),
      });
      assert.deepEqual([answer.status, ((await answer.json()) as Message).max_images], [200, max], type);
    }
    for (const [body, problem] of [
      ["{bad", { type: "json_invalid", loc: ["body"], msg: "JSON decode error", input: {} }],
      ["[1]", { type: "model_type", loc: ["body"], msg: "Input should be an object", input: "[1]" }],
    ] as const) {
      const answer = await server.send("POST", "/ws/session/create", body, { "content-type": "application/json" });
      assert.deepEqual([answer.status, await answer.json()], [422, { detail: [problem] }]);
    }
    const { model_loaded, gpu_memory } = (await (await server.send("GET", "/status")).json()) as Message;
    assert.deepEqual([model_loaded, gpu_memory], [true, null]);
  });

  test("DEP-18..DEP-44 photos become a GLB with cameras; it survives a restart", async (t) => {
    const server = await testServer(t, ENGINE);
    const { session_id } = await createSession(server, "?process_res=400");
    const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
    assert.deepEqual((await user.of("connected"))[0], {
      type: "connected",
      session_id,
      image_count: 0,
      max_images: 100,
      status: "active",
      has_result: false,
    });
    const other = new DepthUser(server, `/depth/ws/reconstruct/${session_id}`);
    await other.of("connected");
    const names = ["a/b/first photo.JPG", "", "x.png", "x.jpg"];
    for (const [i, photo] of (await samplePhotos(4)).entries()) await user.image(photo, names[i]);
    assert.deepEqual(
      (await user.of("ack", 4)).map(({ image_count, image_path }) => [image_count, image_path]),
      [
        [1, "first_photo.JPG"],
        [2, "image_0001.jpg"],
        [3, "x.jpg"],
        [4, "x_1.jpg"],
      ],
    );
    await user.tell({ type: "generate", incremental: true });
    await user.tell({ type: "ping" });
    assert.deepEqual((await user.of("pong"))[0], { type: "pong", session_id });
    const [complete] = await user.of("complete");
    const [delta] = await user.of("delta");
    assert.deepEqual([delta?.delta_index, delta?.image_count], [0, 4]);
    assert.ok(Number(delta?.total_points) > 100 && delta?.points_added === delta?.total_points);
    const stages = user.heard.filter(({ type }) => type === "progress");
    const first = ["loading_model", "inference", "exporting"].map((name) => {
      const found = stages.find(({ stage }) => stage === name);
      return [name, [found?.progress, found?.message]];
    });
    assert.deepEqual(first, [
      ["loading_model", [0.1, "Loading model..."]],
      ["inference", [0.3, "Processing 4 images..."]],
      ["exporting", [0.7, "Exporting..."]],
    ]);
    const values = stages.map(({ progress }) => Number(progress));
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
    );

    const metadata = complete?.metadata as Record<string, unknown>;
    const { gltf, bytes } = await readGlb(complete?.glb_base64);
    assert.equal(metadata.glb_size_bytes, bytes.length);
    assert.equal(metadata.num_frames, 4);
    assert.deepEqual(metadata.registered, [true, true, true, true]);
    assert.deepEqual(metadata.filenames, ["first_photo.JPG", "image_0001.jpg", "x.jpg", "x_1.jpg"]);
    assert.equal(gltf.extensionsRequired, undefined);
    assert.deepEqual(gltf.scenes[0]?.extras.hf_alignment, metadata.hf_alignment);
    const modes = gltf.meshes.map(({ primitives }) => primitives[0]!.mode);
    assert.deepEqual(modes, [0, 1, 1, 1, 1]);
    const counts = gltf.meshes.map(({ primitives }) => gltf.accessors[primitives[0]!.attributes.POSITION]!.count);
    assert.deepEqual(counts.slice(1), [16, 16, 16, 16]);
    assert.deepEqual(metadata.points3d_shape, [counts[0], 3]);
    for (const [i, k] of (metadata.intrinsics as number[][][]).entries()) {
      // The principal point lies in the middle of the photo as it is looked at: 400 px on the long side.
      assert.ok(Math.abs(Math.max(k[0]![2]!, k[1]![2]!) - 200) < 20, `camera ${i}: ${JSON.stringify(k)}`);
      assert.deepEqual(k[2], [0, 0, 1]);
      assert.deepEqual((metadata.extrinsics as number[][][])[i]?.[3], [0, 0, 0, 1]);
    }
    assert.ok(Number(metadata.depth_min) > 0 && Number(metadata.depth_mean) < Number(metadata.depth_max));

    // Who was away, or comes after a restart, fetches it; finalize computes nothing anew.
    await server.restart();
    const file = await server.send("GET", `/ws/session/${session_id}/result.glb`);
    assert.deepEqual([file.status, file.headers.get("content-type")], [200, "model/gltf-binary"]);
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), bytes);
    const back = new DepthUser(server, `/ws/reconstruct/${session_id}`);
    const [connected] = await back.of("connected");
    assert.deepEqual([connected?.image_count, connected?.has_result], [4, true]);
    await back.tell({ type: "finalize", glb: "url" });
    const [final] = await back.of("complete");
    assert.equal(final?.glb_base64, "");
    assert.equal(final?.glb_url, `/ws/session/${session_id}/result.glb`);
    assert.deepEqual(final?.metadata, metadata);
    assert.equal(back.heard.filter(({ stage }) => stage === "finalizing").length, 1);
    const status = async () =>
      ((await (await server.send("GET", `/ws/session/${session_id}`)).json()) as { status: string }).status;
    assert.equal(await status(), "completed");
    await back.image(png(3));
    await back.of("ack");
    assert.equal(await status(), "active");
    back.ws.close();
  });

  test("DEP-19 DEP-35 DEP-47..DEP-54 what cannot be used is said, and the session stays", async (t) => {
    const server = await testServer(t, ENGINE);
    const lost = new DepthUser(server, "/ws/reconstruct/nobody");
    assert.equal((await lost.closed).code, 4004);
    assert.deepEqual(lost.heard, [{ type: "error", message: "Session nobody not found" }]);

    const foreign = "日".repeat(80);
    const strange = new DepthUser(server, `/ws/reconstruct/${encodeURIComponent(foreign)}`);
    assert.equal((await strange.closed).code, 4004);
    assert.deepEqual(strange.heard, [{ type: "error", message: `Session ${foreign.slice(0, 64)} not found` }]);

    const user = new DepthUser(server, "/ws/reconstruct");
    await user.tell({ type: "generate" });
    await user.tell({ type: "init", max_images: 2, show_cameras: "true" });
    await user.tell({ type: "init" });
    const [created] = await user.of("session_created");
    assert.equal(created?.max_images, 2);
    const said: [object | string | Buffer, string][] = [
      [{ type: "generate" }, "No images in session"],
      [{ type: "image" }, "Failed to process image: no image data"],
      [{ type: "image", data: "??" }, "Failed to process image: invalid base64"],
      [{ type: "image", data: "aGVsbG8=" }, "Failed to process image: not a readable image"],
      [{ type: "dance" }, "Unknown message type: dance"],
      [{ type: "generate", incremental: "yes" }, "Invalid message format: incremental must be a boolean"],
    ];
    for (const [message] of said) await user.tell(message);
    const errors = await user.of("error", 2 + said.length);
    assert.deepEqual(
      errors.map(({ message }) => message),
      [
        "No session initialized. Send 'init' message first.",
        "Session already initialized",
        ...said.map(([, text]) => text),
      ],
    );
    await user.tell("no json");
    await user.tell(Buffer.of(1));
    assert.deepEqual(
      (await user.of("error", 10)).slice(8).map(({ message }) => message),
      ["Invalid message format: not JSON", "Invalid message format: binary messages are not accepted here"],
    );
    for (const seed of [1, 2, 3]) await user.image(png(seed));
    assert.equal(
      (await user.of("error", 11))[10]?.message,
      "Failed to process image: maximum number of images (2) reached",
    );
    assert.equal((await user.of("ack", 2))[1]?.image_path, "image_0001.png");
    await user.tell({ type: "generate" });
    const [, failed] = [0, (await user.of("error", 12))[11]];
    assert.equal(failed?.message, "Failed to generate point cloud: not enough overlapping images");
    const got = await server.send("GET", `/ws/session/${String(created?.session_id)}`);
    const { status, error_message } = (await got.json()) as Message;
    assert.deepEqual([status, error_message], ["error", failed?.message]);
    user.ws.close();
  });

  test("DEP-6 DEP-17 DEP-20 answers go to who asked, in order; without a result there is no file", async (t) => {
    const server = await testServer(t);
    const { session_id } = await createSession(server);
    const [sender, other] = [0, 1].map(() => new DepthUser(server, `/ws/reconstruct/${session_id}`)) as [
      DepthUser,
      DepthUser,
    ];
    for (const user of [sender, other]) await user.of("connected");
    await sender.image(png(1));
    await sender.tell({ type: "image", data: "??" });
    await sender.image(png(2));
    await sender.of("ack", 2);
    assert.deepEqual(
      sender.heard.map(({ type, image_count }) => [type, image_count]),
      [
        ["connected", 0],
        ["ack", 1],
        ["error", undefined],
        ["ack", 2],
      ],
    );
    await other.tell({ type: "ping" });
    await other.of("pong");
    assert.deepEqual(
      other.heard.map(({ type }) => type),
      ["connected", "pong"],
    );
    assert.equal((await server.send("GET", `/ws/session/${session_id}/result.glb`)).status, 404);
    for (const { ws } of [sender, other]) ws.close();
  });

  test("DEP-22 DEP-23 DEP-36 images that two send at once have names and counts of their own", async (t) => {
    const server = await testServer(t);
    const { session_id } = await createSession(server);
    const users = [0, 1].map(() => new DepthUser(server, `/ws/reconstruct/${session_id}`));
    for (const user of users) await user.of("connected");
    const data = (seed: number) => png(seed).toString("base64");
    for (let round = 0; round < 5; round++) {
      for (const [i, user] of users.entries())
        user.ws.send(JSON.stringify({ type: "image", data: data(2 * round + i), filename: "same.png" }));
    }
    const acks = (await Promise.all(users.map((user) => user.of("ack", 5)))).flat();
    const names = ["same.png", ...Array.from({ length: 9 }, (_, k) => `same_${k + 1}.png`)];
    assert.deepEqual(acks.map(({ image_path }) => image_path).sort(), names.sort());
    assert.deepEqual(
      acks.map(({ image_count }) => Number(image_count)).sort((a, b) => a - b),
      Array.from({ length: 10 }, (_, k) => k + 1),
    );
    for (const { ws } of users) ws.close();
  });

  test("DEP-12 DEP-14 at most so many sessions; idle ones go, with their sockets closed", async (t) => {
    const hourMs = 3_600_000;
    let laterMs = 0;
    const nowMs = () => performance.now() + laterMs;
    const server = await testServer(t, { depthSessions: { sessions: 3, idleMs: hourMs, sweepMs: 20, nowMs } });
    const { session_id } = await createSession(server);
    // At once, too: one that is being made counts.
    const made = await Promise.all([1, 2, 3, 4].map(() => server.send("POST", "/ws/session/create")));
    assert.deepEqual(made.map(({ status }) => status).sort(), [200, 200, 500, 500]);
    const refused = await server.send("POST", "/ws/session/create");
    assert.deepEqual(
      [refused.status, await refused.json()],
      [500, { detail: "Failed to create session: maximum number of sessions (3) reached" }],
    );
    const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
    await user.of("connected");
    // A step of the wall clock is nobody's idleness.
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() + hourMs + 1000 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal((await server.send("GET", `/ws/session/${session_id}`)).status, 200);
    laterMs = hourMs + 1000;
    assert.deepEqual(await user.closed, { code: 4004, reason: "Session expired" });
    assert.deepEqual(user.heard.at(-1), { type: "error", message: "Session expired" });
    assert.equal((await server.send("GET", `/ws/session/${session_id}`)).status, 404);
    await createSession(server);
  });

  test("GEN-41 DEP-26 a photo that is removed while a run waits for it is waited for no longer", async (t) => {
    const server = await testServer(t);
    const { session_id } = await createSession(server);
    const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
    // Nobody looks at photos here.
    await user.image(png(1));
    await user.of("ack");
    await user.tell({ type: "generate" });
    await user.until((heard) => heard.find(({ stage }) => stage === "inference"));
    const { image } = Object.values((await snapshot(server, session_id)).images)[0]!;
    assert.ok((await server.send("DELETE", `/api/v1/images/${image}`)).ok);
    const [failed] = await user.of("error");
    assert.equal(failed?.message, "Failed to generate point cloud: not enough overlapping images");
    user.ws.close();
  });

  test("GEN-41 DEP-30 a photo in the place of another makes another result, though there are as many", async (t) => {
    const server = await testServer(t, ENGINE);
    const photos = await samplePhotos(4);
    const { session_id } = await createSession(server);
    const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
    for (const [i, photo] of photos.slice(0, 3).entries()) await user.image(photo, `${i}.jpg`);
    await user.of("ack", 3);
    await user.tell({ type: "generate", glb: "url" });
    await user.of("complete");
    const images = Object.values((await snapshot(server, session_id)).images);
    const { image } = images.find(({ name }) => name === "2.jpg")!;
    assert.ok((await server.send("DELETE", `/api/v1/images/${image}`)).ok);
    await user.image(photos[3]!, "3.jpg");
    await user.of("ack", 4);
    await user.tell({ type: "finalize", glb: "url" });
    const [, last] = await user.of("complete", 2);
    assert.deepEqual((last!.metadata as Message).filenames, ["0.jpg", "1.jpg", "3.jpg"]);
    user.ws.close();
  });

  test("GEN-41 one that is deleted as a space ends for its sockets, too", async (t) => {
    const server = await testServer(t);
    const { session_id } = await createSession(server);
    const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
    await user.of("connected");
    assert.equal((await server.send("DELETE", `/v1/spaces/${session_id}`)).status, 204);
    assert.deepEqual(await user.closed, { code: 1000, reason: "" });
    assert.deepEqual(user.heard.at(-1), { type: "error", message: "Session deleted" });
  });
});
