import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CairnError, type Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import gltfValidator from "gltf-validator";
import { MeshoptDecoder } from "meshoptimizer/decoder";
import { MeshoptEncoder } from "meshoptimizer/encoder";
import type { BufferAttribute, InterleavedBufferAttribute, Object3D, Points } from "three";
import { Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { glbHead } from "./container.ts";
import { encodePointGlb, type GridPoints } from "./encode-point-glb.ts";
import { srgbOf } from "./linear-color.ts";
import { type GlbPoints, type GlbSource, openGlb } from "./read-glb.ts";
import { encodeSceneGlb, type ScenePoints } from "./scene-glb.ts";

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function gridPoints(count: number, bits: number, seed = 1): GridPoints {
  const random = randomOf(seed);
  const coords = Uint16Array.from({ length: count * 3 }, () => Math.floor(random() * 2 ** bits));
  const colors = Uint8Array.from({ length: count * 3 }, () => Math.floor(random() * 256));
  return { count, bits, coords, colors, corner: [-3, 17.5, 2], edge: 4 };
}

/** Where each point really is, Z up. */
function placesOf({ count, coords, bits, corner, edge }: GridPoints): Vec3[] {
  const step = edge / 2 ** bits;
  return Array.from({ length: count }, (_, i) => [
    corner[0] + (coords[3 * i]! + 0.5) * step,
    corner[1] + (coords[3 * i + 1]! + 0.5) * step,
    corner[2] + (coords[3 * i + 2]! + 0.5) * step,
  ]);
}

function sourceOf(bytes: Uint8Array): GlbSource & { readBytes: number } {
  return {
    sizeBytes: bytes.length,
    readBytes: 0,
    async range(start, end) {
      this.readBytes += end - start;
      return bytes.slice(start, end);
    },
  };
}

async function join(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

async function readAll(bytes: Uint8Array): Promise<{ positions: number[]; colors: number[]; normals: number[] }> {
  const found = { positions: [] as number[], colors: [] as number[], normals: [] as number[] };
  for await (const { positions, colors, normals } of (await openGlb(sourceOf(bytes))).chunks()) {
    for (const value of positions) found.positions.push(value);
    for (const value of colors) found.colors.push(value);
    for (const value of normals ?? []) found.normals.push(value);
  }
  return found;
}

async function assertClean(bytes: Uint8Array): Promise<void> {
  const { issues } = await gltfValidator.validateBytes(bytes, { maxIssues: 50 });
  assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages.slice(0, 5)));
}

/** World places (Z up) and linear colours, as three's loader sees them. */
async function throughThree(bytes: Uint8Array): Promise<{ places: Vec3[]; linear: Vec3[] }> {
  await MeshoptDecoder.ready;
  const loader = new GLTFLoader();
  loader.setMeshoptDecoder(MeshoptDecoder);
  const { scene } = await loader.parseAsync(bytes.slice().buffer, "");
  scene.updateMatrixWorld(true);
  const places: Vec3[] = [];
  const linear: Vec3[] = [];
  scene.traverse((object: Object3D) => {
    if (!("isPoints" in object)) return;
    const { geometry, matrixWorld } = object as Points;
    const position = geometry.getAttribute("position") as BufferAttribute | InterleavedBufferAttribute;
    const color = geometry.getAttribute("color") as BufferAttribute | InterleavedBufferAttribute;
    for (let i = 0; i < position.count; i++) {
      const { x, y, z } = new Vector3(position.getX(i), position.getY(i), position.getZ(i)).applyMatrix4(matrixWorld);
      places.push([x, -z, y]);
      linear.push([color.getX(i), color.getY(i), color.getZ(i)]);
    }
  });
  return { places, linear };
}

/** Matches each place to the nearest of the others by a coarse sort: both lists hold the same points in any order. */
function keyed(places: readonly Vec3[], step: number): Map<string, number> {
  return new Map(places.map((place, i) => [place.map((value) => Math.floor(value / step)).join(), i]));
}

