/** Meshes of the four formats, measured: bodies whose figures are known, and files that are none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import { type MeshFormat, measureMesh } from "../design-entry.ts";
import { glbHead } from "../glb-entry.ts";
import { meshGlb, meshObj, meshPly, meshStl, type TriangleMesh } from "../mesh-entry.ts";

const TRIANGLES = [
  [0, 2, 6, 0, 6, 4],
  [1, 5, 7, 1, 7, 3],
  [0, 4, 5, 0, 5, 1],
  [2, 3, 7, 2, 7, 6],
  [0, 1, 3, 0, 3, 2],
  [4, 6, 7, 4, 7, 5],
].flat();

function cube(edge: number, at = 0): TriangleMesh {
  const positions = Float32Array.from({ length: 24 }, (_, i) => at + edge * ((Math.floor(i / 3) >> (i % 3)) & 1));
  return {
    origin: [0, 0, 0],
    positions,
    normals: new Int8Array(24).fill(73),
    colors: new Uint8Array(24).fill(200),
    triangles: Uint32Array.from(TRIANGLES),
    step: 1e-4,
  };
}

function fileOf(pieces: Iterable<Uint8Array>): Uint8Array {
  return Buffer.concat([...pieces]);
}

const WRITERS = { stl: meshStl, obj: meshObj, ply: meshPly, glb: meshGlb };

/** `v` lines of an OBJ as they are, each three a facet, as text STL. */
function textStl(corners: readonly string[]): Uint8Array {
  const facets = [];
  for (let i = 0; i < corners.length; i += 3) {
    const loop = corners
      .slice(i, i + 3)
      .map((each) => `vertex ${each}\n`)
      .join("");
    facets.push(`facet normal 0 0 1\nouter loop\n${loop}endloop\nendfacet\n`);
  }
  return Buffer.from(`solid a\n${facets.join("")}endsolid a\n`);
}

test("MSH-30 MSH-32 a cube has 8 vertices, 12 faces, its volume and area, and is closed, in every format", () => {
  for (const [format, write] of Object.entries(WRITERS) as [
    MeshFormat,
    (mesh: TriangleMesh) => Iterable<Uint8Array>,
  ][]) {
    const { volume, area, min, max, ...counts } = measureMesh(fileOf(write(cube(2, 5))), format);
    assert.deepEqual(counts, { vertices: 8, faces: 12, watertight: true }, format);
    assert.ok(Math.abs(volume - 8) < 1e-3 && Math.abs(area - 24) < 1e-3, `${format}: ${volume}, ${area}`);
    for (const axis of [0, 1, 2]) assert.ok(max[axis]! - min[axis]! > 1.999 && max[axis]! - min[axis]! < 2.001);
  }
});

test("MSH-30 far from the origin the volume keeps its digits; facets turned inward change no sign", () => {
  const far = cube(1, 2 ** 20);
  assert.equal(measureMesh(fileOf(meshStl(far)), "stl").volume, 1);
  const inward = { ...far, triangles: far.triangles.slice().reverse() };
  const { volume, watertight } = measureMesh(fileOf(meshStl(inward)), "stl");
  assert.deepEqual([volume, watertight], [1, true]);
  // What is open has the volume between its facets and the origin, as everybody counts it.
  const open = { ...cube(1, 3), triangles: far.triangles.slice(6) };
  const corner = (k: number) => [...open.positions.slice(3 * open.triangles[k]!, 3 * open.triangles[k]! + 3)] as const;
  let sixfold = 0;
  for (let t = 0; t < open.triangles.length; t += 3) {
    const [[a, b, c], [d, e, f], [g, h, i]] = [corner(t), corner(t + 1), corner(t + 2)];
    sixfold += a! * (e! * i! - f! * h!) + b! * (f! * g! - d! * i!) + c! * (d! * h! - e! * g!);
  }
  const of = measureMesh(fileOf(meshStl(open)), "stl");
  assert.ok(Math.abs(sixfold) > 1, "the missing side is seen from the origin");
  assert.ok(Math.abs(of.volume - Math.abs(sixfold) / 6) < 1e-9 && !of.watertight, `${of.volume}, ${sixfold / 6}`);
});

