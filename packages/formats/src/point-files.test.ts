/** Files of points as we write them, read by readers that others wrote. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Las } from "copc";
import { PLYLoader } from "three/examples/jsm/loaders/PLYLoader.js";
import { CSV_HEADER, csvRun } from "./csv.ts";
import { lasHeader, lasRun } from "./las-write.ts";
import { plyHeader, plyRun } from "./ply.ts";
import type { PointRun } from "./point-run.ts";

const UTM = [6_000_123.4567, 5_412_345.6789, 312.3456] as const;

/** Points about `at`, millimetres apart, each with its own colour and photo. */
function run(count: number, at: readonly number[] = [0, 0, 0]): PointRun {
  return {
    count,
    positions: Float64Array.from(
      { length: count * 3 },
      (_, i) => at[i % 3]! + Math.floor(i / 3) * 0.001 * ((i % 3) + 1),
    ),
    colors: Uint8Array.from({ length: count * 3 }, (_, i) => i * 7),
    photos: Uint32Array.from({ length: count }, (_, i) => i),
    confidences: Uint8Array.from({ length: count }, (_, i) => 255 - i),
    normals: Int8Array.from({ length: count * 3 }, (_, i) => [127, 0, -127][i % 3]!),
  };
}

function join(pieces: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([...pieces]));
}

function las(version: "1.2" | "1.4", points: PointRun, origin?: { latitudeDeg: number; longitudeDeg: number }) {
  const axis = (a: number) => Array.from(points.positions).filter((_, i) => i % 3 === a);
  const low = (a: number) => Math.min(...axis(a));
  const high = (a: number) => Math.max(...axis(a));
  const header = lasHeader({
    version,
    count: points.count,
    min: [low(0), low(1), low(2)],
    max: [high(0), high(1), high(2)],
    step: 0.001,
    origin,
    created: new Date("2026-02-03T12:00:00Z"),
  });
  return { header, bytes: join([header.bytes, lasRun(points, header)]) };
}

describe("point files", () => {
  test("EXC-4 three's PLYLoader reads positions, normals and colours", () => {
    const points = run(3);
    const shape = { count: 3, double: false, normals: true };
    const geometry = new PLYLoader().parse(join([plyHeader(shape), plyRun(points, shape)]).buffer);
    assert.deepEqual(
      Array.from(geometry.getAttribute("position").array),
      Array.from(Float32Array.from(points.positions)),
    );
    assert.deepEqual(Array.from(geometry.getAttribute("normal").array), [1, 0, -1, 1, 0, -1, 1, 0, -1]);
    assert.equal(geometry.getAttribute("color").count, 3);
  });

  test("EXC-3 a PLY of doubles keeps UTM coordinates exactly", () => {
    const points = run(2, UTM);
    const shape = { count: 2, double: true, normals: false };
    const bytes = plyRun(points, shape);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 6; i++) {
      assert.equal(view.getFloat64(Math.floor(i / 3) * 27 + (i % 3) * 8, true), points.positions[i]);
    }
    assert.match(Buffer.from(plyHeader(shape)).toString(), /property double x\n/);
  });

  for (const version of ["1.2", "1.4"] as const) {
    test(`EXC-4 EXC-3 copc reads LAS ${version}: header, coordinates to under 1 mm, colours`, () => {
      const points = run(200, UTM);
      const { bytes } = las(version, points);
      const header = Las.Header.parse(bytes);
      assert.equal(`${header.majorVersion}.${header.minorVersion}`, version);
      assert.equal(header.pointCount, 200);
      assert.equal(header.pointCountByReturn[0], 200);
      assert.equal(header.pointDataRecordFormat, version === "1.2" ? 2 : 7);
      assert.deepEqual([header.fileCreationYear, header.fileCreationDayOfYear], [2026, 34]);
      const body = bytes.subarray(header.pointDataOffset);
      assert.equal(body.length, 200 * header.pointDataRecordLength);
      const view = Las.View.create(Buffer.from(body), header);
      for (const [axis, name] of ["X", "Y", "Z"].entries()) {
        const get = view.getter(name);
        for (let i = 0; i < 200; i++) {
          assert.ok(Math.abs(get(i) - points.positions[3 * i + axis]!) < 0.0005);
          assert.ok(get(i) >= header.min[axis]! - 1e-9 && get(i) <= header.max[axis]! + 1e-9, "inside the box");
        }
      }
      for (const [axis, name] of ["Red", "Green", "Blue"].entries()) {
        assert.equal(view.getter(name)(5), points.colors[15 + axis]! * 257);
      }
      assert.equal(view.getter("PointSourceId")(7), 7);
      assert.equal(view.getter("UserData")(7), 248);
      assert.deepEqual([view.getter("ReturnNumber")(3), view.getter("NumberOfReturns")(3)], [1, 1]);
    });
  }

  test("EXC-4 a place on the earth is WKT in LAS 1.4 and GeoTIFF keys in LAS 1.2", async () => {
    const origin = { latitudeDeg: 48.5, longitudeDeg: 7.75 };
    const modern = las("1.4", run(1), origin).bytes;
    const getter = (bytes: Uint8Array) => async (begin: number, end: number) => bytes.subarray(begin, end);
    const header = Las.Header.parse(modern);
    const [record] = await Las.Vlr.walk(getter(modern), header);
    const wkt = Buffer.from(await Las.Vlr.fetch(getter(modern), record!)).toString();
    assert.match(wkt, /PARAMETER\["latitude_of_origin",48\.5\],PARAMETER\["central_meridian",7\.75\]/);
    assert.equal(header.globalEncoding & 16, 16);

    const old = las("1.2", run(1), origin).bytes;
    const records = await Las.Vlr.walk(getter(old), Las.Header.parse(old));
    assert.deepEqual(
      records.map(({ recordId }) => recordId),
      [34735, 34736],
    );
    const doubles = Buffer.from(await Las.Vlr.fetch(getter(old), records[1]!));
    assert.deepEqual([doubles.readDoubleLE(0), doubles.readDoubleLE(8)], [7.75, 48.5]);
  });

  test("EXC-3 a cloud too wide for its step is written as finely as 31 bits reach", () => {
    const wide = { ...run(2), positions: Float64Array.of(0, 0, 0, 5e6, 1, 1) };
    const { header, bytes } = las("1.4", wide);
    assert.equal(header.scale, 0.01);
    const view = Las.View.create(Buffer.from(bytes.subarray(header.bytes.length)), Las.Header.parse(bytes));
    assert.equal(view.getter("X")(1), 5e6);
  });

  test("CSV has one line a point, with as many decimals as the step is worth", () => {
    const points = { ...run(2, [-1, 0, 1e6]), confidences: undefined };
    assert.equal(
      CSV_HEADER + Buffer.from(csvRun(points, 3)).toString(),
      "x,y,z,r,g,b,photo,confidence\n-1.000,0.000,1000000.000,0,7,14,0,255\n-0.999,0.002,1000000.003,21,28,35,1,255\n",
    );
  });
});