describe("a node's points as GLB", () => {
  for (const bits of [8, 12, 14, 16]) {
    test(`TIL-1 ${bits} bits: the validator finds nothing, three reads every point within quantisation`, async () => {
      const points = gridPoints(3000, bits, bits);
      const glb = await encodePointGlb(points);
      await assertClean(glb);
      const { places, linear } = await throughThree(glb);
      assert.equal(places.length, points.count);
      // All coordinates are odd multiples of half a step: the cell names the point.
      const step = points.edge / 2 ** Math.min(14, bits);
      const cells = new Map<string, number[]>();
      for (const [i, place] of placesOf(points).entries()) {
        const key = place.map((value) => Math.floor(value / step)).join();
        cells.set(key, [...(cells.get(key) ?? []), i]);
      }
      for (const [i, place] of places.entries()) {
        const sources = cells.get(place.map((value) => Math.floor(value / step)).join());
        assert.ok(sources, `nothing was at ${place.join()}`);
        const near = sources.some((source) =>
          [0, 1, 2].every(
            (axis) => Math.abs(srgbLinear(points.colors[3 * source + axis]!) - linear[i]![axis]!) < 1 / 255,
          ),
        );
        assert.ok(near, "its colour is within one step of linear light");
      }
    });
  }

  test("TIL-1 a point of the file is written where it is: Z up becomes Y up and comes back", async () => {
    const corner: Vec3 = [10, 20, 30];
    const points = {
      count: 1,
      bits: 8,
      coords: Uint16Array.of(0, 64, 255),
      colors: Uint8Array.of(0, 255, 0),
      corner,
      edge: 256,
    };
    const glb = await encodePointGlb(points);
    assert.deepEqual((await readAll(glb)).positions, [10.5, 84.5, 285.5]);
    assert.deepEqual((await throughThree(glb)).places, [[10.5, 84.5, 285.5]]);
  });

  test("TIL-2 the same points give the same bytes; dither keeps the mean of dark colours and greys grey", async () => {
    const points = { ...gridPoints(20_000, 14), colors: new Uint8Array(60_000).fill(40) };
    const glb = await encodePointGlb(points);
    assert.deepEqual(glb, await encodePointGlb(points));
    const { linear } = await throughThree(glb);
    assert.ok(linear.every(([r, g, b]) => r === g && g === b));
    const mean = linear.reduce((sum, [red]) => sum + red, 0) / linear.length;
    assert.ok(Math.abs(mean - srgbLinear(40)) < 0.0002, `${mean} for ${srgbLinear(40)}`);
    for (const level of [0, 255]) {
      const flat = await encodePointGlb({ ...points, colors: new Uint8Array(60_000).fill(level) });
      assert.ok((await throughThree(flat)).linear.every(([red]) => red === level / 255));
    }
  });
});

