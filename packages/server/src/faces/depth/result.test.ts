/** What a session's parameters do to its result, with points whose confidences are known. Rules DEP-8, DEP-9, DEP-11, DEP-13. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCore } from "@cairn/core";
import type { CameraState, ImageState } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import { createSession, DepthUser } from "../../test/depth-user.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";
import { readFields } from "../fields.ts";
import { labelsOf, presetFor, SessionParams } from "./params.ts";
import { Session } from "./session.ts";
import { makeResult } from "./session-glb.ts";

type Points = Parameters<typeof makeResult>[0]["points"];

/** A line of points; the k-th has the x coordinate and the confidence k, so that it is known which are left. */
function line(count: number): Points {
  const positions = Float64Array.from({ length: 3 * count }, (_, i) => (i % 3 === 0 ? i / 3 : i % 3 === 2 ? 5 : 0));
  const confidences = Uint8Array.from({ length: count }, (_, i) => i);
  return {
    count,
    min: [0, 0, 5],
    max: [count - 1, 0, 5],
    step: 1,
    normals: false,
    ofPhotos: false,
    georeference: undefined,
    async *read() {
      yield { count, positions, colors: new Uint8Array(3 * count), confidences, photos: 1 } as never;
    },
  };
}

const IMAGE = { image: "1", name: "a.jpg", width: 1600, height: 1200 } as ImageState;
const CAMERA = {
  image: "1",
  pose: { rotation: [1, 0, 0, 0], translation: [0, 0, 0] },
  intrinsics: { model: "PINHOLE", width: 1600, height: 1200, params: [1000, 1100, 800, 600] },
} as unknown as CameraState;

async function result(given: Record<string, unknown>, count = 200) {
  const { glb, metadata, points } = await makeResult({
    sessionId: "s",
    params: readFields(SessionParams, given, "body"),
    points: line(count),
    images: [IMAGE],
    cameras: { "1": CAMERA },
    engine: "embedded",
    dense: count !== 1,
    startedMs: performance.now(),
    signal: new AbortController().signal,
  });
  const headBytes = glb.readUInt32LE(12);
  const at = 20 + headBytes + 8;
  const xs = Array.from({ length: points }, (_, i) => glb.readFloatLE(at + 12 * i));
  // The origin is the median point: back to the numbers of the points.
  const shift = (metadata.hf_alignment as number[][])[0]![3]!;
  return { glb, metadata, points, left: xs.map((x) => Math.round(x - shift)) };
}

test("DEP-8 the side that the method means becomes that long, and intrinsics are of the resized image", async () => {
  for (const [method, scale] of [
    ["upper_bound_resize", 400 / 1600],
    ["lower_bound_resize", 400 / 1200],
  ] as const) {
    const { metadata } = await result({ process_res: 400, process_res_method: method });
    const [[fx, , cx], [, fy, cy]] = (metadata.intrinsics as number[][][])[0] as [number[], number[]];
    const wanted = [1000, 1100, 800, 600].map((value) => value * scale);
    for (const [i, value] of [fx, fy, cx, cy].entries()) assert.ok(Math.abs(value! - wanted[i]!) < 1e-9, method);
  }
});

test("DEP-8 DEP-40 a small size makes less of photos, a large one more; shapes are of the resized photos where there is depth", async () => {
  for (const [process_res, usual, preset] of [
    [504, "balanced", "balanced"],
    [504, "fast", "fast"],
    [252, "balanced", "fast"],
    [1280, "balanced", "fine"],
    [1280, "sparse", "sparse"],
  ] as const) {
    assert.equal(presetFor(readFields(SessionParams, { process_res }, "body"), usual), preset);
  }
  const dense = (await result({ process_res: 400 })).metadata;
  assert.deepEqual(
    [dense.depth_shape, dense.confidence_shape],
    [
      [1, 300, 400],
      [1, 300, 400],
    ],
  );
  const sparse = (await result({}, 1)).metadata;
  assert.deepEqual([sparse.depth_shape, sparse.confidence_shape], [null, null]);
});

test("DEP-9 the least certain p percent are left out; of more than the most, an even part, the same each time", async () => {
  const most = await result({ conf_thresh_percentile: 25 });
  assert.deepEqual(
    most.left,
    Array.from({ length: 150 }, (_, i) => 50 + i),
  );
  assert.equal((await result({ conf_thresh_percentile: 0 })).points, 200);
  assert.equal((await result({ conf_thresh_percentile: 100 })).points, 0);
  const few = await result({ conf_thresh_percentile: 0, num_max_points: 20 });
  assert.equal(few.points, 20);
  const gaps = few.left.slice(1).map((x, i) => x - few.left[i]!);
  assert.ok(Math.min(...gaps) >= 5 && Math.max(...gaps) <= 15, few.left.join(" "));
  const again = await result({ conf_thresh_percentile: 0, num_max_points: 20 });
  assert.deepEqual(again.glb, few.glb);
});

test("DEP-11 DEP-13 DEP-31 activity is what a client says or asks, not that its socket is there; a run is processing", async (t) => {
  const server = await testServer(t);
  const { session_id } = await createSession(server);
  const listed = async () => {
    const { sessions } = (await (await server.send("GET", "/ws/sessions")).json()) as {
      sessions: { session_id: string; last_activity: number; status: string }[];
    };
    return sessions.find((each) => each.session_id === session_id)!;
  };
  const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
  await user.of("connected");
  const { last_activity: first, status } = await listed();
  assert.equal(status, "active");
  const later = async (what: string, than: number): Promise<number> => {
    const { last_activity } = await listed();
    assert.ok(last_activity > than, what);
    return last_activity;
  };
  /** The clock is in milliseconds. */
  const tick = async () => {
    const nowMs = Date.now();
    while (Date.now() === nowMs) await new Promise((resolve) => setImmediate(resolve));
  };
  await tick();
  user.ws.ping();
  await once(user.ws, "pong");
  assert.equal((await listed()).last_activity, first, "a protocol ping is no activity");
  await user.tell({ type: "ping" });
  await user.of("pong");
  let last = await later("a ping message", first);
  await tick();
  await server.send("GET", `/ws/session/${session_id}`);
  last = await later("asking for the session", last);
  await tick();
  await user.image(png(1));
  await user.of("ack");
  await later("an image", last);
  // Without an engine nothing is ever judged: the run stays, and so do those that wait behind it.
  for (let i = 0; i < 6; i++) await user.tell({ type: "generate" });
  assert.equal((await user.of("error"))[0]?.message, "Too many requests waiting");
  assert.equal((await listed()).status, "processing");
  user.ws.close();
});

test("DEP-13 whoever waited for a long run has not been idle when it ends", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-depth-"));
  const core = await openCore({ dataDir, onError: (about, error) => t.diagnostic(`${about}: ${error}`) });
  t.after(async () => {
    await core.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const space = await core.spaces.create({ labels: labelsOf(readFields(SessionParams, {}, "body")) });
  const log = { error: (_facts: object, message: string) => assert.fail(message) };
  const context = { core, log, dataDir, engineName: "embedded", decoder: {} } as unknown as ServerContext;
  const session = new Session({ context, runMs: 1_800_000, nowMs: () => performance.now() }, space);
  const before = Date.now();
  session.ask({ kind: "generate", incremental: true, glb: "url" });
  assert.equal(session.status, "processing");
  // It began long ago: nobody has been heard of since.
  session.activeMs = 0;
  for await (const _ of space.log.follow(space.log.head)) if (session.status !== "processing") break;
  assert.equal(session.errorMessage, "Failed to generate point cloud: not enough overlapping images");
  assert.ok(session.activeMs >= before);
});
