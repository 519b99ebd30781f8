/** Layers out as files. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { CloudPoints } from "@cairn/cloud";
import { readPly } from "@cairn/formats";
import { CairnError, type Digest, type Similarity } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import { noPhotos } from "../test/exported.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { startExport } from "./export-operation.ts";
import type { ExportOptions } from "./export-options.ts";
import { EXPORT_FORMATS, type ExportFormat, exportName } from "./formats.ts";

type Setting = { core: Core; space: Space; dataDir: string };

async function setting(t: TestContext): Promise<Setting> {
  const dataDir = await temporaryFolder(t);
  const core = await openCore({ dataDir });
  afterwards(t, () => core.close());
  return { core, space: await core.spaces.create({ id: "place" }), dataDir };
}

/** A wall of points a centimetre apart; each has a colour of its own. */
function wall(n: number, at: readonly [number, number, number] = [0, 0, 0]): CloudPoints {
  const side = Math.ceil(Math.sqrt(n));
  return {
    positions: Float64Array.from({ length: 3 * n }, (_, i) => {
      const p = Math.floor(i / 3);
      return at[i % 3]! + [(p % side) / 100, Math.floor(p / side) / 100, ((p * 7) % 13) / 1000][i % 3]!;
    }),
    colors: Uint8Array.from({ length: 3 * n }, (_, i) => i * 31),
    photos: 3,
  };
}

async function addLayer({ core, space }: Setting, chunks: CloudPoints[], transform?: Similarity): Promise<number> {
  const writer = core.layers.start(space, {
    kind: "import",
    name: "wall",
    spacing: 1 / 1024,
    ...(transform && { transform }),
  });
  await space.log.append(await writer.insert(chunks));
  return writer.layer;
}

function optionsOf({ core, space }: Setting, more: Partial<ExportOptions> = {}): ExportOptions {
  return { space, blobs: core.blobs, tables: core.layers.tables, undistort: noPhotos, ...more };
}

async function bytesOf(setting: Setting, format: ExportFormat, more: Partial<ExportOptions> = {}): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of EXPORT_FORMATS[format].write(optionsOf(setting, more))) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Lines of the CSV export, sorted: what is there, whatever the order. */
async function lines(setting: Setting): Promise<string[]> {
  return (await bytesOf(setting, "csv")).toString().trim().split("\n").slice(1).sort();
}

