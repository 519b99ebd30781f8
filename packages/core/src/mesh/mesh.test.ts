/** Surfaces out as files. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { CloudPoints } from "@cairn/cloud";
import { CairnError, type CairnEvent, type Digest, type EventDraft } from "@cairn/protocol";
import { buildScene, distanceTo } from "@cairn/sample/scene";
import gltfValidator from "gltf-validator";
import { PLYLoader } from "three/examples/jsm/loaders/PLYLoader.js";
import { type Core, openCore } from "../core.ts";
import { startExport } from "../export/export-operation.ts";
import type { ExportOptions } from "../export/export-options.ts";
import { EXPORT_FORMATS, type ExportFormat, exportName } from "../export/formats.ts";
import type { Space } from "../space/spaces.ts";
import { noPhotos } from "../test/exported.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { samplePoints } from "../test/sample-points.ts";
import { takeTurn } from "./turns.ts";

type Setting = { core: Core; space: Space };

const KINDS = ["mesh-glb", "mesh-obj", "mesh-stl", "mesh-ply"] as const satisfies ExportFormat[];

async function setting(t: TestContext): Promise<Setting> {
  const core = await openCore({ dataDir: await temporaryFolder(t) });
  afterwards(t, () => core.close());
  return { core, space: await core.spaces.create({ id: "place" }) };
}

function optionsOf({ core, space }: Setting, more: Partial<ExportOptions> = {}): ExportOptions {
  return { space, blobs: core.blobs, tables: core.layers.tables, undistort: noPhotos, ...more };
}

async function addLayer({ core, space }: Setting, chunks: readonly CloudPoints[], spacing = 1 / 4096): Promise<number> {
  const writer = core.layers.start(space, { kind: "import", name: "points", spacing });
  await space.log.append(await writer.insert(chunks));
  return writer.layer;
}

async function bytesOf(options: ExportOptions, format: ExportFormat): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of EXPORT_FORMATS[format].write(options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Evenly over a sphere of radius 1 (a Fibonacci lattice). */
function ball(count: number, x = 0): CloudPoints {
  const positions = new Float64Array(3 * count);
  for (let i = 0; i < count; i++) {
    const z = 1 - (2 * i + 1) / count;
    const [around, angle] = [Math.sqrt(1 - z * z), i * Math.PI * (3 - Math.sqrt(5))];
    positions.set([x + around * Math.cos(angle), around * Math.sin(angle), z], 3 * i);
  }
  return { positions, colors: new Uint8Array(3 * count).fill(120), photos: 0 };
}

/** A generation with a camera at each place, as photos 1, 2, … */
function posedAt(centres: readonly (readonly [number, number, number])[], digest: Digest): EventDraft[] {
  const intrinsics = { model: "PINHOLE" as const, width: 4, height: 3, params: [4, 4, 2, 1.5] };
  const photo = { mediaType: "image/jpeg", sizeBytes: 1, width: 4, height: 3, orientation: 1, source: "test" };
  return [
    ...centres.map((_, i): EventDraft => {
      const image = idOf(i + 1);
      return { type: "image.added", data: { ...photo, image, blob: digest, name: `${i}.jpg` } };
    }),
    { type: "generation.started", data: { generation: 1 } },
    ...centres.map(([x, y, z], i): EventDraft => {
      const pose = { rotation: [1, 0, 0, 0] as const, translation: [-x, -y, -z] as const };
      const data = { generation: 1, image: idOf(i + 1), intrinsics, reprojectionPx: 0 };
      return {
        type: "camera.posed",
        data: { ...data, pose: { rotation: [...pose.rotation], translation: [...pose.translation] } },
      };
    }),
    { type: "generation.published", data: { generation: 1, cameras: centres.length, points: 0, refined: 0 } },
  ];
}

