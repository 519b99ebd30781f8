/** Layers out as one GLB and as 3D Tiles in a zip. Rules: docs/spec/tiles.md. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { CloudPoints } from "@cairn/cloud";
import { openGlb } from "@cairn/formats/glb";
import { CairnError, type Similarity } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import { noPhotos, unzip } from "../test/exported.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { type CheckedTileset, checkTileset } from "../test/tileset-check.ts";
import type { ExportOptions } from "./export-options.ts";
import { exportGlb } from "./glb.ts";
import { openShownPoints } from "./shown-points.ts";
import { exportTilesZip } from "./tiles-zip.ts";

const TRANSFORM: Similarity = { scale: 2, rotation: [0.5, 0.5, 0.5, 0.5], translation: [100, -20, 3] };

/** Two sheets, the second far off, so that the root grows. */
function sheet(count: number, far: number): CloudPoints {
  return {
    positions: Float64Array.from({ length: 3 * count }, (_, i) => {
      const p = Math.floor(i / 3);
      return far + [(p % 200) / 50, Math.floor(p / 200) / 50, Math.sin(p) / 20][i % 3]!;
    }),
    colors: Uint8Array.from({ length: 3 * count }, (_, i) => 60 + ((i * 31) % 190)),
    photos: 0,
  };
}

async function setting(t: TestContext): Promise<{ core: Core; space: Space; options: ExportOptions }> {
  const core = await openCore({ dataDir: await temporaryFolder(t) });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "place" });
  const writer = core.layers.start(space, { kind: "import", name: "A", transform: TRANSFORM });
  await space.log.append(await writer.insert([sheet(20_000, 0)]));
  await space.log.append(await writer.insert([sheet(5000, 17)]));
  return { core, space, options: { space, blobs: core.blobs, tables: core.layers.tables, undistort: noPhotos } };
}

async function join(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** Each place and colour as a text, sorted: the same points in any order. */
function listed(positions: ArrayLike<number>, colors: ArrayLike<number> | undefined): string[] {
  return Array.from({ length: positions.length / 3 }, (_, i) => {
    const place = [0, 1, 2].map((axis) => Math.round(positions[3 * i + axis]! * 1000));
    // Bytes of linear light keep bright sRGB to within two levels.
    return [...place, ...(colors ? [0, 1, 2].map((axis) => Math.round(colors[3 * i + axis]! / 64)) : [])].join();
  }).sort();
}

test("TIL-5 the GLB has every shown point in the model's frame, with progress from measuring to the last point", async (t) => {
  const { options } = await setting(t);
  const told: [string, number, number][] = [];
  const glb = await join(exportGlb({ ...options, onProgress: (...report) => told.push(report) }));
  const shown = await openShownPoints(options);
  const cloud = await openGlb({ sizeBytes: glb.length, range: async (start, end) => glb.subarray(start, end) });
  assert.equal(cloud.count, shown.count);
  const read: string[] = [];
  for await (const { positions } of cloud.chunks()) read.push(...listed(positions, undefined));
  const expected: string[] = [];
  for await (const { positions } of shown.read()) expected.push(...listed(positions, undefined));
  assert.deepEqual(read.sort(), expected.sort());
  assert.deepEqual(told[0], ["measuring", 0, shown.count]);
  assert.deepEqual(told.at(-1), ["writing", shown.count, shown.count]);
});

test("TIL-12 the zip is a tileset whose links are all in it, and nothing else; all points are there", async (t) => {
  const { options } = await setting(t);
  const told: number[] = [];
  const archive = await join(exportTilesZip({ ...options, onProgress: (_, done) => told.push(done) }));
  const files = unzip(archive);
  assert.equal([...files.keys()][0], "tileset.json");
  const tileset = JSON.parse(files.get("tileset.json")!.toString()) as CheckedTileset;
  checkTileset(tileset);
  const linked = JSON.stringify(tileset).match(/tiles\/[^"]+/g)!;
  assert.deepEqual(["tileset.json", ...linked].sort(), [...files.keys()].sort());
  let count = 0;
  for (const link of linked) {
    const glb = files.get(link)!;
    count += (await openGlb({ sizeBytes: glb.length, range: async (start, end) => glb.subarray(start, end) })).count;
  }
  const shown = await openShownPoints(options);
  assert.deepEqual([count, told.at(-1)], [shown.count, shown.count]);
  assert.deepEqual(await join(exportTilesZip(options)), archive);
});

test("TIL-12 it can be cancelled, and an empty space is export.empty", async (t) => {
  const { core, options } = await setting(t);
  const stop = new AbortController();
  const reason = new CairnError("operation.cancelled");
  const onProgress = (_: string, done: number) => {
    if (done > 0) stop.abort(reason);
  };
  await assert.rejects(join(exportTilesZip({ ...options, signal: stop.signal, onProgress })), reason);
  const empty = { ...options, space: await core.spaces.create({ id: "empty" }) };
  await assert.rejects(join(exportTilesZip(empty)), { code: "export.empty" });
});
