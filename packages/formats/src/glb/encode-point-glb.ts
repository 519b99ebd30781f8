/**
 * The points of one octree node as a GLB of their own: what 3D Tiles calls a tile's content. 14 bits a coordinate
 * (KHR_mesh_quantization) in Morton order, dithered linear colour, both through EXT_meshopt_compression; 6 to 7 bytes a
 * point. Written by hand: a general glTF library needs seven times the CPU.
 */
import type { Vec3 } from "@cairn/protocol";
import { glbHead, padded } from "./container.ts";
import { ditherOf, FINE_LINEAR } from "./linear-color.ts";
import { mortonOrder } from "./morton-order.ts";

/** Changes whenever the same points give other bytes: caches hold it against what they have. */
export const POINT_GLB_VERSION = 1;

/** Coordinates of a node have 16 bits at most; 14 keep 1/256 of its spacing. */
const BITS = 14;

export type GridPoints = {
  readonly count: number;
  /** `[n, 3]`, each 0…2^bits − 1 of the cube's edge; the point lies in the middle of that step. Z up. */
  readonly coords: Uint16Array;
  readonly bits: number;
  /** `[n, 3]` sRGB. */
  readonly colors: Uint8Array;
  /** Lowest corner of the cube in the frame of the tile, Z up. */
  readonly corner: Vec3;
  readonly edge: number;
};

const EXTENSION = "EXT_meshopt_compression";

/**
 * glTF is Y up and 3D Tiles Z up: x, y, z is written as x, z, −y, and whoever shows tiles turns it back.
 * @throws {RangeError} without points
 */
export async function encodePointGlb(points: GridPoints): Promise<Uint8Array> {
  const { MeshoptEncoder } = await import("meshoptimizer/encoder"); // WebAssembly, for workers
  await MeshoptEncoder.ready;
  const { count, corner, edge } = points;
  if (count < 1 || points.coords.length < count * 3 || points.colors.length < count * 3)
    throw new RangeError(`${count} points in ${points.coords.length} coordinates`);
  const bits = Math.min(BITS, points.bits);
  const { positions, colors, min, max } = vertices(points, bits);
  const packedPositions = MeshoptEncoder.encodeGltfBuffer(positions, count, 8, "ATTRIBUTES", 0);
  const packedColors = MeshoptEncoder.encodeGltfBuffer(colors, count, 4, "ATTRIBUTES", 0);

  const colorsAt = padded(packedPositions.length);
  const binaryBytes = colorsAt + padded(packedColors.length);
  const step = edge / 2 ** bits;
  const view = (start: number, at: number, byteStride: number, byteLength: number) => ({
    buffer: 1,
    byteOffset: start,
    byteLength: count * byteStride,
    byteStride,
    target: 34962,
    extensions: { [EXTENSION]: { buffer: 0, byteOffset: at, byteLength, byteStride, count, mode: "ATTRIBUTES" } },
  });
  const head = glbHead(
    {
      asset: { version: "2.0", generator: "Cairn" },
      extensionsUsed: ["KHR_mesh_quantization", "KHR_materials_unlit", EXTENSION],
      extensionsRequired: ["KHR_mesh_quantization", EXTENSION],
      scene: 0,
      scenes: [{ nodes: [0] }],
      nodes: [
        {
          mesh: 0,
          // Half a step: a coordinate names the middle of its step.
          translation: [corner[0] + step / 2, corner[2] + step / 2, -(corner[1] + edge) + step / 2],
          scale: [step, step, step],
        },
      ],
      meshes: [{ primitives: [{ mode: 0, attributes: { POSITION: 0, COLOR_0: 1 }, material: 0 }] }],
      materials: [{ pbrMetallicRoughness: { metallicFactor: 0 }, extensions: { KHR_materials_unlit: {} } }],
      accessors: [
        { bufferView: 0, componentType: 5123, count, type: "VEC3", min, max },
        { bufferView: 1, componentType: 5121, normalized: true, count, type: "VEC4" },
      ],
      bufferViews: [view(0, 0, 8, packedPositions.length), view(count * 8, colorsAt, 4, packedColors.length)],
      // The second is what a reader without the extension would need; it is not there.
      buffers: [
        { byteLength: binaryBytes },
        { byteLength: count * 12, extensions: { [EXTENSION]: { fallback: true } } },
      ],
    },
    binaryBytes,
  );
  const glb = new Uint8Array(head.length + binaryBytes);
  glb.set(head);
  glb.set(packedPositions, head.length);
  glb.set(packedColors, head.length + colorsAt);
  return glb;
}

/** In Morton order, Y up: positions as u16 × 4 (the last is padding), colours as u8 × 4 (the last is opaque). */
function vertices({ count, coords, colors: srgb, bits: given }: GridPoints, bits: number) {
  const order = mortonOrder(coords, count, given);
  const positions = new Uint16Array(count * 4);
  const colors = new Uint8Array(count * 4);
  const shift = given - bits;
  const top = 2 ** bits - 1;
  let [minX, minY, minZ, maxX, maxY, maxZ] = [top, top, top, 0, 0, 0];
  for (let i = 0, to = 0; i < count; i++, to += 4) {
    const from = order[i]! * 3;
    const x = coords[from]! >> shift;
    const y = coords[from + 2]! >> shift;
    const z = top - (coords[from + 1]! >> shift);
    positions[to] = x;
    positions[to + 1] = y;
    positions[to + 2] = z;
    if (x < minX) minX = x;
    if (x > maxX) maxX = x;
    if (y < minY) minY = y;
    if (y > maxY) maxY = y;
    if (z < minZ) minZ = z;
    if (z > maxZ) maxZ = z;
    const dither = ditherOf(x, y, z);
    colors[to] = (FINE_LINEAR[srgb[from]!]! + dither) >> 8;
    colors[to + 1] = (FINE_LINEAR[srgb[from + 1]!]! + dither) >> 8;
    colors[to + 2] = (FINE_LINEAR[srgb[from + 2]!]! + dither) >> 8;
    colors[to + 3] = 255;
  }
  return {
    positions: new Uint8Array(positions.buffer),
    colors,
    min: [minX, minY, minZ],
    max: [maxX, maxY, maxZ],
  };
}
