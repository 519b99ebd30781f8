/**
 * A whole cloud as one GLB of any size up to the format's 4 GiB, written piece by piece. Plain float32 positions around
 * the middle of each chunk and linear colours, no extension that a reader must know: it opens everywhere. A glTF file
 * begins with where everything is and what box it fills, so the points are read twice: measured, then written.
 */
import type { Vec3 } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import { glbHead, MAX_GLB_BYTES } from "./container.ts";
import { ditherOf, FINE_LINEAR } from "./linear-color.ts";

const POINT_BYTES = 16;
/** A primitive has at least this many points, but for the last: colours wait in memory until its positions are out. */
const CHUNK_POINTS = 2 ** 20;

export type ScenePoints = {
  /** `[n, 3]` Z up; doubles, for they may be large. */
  readonly positions: Float64Array;
  /** `[n, 3]` sRGB. */
  readonly colors: Uint8Array;
};

/** Part of a cloud that becomes one primitive; its box is exact. */
type SceneChunk = { count: number; readonly min: Vec3; readonly max: Vec3 };

/**
 * @param read the same points in the same pieces each time; asked twice
 * @throws {CairnError} `export.empty` without points, `export.too_large` above 4 GiB, before the first byte
 */
export async function* encodeSceneGlb(
  read: (stage: "measuring" | "writing") => AsyncIterable<ScenePoints>,
): AsyncGenerator<Uint8Array> {
  const chunks = await measure(read("measuring"));
  const points = chunks.reduce((sum, { count }) => sum + count, 0);
  if (points === 0) throw new CairnError("export.empty");
  const binaryBytes = points * POINT_BYTES;
  const head = binaryBytes <= MAX_GLB_BYTES ? glbHead(describe(chunks, binaryBytes), binaryBytes) : undefined;
  if (!head || head.length + binaryBytes > MAX_GLB_BYTES)
    throw new CairnError("export.too_large", { format: "glb", points, instead: "3dtiles" });
  yield head;

  const left = chunks[Symbol.iterator]();
  let chunk: SceneChunk | undefined;
  let colors = new Uint8Array(0);
  let done = 0;
  for await (const piece of read("writing")) {
    if (piece.positions.length === 0) continue;
    if (!chunk) {
      chunk = left.next().value;
      if (!chunk) throw new RangeError("more points than were measured");
      colors = new Uint8Array(chunk.count * 4);
      done = 0;
    }
    const count = piece.positions.length / 3;
    if (done + count > chunk.count) throw new RangeError(`${done + count} points in a chunk of ${chunk.count}`);
    yield writePositions(piece.positions, centreOf(chunk));
    writeColors(piece.colors, colors.subarray(4 * done, 4 * (done + count)), done);
    done += count;
    if (done === chunk.count) {
      yield colors;
      chunk = undefined;
    }
  }
  if (chunk || !left.next().done) throw new RangeError("fewer points than were measured");
}

async function measure(pieces: AsyncIterable<ScenePoints>): Promise<SceneChunk[]> {
  const chunks: SceneChunk[] = [];
  let points = 0;
  for await (const { positions } of pieces) {
    if (positions.length === 0) continue;
    points += positions.length / 3;
    if (points * POINT_BYTES > MAX_GLB_BYTES) break; // Enough to know that it does not fit.
    let chunk = chunks.at(-1);
    if (!chunk || chunk.count >= CHUNK_POINTS) {
      chunk = { count: 0, min: [Infinity, Infinity, Infinity], max: [-Infinity, -Infinity, -Infinity] };
      chunks.push(chunk);
    }
    chunk.count += positions.length / 3;
    const { min, max } = chunk;
    for (let i = 0; i < positions.length; i += 3) {
      for (let axis = 0; axis < 3; axis++) {
        const value = positions[i + axis]!;
        if (value < min[axis]!) min[axis] = value;
        if (value > max[axis]!) max[axis] = value;
      }
    }
  }
  if (points * POINT_BYTES > MAX_GLB_BYTES)
    throw new CairnError("export.too_large", { format: "glb", instead: "3dtiles" });
  return chunks;
}

/** Where a chunk's own coordinates begin: the middle, so that float32 has most to give. */
function centreOf({ min, max }: SceneChunk): Vec3 {
  return [(min[0] + max[0]) / 2, (min[1] + max[1]) / 2, (min[2] + max[2]) / 2];
}

/** glTF is Y up: x, y, z is written as x, z, −y, everywhere in the file. */
function describe(chunks: readonly SceneChunk[], binaryBytes: number): object {
  let at = 0;
  const next = (sizeBytes: number) => {
    at += sizeBytes;
    return at - sizeBytes;
  };
  return {
    asset: { version: "2.0", generator: "Cairn" },
    extensionsUsed: ["KHR_materials_unlit"],
    scene: 0,
    scenes: [{ nodes: chunks.map((_, i) => i) }],
    nodes: chunks.map((chunk, mesh) => {
      const [x, y, z] = centreOf(chunk);
      return { mesh, translation: [x, z, -y] };
    }),
    meshes: chunks.map((_, i) => ({
      primitives: [{ mode: 0, attributes: { POSITION: 2 * i, COLOR_0: 2 * i + 1 }, material: 0 }],
    })),
    materials: [{ pbrMetallicRoughness: { metallicFactor: 0 }, extensions: { KHR_materials_unlit: {} } }],
    accessors: chunks.flatMap((chunk, i) => [
      { bufferView: 2 * i, componentType: 5126, count: chunk.count, type: "VEC3", ...boundsOf(chunk) },
      { bufferView: 2 * i + 1, componentType: 5121, normalized: true, count: chunk.count, type: "VEC4" },
    ]),
    bufferViews: chunks.flatMap(({ count }) => [
      { buffer: 0, byteOffset: next(count * 12), byteLength: count * 12, byteStride: 12, target: 34962 },
      { buffer: 0, byteOffset: next(count * 4), byteLength: count * 4, byteStride: 4, target: 34962 },
    ]),
    buffers: [{ byteLength: binaryBytes }],
  };
}

/** By the same steps as `writePositions`: a validator holds the box against the bytes to the last bit. */
function boundsOf(chunk: SceneChunk): { min: number[]; max: number[] } {
  const [x, y, z] = centreOf(chunk);
  const { min, max } = chunk;
  return {
    min: [min[0] - x, min[2] - z, y - max[1]].map(Math.fround),
    max: [max[0] - x, max[2] - z, y - min[1]].map(Math.fround),
  };
}

function writePositions(positions: Float64Array, [x, y, z]: Vec3): Uint8Array {
  const out = new Float32Array(positions.length);
  for (let i = 0; i < positions.length; i += 3) {
    out[i] = positions[i]! - x;
    out[i + 1] = positions[i + 2]! - z;
    out[i + 2] = y - positions[i + 1]!;
  }
  return new Uint8Array(out.buffer);
}

/** @param first number of the first point, for the dither */
function writeColors(srgb: Uint8Array, out: Uint8Array, first: number): void {
  for (let i = 0, from = 0; i < out.length; i += 4, from += 3) {
    const dither = ditherOf(first + i, 0, 0);
    out[i] = (FINE_LINEAR[srgb[from]!]! + dither) >> 8;
    out[i + 1] = (FINE_LINEAR[srgb[from + 1]!]! + dither) >> 8;
    out[i + 2] = (FINE_LINEAR[srgb[from + 2]!]! + dither) >> 8;
    out[i + 3] = 255;
  }
}
