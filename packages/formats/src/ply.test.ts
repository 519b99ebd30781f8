import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PLYLoader } from "three/examples/jsm/loaders/PLYLoader.js";
import { readPly, writePly } from "./ply.ts";

function join(pieces: Iterable<Uint8Array>): Uint8Array {
  return new Uint8Array(Buffer.concat([...pieces]));
}

describe("PLY", () => {
  test("what is written is read back, bit for bit", () => {
    const float = fc.float({ noNaN: true });
    const point = fc.tuple(float, float, float, fc.nat(255), fc.nat(255), fc.nat(255));
    fc.assert(
      fc.property(fc.array(point, { maxLength: 50 }), (points) => {
        const positions = Float32Array.from(points.flatMap((p) => p.slice(0, 3)));
        const colors = Uint8Array.from(points.flatMap((p) => p.slice(3)));
        assert.deepEqual(readPly(join(writePly(positions, colors))), { positions, colors });
      }),
      { numRuns: 50, seed: 11 },
    );
  });

  test("a large cloud comes in several pieces", () => {
    const n = 150_000;
    const positions = Float32Array.from({ length: n * 3 }, (_, i) => i / 7);
    const colors = Uint8Array.from({ length: n * 3 }, (_, i) => i);
    const pieces = [...writePly(positions, colors)];
    assert.equal(pieces.length, 4);
    assert.deepEqual(readPly(join(pieces)), { positions, colors });
  });

  test("three's PLYLoader reads it", () => {
    const bytes = join(writePly(Float32Array.of(1, 2, 3, -4, 5.5, 6), Uint8Array.of(255, 0, 0, 0, 0, 255)));
    const geometry = new PLYLoader().parse(bytes.slice().buffer);
    assert.deepEqual(Array.from(geometry.getAttribute("position").array), [1, 2, 3, -4, 5.5, 6]);
    const color = geometry.getAttribute("color").array;
    assert.deepEqual(
      Array.from(color).map((value) => value > 0.99),
      [true, false, false, false, false, true],
    );
  });

  test("fields in another order and of other types are found by name", () => {
    const head =
      "ply\r\nformat binary_little_endian 1.0\r\nelement vertex 1\r\nproperty uchar green\r\n" +
      "property double x\r\nproperty float32 z\r\nproperty short y\r\nelement face 0\r\n" +
      "property list uchar int vertex_index\r\nend_header\r\n";
    const body = new DataView(new ArrayBuffer(15));
    body.setUint8(0, 7);
    body.setFloat64(1, 1.5, true);
    body.setFloat32(9, -2.5, true);
    body.setInt16(13, -300, true);
    const bytes = new Uint8Array(Buffer.concat([Buffer.from(head), Buffer.from(body.buffer)]));
    assert.deepEqual(readPly(bytes), {
      positions: Float32Array.of(1.5, -300, -2.5),
      colors: Uint8Array.of(255, 7, 255),
    });
  });

  test("what is not a whole PLY file is refused", () => {
    const good = join(writePly(Float32Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)));
    const text = Buffer.from(good).toString("latin1");
    const broken = [
      "",
      "plywood\nend_header\n",
      text.slice(0, -1),
      text.replace("binary_little_endian", "ascii"),
      text.replace("vertex 1", "vertex -1"),
      text.replace("vertex 1", "vertex 99999999999"),
      text.replace("property float z\n", ""),
      text.replace("float x", "quaternion x"),
      text.replace("end_header", "end"),
    ];
    for (const file of broken) {
      assert.throws(() => readPly(Buffer.from(file, "latin1")), { code: "request.invalid" }, file.slice(0, 40));
    }
  });
});
