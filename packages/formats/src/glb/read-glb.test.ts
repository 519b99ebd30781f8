import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { MeshoptEncoder } from "meshoptimizer/encoder";
import {
  craft,
  gridPoints,
  keyed,
  ONE_POINT,
  placesOf,
  randomOf,
  readAll,
  sourceOf,
  srgbLinear,
  throughThree,
} from "../test/glb.ts";
import { encodePointGlb } from "./encode-point-glb.ts";
import { type GlbPoints, openGlb } from "./read-glb.ts";

const FLOATS = { componentType: 5126, type: "VEC3" };

describe("reading GLB points", () => {
  test("TIL-3 what is written is read: positions within quantisation, colours within what linear bytes keep", async () => {
    const points = gridPoints(5000, 12, 7);
    const { positions, colors } = await readAll(await encodePointGlb(points));
    const read = Array.from({ length: points.count }, (_, i) => positions.slice(3 * i, 3 * i + 3) as Vec3);
    const cells = keyed(read, points.edge / 2 ** 12);
    for (const [i, place] of placesOf(points).entries()) {
      const at = cells.get(place.map((value) => Math.floor(value / (points.edge / 2 ** 12))).join());
      assert.notEqual(at, undefined);
      for (let axis = 0; axis < 3; axis++) {
        assert.ok(Math.abs(read[at!]![axis]! - place[axis]!) < 1e-9);
        assert.ok(Math.abs(srgbLinear(colors[3 * at! + axis]!) - srgbLinear(points.colors[3 * i + axis]!)) < 2.3 / 255);
      }
    }
  });

  test("TIL-3 every component type, normalised or not, with colours and normals", async () => {
    const vec3 = { type: "VEC3" };
    const cases = [
      [
        { data: Int8Array.of(-128, 64, 127, 0), componentType: 5120, normalized: true, type: "VEC3" },
        [-1, -1, 64 / 127],
      ],
      [{ data: Uint8Array.of(255, 51, 0, 0), componentType: 5121, normalized: true, type: "VEC3" }, [1, 0, 0.2]],
      [{ data: Int16Array.of(-32768, 16384, 1), componentType: 5122, ...vec3 }, [-32768, -1, 16384]],
      [{ data: Int16Array.of(-32767, 0, 32767), componentType: 5122, normalized: true, ...vec3 }, [-1, -1, 0]],
      [{ data: Uint16Array.of(65535, 0, 7), componentType: 5123, ...vec3 }, [65535, -7, 0]],
      [{ data: Uint16Array.of(65535, 0, 65535), componentType: 5123, normalized: true, ...vec3 }, [1, -1, 0]],
      [{ data: Float32Array.of(0.5, -0.25, 4), componentType: 5126, ...vec3 }, [0.5, -4, -0.25]],
    ] as const;
    for (const [attribute, expected] of cases) {
      const glb = craft([{ name: "POSITION", ...attribute }], ({ accessors }) => {
        accessors[0]!.count = 1;
      });
      const { positions, colors } = await readAll(glb);
      positions.forEach((value, axis) => {
        assert.ok(Math.abs(value - expected[axis]!) < 1e-12, `${attribute.componentType}: ${positions.join()}`);
      });
      assert.deepEqual(colors, [255, 255, 255]);
    }
    for (const [data, componentType] of [
      [Float32Array.of(0, 0.2140411, 1), 5126],
      [Uint16Array.of(0, 14027, 65535), 5123],
      [Uint8Array.of(0, 55, 255, 9), 5121],
    ] as const) {
      const color = {
        name: "COLOR_0",
        data,
        componentType,
        type: "VEC3",
        ...(componentType !== 5126 && { normalized: true }),
      };
      const glb = craft([ONE_POINT, color], ({ accessors }) => {
        accessors[1]!.count = 1;
      });
      const { colors } = await readAll(glb);
      assert.deepEqual([colors[0], colors[2]], [0, 255]);
      assert.ok(Math.abs(colors[1]! - 128) <= 1, `${componentType}: ${colors[1]}`);
    }
    const normal = { name: "NORMAL", data: Float32Array.of(0, 1, 0), componentType: 5126, type: "VEC3" };
    const turned = craft([ONE_POINT, normal], ({ nodes }) => {
      nodes[0]!.scale = [1, 10, 1];
    });
    assert.deepEqual((await readAll(turned)).normals, [0, 0, 127]);
  });

  test("TIL-3 points that are drawn by indices are those, each once; the others are not there", async () => {
    const n = 70_000;
    const position = { name: "POSITION", data: Float32Array.from({ length: 3 * n }, (_, i) => i), ...FLOATS };
    const order = Uint32Array.of(69_999, 3, 3, 65_536, 0);
    for (const [data, componentType, wanted] of [
      [order, 5125, [0, 3, 65_536, 69_999]],
      [Uint16Array.of(7, 1), 5123, [1, 7]],
      [Uint8Array.of(255, 9, 9), 5121, [9, 255]],
    ] as const) {
      const indices = { name: "_I", data, componentType, type: "VEC1" };
      const glb = craft([position, indices], ({ accessors, meshes }) => {
        accessors[1]!.type = "SCALAR";
        meshes[0]!.primitives[0] = { mode: 0, attributes: { POSITION: 0 }, indices: 1 };
      });
      const { positions, colors } = await readAll(glb);
      assert.deepEqual(
        positions.filter((_, i) => i % 3 === 0).map((x) => x / 3),
        wanted,
      );
      assert.equal(colors.length, positions.length);
    }
  });

  test("TIL-3 a sparse accessor: its values in their places, elsewhere what it lies upon, or 0", async () => {
    const n = 200_000;
    const position = { name: "POSITION", data: Float32Array.from({ length: 3 * n }, (_, i) => i + 1), ...FLOATS };
    const many = Array.from({ length: 70_000 }, (_, i) => 3 * Math.floor(i / 2) + (i % 2));
    for (const [places, componentType] of [
      [Uint32Array.of(1, 65_535, 65_536, n - 1), 5125],
      [Uint32Array.of(...many.slice(0, 50_000), n - 2), 5125],
      [Uint32Array.from(many), 5125],
      [Uint16Array.of(0, 7, 65_535), 5123],
      [Uint8Array.of(3, 255), 5121],
    ] as const) {
      const placed = { name: "_P", data: places, componentType, type: "VEC1" };
      const values = {
        name: "_V",
        data: Float32Array.from({ length: 3 * places.length }, (_, i) => -1 - i),
        ...FLOATS,
      };
      for (const base of [0, undefined]) {
        const glb = craft([position, placed, values], ({ accessors, meshes }) => {
          const sparse = { indices: { bufferView: 1, componentType }, values: { bufferView: 2 } };
          accessors[0]!.sparse = { count: places.length, ...sparse };
          if (base === undefined) delete accessors[0]!.bufferView;
          meshes[0]!.primitives[0]!.attributes = { POSITION: 0 };
        });
        const wanted = base === undefined ? new Float64Array(3 * n) : Float64Array.from(position.data);
        for (const [i, place] of places.entries()) wanted.set(values.data.subarray(3 * i, 3 * i + 3), 3 * place);
        const { positions } = await readAll(glb);
        assert.equal(positions.length, 3 * n);
        for (let at = 0; at < positions.length; at += 3) {
          const read = [positions[at], positions[at + 2], 0 - positions[at + 1]!];
          if (read.some((value, axis) => value !== wanted[at + axis]))
            assert.fail(`${at / 3} of ${placed.type}: ${read}`);
        }
      }
    }
  });

  test("TIL-3 sparse colours and positions of one drawing are read as three reads them", async () => {
    const attributes = [
      { name: "POSITION", data: Float32Array.from({ length: 12 }, (_, i) => i), ...FLOATS },
      { name: "COLOR_0", data: new Uint8Array(16).fill(51), componentType: 5121, type: "VEC4", normalized: true },
      { name: "_P", data: Uint16Array.of(1, 3), componentType: 5123, type: "VEC1" },
      { name: "_V", data: Float32Array.of(9, 8, 7, 6, 5, 4), ...FLOATS },
      { name: "_C", data: Uint8Array.of(255, 0, 255, 255, 0, 255, 0, 255), componentType: 5121, type: "VEC4" },
    ];
    const glb = craft(attributes, ({ accessors, meshes }) => {
      const indices = { bufferView: 2, componentType: 5123 };
      accessors[0]!.sparse = { count: 2, indices, values: { bufferView: 3 } };
      accessors[1]!.sparse = {
        count: 1,
        indices: { ...indices, byteOffset: 2 },
        values: { bufferView: 4, byteOffset: 4 },
      };
      meshes[0]!.primitives[0]!.attributes = { POSITION: 0, COLOR_0: 1 };
    });
    const [ours, threes] = [await readAll(glb), await throughThree(glb)];
    assert.deepEqual(ours.positions, threes.places.flat());
    assert.deepEqual(ours.positions.slice(3, 6), [9, -7, 8]);
    const linear = threes.linear.flat();
    assert.ok(ours.colors.every((value, at) => Math.abs(srgbLinear(value) - linear[at]!) < 0.01));
    assert.deepEqual(ours.colors.slice(9), [0, 255, 0]);
  });

  test("TIL-3 transforms nest as three nests them, and the scene's nodes are those that count", async () => {
    const component = fc.double({ min: -3, max: 3, noNaN: true });
    const vec = fc.tuple(component, component, component);
    const turn = fc
      .tuple(component, component, component, fc.double({ min: 0.1, max: 3, noNaN: true }))
      .map((q) => q.map((value) => value / Math.hypot(...q)));
    const size = fc.double({ min: 0.1, max: 3, noNaN: true });
    const trs = fc.record({ translation: vec, rotation: turn, scale: fc.tuple(size, size, size) });
    await fc.assert(
      fc.asyncProperty(trs, trs, async (above, below) => {
        const glb = craft([ONE_POINT], (gltf) => {
          gltf.nodes = [
            { ...above, children: [1] },
            { ...below, children: [2] },
            { mesh: 0, matrix: PLACED },
            { mesh: 0 },
          ];
        });
        const { positions } = await readAll(glb);
        const { places } = await throughThree(
          craft([ONE_POINT, { ...ONE_POINT, name: "COLOR_0" }], (gltf) => {
            gltf.nodes = [
              { ...above, children: [1] },
              { ...below, children: [2] },
              { mesh: 0, matrix: PLACED },
              { mesh: 0 },
            ];
          }),
        );
        assert.equal(places.length, 1);
        positions.forEach((value, axis) => {
          assert.ok(
            Math.abs(value - places[0]![axis]!) < 1e-9 * (1 + Math.abs(value)),
            `${positions} for ${places[0]}`,
          );
        });
      }),
      { numRuns: 40, seed: 5 },
    );
  });

  test("TIL-3 what meshoptimizer packs in either version, with its filters, under either name", async () => {
    await MeshoptEncoder.ready;
    const count = 300;
    const random = randomOf(4);
    const places = Float32Array.from({ length: count * 3 }, () => random() * 200 - 100);
    const directions = Float32Array.from({ length: count * 4 }, (_, i) => (i % 4 === 3 ? 0 : random() - 0.5));
    for (let i = 0; i < count * 4; i += 4) {
      const length = Math.hypot(directions[i]!, directions[i + 1]!, directions[i + 2]!);
      for (let axis = 0; axis < 3; axis++) directions[i + axis]! /= length;
    }
    for (const [extension, version] of [
      ["EXT_meshopt_compression", 0],
      ["KHR_meshopt_compression", 1],
    ] as const) {
      const streams = [
        { bytes: MeshoptEncoder.encodeFilterExp(places, count, 12, 20), byteStride: 12, filter: "EXPONENTIAL" },
        { bytes: MeshoptEncoder.encodeFilterOct(directions, count, 4, 8), byteStride: 4, filter: "OCTAHEDRAL" },
      ].map(({ bytes, ...more }) => ({
        ...more,
        data: MeshoptEncoder.encodeGltfBuffer(bytes, count, more.byteStride, "ATTRIBUTES", version),
      }));
      const glb = craft(
        [
          { ...ONE_POINT, data: streams[0]!.data },
          { name: "NORMAL", data: streams[1]!.data, componentType: 5120, type: "VEC3", normalized: true },
        ],
        (gltf) => {
          gltf.extensionsRequired = [extension];
          for (const [i, { byteStride, filter }] of streams.entries()) {
            const view = gltf.bufferViews[i]!;
            view.extensions = { [extension]: { ...view, byteStride, count, mode: "ATTRIBUTES", filter } };
            view.byteStride = byteStride;
            gltf.accessors[i]!.count = count;
          }
        },
      );
      const { positions, normals } = await readAll(glb);
      for (let i = 0; i < count; i++) {
        const [x, y, z] = [places[3 * i]!, -places[3 * i + 2]!, places[3 * i + 1]!];
        const off = Math.hypot(positions[3 * i]! - x, positions[3 * i + 1]! - y, positions[3 * i + 2]! - z);
        assert.ok(off < 1e-3, `${extension}: a place is off by ${off}`);
        const [nx, ny, nz] = [directions[4 * i]!, -directions[4 * i + 2]!, directions[4 * i + 1]!];
        const turn = Math.hypot(
          normals[3 * i]! / 127 - nx,
          normals[3 * i + 1]! / 127 - ny,
          normals[3 * i + 2]! / 127 - nz,
        );
        assert.ok(turn < 0.03, `${extension}: a normal is off by ${turn}`);
      }
    }
  });

  test("TIL-3 a large file is read in pieces, each once, and NaN stays NaN", async () => {
    const count = 150_000;
    const data = Float32Array.from({ length: count * 3 }, (_, i) => (i === 5 ? Number.NaN : i));
    const source = sourceOf(craft([{ ...ONE_POINT, data }]));
    const cloud = await openGlb(source);
    assert.equal(cloud.count, count);
    const pieces: GlbPoints[] = [];
    for await (const piece of cloud.chunks()) pieces.push(piece);
    assert.deepEqual(
      pieces.map(({ positions }) => positions.length / 3),
      [65_536, 65_536, 18_928],
    );
    assert.ok(Number.isNaN(pieces[0]!.positions[4]!));
    assert.ok(source.readBytes < source.sizeBytes + 100);
    const stop = new AbortController();
    const reading = cloud.chunks({ signal: stop.signal });
    await reading.next();
    stop.abort();
    await assert.rejects(reading.next(), { name: "AbortError" });
  });
});

/** A quarter turn about y, three sizes, a move. */
const PLACED = [0, 0, -2, 0, 0, 3, 0, 0, 0.5, 0, 0, 0, 4, 5, 6, 1];
