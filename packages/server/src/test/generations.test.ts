/** Anchors and generations over HTTP and through the SDK, over a model that is in the log: docs/spec/generations.md. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CairnApi, type SpaceConnection } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { openCore } from "@cairn/core";
import { applyEvent, CairnError, canonicalState, type EventDraft, shownLayers } from "@cairn/protocol";
import { testServer } from "./test-server.ts";

const image = randomUUID();
const photo: EventDraft = {
  type: "image.added",
  data: {
    ...{ image, name: "1.jpg", blob: "0".repeat(64), mediaType: "image/jpeg", sizeBytes: 1 },
    ...{ width: 800, height: 600, orientation: 1, source: "http" },
  },
};

/** A generation of one camera that stands at x, with a layer that has a pack nobody will ask for. */
function generation(number: number, x: number): EventDraft[] {
  const intrinsics = { model: "PINHOLE" as const, width: 800, height: 600, params: [500, 500, 400, 300] };
  const pose = {
    rotation: [1, 0, 0, 0] as [number, number, number, number],
    translation: [-x, 0, 0] as [number, number, number],
  };
  return [
    { type: "generation.started", data: { generation: number } },
    { type: "camera.posed", data: { generation: number, image, pose, intrinsics, reprojectionPx: 0.5 } },
    {
      type: "layer.started",
      data: {
        layer: number,
        kind: "model",
        name: "model",
        generation: number,
        origin: [0, 0, 0],
        seed: "3_0_0_0",
        finest: -4,
      },
    },
    {
      type: "generation.published",
      data: { generation: number, cameras: 1, points: 0, refined: 0, residual: 0.001 * number },
    },
  ];
}

async function serverWithModel(t: TestContext) {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-generations-"));
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "place" });
  await space.log.append([photo]);
  for (const [number, x] of [
    [1, 0],
    [2, 1],
    [3, 2],
  ] as const)
    await space.log.append(generation(number, x));
  await core.close();
  const server = await testServer(t, { dataDir });
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  return { server, api: new CairnApi({ url: server.url }) };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (error instanceof CairnError ? error.code : error),
  );

test("GENR-1 GENR-2 GENR-3 the history with residuals, going back by one request, and what cannot be gone back to", async (t) => {
  const { api } = await serverWithModel(t);
  const listed = await api.generations("place");
  assert.equal(listed.shown, 3);
  assert.deepEqual(
    listed.generations.map(({ generation, residual, cameras, layers }) => [generation, residual, cameras, layers]),
    [
      [1, 0.001, 1, [1]],
      [2, 0.002, 1, [2]],
      [3, 0.003, 1, [3]],
    ],
  );
  assert.deepEqual(await api.restoreGeneration("place", 1), { generation: 4 });
  const { state } = await api.snapshot("place");
  assert.deepEqual(
    state.generations[4]?.cameras[image]?.pose.translation,
    [-0, 0, 0].map((x) => x + 0),
  );
  assert.deepEqual(state.generations[4]?.layers, [1]);
  assert.equal((await api.generations("place")).generations.at(-1)?.restores, 1);
  assert.equal(await codeOf(api.restoreGeneration("place", 9)), "generation.missing");
  assert.equal(await codeOf(api.restoreGeneration("place", 0)), "request.invalid");
  assert.equal(await codeOf(api.restoreGeneration("nowhere", 1)), "space.missing");
  for (let i = 0; i < 2; i++) await api.restoreGeneration("place", 2 + i);
  assert.equal(await codeOf(api.restoreGeneration("place", 1)), "generation.gone");
});

test("GENR-10 GENR-12 an anchor is placed, listed, carried back and removed through the SDK; nonsense is refused", async (t) => {
  const { api, server } = await serverWithModel(t);
  const anchor = randomUUID();
  const placed = await api.placeAnchor("place", anchor, { point: [2, 0, 5], label: "door" });
  assert.deepEqual(placed, { anchor, generation: 3, point: [2, 0, 5], label: "door", placedIn: 3 });
  await api.restoreGeneration("place", 1);
  const [carried] = await api.anchors("place");
  assert.equal(carried?.generation, 4);
  assert.ok(Math.abs((carried?.point[0] ?? 9) - 0) < 1e-9, `the camera went from 2 to 0: ${carried?.point}`);
  await api.removeAnchor("place", anchor);
  assert.deepEqual(await api.anchors("place"), []);
  assert.equal(await codeOf(api.removeAnchor("place", anchor)), "anchor.missing");
  assert.equal(await codeOf(api.placeAnchor("place", "door", { point: [1, 2, 3] })), "request.invalid");
  for (const body of [
    '{"point":[1,2]}',
    '{"point":[1,2,"3"]}',
    "{}",
    '{"point":[1,2,3],"generation":0}',
    '{"point":[1,2,1e999]}',
  ]) {
    const { status } = await server.send("PUT", `/v1/spaces/place/anchors/${anchor}`, body);
    assert.equal(status, 422, body);
  }
  assert.deepEqual(await api.anchors("place"), []);
});

test("GENR-2 LIVE-13 who watched, who slept through two generations and who comes later have the same state", async (t) => {
  const { api, server } = await serverWithModel(t);
  const join = () => {
    const connection = connect({ url: server.url, space: "place" });
    t.after(() => connection.close());
    return connection;
  };
  const arrived = async (connection: SpaceConnection) => {
    const { seq, state } = await api.snapshot("place");
    await connection.waitFor(() => connection.seq >= seq);
    return [canonicalState(connection.state), canonicalState(state)];
  };
  const [watching, sleeping] = [join(), join()];
  for (const each of [watching, sleeping]) await arrived(each);
  sleeping.close();
  const [anchor, asleepAt] = [randomUUID(), sleeping.seq];
  await api.placeAnchor("place", anchor, { point: [2, 0, 5] });
  await api.restoreGeneration("place", 2);
  await api.restoreGeneration("place", 1);
  const late = join();
  // What a sleeper misses is folded into what it had; no part of a layer that it holds is named anew.
  const { events } = await api.events("place", asleepAt);
  const slept = structuredClone(sleeping.state);
  for (const event of events) applyEvent(slept, event);
  const [watched, now] = await arrived(watching);
  assert.equal(watched, now);
  assert.equal(canonicalState(slept), now);
  assert.equal((await arrived(late))[0], now);
  const types = new Set(events.map(({ type }) => type));
  assert.deepEqual([...types].sort(), ["anchor.placed", "camera.posed", "generation.published", "generation.started"]);
  assert.deepEqual(
    shownLayers(slept).map(({ layer }) => layer),
    [1],
  );
});
