/** Files of points from anyone, and files that lie. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { createLazPerf } from "laz-perf";
import { lasHeader, lasRun } from "../las-write.ts";
import { plyHeader, plyRun } from "../ply.ts";
import type { PointRun } from "../point-run.ts";
import { lazOf, tableOf } from "../test/laz-write.ts";
import { readLasHeader } from "./las-header.ts";
import { openLaz } from "./laz.ts";
import { readChunkTable } from "./laz-chunks.ts";
import { openPointFile } from "./open-point-file.ts";
import { type PointSource, sourceOf } from "./point-source.ts";

type Read = { format: string; count: number; positions: number[]; colors: number[]; normals?: number[] };

async function read(bytes: Uint8Array | string): Promise<Read> {
  const file = await openPointFile(sourceOf(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes));
  const all: Read = { format: file.format, count: file.count, positions: [], colors: [] };
  for await (const run of file.chunks()) {
    assert.deepEqual([run.positions.length, run.colors.length], [run.count * 3, run.count * 3]);
    for (const value of run.positions) all.positions.push(value);
    for (const value of run.colors) all.colors.push(value);
    if (run.normals) all.normals = [...(all.normals ?? []), ...run.normals];
  }
  return all;
}

function points(count: number, at: readonly number[] = [0, 0, 0]): PointRun {
  return {
    count,
    positions: Float64Array.from({ length: count * 3 }, (_, i) => at[i % 3]! + i * 0.125),
    colors: Uint8Array.from({ length: count * 3 }, (_, i) => i * 5),
    photos: 0,
  };
}

function plyOf(run: PointRun, normals = false): Buffer {
  const shape = { count: run.count, double: true, normals };
  return Buffer.concat([plyHeader(shape), plyRun(run, shape)]);
}

function lasOf(version: "1.2" | "1.4", run: PointRun): Buffer {
  const corner = (pick: (a: number, b: number) => number) =>
    [0, 1, 2].map((axis) => run.positions.filter((_, i) => i % 3 === axis).reduce((a, b) => pick(a, b))) as Vec3;
  const shape = { version, count: run.count, min: corner(Math.min), max: corner(Math.max), step: 0.001 };
  const header = lasHeader({ ...shape, created: new Date(0) });
  return Buffer.concat([header.bytes, lasRun(run, header)]);
}

const near = (a: readonly number[], b: Iterable<number>, within: number) => {
  const wanted = [...b];
  assert.equal(a.length, wanted.length);
  for (const [i, value] of a.entries()) assert.ok(Math.abs(value - wanted[i]!) <= within, `${value} ${wanted[i]}`);
};

const refused = (bytes: Uint8Array | string, problem: RegExp) =>
  assert.rejects(read(bytes), (error: Error & { code?: string; facts?: { problem?: string } }) => {
    assert.equal(error.code, "import.invalid", error.stack);
    assert.match(error.facts?.problem ?? "", problem);
    return true;
  });

describe("PLY from anyone", () => {
  test("EXC-10 what is written is read back: doubles exactly, colours, normals", async () => {
    const run = {
      ...points(100_000, [6e6, 5e6, 0]),
      normals: Int8Array.from({ length: 300_000 }, (_, i) => [0, 127, 0][i % 3]!),
    };
    const back = await read(plyOf(run, true));
    assert.deepEqual([back.format, back.count], ["ply", 100_000]);
    assert.ok(back.positions.every((value, i) => value === run.positions[i]));
    assert.ok(back.colors.every((value, i) => value === run.colors[i]));
    assert.ok(back.normals!.every((value, i) => value === run.normals[i]));
  });

  test("EXC-10 text, both byte orders, any types, other elements and lists before and among the fields", async () => {
    const wanted = { positions: [1.5, -2, 3, -4, 5.25, 6], colors: [255, 0, 128, 1, 2, 3] };
    const text =
      "ply\r\nformat ascii 1.0\r\ncomment x\r\nelement camera 2\r\nproperty list uchar float view\r\n" +
      "element vertex 2\r\nproperty float x\r\nproperty list uchar int tags\r\nproperty double y\r\nproperty short z\r\n" +
      "property uchar red\r\nproperty uchar green\r\nproperty uchar blue\r\nelement face 1\r\n" +
      "property list uchar int vertex_index\r\nend_header\r\n2 0.5 0.5\r\n0\r\n" +
      "1.5 2 7 8 -2 3 255 0 128\r\n\r\n-4 0 5.25 6 1 2 3\r\n3 0 1 0\r\n";
    const { positions, colors } = await read(text);
    assert.deepEqual({ positions, colors }, wanted);
    for (const little of [true, false]) {
      const head =
        `ply\nformat binary_${little ? "little" : "big"}_endian 1.0\nelement camera 2\nproperty list uchar float view\n` +
        "element vertex 2\nproperty float x\nproperty list ushort int tags\nproperty double y\nproperty short z\n" +
        "property ushort red\nproperty ushort green\nproperty ushort blue\nend_header\n";
      const body = new DataView(new ArrayBuffer(256));
      let at = 0;
      const put = (
        method: "setUint8" | "setFloat32" | "setFloat64" | "setInt16" | "setUint16" | "setInt32",
        value: number,
      ) => {
        body[method](at, value, little);
        at += { setUint8: 1, setInt16: 2, setUint16: 2, setFloat32: 4, setInt32: 4, setFloat64: 8 }[method];
      };
      put("setUint8", 2);
      put("setFloat32", 0.5);
      put("setFloat32", 0.5);
      put("setUint8", 0);
      for (const [row, tags] of [
        [0, [7, 8]],
        [1, []],
      ] as const) {
        put("setFloat32", wanted.positions[3 * row]!);
        put("setUint16", tags.length);
        for (const tag of tags) put("setInt32", tag);
        put("setFloat64", wanted.positions[3 * row + 1]!);
        put("setInt16", wanted.positions[3 * row + 2]!);
        for (let c = 0; c < 3; c++) put("setUint16", wanted.colors[3 * row + c]! * 257);
      }
      const back = await read(Buffer.concat([Buffer.from(head), Buffer.from(body.buffer, 0, at)]));
      assert.deepEqual({ positions: back.positions, colors: back.colors }, wanted, `little: ${little}`);
    }
  });

  test("EXC-10 colours of floats, of 16 bits that hold 8, of Gaussians, of intensity; none is white", async () => {
    const file = (fields: string, row: string) =>
      `ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n${fields}end_header\n0 0 0 ${row}\n1 1 1 ${row}\n`;
    const rgb = (type: string, names = ["red", "green", "blue"]) =>
      names.map((n) => `property ${type} ${n}\n`).join("");
    const cases: [string, string, number[]][] = [
      [rgb("float"), "1 0.5 0", [255, 128, 0]],
      [rgb("float"), "200 100.4 0", [200, 100, 0]],
      [rgb("ushort"), "200 100 0", [200, 100, 0]],
      [rgb("ushort"), "65535 257 0", [255, 1, 0]],
      [rgb("uchar", ["diffuse_red", "diffuse_green", "diffuse_blue"]), "9 8 7", [9, 8, 7]],
      [rgb("float", ["f_dc_0", "f_dc_1", "f_dc_2"]), "0 1.7724538509 -9", [128, 255, 0]],
      ["property float intensity\n", "12", [255, 255, 255]],
      [rgb("float"), "nan -1 0.2", [0, 0, 51]],
      // Who interpolates may overshoot.
      [rgb("float"), "1.25 0.5 0.1", [255, 128, 26]],
      ["", "", [255, 255, 255]],
    ];
    for (const [fields, row, wanted] of cases) {
      assert.deepEqual((await read(file(fields, row))).colors.slice(0, 3), wanted, `${fields} ${row}`);
    }
  });

  test("EXC-10 black points at a file's beginning say nothing of how its colours are kept", async () => {
    const head = (type: string) =>
      `ply\nformat binary_little_endian 1.0\nelement vertex 65537\nproperty float x\nproperty float y\nproperty float z\nproperty ${type} red\nproperty ${type} green\nproperty ${type} blue\nend_header\n`;
    const rows = (colorBytes: number) => Buffer.alloc(65_537 * (12 + 3 * colorBytes));
    const words = rows(2);
    for (const [i, value] of [65_535, 25_700, 257].entries()) words.writeUInt16LE(value, words.length - 6 + 2 * i);
    const floats = rows(4);
    for (const [i, value] of [255, 100, 1].entries()) floats.writeFloatLE(value, floats.length - 12 + 4 * i);
    for (const [type, body] of [
      ["ushort", words],
      ["float", floats],
    ] as const) {
      const { colors } = await read(Buffer.concat([Buffer.from(head(type)), body]));
      assert.deepEqual(colors.slice(-6), [0, 0, 0, 255, 100, 1], type);
    }
  });

  test("EXC-10 dark points at a file's beginning say nothing of how bright the others are to who reads it again", async () => {
    const head = (fields: string) =>
      `ply\nformat binary_little_endian 1.0\nelement vertex 70000\nproperty float x\nproperty float y\nproperty float z\n${fields}end_header\n`;
    const rgb = (type: string) => ["red", "green", "blue"].map((name) => `property ${type} ${name}\n`).join("");
    const files = [
      { fields: "property ushort intensity\n", bytes: 2, dark: 10, bright: 4000, wanted: [1, 255] },
      { fields: rgb("ushort"), bytes: 2, dark: 200, bright: 65_535, wanted: [1, 255] },
      { fields: rgb("float"), bytes: 4, dark: 1, bright: 255, wanted: [1, 255] },
      { fields: rgb("float"), bytes: 4, dark: 0.2, bright: Infinity, wanted: [51, 255] },
    ];
    for (const { fields, bytes, dark, bright, wanted } of files) {
      const rowBytes = 12 + bytes * (fields.match(/\n/g)?.length ?? 0);
      const rows = Buffer.alloc(70_000 * rowBytes);
      for (let at = 0; at < rows.length; at += rowBytes) {
        const value = at < 68_000 * rowBytes ? dark : bright;
        for (let c = at + 12; c < at + rowBytes; c += bytes) {
          if (bytes === 2) rows.writeUInt16LE(value, c);
          else rows.writeFloatLE(value, c);
        }
      }
      const file = await openPointFile(sourceOf(Buffer.concat([Buffer.from(head(fields)), rows])));
      for await (const _ of file.chunks());
      const colors: number[] = [];
      for await (const run of file.chunks()) colors.push(run.colors[0]!, run.colors.at(-1)!);
      assert.deepEqual([colors[0], colors.at(-1)], wanted, fields);
    }
  });

  test("EXC-11 a header that lies, a file cut off, values that are none", async () => {
    const good = plyOf(points(50)).toString("latin1");
    const text =
      "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\nend_header\n";
    const cases: [string, RegExp][] = [
      ["", /empty/],
      ["plywood", /neither/],
      ["ply\nformat ascii 1.0\n", /no header/],
      [good.replace("vertex 50", "vertex 51"), /cut off|wrong count/],
      [good.replace("vertex 50", "vertex 49"), /too few/],
      [good.replace("vertex 50", "vertex 1000000000000"), /27000000000000 bytes/],
      [good.replace("vertex 50", "vertex 99999999999999999999"), /no count/],
      [good.replace("vertex 50", "vertex -1"), /no count/],
      [good.replace("vertex 50", "vertex 0"), /too few/],
      [good.slice(0, -1), /cut off/],
      [good.replace("property double z\n", ""), /no x, y and z/],
      [good.replace("double x", "quaternion x"), /quaternion/],
      [good.replace("binary_little_endian", "binary_middle_endian"), /format/],
      [good.replace("element vertex 50", "element face 50"), /no vertex/],
      [`${text}1 2 3\n`, /cut off|counts take/],
      [`${text}1 2 3\n4.25 5\n`, /no number/],
      [`${text}1 2 3\n4 5 6\n7 8 9\n`, /too few/],
      [`${text}1 2 3\n4 five 6\n`, /no number/],
      [text.replace("vertex 2", "vertex 0"), /no points/],
      [
        `${text.replace("float z\n", "float z\nproperty list uchar float w\n")}1 2 3 9 1\n1 2 3 0\n`,
        /longer than its line/,
      ],
    ];
    for (const [file, problem] of cases) await refused(file, problem);
    // A list that claims four billion items of a row that is read one value at a time.
    const lists =
      "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n" +
      "property list uint double w\nend_header\n";
    await refused(Buffer.concat([Buffer.from(lists), Buffer.alloc(100, 255)]), /cut off/);
    // Numbers that are none are handed on: who takes the points leaves them out.
    assert.deepEqual((await read(`${text}nan -inf 1e400\n4 5 6\n`)).positions, [NaN, -Infinity, Infinity, 4, 5, 6]);
    const windows = await read(`${text}1.#QNAN -1.#IND 1.#INF\n-nan(ind) -1.#INF 6\n`);
    assert.deepEqual(windows.positions, [NaN, NaN, Infinity, NaN, -Infinity, 6]);
  });

  test("EXC-11 any damage to any file is refused or read, and never anything else", async () => {
    const files = [
      plyOf(points(20)),
      lasOf("1.2", points(20)),
      lasOf("1.4", points(20)),
      Buffer.from(lazOf({ las: lasOf("1.2", points(20)), variable: true })),
      Buffer.from(lazOf({ las: lasOf("1.4", points(20)) })),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat(), { nil: undefined }),
        async (file, changes, cut) => {
          const bytes = Buffer.from(file);
          // Mostly in the first bytes, where the counts are.
          for (const [at, value] of changes)
            bytes[at % 2 ? at % bytes.length : at % Math.min(400, bytes.length)] = value;
          try {
            await read(bytes.subarray(0, cut === undefined ? bytes.length : cut % bytes.length));
          } catch (error) {
            assert.equal((error as { code?: string }).code, "import.invalid", String((error as Error).stack));
          }
        },
      ),
      { numRuns: 400, seed: 7 },
    );
  });
});

describe("LAS, LAZ and COPC from anyone", () => {
  test("EXC-10 LAS 1.2 and 1.4: coordinates at 6,000,000 m to under 1 mm, colours of 16 bits and of 8 in 16", async () => {
    const run = points(70_000, [600_000.123, 6_000_000.456, 99.789]);
    for (const version of ["1.2", "1.4"] as const) {
      const bytes = lasOf(version, run);
      const back = await read(bytes);
      assert.deepEqual([back.format, back.count], ["las", 70_000]);
      near(back.positions, run.positions, 0.0005);
      assert.ok(back.colors.every((value, i) => value === run.colors[i]));
      // The same colours kept as bytes.
      const [start, stride, at] = [bytes.readUInt32LE(96), bytes.readUInt16LE(105), version === "1.2" ? 20 : 30];
      for (let i = 0; i < 70_000; i++) {
        for (let c = 0; c < 3; c++) bytes.writeUInt16LE(run.colors[3 * i + c]!, start + i * stride + at + 2 * c);
      }
      assert.ok((await read(bytes)).colors.every((value, i) => value === run.colors[i]));
    }
  });

  test("EXC-10 without colours the intensity is grey, without that the class has a colour", async () => {
    const bytes = lasOf("1.2", points(3));
    bytes[104] = 0; // Point format 0: the fields behind 20 bytes are the writer's own.
    const start = bytes.readUInt32LE(96);
    for (const [i, kind] of [2, 5, 6].entries()) bytes[start + i * 26 + 15] = kind;
    const classes = (await read(bytes)).colors;
    assert.notDeepEqual(classes.slice(0, 3), classes.slice(3, 6));
    for (const [i, intensity] of [0, 1000, 2000].entries()) bytes.writeUInt16LE(intensity, start + i * 26 + 12);
    assert.deepEqual((await read(bytes)).colors, [0, 0, 0, 128, 128, 128, 255, 255, 255]);
  });

  test("EXC-10 one glint leaves the others grey, and what lies between the samples is seen by who reads again", async () => {
    const count = 300_000;
    const bytes = lasOf("1.2", points(count));
    bytes[104] = 0;
    const start = bytes.readUInt32LE(96);
    const greysOf = async (intensity: (i: number) => number) => {
      for (let i = 0; i < count; i++) bytes.writeUInt16LE(intensity(i), start + i * 26 + 12);
      const file = await openPointFile(sourceOf(bytes));
      for await (const _ of file.chunks());
      const greys: number[] = [];
      for await (const run of file.chunks()) for (let i = 0; i < run.colors.length; i += 3) greys.push(run.colors[i]!);
      return greys;
    };
    const glint = await greysOf((i) => (i === 5 ? 65_535 : 1000));
    assert.ok(glint[5] === 255 && glint[6]! > 240, `${glint[6]}`);
    const between = await greysOf((i) => (i > 70_000 && i < 100_000 ? 4000 : 100));
    assert.deepEqual([between[80_000], between[200_000]], [255, 6]);
  });

  test("EXC-11 zeros behind the last point are a block that was filled up, anything else is a wrong count", async () => {
    const las = lasOf("1.2", points(50));
    assert.equal((await read(Buffer.concat([las, Buffer.alloc(4000)]))).count, 50);
    await assert.rejects(read(Buffer.concat([las, Buffer.alloc(4000, 1)])), /wrong count/);
  });

  for (const version of ["1.2", "1.4"] as const) {
    for (const variable of [false, true]) {
      test(`EXC-10 LAZ ${version}, ${variable ? "chunks of any size (COPC)" : "equal chunks"}, as laz-perf reads it`, async () => {
        const run = points(60, [1000, 2000, 3000]);
        const file = lazOf({ las: lasOf(version, run), variable });
        const back = await read(file);
        assert.deepEqual([back.format, back.count], ["laz", 60]);
        near(back.positions, run.positions, 0.0005);
        assert.deepEqual(back.colors, [...run.colors]);
        near((await byLaszip(file)).flat(), run.positions, 0.0005);
        // By the table alone: there are bytes between the chunks, and its place is at the end.
        const apart = await read(lazOf({ las: lasOf(version, run), variable, gaps: true, streamed: true }));
        assert.deepEqual(apart.positions, back.positions);
      });
    }
  }

  test("EXC-10 chunks of many points, as laz-perf reads them", async () => {
    const run = points(5);
    const repeats = [
      { points: 3000, zeros: 355 },
      { points: 1, zeros: 0 },
      { points: 300, zeros: 224 },
      { points: 1, zeros: 0 },
      { points: 1234, zeros: 3000 },
    ];
    const file = lazOf({ las: lasOf("1.2", run), variable: true, repeats });
    const { positions, count } = await read(file);
    const laszip = await byLaszip(file);
    assert.equal(count, 4536);
    near(positions, laszip.flat(), 1e-9);
    near(
      positions.filter((_, i) => i % 3 === 0),
      repeats.flatMap(({ points: n }, i) => new Array<number>(n).fill(run.positions[3 * i]!)),
      0.0005,
    );
  });

  test("a table of chunks comes back whatever its numbers are", () => {
    const entry = fc.tuple(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1));
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 300 }), fc.boolean(), (entries, variable) => {
        const sizes = entries.map(([size]) => size);
        const counts = entries.map(([, count]) => count);
        const table = readChunkTable(
          tableOf(sizes, variable ? counts : undefined),
          sizes.length,
          variable ? undefined : 9,
        );
        assert.deepEqual(
          table,
          sizes.map((sizeBytes, i) => ({ points: variable ? counts[i]! : 9, sizeBytes })),
        );
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  test("EXC-11 headers that lie about counts, places, scales and chunks", async () => {
    const las = lasOf("1.2", points(30));
    const modern = lasOf("1.4", points(30));
    const changed = (file: Buffer, change: (copy: Buffer) => void) => {
      const copy = Buffer.from(file);
      change(copy);
      return copy;
    };
    const cases: [Uint8Array, RegExp][] = [
      [las.subarray(0, 100), /shorter than a header/],
      [las.subarray(0, -1), /room for 29/],
      [changed(las, (b) => b.writeUInt32LE(31, 107)), /room for 30/],
      [changed(las, (b) => b.writeUInt32LE(29, 107)), /holds 30/],
      [changed(las, (b) => b.writeUInt32LE(0, 107)), /no points/],
      [changed(modern, (b) => b.writeBigUInt64LE(10n ** 12n, 247)), /claims 1000000000000/],
      [changed(modern, (b) => b.writeBigUInt64LE(2n ** 63n, 247)), /claims 9223372036854775808/],
      [changed(modern, (b) => b.writeUInt32LE(7, 107)), /7 points and 30/],
      [changed(las, (b) => b.writeDoubleLE(0, 131)), /scale/],
      [changed(las, (b) => b.writeDoubleLE(Number.NaN, 155)), /scale or offset/],
      [changed(las, (b) => b.writeUInt32LE(2 ** 31, 96)), /outside/],
      [changed(las, (b) => b.writeUInt32LE(9000, 100)), /do not fit/],
      [changed(las, (b) => b.writeUInt32LE(2 ** 32 - 1, 100)), /4294967295 variable/],
      [changed(las, (b) => b.writeUInt16LE(25, 105)), /in 25 bytes/],
      [changed(las, (b) => b.writeUInt8(11, 104)), /point format 11/],
      [changed(las, (b) => b.writeUInt8(9, 25)), /version 1\.9/],
      [changed(las, (b) => b.writeUInt8(128 + 2, 104)), /how it is compressed/],
      [lazOf({ las, lie: { chunkBytes: 2 ** 20 } }), /overlap/],
      [lazOf({ las, lie: { chunkBytes: 2 ** 31 } }), /chunk of 2147483648/],
      [lazOf({ las, lie: { chunkBytes: 1 } }), /chunk of 1 /],
      [lazOf({ las, variable: true, lie: { chunkPoints: 10 ** 9 } }), /its chunks 1000000029/],
      [lazOf({ las, lie: { compressor: 1 } }), /compressor 1/],
      [changed(Buffer.from(lazOf({ las })), (b) => b.writeUInt32LE(2 ** 32 - 1, 107)), /claims 4294967295 points in/],
      [changed(Buffer.from(lazOf({ las })), (b) => b.writeUInt32LE(31, 107)), /31 points in 30 chunks/],
      [lazOf({ las }).subarray(0, 600), /table of chunks/],
      [changed(Buffer.from(lazOf({ las })), (b) => b.writeUInt8(128 + 4, 104)), /in 26 bytes/],
    ];
    for (const [file, problem] of cases) await refused(file, problem);
  });

  test("EXC-12 however large the file, no more than a chunk of it is read at once", async () => {
    const bytes = lasOf("1.2", points(200_000));
    let most = 0;
    const source: PointSource = {
      sizeBytes: bytes.length,
      range: async (start, end) => {
        most = Math.max(most, end - start);
        return bytes.subarray(start, end);
      },
    };
    let count = 0;
    for await (const run of (await openPointFile(source)).chunks()) count += run.count;
    assert.equal(count, 200_000);
    assert.ok(most <= 65_536 * 26, `${most}`);
  });

  test("EXC-12 records as large as a header may say are read a few at a time, plain and compressed", async () => {
    const recordBytes = 10_000;
    const wide = (count: number, records: number) => {
      const header = Buffer.from(lasOf("1.2", points(1)).subarray(0, 227));
      header.writeUInt16LE(recordBytes, 105);
      header.writeUInt32LE(count, 107);
      return Buffer.concat([header, Buffer.alloc(recordBytes * records)]);
    };
    const head = wide(240_000, 0);
    let most = 0;
    const plain = await openPointFile({
      sizeBytes: head.length + 240_000 * recordBytes,
      range: async (start, end) => {
        most = Math.max(most, end - start);
        const bytes = new Uint8Array(Math.min(end - start, 2 ** 26));
        if (start < head.length) bytes.set(head.subarray(start, end));
        return bytes;
      },
    });
    for await (const { count } of plain.chunks()) {
      assert.ok(count * recordBytes <= 2 ** 22, `${count}`);
      break;
    }
    assert.ok(most <= 2 ** 22, `${most}`);
    const packed = sourceOf(lazOf({ las: wide(1, 1), variable: true, repeats: [{ points: 430, zeros: 200_000 }] }));
    for await (const { length } of (await openLaz(packed, await readLasHeader(packed))).read(0)) {
      assert.ok(length <= 2 ** 22, `${length}`);
      break;
    }
  });
});

/** The reader that `laz-perf` has for whole files: `[x, y, z]` of each point. */
async function byLaszip(file: Uint8Array): Promise<number[][]> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const laz = await createLazPerf();
  const input = laz._malloc(file.length);
  laz.HEAPU8.set(file, input);
  const zip = new laz.LASZip();
  zip.open(input, file.length);
  const output = laz._malloc(zip.getPointLength());
  return Array.from({ length: zip.getCount() }, () => {
    zip.getPoint(output);
    const record = new DataView(laz.HEAPU8.buffer, output);
    return [0, 8, 16].map(
      (at) => record.getInt32(at / 2, true) * view.getFloat64(131 + at, true) + view.getFloat64(155 + at, true),
    );
  });
}