function srgbLinear(srgb: number): number {
  const value = srgb / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

/** A GLB of one's own making: `views` become buffer views and accessors, in order. */
function craft(
  attributes: readonly {
    name: string;
    data: ArrayBufferView;
    componentType: number;
    type: string;
    normalized?: boolean;
  }[],
  change: (gltf: Gltf) => void = () => {},
): Uint8Array {
  const bytes = attributes.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  const binary = Buffer.concat(bytes.map((each) => Buffer.concat([each, Buffer.alloc((4 - (each.length % 4)) % 4)])));
  let byteOffset = 0;
  const bufferViews = bytes.map(({ length }) => {
    const view = { buffer: 0, byteOffset, byteLength: length };
    byteOffset += length + ((4 - (length % 4)) % 4);
    return view;
  });
  const accessors = attributes.map(({ data, componentType, type, normalized }, bufferView) => ({
    bufferView,
    componentType,
    type,
    ...(normalized && { normalized }),
    count: data.byteLength / SIZES[componentType]! / Number(type.slice(3)),
    min: [0, 0, 0], // three says so on the console when there are none
    max: [0, 0, 0],
  }));
  const gltf: Gltf = {
    asset: { version: "2.0" },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0 }],
    meshes: [{ primitives: [{ mode: 0, attributes: Object.fromEntries(attributes.map(({ name }, i) => [name, i])) }] }],
    accessors,
    bufferViews,
    buffers: [{ byteLength: binary.length }],
  };
  change(gltf);
  return new Uint8Array(Buffer.concat([glbHead(gltf, binary.length), binary]));
}
const SIZES: Record<number, number> = { 5120: 1, 5121: 1, 5122: 2, 5123: 2, 5126: 4 };
type Gltf = Record<string, unknown> & {
  nodes: Record<string, unknown>[];
  meshes: { primitives: Record<string, unknown>[] }[];
  accessors: Record<string, unknown>[];
  bufferViews: Record<string, unknown>[];
  buffers: Record<string, unknown>[];
  scenes: Record<string, unknown>[];
};
const ONE_POINT = { name: "POSITION", data: Float32Array.of(1, 2, 3), componentType: 5126, type: "VEC3" };

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

  const lies: Record<string, (gltf: Gltf) => void> = {
    "a count beyond the buffer": ({ accessors }) => {
      accessors[0]!.count = 4e9;
    },
    "a count that is none": ({ accessors }) => {
      accessors[0]!.count = -1;
    },
    "a fractional count": ({ accessors }) => {
      accessors[0]!.count = 1.5;
    },
    "an offset beyond the view": ({ accessors }) => {
      accessors[0]!.byteOffset = 8;
    },
    "a view beyond the buffer": ({ bufferViews }) => {
      bufferViews[0]!.byteLength = 1e9;
    },
    "a buffer that says too much": ({ buffers, bufferViews }) => {
      buffers[0]!.byteLength = 2 ** 40;
      bufferViews[0]!.byteLength = 2 ** 40;
    },
    "a stride below its item": ({ bufferViews }) => {
      bufferViews[0]!.byteStride = 4;
    },
    "an offset between elements": ({ accessors, bufferViews }) => {
      accessors[0]!.byteOffset = 2;
      bufferViews[0]!.byteLength = 14;
    },
    "an accessor that is not there": ({ meshes }) => {
      meshes[0]!.primitives[0]!.attributes = { POSITION: 7 };
    },
    "no POSITION": ({ meshes }) => {
      meshes[0]!.primitives[0]!.attributes = {};
    },
    "a sparse accessor": ({ accessors }) => {
      accessors[0]!.sparse = { count: 1 };
    },
    "an accessor without data": ({ accessors }) => {
      delete accessors[0]!.bufferView;
    },
    "an external buffer": ({ buffers }) => {
      buffers[0]!.uri = "file:///etc/passwd";
    },
    "a cycle of nodes": (gltf) => {
      gltf.nodes = [{ children: [1] }, { mesh: 0, children: [0] }];
    },
    "a node with two parents": (gltf) => {
      gltf.nodes = [{ children: [1, 1] }, { mesh: 0 }];
    },
    "a node that is not there": ({ scenes }) => {
      scenes[0]!.nodes = [9];
    },
    "an infinite transform": (gltf) => {
      gltf.nodes = [
        { scale: [1e308, 1, 1], children: [1] },
        { scale: [1e308, 1, 1], mesh: 0 },
      ];
    },
    "a transform that is no number": ({ nodes }) => {
      nodes[0]!.scale = [1, "1", null];
    },
    "a matrix of 15": ({ nodes }) => {
      nodes[0]!.matrix = new Array(15).fill(0);
    },
    "an unknown extension": (gltf) => {
      gltf.extensionsRequired = ["KHR_draco_mesh_compression"];
    },
    "more points than anything could hold": (gltf) => {
      gltf.accessors[0]!.count = 1;
      gltf.scenes[0]!.nodes = Array.from({ length: 70_000 }, (_, i) => i);
      gltf.nodes = Array.from({ length: 70_000 }, () => ({ mesh: 0 }));
      gltf.accessors[0] = { bufferView: 0, componentType: 5121, type: "VEC3", count: 70_000 };
      gltf.bufferViews[0] = {
        buffer: 0,
        byteLength: 12,
        byteStride: 4,
        extensions: {
          EXT_meshopt_compression: { buffer: 0, byteLength: 12, byteStride: 4, count: 3000, mode: "ATTRIBUTES" },
        },
      };
      gltf.accessors[0].count = 3000;
      gltf.meshes[0]!.primitives = Array.from({ length: 30 }, () => ({ mode: 0, attributes: { POSITION: 0 } }));
    },
    "triangles only": ({ meshes }) => {
      meshes[0]!.primitives[0]!.mode = 4;
    },
    "a meshopt view that says too much": ({ bufferViews }) => {
      bufferViews[0]!.extensions = {
        EXT_meshopt_compression: { buffer: 0, byteLength: 12, byteStride: 12, count: 2 ** 31, mode: "ATTRIBUTES" },
      };
    },
    "a damaged meshopt view": ({ bufferViews }) => {
      bufferViews[0]!.extensions = {
        EXT_meshopt_compression: { buffer: 0, byteLength: 12, byteStride: 12, count: 1, mode: "ATTRIBUTES" },
      };
    },
  };
  for (const [lie, change] of Object.entries(lies)) {
    test(`TIL-4 ${lie} is import.invalid`, async () => {
      await assert.rejects(readAll(craft([ONE_POINT], change)), invalid);
    });
  }

  test("TIL-4 no bytes whatever make it fail otherwise, and a cut file is refused", async () => {
    const good = craft([ONE_POINT]);
    for (let end = 0; end < good.length; end++) await assert.rejects(readAll(good.slice(0, end)), invalid);
    const tile = await encodePointGlb(gridPoints(50, 12));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(tile.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const bytes = tile.slice();
          for (const [at, value] of changes) bytes[at] = value;
          await readAll(bytes).catch((error: unknown) => assert.ok(invalid(error), String(error)));
        },
      ),
      { numRuns: 400, seed: 3 },
    );
  });
});

