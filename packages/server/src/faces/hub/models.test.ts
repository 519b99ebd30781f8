/** What becomes of a space that a source records into, as viewers of the hub are told. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCore, openTileEncoder } from "@cairn/core";
import { openImageDecoder } from "@cairn/images";
import type { EventDraft, Pose } from "@cairn/protocol";
import { HubUser } from "../../test/hub-user.ts";
import { floor, layerSpace } from "../../test/layer-space.ts";
import { testServer } from "../../test/test-server.ts";
import { cameraMatrix } from "./camera-matrix.ts";
import type { HubOutlet } from "./house.ts";
import { Models } from "./models.ts";
import { PlyFiles } from "./ply-files.ts";
import { Viewers } from "./viewers.ts";

test("HUB-37 a pose is the camera's place in the model, rows of four, its centre in the last column", () => {
  assert.deepEqual(cameraMatrix({ rotation: [1, 0, 0, 0], translation: [0, 0, 0] }), [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ]);
  // Half a turn about y: the camera at (1, 2, 3) looks along -z, and its x points to -x.
  assert.deepEqual(cameraMatrix({ rotation: [0, 0, 1, 0], translation: [1, -2, 3] }), [
    [-1, 0, 0, 1],
    [0, 1, 0, 2],
    [0, 0, -1, 3],
    [0, 0, 0, 1],
  ]);
  // A quarter about z (model→camera): the model's x is the camera's y.
  const half = Math.SQRT1_2;
  const turned = cameraMatrix({ rotation: [half, 0, 0, half], translation: [0, 0, 0] });
  assert.deepEqual(
    turned.map((row) => row.map((value) => Math.round(value) + 0)),
    [
      [0, 1, 0, 0],
      [-1, 0, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ],
  );
});

const IMAGE = "00000000-0000-4000-8000-000000000001";
const LENS = { model: "PINHOLE" as const, width: 640, height: 480, params: [500, 500, 320, 240] };

/** A camera that looks along z from (x, 0, 0). */
function posed(generation: number, x: number): EventDraft {
  const pose = { rotation: [1, 0, 0, 0], translation: [-x, 0, 0] } satisfies Pose;
  return { type: "camera.posed", data: { generation, image: IMAGE, pose, intrinsics: LENS, reprojectionPx: 1 } };
}

/** Viewers that only write down what they are told. */
class Told extends Viewers {
  readonly texts: string[] = [];
  #look = () => {};

  override get count(): number {
    return 1;
  }

  override tell(message: object | string, source?: string): void {
    assert.equal(source, "cam");
    this.texts.push(String(message));
    this.#look();
  }