test("MSH-30 a hole, a facet turned the other way, or a third one at an edge is not closed; a facet without area is no edge", () => {
  const closed = cube(1);
  const measure = (triangles: number[]) =>
    measureMesh(fileOf(meshStl({ ...closed, triangles: Uint32Array.from(triangles) })), "stl");
  assert.equal(measure(TRIANGLES.slice(3)).watertight, false);
  const turned = TRIANGLES.slice();
  [turned[1], turned[2]] = [turned[2]!, turned[1]!];
  assert.equal(measure(turned).watertight, false);
  assert.equal(measure([...TRIANGLES, 0, 2, 5]).watertight, false);
  const flat = measure([...TRIANGLES, 0, 2, 2]);
  assert.deepEqual([flat.faces, flat.vertices, flat.watertight], [13, 8, true]);
});

test("MSH-32 a binary file is told by its length; text by its words; 0 and −0 are equal", () => {
  const bytes = fileOf(meshStl(cube(1))).slice();
  bytes.set(Buffer.from("solid facet normal"));
  assert.equal(measureMesh(bytes, "stl").faces, 12);
  const text = textStl(["0 0 0", "1 0 0", "0 1 0", "-0 0 -0.0", "0 1 0", "1e0 0 0"]);
  const { vertices, faces, area } = measureMesh(text, "stl");
  assert.deepEqual([vertices, faces, area], [3, 2, 1]);
  assert.equal(measureMesh(Buffer.from("  SOLID\nENDSOLID\n"), "stl").faces, 0);
});

const unreadable = (problem: RegExp) => (error: unknown) =>
  error instanceof CairnError && error.code === "design.unreadable" && problem.test(String(error.facts.problem));

test("MSH-32 MSH-37 coordinates that are not finite and files that are none are refused, and say why", () => {
  assert.throws(() => measureMesh(textStl(["0 0 nan", "1 0 0", "0 1 0"]), "stl"), unreadable(/not finite/));
  assert.throws(() => measureMesh(textStl(["0 0 1e999", "1 0 0", "0 1 0"]), "stl"), unreadable(/not finite/));
  assert.throws(() => measureMesh(Buffer.from("hello"), "stl"), unreadable(/not an STL/));
  assert.throws(() => measureMesh(fileOf(meshStl(cube(1))).subarray(0, 500), "stl"), unreadable(/not an STL/));
  assert.throws(() => measureMesh(Buffer.from("v 0 0 0\nf 1 2 3\n"), "obj"), unreadable(/not there/));
});

test("MSH-37 a small GLB that says to be large takes no more than its bytes, nor work without end", () => {
  const binary = new Uint8Array(Float32Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0).buffer);
  const primitive = { attributes: { POSITION: 0 } };
  const glb = (
    count: number,
    byteStride: number,
    primitives: object[] = [primitive],
    nodes: object[] = [{ mesh: 0 }],
  ) => {
    const gltf = {
      asset: { version: "2.0" },
      scenes: [{ nodes: nodes.map((_, i) => i) }],
      nodes,
      meshes: [{ primitives }],
      accessors: [
        { bufferView: 0, componentType: 5126, type: "VEC3", count },
        { bufferView: 0, componentType: 5125, type: "SCALAR", count: 0 },
      ],
      bufferViews: [{ buffer: 0, byteLength: 36, byteStride }],
      buffers: [{ byteLength: 36 }],
    };
    return Buffer.concat([glbHead(gltf, binary.length), binary]);
  };
  assert.equal(measureMesh(glb(3, 12), "glb").faces, 1);
  for (const stride of [0, 4]) {
    assert.throws(() => measureMesh(glb(3_000, stride), "glb"), unreadable(/stride/), `${stride}`);
  }
  const empty = new Array<object>(1000).fill({ ...primitive, indices: 1 });
  const many = new Array<object>(1000).fill({ mesh: 0 });
  assert.throws(() => measureMesh(glb(3, 12, empty, many), "glb"), unreadable(/too much/));
});

test("MSH-37 whatever is done to a file, it is measured or refused, and nothing else", () => {
  const files = Object.entries(WRITERS).map(
    ([format, write]) => [format as MeshFormat, fileOf(write(cube(1)))] as const,
  );
  const damaged = fc.record({
    file: fc.constantFrom(...files),
    edits: fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { maxLength: 8 }),
    end: fc.nat(4000),
  });
  fc.assert(
    fc.property(damaged, ({ file: [format, whole], edits, end }) => {
      const bytes = whole.slice(0, end > 3000 ? whole.length : end);
      for (const [at, value] of edits) if (bytes.length > 0) bytes[at % bytes.length] = value;
      try {
        const { faces, vertices, volume } = measureMesh(bytes, format);
        assert.ok(vertices <= faces * 3 && Number.isFinite(volume));
      } catch (error) {
        if (!unreadable(/./)(error)) throw error;
      }
    }),
    { numRuns: 3000, seed: 7 },
  );
});