/** A quarter turn about y, three sizes, a move. */
const PLACED = [0, 0, -2, 0, 0, 3, 0, 0, 0.5, 0, 0, 0, 4, 5, 6, 1];

function invalid(error: unknown): boolean {
  return error instanceof CairnError && error.code === "import.invalid" && error.facts.format === "glb";
}

describe("a whole cloud as GLB", () => {
  const far = 6_000_000.125;
  /** Two primitives: the first is full with the piece that fills it. */
  const sizes = [700_000, 600_000, 10, 1, 0];
  async function* scene(offset = far): AsyncGenerator<ScenePoints> {
    const random = randomOf(9);
    for (const count of sizes) {
      yield {
        positions: Float64Array.from({ length: count * 3 }, (_, i) => (i % 3 === 1 ? offset : 0) + random() * 10),
        colors: Uint8Array.from({ length: count * 3 }, () => Math.floor(random() * 256)),
      };
    }
  }

  test("TIL-5 the validator finds nothing; far coordinates and colours come back; it is written in pieces", async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of encodeSceneGlb(() => scene())) pieces.push(piece);
    assert.ok(pieces.every(({ length }) => length < 12 * 2 ** 20));
    const glb = new Uint8Array(Buffer.concat(pieces));
    await assertClean(glb);
    const reading = (await openGlb(sourceOf(glb))).chunks();
    let [read, at, most, off] = [(await reading.next()).value as GlbPoints, 0, 0, 0];
    for await (const { positions, colors } of scene()) {
      for (let i = 0; i < positions.length; i += 3, at += 3) {
        if (at === read.positions.length) [read, at] = [(await reading.next()).value as GlbPoints, 0];
        for (let axis = 0; axis < 3; axis++) {
          most = Math.max(most, Math.abs(read.positions[at + axis]! - positions[i + axis]!));
          off = Math.max(off, Math.abs(srgbLinear(colors[i + axis]!) - srgbLinear(read.colors[at + axis]!)));
        }
      }
    }
    assert.ok((await reading.next()).done);
    assert.ok(most < 1e-6, `positions are off by ${most}`);
    assert.ok(off < 2.3 / 255, `colours are off by ${off}`);
  });

  test("TIL-5 three reads it, where the points are", async () => {
    async function* few() {
      yield { positions: Float64Array.of(1, 2, 3, -4, 5, 6), colors: Uint8Array.of(255, 0, 0, 0, 0, 255) };
    }
    const { places, linear } = await throughThree(await join(encodeSceneGlb(few)));
    assert.deepEqual(places, [
      [1, 2, 3],
      [-4, 5, 6],
    ]);
    assert.deepEqual(linear, [
      [1, 0, 0],
      [0, 0, 1],
    ]);
  });

  test("TIL-5 nothing to write and too much to write are said before a byte", async () => {
    const refused = (code: string) => (error: unknown) => error instanceof CairnError && error.code === code;
    async function* none(): AsyncGenerator<ScenePoints> {}
    await assert.rejects(join(encodeSceneGlb(none)), refused("export.empty"));
    const piece = { positions: new Float64Array(3 * 2 ** 20), colors: new Uint8Array(0) };
    async function* endless(): AsyncGenerator<ScenePoints> {
      for (;;) yield piece;
    }
    await assert.rejects(join(encodeSceneGlb(endless)), refused("export.too_large"));
  });

  test("TIL-5 bytes of linear light come back as the sRGB they were, where a byte can say it", () => {
    for (let level = 64; level < 256; level++) assert.ok(Math.abs(srgbOf(srgbLinear(level)) - level) < 1);
  });
});