  async upTo(count: number): Promise<Record<string, unknown>[]> {
    while (this.texts.length < count) {
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
    return this.texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  }
}

const centreOf = ({ pose }: Record<string, unknown>) =>
  (pose as { pose: number[][] }).pose.slice(0, 3).map((row) => row[3]);

test("HUB-37 HUB-41 HUB-81 poses and points of a recorded space reach those who watch its source", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-hub-models-"));
  const core = await openCore({ dataDir });
  const decoder = openImageDecoder();
  t.after(async () => {
    await core.close();
    await decoder.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const viewers = new Told();
  const published: string[] = [];
  const outlet: HubOutlet = {
    trajectory: (text) => published.push(text),
    ply: (name, bytes) => published.push(`${name} ${bytes.length}`),
  };
  const tileEncoder = openTileEncoder();
  t.after(() => tileEncoder.close());
  const context = { core, decoder, dataDir, tileEncoder };
  const models = new Models({ context, viewers, outlets: [outlet], onError: (error) => assert.fail(String(error)) });
  const space = await core.spaces.create({ id: "site" });
  const recording = new AbortController();
  models.follow("cam", space, recording.signal);

  await space.log.append([{ type: "generation.started", data: { generation: 1 } }, posed(1, 1)]);
  const shown = { generation: 1, cameras: 1, points: 0, refined: 0 };
  await space.log.append([{ type: "generation.published", data: shown }, posed(1, 2)]);
  const [first, second] = await viewers.upTo(2);
  assert.deepEqual(
    [centreOf(first!), centreOf(second!)],
    [
      [1, 0, 0],
      [2, 0, 0],
    ],
  );
  assert.deepEqual([first?.type, first?.source], ["trajectory_update", "cam"]);
  const { pose, pose_matrix } = first!.pose as Record<string, unknown>;
  assert.deepEqual(pose, pose_matrix);
  const posedAt = (await space.log.read(0, 10))
    .filter(({ type }) => type === "camera.posed")
    .map(({ timeNs }) => timeNs);
  assert.ok(viewers.texts[1]!.includes(`"timestamp_ns":${posedAt[1]},"source"`), "a number with all of its digits");

  // Poses of what is being refined are told when it is shown, with its points.
  await space.log.append([{ type: "generation.started", data: { generation: 2 } }, posed(2, 7)]);
  const layer = core.layers.start(space, { kind: "model", name: "Model", generation: 2, spacing: 2 ** -10 });
  await space.log.append(await layer.insert([floor(500, 4, [0, 0, 0])]));
  await space.log.append([posed(1, 3)]);
  assert.deepEqual(centreOf((await viewers.upTo(3))[2]!), [3, 0, 0]);
  await space.log.append([
    { type: "generation.published", data: { ...shown, generation: 2, points: 500, refined: 1 } },
  ]);
  const [, , , refined, ply] = await viewers.upTo(5);
  assert.deepEqual(centreOf(refined!), [7, 0, 0]);
  const { ply_data_b64, size_bytes, timestamp_ns, ...rest } = ply!;
  assert.deepEqual(rest, { type: "ply_update", ply_filename: "site.ply", ply_url: "/api/ply/site.ply", source: "cam" });
  const bytes = Buffer.from(String(ply_data_b64), "base64");
  assert.deepEqual([bytes.length, bytes.toString("latin1", 0, 3), typeof timestamp_ns], [size_bytes, "ply", "number"]);
  assert.deepEqual([published.length, published.at(-1)], [5, `site.ply ${size_bytes}`]);
  assert.deepEqual(Object.keys(JSON.parse(published[0]!) as object), ["timestamp_ns", "pose"]);

  // Above a megabyte only the address is sent.
  await space.log.append(await layer.insert([floor(100_000, 400, [0, 0, 0], 2)]));
  await space.log.append([{ type: "generation.started", data: { generation: 3 } }]);
  const again = { ...shown, generation: 3, points: 100_500, refined: 1, layers: [1] };
  await space.log.append([{ type: "generation.published", data: again }]);
  const large = (await viewers.upTo(6))[5]!;
  assert.ok(Number(large.size_bytes) > 1_000_000 && !("ply_data_b64" in large), JSON.stringify(large).slice(0, 300));

  // Nobody records any more: nothing more is told, until somebody does again.
  recording.abort();
  await space.log.append([posed(3, 8)]);
  models.follow("cam", space, new AbortController().signal);
  await space.log.append([posed(3, 9)]);
  assert.deepEqual(centreOf((await viewers.upTo(7))[6]!), [9, 0, 0]);
  models.close();
});

test("HUB-5 HUB-92 GET /api/ply/NAME has the points of a space that the hub recorded into, and of no other", async (t) => {
  const place = await layerSpace();
  await place.change(async (core, space) => {
    const layer = core.layers.start(space, { kind: "import", name: "Scan", spacing: 2 ** -10 });
    await space.log.append(await layer.insert([floor(500, 4, [0, 0, 0])]));
  });
  const server = await testServer(t, { dataDir: place.dataDir });
  const get = (name: string) => server.send("GET", `/api/ply/${name}`);
  assert.equal((await get("place.ply")).status, 404);
  const phone = await HubUser.open(server, "/ws/phone?space=place");
  const fresh = await HubUser.open(server, "/ws/phone?space=new-one");
  let response = await get("place.ply");
  while (response.status === 404) response = await get("place.ply");
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.match(bytes.toString("latin1", 0, 100), /^ply\nformat binary_little_endian/);
  assert.equal(Number(response.headers.get("content-length")), bytes.length);
  const lost = await get("new-one.ply");
  assert.deepEqual([lost.status, await lost.json()], [404, { detail: "PLY file not found" }]);
  for (const user of [phone, fresh]) await user.leave();
});

test("HUB-92 clouds of outside services are kept by name, as many as fit", () => {
  const files = new PlyFiles();
  files.put("a.ply", Buffer.alloc(30 * 2 ** 20, 1));
  files.put("b.ply", Buffer.alloc(30 * 2 ** 20, 2));
  files.put("a.ply", Buffer.alloc(10, 3));
  files.put("c.ply", Buffer.alloc(30 * 2 ** 20, 4));
  assert.deepEqual(
    ["a.ply", "b.ply", "c.ply"].map((name) => files.get(name)?.[0]),
    [3, 2, 4],
  );
  files.put("d.ply", Buffer.alloc(30 * 2 ** 20, 5));
  assert.deepEqual(
    ["a.ply", "b.ply", "c.ply", "d.ply"].map((name) => files.get(name)?.[0]),
    [3, undefined, 4, 5],
  );
});
