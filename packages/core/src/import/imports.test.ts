/** Files of points in as layers, and files that lie. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { lasHeader, lasRun, plyHeader, plyRun, readPly } from "@cairn/formats";
import { CairnError } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import { EXPORT_FORMATS } from "../export/formats.ts";
import type { Space } from "../space/spaces.ts";
import { noPhotos } from "../test/exported.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { type Imports, type IncomingPoints, openImports } from "./imports.ts";

type Setting = { core: Core; space: Space; imports: Imports; folder: string };

async function setting(t: TestContext): Promise<Setting> {
  const dataDir = await temporaryFolder(t);
  const core = await openCore({ dataDir });
  afterwards(t, () => core.close());
  const folder = join(dataDir, "imports");
  return { core, space: await core.spaces.create({ id: "place" }), imports: await openImports(core, folder), folder };
}

async function* pieces(file: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += 65_536) yield file.subarray(at, at + 65_536);
}

/** A sheet of points two centimetres apart about `at`; some of them are no numbers. */
function run(count: number, at: readonly number[] = [0, 0, 0], bad = 0) {
  const side = Math.ceil(Math.sqrt(count));
  return {
    count,
    positions: Float64Array.from({ length: 3 * count }, (_, i) => {
      const p = Math.floor(i / 3);
      return p < bad ? Number.NaN : at[i % 3]! + [(p % side) / 50, Math.floor(p / side) / 50, 0][i % 3]!;
    }),
    colors: Uint8Array.from({ length: 3 * count }, (_, i) => i * 3),
    photos: 0,
  };
}

function plyOf(points: ReturnType<typeof run>): Buffer {
  const shape = { count: points.count, double: true, normals: false };
  return Buffer.concat([plyHeader(shape), plyRun(points, shape)]);
}

function incoming(file: Uint8Array, more: Partial<IncomingPoints> = {}): IncomingPoints {
  return { name: "cloud.ply", bytes: pieces(file), sizeBytes: file.length, ...more };
}

const layersOf = ({ space }: Setting) => Object.values(space.log.snapshot().state.layers);

async function exported({ core, space }: Setting, format: "ply" | "csv" = "ply"): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of EXPORT_FORMATS[format].write({
    space,
    blobs: core.blobs,
    tables: core.layers.tables,
    undistort: noPhotos,
  })) {
    all.push(piece);
  }
  return Buffer.concat(all);
}

