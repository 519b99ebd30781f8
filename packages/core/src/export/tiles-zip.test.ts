/** Layers out as one GLB and as 3D Tiles in a zip. Rules: docs/spec/tiles.md. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CloudPoints } from "@cairn/cloud";
import { readPly } from "@cairn/formats";
import { openGlb } from "@cairn/formats/glb";
import { CairnError, type Similarity } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import { noPhotos, unzip } from "../test/exported.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { type CheckedTileset, checkTileset } from "../test/tileset-check.ts";
import { openTileEncoder, type TileEncoder } from "../tiles/tile-encoder.ts";
import type { ExportOptions } from "./export-options.ts";
import { EXPORT_FORMATS } from "./formats.ts";
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

type Setting = { core: Core; space: Space; dataDir: string; options: ExportOptions };

async function setting(t: TestContext): Promise<Setting> {
  const dataDir = await temporaryFolder(t);
  const core = await openCore({ dataDir });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "place" });
  const writer = core.layers.start(space, { kind: "import", name: "A", transform: TRANSFORM });
  await space.log.append(await writer.insert([sheet(20_000, 0)]));
  await space.log.append(await writer.insert([sheet(5000, 17)]));
  return {
    core,
    space,
    dataDir,
    options: { space, blobs: core.blobs, tables: core.layers.tables, undistort: noPhotos },
  };
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
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
  const glb = await joined(exportGlb({ ...options, onProgress: (...report) => told.push(report) }));
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
  const archive = await joined(exportTilesZip({ ...options, onProgress: (_, done) => told.push(done) }));
  const files = unzip(archive);
  assert.equal([...files.keys()][0], "tileset.json");
  const tileset = JSON.parse(files.get("tileset.json")!.toString()) as CheckedTileset;
  checkTileset(tileset);
  const linked = JSON.stringify(tileset).match(/tiles\/[^"]+/g)!;
  assert.deepEqual(["tileset.json", ...linked].sort(), [...files.keys()].sort());
  let count = 0;
  for (const link of linked) count += await pointsIn(files.get(link)!);
  const shown = await openShownPoints(options);
  assert.deepEqual([count, told.at(-1)], [shown.count, shown.count]);
  // Of an encoder that others share: it is used, and left open.
  const shared = openTileEncoder();
  t.after(() => shared.close());
  let made = 0;
  const tileEncoder: TileEncoder = {
    encode(...job) {
      made++;
      return shared.encode(...job);
    },
    close: () => assert.fail("it is not the export's"),
  };
  assert.deepEqual(await joined(exportTilesZip({ ...options, tileEncoder })), archive);
  assert.equal(made, linked.filter((link) => link.endsWith(".glb")).length);
});

for (const damage of ["altered", "missing", "headless"] as const) {
  test(`CLD-51 exports leave out the points of a pack that is ${damage}, whose layer is said to be damaged, and have the rest`, async (t) => {
    const { core, space, dataDir, options } = await setting(t);
    const { packs } = space.log.snapshot().state.layers[1]!;
    const [first, second] = packs as [(typeof packs)[0], (typeof packs)[0]];
    // What was read before the loss is known, and its bytes are not there; of a pack without a head nothing is known.
    if (damage !== "headless") await core.layers.tables.open(space, 1);
    const path = join(dataDir, "blobs", second.blob.slice(0, 2), second.blob.slice(2));
    if (damage === "altered") {
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0x55, second.headBytes));
    } else {
      await rm(path);
    }
    const files = unzip(await joined(exportTilesZip(options)));
    const tileset = JSON.parse(files.get("tileset.json")!.toString()) as CheckedTileset;
    checkTileset(tileset);
    const linked = JSON.stringify(tileset).match(/tiles\/[^"]+/g)!;
    assert.deepEqual(["tileset.json", ...linked].sort(), [...files.keys()].sort());
    let tiled = 0;
    for (const link of linked) tiled += await pointsIn(files.get(link)!);
    assert.equal(tiled, first.points);
    assert.equal(await pointsIn(await joined(exportGlb(options))), first.points);
    assert.equal(readPly(await joined(EXPORT_FORMATS.ply.write(options))).positions.length / 3, first.points);

    for await (const [event] of space.log.follow(0, { limit: 1, signal: AbortSignal.timeout(120_000) })) {
      if (event?.type !== "layer.damaged") continue;
      assert.deepEqual(event.data, { layer: 1, blob: second.blob, points: second.points, remade: false });
      break;
    }
    // When nothing is left, that is said, and not that there was nothing.
    await rm(join(dataDir, "blobs", first.blob.slice(0, 2), first.blob.slice(2)));
    for (const write of [exportTilesZip, exportGlb])
      await assert.rejects(joined(write(options)), { code: "blob.missing" });
  });
}

test("CLD-51 exports leave out a layer whose index is lost, which is said, and have the others", async (t) => {
  const { core, space, dataDir, options } = await setting(t);
  const writer = core.layers.start(space, { kind: "import", name: "B" });
  await space.log.append(await writer.insert([sheet(300, 0)]));
  const { packs } = space.log.snapshot().state.layers[1]!;
  await core.layers.compact(space, 1);
  const { index } = space.log.snapshot().state.layers[1]!;
  // The packs, too: of what they hold nothing can be made again.
  for (const blob of [index!.index, ...packs.map((pack) => pack.blob)])
    await rm(join(dataDir, "blobs", blob.slice(0, 2), blob.slice(2)));
  assert.equal(readPly(await joined(EXPORT_FORMATS.ply.write(options))).positions.length / 3, 300);
  const files = unzip(await joined(exportTilesZip(options)));
  checkTileset(JSON.parse(files.get("tileset.json")!.toString()) as CheckedTileset);
  assert.ok([...files.keys()].every((name) => !name.startsWith("tiles/1/")));
  for await (const [event] of space.log.follow(0, { limit: 1, signal: AbortSignal.timeout(120_000) }))
    if (event?.type === "layer.damaged") break;
  await core.layers.remove(space, 2);
  for (const write of [exportTilesZip, exportGlb])
    await assert.rejects(joined(write(options)), { code: "blob.missing" });
});

async function pointsIn(glb: Buffer): Promise<number> {
  return (await openGlb({ sizeBytes: glb.length, range: async (start, end) => glb.subarray(start, end) })).count;
}

test("TIL-12 it can be cancelled, and an empty space is export.empty", async (t) => {
  const { core, options } = await setting(t);
  const stop = new AbortController();
  const reason = new CairnError("operation.cancelled");
  const onProgress = (_: string, done: number) => {
    if (done > 0) stop.abort(reason);
  };
  await assert.rejects(joined(exportTilesZip({ ...options, signal: stop.signal, onProgress })), reason);
  const empty = { ...options, space: await core.spaces.create({ id: "empty" }) };
  await assert.rejects(joined(exportTilesZip(empty)), { code: "export.empty" });
});