describe("exports", () => {
  test("EXC-1 every point of every shown layer once, moved by the layer's transform", async (t) => {
    const place = await setting(t);
    await addLayer(place, [wall(20_000), wall(500, [0, 0, 1])]);
    // A quarter turn about z, twice as large, ten to the right.
    const s = Math.SQRT1_2;
    await addLayer(place, [wall(300)], { scale: 2, rotation: [s, 0, 0, s], translation: [10, 0, 0] });
    const { positions } = readPly(await bytesOf(place, "ply"));
    assert.equal(positions.length / 3, 20_800);
    const seen = new Set<string>();
    for (let i = 0; i < positions.length; i += 3) {
      seen.add(Array.from(positions.subarray(i, i + 3), (value) => Math.round(value * 500)).join());
    }
    const wanted = [wall(20_000), wall(500, [0, 0, 1]), wall(300)].flatMap(({ positions: p }, layer) =>
      Array.from({ length: p.length / 3 }, (_, i) => {
        const [x, y, z] = [p[3 * i]!, p[3 * i + 1]!, p[3 * i + 2]!];
        return layer < 2 ? [x, y, z] : [10 - 2 * y, 2 * x, 2 * z];
      }),
    );
    // A point lies within half a step (1/8192) of where it was, twice that in the second layer.
    const near = ([x, y, z]: number[]) => {
      const around = (value: number) => [Math.round(value * 500 - 0.13), Math.round(value * 500 + 0.13)];
      return around(x!).some((a) => around(y!).some((b) => around(z!).some((c) => seen.has([a, b, c].join()))));
    };
    assert.equal(wanted.filter((point) => !near(point)).length, 0);
    assert.equal((await lines(place)).filter((line) => /,3,255$/.test(line)).length, 20_800, "photo and confidence");
  });

  test("EXC-1 a layer that grows while it is written changes neither the count nor the points", async (t) => {
    const place = await setting(t);
    const layer = await addLayer(place, [wall(30_000)]);
    const pieces: Uint8Array[] = [];
    for await (const piece of EXPORT_FORMATS.ply.write(optionsOf(place))) {
      if (pieces.push(piece) === 1) {
        await place.space.log.append(await place.core.layers.writer(place.space, layer).insert([wall(999, [0, 0, 5])]));
      }
    }
    const { positions } = readPly(Buffer.concat(pieces));
    assert.equal(positions.length / 3, 30_000);
    assert.ok(positions.every((value) => value < 4));
    assert.equal(readPly(await bytesOf(place, "ply")).positions.length / 3, 30_999);
  });

  test("EXC-1 a layer that is removed while others are looked through is left out", async (t) => {
    const place = await setting(t);
    await addLayer(place, [wall(300)]);
    const leaving = await addLayer(place, [wall(200, [0, 0, 5])]);
    const { tables } = place.core.layers;
    const open = tables.open.bind(tables);
    t.mock.method(tables, "open", async (space: Space, layer: number) => {
      if (layer === leaving && space.log.snapshot().state.layers[layer]) await place.core.layers.remove(space, layer);
      return open(space, layer);
    });
    assert.equal(readPly(await bytesOf(place, "ply")).positions.length / 3, 300);
    await assert.rejects(bytesOf(place, "ply", { layer: leaving }), { code: "layer.missing" });
  });

  test("EXC-1 the box in a LAS header is that of its points", async (t) => {
    const place = await setting(t);
    await addLayer(place, [wall(5000, [600_000, 6_000_000, 100])]);
    for (const format of ["las", "las14"] as const) {
      const bytes = await bytesOf(place, format);
      const [start, stride] = [bytes.readUInt32LE(96), bytes.readUInt16LE(105)];
      assert.equal((bytes.length - start) / stride, 5000);
      for (const axis of [0, 1, 2]) {
        const scale = bytes.readDoubleLE(131 + 8 * axis);
        const offset = bytes.readDoubleLE(155 + 8 * axis);
        const values = Array.from({ length: 5000 }, (_, i) => bytes.readInt32LE(start + i * stride + 4 * axis));
        assert.equal(bytes.readDoubleLE(179 + 16 * axis), Math.max(...values) * scale + offset);
        assert.equal(bytes.readDoubleLE(187 + 16 * axis), Math.min(...values) * scale + offset);
      }
    }
  });

  test("EXC-3 at 6,000,000 m a point stays where it was to under 1 mm; near the origin PLY is float", async (t) => {
    const place = await setting(t);
    const given = wall(2000, [600_000.123, 6_000_000.456, 250.789]);
    await addLayer(place, [given]);
    const bytes = await bytesOf(place, "ply");
    const at = bytes.indexOf("end_header\n") + 11;
    assert.match(bytes.subarray(0, at).toString(), /property double y\n/);
    const sorted = (values: number[]) => values.sort((a, b) => a - b);
    for (const axis of [0, 1, 2]) {
      const out = sorted(Array.from({ length: 2000 }, (_, i) => bytes.readDoubleLE(at + i * 27 + 8 * axis)));
      const wanted = sorted(Array.from({ length: 2000 }, (_, i) => given.positions[3 * i + axis]!));
      for (let i = 0; i < 2000; i++) assert.ok(Math.abs(out[i]! - wanted[i]!) < 0.001, `${out[i]} ${wanted[i]}`);
    }
    const near = await setting(t);
    await addLayer(near, [wall(10)]);
    assert.match((await bytesOf(near, "ply")).subarray(0, 200).toString(), /property float x\n/);
  });

  test("EXC-1 a model with a place on the earth is metres east, north and up in LAS", async (t) => {
    const place = await setting(t);
    const writer = place.core.layers.start(place.space, { kind: "model", name: "", generation: 1 });
    await place.space.log.append([{ type: "generation.started", data: { generation: 1 } }]);
    await place.space.log.append([
      ...(await writer.insert([
        { positions: Float64Array.of(1, 2, 3, 2, 2, 3), colors: new Uint8Array(6), photos: 1 },
      ])),
      {
        type: "generation.published",
        data: {
          generation: 1,
          cameras: 0,
          points: 2,
          refined: 0,
          georeference: {
            latitudeDeg: 48,
            longitudeDeg: 8,
            altitudeM: 400,
            // The model's y is down: east x, north z, up −y.
            enuFromModel: { scale: 10, rotation: [Math.SQRT1_2, -Math.SQRT1_2, 0, 0], translation: [5, 6, 7] },
            residualM: 1,
          },
        },
      },
    ]);
    const bytes = await bytesOf(place, "las14");
    const low = [0, 1, 2].map((axis) => bytes.readDoubleLE(187 + 16 * axis));
    for (const [axis, wanted] of [15, 36, 387].entries()) assert.ok(Math.abs(low[axis]! - wanted) < 0.1, `${low}`);
    assert.match(bytes.subarray(375, 2000).toString("latin1"), /"latitude_of_origin",48\]/);
  });

  test("EXC-2 what is not asked for is not read", async (t) => {
    const place = await setting(t);
    await addLayer(place, [wall(100_000)]);
    const { mock } = t.mock.method(place.core.layers.tables, "read");
    const pieces = EXPORT_FORMATS.ply.write(optionsOf(place));
    await pieces.next();
    const opened = mock.callCount();
    await pieces.next();
    await pieces.next();
    assert.ok(opened <= 1, `${opened}`);
    assert.equal(mock.callCount(), opened + 2);
    await pieces.return(undefined);
  });

  test("EXC-6 an operation ends as a blob, says how far it is, and leaves nothing when it is cancelled", async (t) => {
    const place = await setting(t);
    const { core, space, dataDir } = place;
    await addLayer(place, [wall(50_000)]);
    for (const format of ["ply", "las", "csv"] as const) {
      const { operation, ended } = await startExport(optionsOf(place), format);
      assert.equal(await ended, "completed");
      const { result, progress } = space.log.snapshot().state.operations[operation]!;
      assert.ok(result);
      assert.deepEqual([result.format, result.name], [format, exportName("place", format)]);
      const bytes = await core.blobs.get(result.digest as Digest);
      assert.equal(bytes.length, result.sizeBytes);
      if (format !== "las") assert.deepEqual(Buffer.from(bytes), await bytesOf(place, format));
      assert.deepEqual([progress?.stage, progress?.done, progress?.total], ["writing", 50_000, 50_000]);
    }
    // Cancelled while its first node is read.
    const { tables } = core.layers;
    const read = tables.read.bind(tables);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun = new Promise<void>((resolve) => {
      t.mock.method(tables, "read", async (...args: Parameters<typeof read>) => {
        resolve();
        await held;
        return read(...args);
      });
    });
    const { operation } = await startExport(optionsOf(place), "csv");
    await begun;
    const others = await Promise.all([1, 2, 3].map(() => startExport(optionsOf(place), "csv")));
    await assert.rejects(startExport(optionsOf(place), "csv"), { code: "request.rate_limited" });
    const cancelled = [operation, ...others.map((each) => each.operation)].map((id) => space.operations.cancel(id));
    release();
    await Promise.all(cancelled);
    assert.equal(space.log.snapshot().state.operations[operation]?.status, "cancelled");
    const left = (await readdir(join(dataDir, "blobs"))).filter((name) => name.length > 2);
    assert.deepEqual(left, []);
  });

  test("EXC-5 nothing to export is said before the first byte", async (t) => {
    const place = await setting(t);
    for (const format of Object.keys(EXPORT_FORMATS) as ExportFormat[]) {
      await assert.rejects(EXPORT_FORMATS[format].write(optionsOf(place)).next(), { code: "export.empty" }, format);
    }
    const stopped = { signal: AbortSignal.abort(new CairnError("operation.cancelled")) };
    await addLayer(place, [wall(10)]);
    await assert.rejects(bytesOf(place, "ply", stopped), { code: "operation.cancelled" });
  });

  test("a file is named after its space, whatever that is called", () => {
    assert.equal(exportName("Château d'eau/№ 5", "las14"), "Cha-teau-d-eau-No-5.las");
    assert.equal(exportName("..", "ply"), "model.ply");
    assert.equal(exportName("x".repeat(128), "colmap").length, 80 + "-colmap.zip".length);
  });
});
