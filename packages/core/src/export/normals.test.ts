/** Normals of points that photos made. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Worker } from "node:worker_threads";
import type { CloudPoints } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";
import { openCore } from "../core.ts";
import { noPhotos } from "../test/exported.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { withNormals } from "./normals.ts";
import { NORMALS_THREADS } from "./normals-threads.ts";
import { exportPly } from "./point-files.ts";

const SIDE = 50;

/** A square of points a centimetre apart, at one x. */
function wall(x: number, photos: number): CloudPoints {
  const positions = Float64Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
    const p = Math.floor(i / 3);
    return [x, (p % SIDE) / 100, Math.floor(p / SIDE) / 100][i % 3]!;
  });
  return { positions, colors: new Uint8Array(3 * SIDE * SIDE), photos };
}

/** Points and normals of a PLY file with floats. */
function pointsIn(file: Buffer): { at: number[]; normal: number[] }[] {
  const head = file.subarray(0, file.indexOf("end_header\n") + 11);
  assert.match(head.toString(), /property float nx\nproperty float ny\nproperty float nz\n/);
  const count = Number(/element vertex (\d+)/.exec(head.toString())![1]);
  const body = file.subarray(head.length);
  assert.equal(body.length, 27 * count);
  const read = (i: number, field: number) => body.readFloatLE(27 * i + 4 * field);
  return Array.from({ length: count }, (_, i) => ({
    at: [0, 1, 2].map((field) => read(i, field)),
    normal: [3, 4, 5].map((field) => read(i, field)),
  }));
}

test("EXC-8 points that photos made are written with normals that face the photo that saw them; others with none", async (t) => {
  const core = await openCore({ dataDir: await temporaryFolder(t) });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "place" });
  // Two walls, each seen from its own side.
  const centres: Vec3[] = [
    [-3, 0.25, 0.25],
    [5, 0.25, 0.25],
  ];
  const { digest } = await core.blobs.put(Buffer.from("a photo"));
  const model = core.layers.start(space, { kind: "model", name: "", generation: 1 });
  await space.log.append([
    { type: "generation.started", data: { generation: 1 } },
    ...centres.map((_, k) => ({
      type: "image.added" as const,
      data: {
        image: idOf(k + 1),
        blob: digest,
        width: 100,
        height: 100,
        mediaType: "image/jpeg",
        sizeBytes: 7,
        orientation: 1,
        name: `${k}.jpg`,
        source: "http" as const,
      },
    })),
    ...centres.map(([x, y, z], k) => ({
      type: "camera.posed" as const,
      data: {
        generation: 1,
        image: idOf(k + 1),
        pose: {
          rotation: [1, 0, 0, 0] as [number, number, number, number],
          translation: [-x, -y, -z] as [number, number, number],
        },
        intrinsics: { model: "PINHOLE" as const, width: 100, height: 100, params: [90, 90, 50, 50] },
        reprojectionPx: 0,
      },
    })),
  ]);
  await space.log.append([
    ...(await model.insert([wall(0, 1), wall(2, 2)])),
    { type: "generation.published", data: { generation: 1, cameras: 2, points: 2 * SIDE * SIDE, refined: 0 } },
  ]);
  const imported = core.layers.start(space, { kind: "import", name: "a scan", spacing: 1 / 1024 });
  await space.log.append(await imported.insert([wall(4, 0)]));

  const pieces: Uint8Array[] = [];
  const options = { space, blobs: core.blobs, tables: core.layers.tables, undistort: noPhotos };
  for await (const piece of exportPly(options)) pieces.push(piece);
  const points = pointsIn(Buffer.concat(pieces));
  assert.equal(points.length, 3 * SIDE * SIDE);
  const known = { left: 0, right: 0, scan: 0 };
  for (const { at, normal } of points) {
    const length = Math.hypot(...normal);
    if (at[0]! > 3) assert.equal(length, 0, "nobody knows which way a scan faces");
    if (length === 0) continue;
    assert.ok(Math.abs(length - 1) < 0.02, `${length}`);
    const outward = at[0]! < 1 ? -1 : 1;
    assert.ok(normal[0]! * outward > 0.98, `${normal} at ${at}`);
    known[at[0]! < 1 ? "left" : "right"]++;
  }
  // Coarse nodes hold a few points of the whole: those have no neighbours to speak of.
  assert.ok(known.left > 0.9 * SIDE * SIDE && known.right > 0.9 * SIDE * SIDE, JSON.stringify(known));
});

test("EXC-8 however many files are written at once share a few threads, which end with the last; each has its own photos", async () => {
  const live = new Set<Worker>();
  let most = 0;
  const count = (worker: Worker) => {
    live.add(worker);
    most = Math.max(most, live.size);
    worker.once("exit", () => live.delete(worker));
  };
  process.on("worker", count);
  try {
    const side = async (x: number, ends?: number) => {
      const { positions, colors } = wall(0, 1);
      async function* runs() {
        for (let run = 0; run < 3; run++)
          yield { count: SIDE * SIDE, positions: Float64Array.from(positions), colors, photos: 1 };
      }
      let written = 0;
      for await (const { normals } of withNormals(runs(), [[1, [x, 0.25, 0.25]]], undefined)) {
        const middle = 3 * (SIDE * (SIDE / 2) + SIDE / 2);
        assert.deepEqual([...normals!.subarray(middle, middle + 3)], [127 * Math.sign(x), 0, 0]);
        if (++written === ends) break;
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, i) => side(i % 2 ? -3 : 3, i === 5 ? 1 : undefined)));
    assert.ok(most >= 1 && most <= NORMALS_THREADS, `${most} threads`);
    assert.equal(live.size, 0);
    await side(3); // and again
  } finally {
    process.off("worker", count);
  }
});
