/** GLB files to test with, made and looked at in other ways than ours. */
import assert from "node:assert/strict";
import { CairnError, type Vec3 } from "@cairn/protocol";
import gltfValidator from "gltf-validator";
import { MeshoptDecoder } from "meshoptimizer/decoder";
import { type BufferAttribute, type InterleavedBufferAttribute, type Object3D, type Points, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { glbHead } from "../glb/container.ts";
import type { GridPoints } from "../glb/encode-point-glb.ts";
import { type GlbSource, openGlb } from "../glb/read-glb.ts";

export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function gridPoints(count: number, bits: number, seed = 1): GridPoints {
  const random = randomOf(seed);
  const coords = Uint16Array.from({ length: count * 3 }, () => Math.floor(random() * 2 ** bits));
  const colors = Uint8Array.from({ length: count * 3 }, () => Math.floor(random() * 256));
  return { count, bits, coords, colors, corner: [-3, 17.5, 2], edge: 4 };
}

/** Where each point really is, Z up. */
export function placesOf({ count, coords, bits, corner, edge }: GridPoints): Vec3[] {
  const step = edge / 2 ** bits;
  return Array.from({ length: count }, (_, i) => [
    corner[0] + (coords[3 * i]! + 0.5) * step,
    corner[1] + (coords[3 * i + 1]! + 0.5) * step,
    corner[2] + (coords[3 * i + 2]! + 0.5) * step,
  ]);
}

export function sourceOf(bytes: Uint8Array): GlbSource & { readBytes: number } {
  return {
    sizeBytes: bytes.length,
    readBytes: 0,
    async range(start, end) {
      this.readBytes += end - start;
      return bytes.slice(start, end);
    },
  };
}

export async function join(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

export async function readAll(
  bytes: Uint8Array,
): Promise<{ positions: number[]; colors: number[]; normals: number[] }> {
  const found = { positions: [] as number[], colors: [] as number[], normals: [] as number[] };
  for await (const { positions, colors, normals } of (await openGlb(sourceOf(bytes))).chunks()) {
    for (const value of positions) found.positions.push(value);
    for (const value of colors) found.colors.push(value);
    for (const value of normals ?? []) found.normals.push(value);
  }
  return found;
}

export async function assertClean(bytes: Uint8Array): Promise<void> {
  const { issues } = await gltfValidator.validateBytes(bytes, { maxIssues: 50 });
  assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages.slice(0, 5)));
}

/** World places (Z up) and linear colours, as three's loader sees them. */
export async function throughThree(bytes: Uint8Array): Promise<{ places: Vec3[]; linear: Vec3[] }> {
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
export function keyed(places: readonly Vec3[], step: number): Map<string, number> {
  return new Map(places.map((place, i) => [place.map((value) => Math.floor(value / step)).join(), i]));
}

export function srgbLinear(srgb: number): number {
  const value = srgb / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

/** A GLB of one's own making: `views` become buffer views and accessors, in order. */
export function craft(
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
const SIZES: Record<number, number> = { 5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4 };
export type Gltf = Record<string, unknown> & {
  nodes: Record<string, unknown>[];
  meshes: { primitives: Record<string, unknown>[] }[];
  accessors: Record<string, unknown>[];
  bufferViews: Record<string, unknown>[];
  buffers: Record<string, unknown>[];
  scenes: Record<string, unknown>[];
};
export const ONE_POINT = { name: "POSITION", data: Float32Array.of(1, 2, 3), componentType: 5126, type: "VEC3" };

export function invalid(error: unknown): boolean {
  return error instanceof CairnError && error.code === "import.invalid" && error.facts.format === "glb";
}
