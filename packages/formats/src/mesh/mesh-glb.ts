/**
 * A mesh as GLB: float positions around its origin, normals, linear colours, whole indices, nothing that a reader must
 * know. Its material is unlit, for the light is in the photos already. glTF is Y up: x, y, z is written as x, z, −y.
 */
import { CairnError } from "@cairn/protocol/errors";
import { glbHead, MAX_GLB_BYTES } from "../glb/container.ts";
import { ditherOf, FINE_LINEAR } from "../glb/linear-color.ts";
import { PER_PIECE, type TriangleMesh } from "./triangle-mesh.ts";

/** Position, normal, colour. */
const VERTEX_BYTES = 12 + 12 + 4;

/** @throws {CairnError} `export.too_large` above 4 GiB, before the first byte */
export function* meshGlb(mesh: TriangleMesh): Generator<Uint8Array> {
  const { positions, normals, colors, triangles } = mesh;
  const count = positions.length / 3;
  const binaryBytes = count * VERTEX_BYTES + triangles.length * 4;
  if (binaryBytes > MAX_GLB_BYTES - 65_536) {
    throw new CairnError("export.too_large", { format: "mesh-glb", faces: triangles.length / 3, instead: "mesh-ply" });
  }
  yield glbHead(describe(mesh, binaryBytes), binaryBytes);
  for (let from = 0; from < positions.length; from += 3 * PER_PIECE) {
    yield turned(positions.subarray(from, from + 3 * PER_PIECE));
  }
  for (let from = 0; from < normals.length; from += 3 * PER_PIECE)
    yield unit(normals.subarray(from, from + 3 * PER_PIECE));
  for (let from = 0; from < count; from += PER_PIECE) {
    yield linear(colors.subarray(3 * from, 3 * (from + PER_PIECE)), from);
  }
  for (let from = 0; from < triangles.length; from += 3 * PER_PIECE) {
    yield new Uint8Array(triangles.slice(from, from + 3 * PER_PIECE).buffer);
  }
}

function describe({ origin, positions, triangles }: TriangleMesh, binaryBytes: number): object {
  const count = positions.length / 3;
  const [x, y, z] = origin;
  let at = 0;
  const view = (sizeBytes: number, more: object) => {
    at += sizeBytes;
    return { buffer: 0, byteOffset: at - sizeBytes, byteLength: sizeBytes, ...more };
  };
  const vertices = { target: 34962 };
  return {
    asset: { version: "2.0", generator: "Cairn" },
    extensionsUsed: ["KHR_materials_unlit"],
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0, name: "surface", translation: [x, z, -y] }],
    meshes: [
      { primitives: [{ attributes: { POSITION: 0, NORMAL: 1, COLOR_0: 2 }, indices: 3, material: 0, mode: 4 }] },
    ],
    materials: [
      {
        doubleSided: true,
        pbrMetallicRoughness: { metallicFactor: 0, roughnessFactor: 1 },
        extensions: { KHR_materials_unlit: {} },
      },
    ],
    accessors: [
      { bufferView: 0, componentType: 5126, count, type: "VEC3", ...boundsOf(positions) },
      { bufferView: 1, componentType: 5126, count, type: "VEC3" },
      { bufferView: 2, componentType: 5121, normalized: true, count, type: "VEC4" },
      { bufferView: 3, componentType: 5125, count: triangles.length, type: "SCALAR" },
    ],
    bufferViews: [
      view(count * 12, { byteStride: 12, ...vertices }),
      view(count * 12, { byteStride: 12, ...vertices }),
      view(count * 4, { byteStride: 4, ...vertices }),
      view(triangles.length * 4, { target: 34963 }),
    ],
    buffers: [{ byteLength: binaryBytes }],
  };
}

function boundsOf(positions: Float32Array): { min: number[]; max: number[] } {
  const min = [Infinity, Infinity, Infinity];
  const max = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i += 3) {
    for (const [axis, value] of [positions[i]!, positions[i + 2]!, -positions[i + 1]!].entries()) {
      min[axis] = Math.min(min[axis]!, value);
      max[axis] = Math.max(max[axis]!, value);
    }
  }
  return { min, max };
}

function turned(vectors: Float32Array): Uint8Array {
  const out = new Float32Array(vectors.length);
  for (let i = 0; i < vectors.length; i += 3) {
    out[i] = vectors[i]!;
    out[i + 1] = vectors[i + 2]!;
    out[i + 2] = -vectors[i + 1]!;
  }
  return new Uint8Array(out.buffer);
}

/** Of unit length to the last bit that a validator looks at. */
function unit(normals: Int8Array): Uint8Array {
  const vectors = new Float32Array(normals.length);
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i]!, normals[i + 1]!, normals[i + 2]!);
    for (let axis = 0; axis < 3; axis++) vectors[i + axis] = normals[i + axis]! / length;
  }
  return turned(vectors);
}

function linear(srgb: Uint8Array, first: number): Uint8Array {
  const out = new Uint8Array((srgb.length / 3) * 4);
  for (let i = 0, from = 0; i < out.length; i += 4, from += 3) {
    const dither = ditherOf(first + i / 4, 0, 0);
    for (let channel = 0; channel < 3; channel++) {
      out[i + channel] = (FINE_LINEAR[srgb[from + channel]!]! + dither) >> 8;
    }
    out[i + 3] = 255;
  }
  return out;
}