describe("meshes", () => {
  test("EXC-26 an export of the space in each kind of file, and the same as an operation that says what it made", async (t) => {
    const place = await setting(t);
    await addLayer(place, [ball(3000)]);
    const { core, space } = place;
    for (const format of KINDS) {
      const { operation, ended } = await startExport(optionsOf(place), format);
      assert.equal(await ended, "completed");
      const { result, progress } = space.log.snapshot().state.operations[operation]!;
      const { digest, sizeBytes, faces, vertices, area, voxel, ...rest } = result!;
      assert.deepEqual(rest, {
        format,
        name: exportName("place", format),
        mediaType: EXPORT_FORMATS[format].mediaType,
        watertight: true,
        boundaryEdges: 0,
      });
      assert.equal(Number(vertices) - Number(faces) / 2, 2, "a sphere");
      assert.ok(Math.abs(Number(area) / (4 * Math.PI) - 1) < 0.01 && Number(voxel) > 0);
      assert.deepEqual([progress?.stage, progress?.done, progress?.total], ["meshing", 100, 100]);
      const bytes = await core.blobs.get(digest as Digest);
      assert.equal(bytes.length, sizeBytes);
      assert.deepEqual(Buffer.from(bytes), await bytesOf(optionsOf(place), format), "the same each time");
      if (format === "mesh-glb") {
        const { issues } = await gltfValidator.validateBytes(bytes);
        assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages));
      }
    }
  });

  test("EXC-26 detail, voxel, faces and layer are taken; what cannot be is refused with a reason", async (t) => {
    const place = await setting(t);
    await addLayer(place, [ball(2500)]);
    const right = await addLayer(place, [ball(1500, 10)]);
    const factsOf = async (more: Partial<ExportOptions>) => {
      let facts: Record<string, unknown> = {};
      await bytesOf(optionsOf(place, { ...more, onFacts: (told) => (facts = told) }), "mesh-stl");
      return facts as { faces: number; area: number; voxel: number };
    };
    const one = await factsOf({ layer: right });
    const both = await factsOf({});
    assert.ok(Math.abs(both.area / one.area - 2) < 0.05, `${both.area} ${one.area}`);
    assert.ok(Math.abs((await factsOf({ layer: right, mesh: { detail: 0.5 } })).voxel / one.voxel - 2) < 1e-6);
    assert.equal((await factsOf({ layer: right, mesh: { voxel: 0.2 } })).voxel, 0.2);
    assert.ok((await factsOf({ layer: right, mesh: { faces: 100 } })).faces <= 100);
    await assert.rejects(factsOf({ layer: 9 }), { code: "layer.missing" });
    await assert.rejects(factsOf({ mesh: { voxel: 1e-5 } }), { code: "mesh.too_fine" });
    const lonely = await setting(t);
    await addLayer(lonely, [{ positions: Float64Array.of(1, 2, 3), colors: new Uint8Array(3), photos: 0 }]);
    for (const format of KINDS) {
      await assert.rejects(bytesOf(optionsOf(lonely), format), { code: "mesh.no_surface" }, format);
    }
  });

  test("EXC-26 cancelled, it is over within 2 s, whatever it was at, and the next one is made", async (t) => {
    const place = await setting(t);
    await addLayer(place, [ball(120_000)]);
    const { space } = place;
    // So fine that it takes far longer than anybody needs to cancel it.
    const fine = optionsOf(place, { mesh: { detail: 3 } });
    /** False when it was over before the cancelling came: this process was not given its turn for that long. */
    const cancelledAt = async (stage: string) => {
      const from = space.log.head;
      const { operation, ended } = await startExport(fine, "mesh-ply");
      const waiting = await startExport(fine, "mesh-ply");
      const isAtIt = ({ type, data }: CairnEvent) =>
        type === "operation.progressed" && data.operation === operation && data.stage === stage;
      for await (const events of space.log.follow(from, { signal: AbortSignal.timeout(300_000) })) {
        if (events.some(isAtIt)) break;
      }
      const before = performance.now();
      const both = [waiting.operation, operation].map((id) => space.operations.cancel(id));
      const inTime = (await Promise.allSettled(both)).every(({ status }) => status === "fulfilled");
      const ends = [await ended, await waiting.ended];
      if (!inTime) return false;
      assert.deepEqual(ends, ["cancelled", "cancelled"]);
      // 2 s and what a busy machine adds; the mesh itself would take longer.
      assert.ok(performance.now() - before < 8000, `${performance.now() - before} ms`);
      return true;
    };
    for (const stage of ["reading", "meshing"]) {
      let tries = 0;
      while (!(await cancelledAt(stage))) assert.ok(++tries < 5, stage);
    }
    const stopped = { signal: AbortSignal.abort(new CairnError("operation.cancelled")) };
    await assert.rejects(bytesOf(optionsOf(place, stopped), "mesh-ply"), { code: "operation.cancelled" });
    const facts: unknown[] = [];
    const coarse = {
      mesh: { voxel: 1 / 16 },
      onFacts: (told: { watertight?: unknown }) => facts.push(told.watertight),
    };
    await bytesOf(optionsOf(place, coarse), "mesh-ply");
    assert.deepEqual(facts, [true]);
  });

  test("EXC-28 who reads a mesh slowly holds up no other; what waits is on the disk and goes with its reader", async (t) => {
    const place = await setting(t);
    await addLayer(place, [ball(20_000)]);
    const scratchDir = await temporaryFolder(t);
    let sizeBytes = 0;
    const fine = { mesh: { detail: 2 } };
    const options = optionsOf(place, { ...fine, scratchDir, onSize: (size) => (sizeBytes = size) });
    const slow = [1, 2, 3].map(() => EXPORT_FORMATS["mesh-obj"].write(options));
    const begun: Uint8Array[] = [];
    for (const reader of slow) {
      const late = AbortSignal.timeout(60_000);
      const next = await Promise.race([reader.next(), once(late, "abort")]);
      assert.ok(!Array.isArray(next), "another waits for the slow one");
      begun.push(next.value!);
    }
    assert.ok(sizeBytes > begun[0]!.length, `${sizeBytes} bytes`);
    const [first, ...left] = slow;
    for (const reader of left) await reader.return(undefined);
    const pieces = [begun[0]!];
    for await (const piece of first!) pieces.push(piece);
    assert.equal(Buffer.concat(pieces).length, sizeBytes);
    assert.deepEqual(Buffer.concat(pieces), await bytesOf(optionsOf(place, fine), "mesh-obj"));
    assert.deepEqual(await readdir(scratchDir), []);
  });

  test("EXC-28 a mesh for which the disk has no room is refused before its first byte, and the next one is made", async (t) => {
    const place = await setting(t);
    await addLayer(place, [ball(1000)]);
    const file = join(await temporaryFolder(t), "file");
    await writeFile(file, "");
    await assert.rejects(bytesOf(optionsOf(place, { scratchDir: join(file, "no-folder") }), "mesh-stl"), {
      code: "store.failed",
    });
    assert.ok((await bytesOf(optionsOf(place), "mesh-stl")).length > 0);
  });

  test("EXC-26 one is made after the other, and one that no longer waits lets the others by", async () => {
    const first = await takeTurn();
    const stop = new AbortController();
    const second = takeTurn(stop.signal);
    const third = takeTurn();
    stop.abort(new CairnError("operation.cancelled"));
    await assert.rejects(second, { code: "operation.cancelled" });
    let came = false;
    void third.then(() => {
      came = true;
    });
    await Promise.resolve();
    assert.equal(came, false, "the first is still at it");
    first();
    (await third)();
    (await takeTurn())();
  });

  test("EXC-27 of what the sample's photos see: half of the vertices within a cell of the truth, 95 % within two", async (t) => {
    const place = await setting(t);
    const { core, space } = place;
    const { digest } = await core.blobs.put(Buffer.from("a photo"));
    const centres: [number, number, number][] = [];
    const seen: CloudPoints[] = [];
    for await (const { pose, points } of samplePoints(12, 3)) {
      seen.push(points);
      const at = (axis: number) => -[0, 1, 2].reduce((sum, row) => sum + pose.R[3 * row + axis]! * pose.t[row]!, 0);
      centres.push([at(0), at(1), at(2)]);
    }
    await space.log.append(posedAt(centres, digest));
    await addLayer(place, seen, 1 / 1024);

    let voxel = 0;
    const bytes = await bytesOf(optionsOf(place, { onFacts: (told) => (voxel = Number(told.voxel)) }), "mesh-ply");
    const geometry = new PLYLoader().parse(new Uint8Array(bytes).buffer);
    const positions = geometry.getAttribute("position");
    const scene = buildScene();
    const distances = Float64Array.from({ length: Math.ceil(positions.count / 10) }, (_, i) => {
      const v = 10 * i;
      return distanceTo(scene, positions.getX(v), positions.getY(v), positions.getZ(v), 1) / voxel;
    }).sort();
    const at = (share: number) => distances[Math.floor(share * distances.length)]!;
    assert.ok(distances.length > 1000, `${positions.count} vertices`);
    t.diagnostic(
      `voxel ${voxel.toFixed(4)}, ${positions.count} vertices, ${at(0.5).toFixed(3)} ${at(0.95).toFixed(3)}`,
    );
    assert.ok(at(0.5) <= 1 && at(0.95) <= 2, `${at(0.5)}, ${at(0.95)} cells`);
    // The ground is seen from above: it faces up, whatever its points' neighbours say.
    const normals = geometry.getAttribute("normal");
    let up = 0;
    for (let v = 0; v < normals.count; v++) up += Math.sign(normals.getY(v)) / normals.count;
    assert.ok(up > 0.3, `${up}`);
  });
});