describe("imports", () => {
  test("EXC-13 a file becomes a layer by an operation; points that are none are left out and counted", async (t) => {
    const place = await setting(t);
    const file = plyOf(run(110_000, [0, 0, 0], 7));
    const { operation, ended } = await place.imports.take(place.space, incoming(file, { name: "../a/cloud.ply" }));
    assert.equal(await ended, "completed");
    const { kind, result } = place.space.log.snapshot().state.operations[operation]!;
    assert.deepEqual([kind, result], ["import", { layer: 1, points: 109_993, merged: 0, refused: 7, outOfReach: 0 }]);
    const [layer] = layersOf(place);
    assert.deepEqual([layer?.kind, layer?.name, layer?.points], ["import", "cloud.ply", 109_993]);
    const { positions } = readPly(await exported(place));
    assert.equal(positions.length / 3, 109_993);
    assert.ok((await exported(place, "csv")).toString().trim().endsWith(",0,255"), "of no photo");
    assert.deepEqual(await readdir(place.folder), []);
  });

  test("BLOB-4 EXC-13 a file whose layer was altered on the disk is whole when it is imported again", async (t) => {
    const place = await setting(t);
    const file = plyOf(run(20_000));
    await (await place.imports.take(place.space, incoming(file))).ended;
    for (const event of await place.space.log.read(0, 1000)) {
      if (event.type !== "segments.added") continue;
      const { blob } = event.data;
      const path = join(place.folder, "..", "blobs", blob.slice(0, 2), blob.slice(2));
      const altered = await readFile(path);
      altered.fill(0x55, altered.length >> 1, (altered.length >> 1) + 64);
      await writeFile(path, altered);
    }
    for (let again = 0; again < 2; again++) {
      assert.equal(await (await place.imports.take(place.space, incoming(file))).ended, "completed");
    }
    assert.equal(readPly(await exported(place)).positions.length / 3, 60_000);
  });

  test("EXC-13 at 6,000,000 m what comes in goes out to under 1 mm", async (t) => {
    const place = await setting(t);
    const points = run(5000, [600_000.1234, 6_000_000.5678, 250.9]);
    const shape = {
      version: "1.4",
      count: 5000,
      min: [600_000, 6_000_000, 250],
      max: [600_002, 6_000_002, 251],
    } as const;
    const header = lasHeader({
      ...shape,
      min: [...shape.min],
      max: [...shape.max],
      step: 0.0004,
      created: new Date(0),
    });
    const file = Buffer.concat([header.bytes, lasRun(points, header)]);
    const { ended } = await place.imports.take(place.space, incoming(file));
    assert.equal(await ended, "completed");
    const bytes = await exported(place);
    const at = bytes.indexOf("end_header\n") + 11;
    for (const axis of [0, 1, 2]) {
      const out = Array.from({ length: 5000 }, (_, i) => bytes.readDoubleLE(at + i * 27 + 8 * axis)).sort(
        (a, b) => a - b,
      );
      const wanted = Array.from({ length: 5000 }, (_, i) => points.positions[3 * i + axis]!).sort((a, b) => a - b);
      for (let i = 0; i < 5000; i++) assert.ok(Math.abs(out[i]! - wanted[i]!) < 0.001, `${out[i]} ${wanted[i]}`);
    }
  });

  test("EXC-13 a box in a LAS header that is wrong costs no point, nor does one that is wide for a few far away", async (t) => {
    const place = await setting(t);
    const points = run(5000, [600_000, 6_000_000, 250]);
    const box = { min: [600_000, 6_000_000, 250], max: [600_002, 6_000_002, 251] } as const;
    const header = lasHeader({
      ...{ version: "1.2", count: 5000, step: 0.0004, created: new Date(0) },
      ...{ min: [...box.min], max: [...box.max] },
    });
    for (const [low, high] of [
      [0, 0], // as some writers leave it
      [-1e6, 7e6],
      [-1e9, 1e12],
      [6.5e6, 7e6],
    ] as const) {
      const bytes = Buffer.from(header.bytes);
      for (const axis of [0, 1, 2]) {
        bytes.writeDoubleLE(high, 179 + 16 * axis);
        bytes.writeDoubleLE(low, 187 + 16 * axis);
      }
      const { operation, ended } = await place.imports.take(
        place.space,
        incoming(Buffer.concat([bytes, lasRun(points, header)])),
      );
      assert.equal(await ended, "completed", `${low}…${high}`);
      const { layer: _, ...counts } = place.space.log.snapshot().state.operations[operation]!.result!;
      assert.deepEqual(counts, { points: 5000, merged: 0, refused: 0, outOfReach: 0 }, `${low}…${high}`);
    }
  });

  test("EXC-13 a cloud that begins with points that are none, as scanners write the sky, is read to its end", async (t) => {
    const place = await setting(t);
    const { operation, ended } = await place.imports.take(
      place.space,
      incoming(plyOf(run(120_000, [600_000, 6_000_000, 250], 110_000))),
    );
    assert.equal(await ended, "completed");
    const { points, refused } = place.space.log.snapshot().state.operations[operation]!.result!;
    assert.deepEqual([points, refused], [10_000, 110_000]);
  });

  test("EXC-13 whatever a file begins with, its other points are where they were: dead returns, a dense corner", async (t) => {
    const place = await setting(t);
    const real = run(20_000, [500_000.125, 6_000_000.625, 100]);
    const noise = (i: number) => 0.02 * Math.abs(Math.sin(i * 12.9898) % 1);
    const begins: Record<string, (i: number) => number> = {
      "dead returns at 0": () => 0,
      "dead returns about 0": noise,
      "a dense corner": (i) => real.positions[i % 3]! + noise(i) / 4,
    };
    for (const [name, first] of Object.entries(begins)) {
      const positions = new Float64Array(3 * 130_000);
      for (let i = 0; i < 3 * 110_000; i++) positions[i] = first(i);
      positions.set(real.positions, 3 * 110_000);
      const file = plyOf({ count: 130_000, positions, colors: new Uint8Array(3 * 130_000), photos: 0 });
      const { operation, ended } = await place.imports.take(place.space, incoming(file, { name }));
      assert.equal(await ended, "completed", name);
      const { result } = place.space.log.snapshot().state.operations[operation]!;
      assert.equal(result?.refused, 0, name);
      const there = new Set<string>();
      const bytes = await exported(place);
      const at = bytes.indexOf("end_header\n") + 11;
      for (let row = at; row < bytes.length; row += 27) {
        // To 2 cm, as far apart as they are.
        there.add(
          [0, 8].map((axis) => Math.round((bytes.readDoubleLE(row + axis) - [0.125, 0.625][axis / 8]!) * 50)).join(),
        );
      }
      for (let i = 0; i < 3 * 20_000; i += 3) {
        const key = [0, 1].map((axis) => Math.round((real.positions[i + axis]! - [0.125, 0.625][axis]!) * 50)).join();
        assert.ok(there.has(key), `${name}: ${key}`);
      }
      for (const { layer } of layersOf(place)) await place.core.layers.remove(place.space, layer);
    }
  });

  test("EXC-13 a cloud of any width is taken whole; what is far beyond all the others is counted for itself", async (t) => {
    const place = await setting(t);
    const sides: [number, number][] = [
      [2e8, 0],
      [1e9, 0],
      [1e12, 0],
      [50, 3],
    ];
    for (const [side, absurd] of sides) {
      const points = run(3000);
      for (let i = 0; i < 9000; i++)
        points.positions[i] = i < 3 * absurd ? 1e30 : side * Math.abs(Math.sin(i * 78.233));
      const { operation, ended } = await place.imports.take(place.space, incoming(plyOf(points)));
      assert.equal(await ended, "completed", `${side}`);
      const { result } = place.space.log.snapshot().state.operations[operation]!;
      const { layer: _, ...counts } = result!;
      assert.deepEqual(counts, { points: 3000 - absurd, merged: 0, refused: absurd, outOfReach: absurd }, `${side}`);
    }
  });

  test("EXC-14 a file that cannot be read is refused before anything begins, and nothing is left of it", async (t) => {
    const place = await setting(t);
    const good = plyOf(run(1000));
    const before = place.space.log.head;
    const files = [
      Buffer.alloc(0),
      Buffer.from("not a cloud"),
      good.subarray(0, -1),
      Buffer.from(good.toString("latin1").replace("vertex 1000", "vertex 1000000000000"), "latin1"),
    ];
    for (const file of files) {
      await assert.rejects(place.imports.take(place.space, incoming(file)), { code: "import.invalid" });
    }
    assert.equal(place.space.log.head, before);
    assert.deepEqual(await readdir(place.folder), []);
  });

  test("EXC-14 a file that turns out bad half-way, or without a single point, leaves no layer", async (t) => {
    const place = await setting(t);
    const rows = Array.from({ length: 140_000 }, (_, i) => `${i} 0 ${i % 7}`);
    rows[130_000] = "here it ends badly";
    const head =
      "ply\nformat ascii 1.0\nelement vertex 140000\nproperty float x\nproperty float y\nproperty float z\nend_header\n";
    const bad = await place.imports.take(place.space, incoming(Buffer.from(`${head}${rows.join("\n")}\n`)));
    assert.equal(await bad.ended, "failed");
    const { error } = place.space.log.snapshot().state.operations[bad.operation]!;
    assert.equal(error?.code, "import.invalid");
    assert.match(error?.message ?? "", /format: ply, problem: a value that is no number/);
    const none = await place.imports.take(place.space, incoming(plyOf(run(50, [0, 0, 0], 50))));
    assert.equal(await none.ended, "failed");
    assert.deepEqual(layersOf(place), []);
    assert.deepEqual(await readdir(place.folder), []);
  });

  test("EXC-14 cancelled, or cut off by its sender, it leaves nothing", async (t) => {
    const place = await setting(t);
    const { operation, ended } = await place.imports.take(place.space, incoming(plyOf(run(400_000))));
    await place.space.operations.cancel(operation);
    assert.equal(await ended, "cancelled");
    const cut = (async function* () {
      yield plyOf(run(1000)).subarray(0, 900);
      throw new CairnError("operation.cancelled");
    })();
    await assert.rejects(place.imports.take(place.space, { name: "x", bytes: cut }), { code: "operation.cancelled" });
    assert.deepEqual(layersOf(place), []);
    assert.deepEqual(await readdir(place.folder), []);
  });

  test("EXC-15 the quota holds for what is declared and for what comes; leftovers go at the start", async (t) => {
    const { core, folder } = await setting(t);
    const space = await core.spaces.create({ id: "small", settings: { maxBytes: 100_000 } });
    await writeFile(join(folder, "left.tmp"), "x");
    const imports = await openImports(core, folder);
    const file = plyOf(run(10_000));
    await assert.rejects(imports.take(space, incoming(file)), { code: "space.quota" });
    await assert.rejects(imports.take(space, { name: "x", bytes: pieces(file) }), { code: "space.quota" });
    assert.deepEqual(await readdir(folder), []);
    const { ended } = await imports.take(space, incoming(plyOf(run(1000))));
    assert.equal(await ended, "completed");
  });
});
