/**
 * Points of a GLB file, whoever wrote it: float or quantised positions, linear colours, nested transforms, meshopt
 * compression. Read in pieces through byte ranges, so a file need not fit into memory.
 */
import { AccessorItems, CHUNK_POINTS, type GlbSource } from "./accessor-items.ts";
import { CHUNK_HEAD_BYTES, HEADER_BYTES, readBinaryHead, readGlbHeader } from "./container.ts";
import { type Indices, type PointPrimitive, pointPrimitives } from "./gltf-document.ts";
import { invalid } from "./gltf-json.ts";
import { srgbOf } from "./linear-color.ts";

export type { GlbSource };

/** The same index in all arrays is one point. */
export type GlbPoints = {
  /** `[n, 3]`, Z up: glTF's x, y, z is given as x, −z, y. NaN stays NaN. */
  readonly positions: Float64Array;
  /** `[n, 3]` sRGB; white where the file has none. */
  readonly colors: Uint8Array;
  /** `[n, 3]` unit vectors times 127, Z up. */
  readonly normals?: Int8Array;
};

export type GlbCloud = {
  readonly count: number;
  chunks(options?: { signal?: AbortSignal }): AsyncGenerator<GlbPoints>;
};

const MAX_JSON_BYTES = 64 * 2 ** 20;

/** @throws {CairnError} `import.invalid`: no GLB, no points in it, or it says what cannot be */
export async function openGlb(source: GlbSource): Promise<GlbCloud> {
  const { sizeBytes } = source;
  const header = readGlbHeader(await source.range(0, Math.min(sizeBytes, HEADER_BYTES + CHUNK_HEAD_BYTES)));
  if (typeof header === "string") throw invalid(header);
  const jsonStart = HEADER_BYTES + CHUNK_HEAD_BYTES;
  const jsonEnd = jsonStart + header.jsonBytes;
  if (header.fileBytes > sizeBytes || jsonEnd > header.fileBytes) throw invalid("is shorter than it says");
  if (header.jsonBytes > MAX_JSON_BYTES) throw invalid(`has more than ${MAX_JSON_BYTES} bytes of JSON`);
  const json = parse(await source.range(jsonStart, jsonEnd));
  const binaryStart = jsonEnd + CHUNK_HEAD_BYTES;
  let binaryBytes = 0;
  if (binaryStart <= header.fileBytes) {
    binaryBytes = readBinaryHead(await source.range(jsonEnd, binaryStart)) ?? 0;
    if (binaryStart + binaryBytes > header.fileBytes) throw invalid("is shorter than its binary chunk says");
  }
  const primitives = pointPrimitives(json, binaryBytes);
  if (primitives.length === 0) throw invalid("has no points");
  return {
    count: primitives.reduce((sum, { count }) => sum + count, 0),
    async *chunks({ signal } = {}) {
      const views = new AccessorItems(source, binaryStart);
      for (const primitive of primitives) {
        const { count } = primitive.position;
        const drawn = primitive.drawn && (await drawnItems(primitive.drawn, count, views));
        for (let from = 0; from < count; from += CHUNK_POINTS) {
          signal?.throwIfAborted();
          const points = await readPoints(primitive, from, Math.min(count, from + CHUNK_POINTS), views);
          yield drawn ? onlyDrawn(points, drawn.subarray(from)) : points;
        }
      }
    },
  };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid("its JSON cannot be read", cause);
  }
}

/** `[count]` 1 for each item that is drawn, however often: a point that is drawn twice is one point. */
async function drawnItems(drawn: Indices, count: number, views: AccessorItems): Promise<Uint8Array> {
  const items = new Uint8Array(count);
  for (let from = 0; from < drawn.count; from += CHUNK_POINTS) {
    for (const index of await views.indices(drawn, from, Math.min(drawn.count, from + CHUNK_POINTS))) {
      if (index >= count) throw invalid("an index reaches beyond the points");
      items[index] = 1;
    }
  }
  return items;
}

function onlyDrawn({ positions, colors, normals }: GlbPoints, drawn: Uint8Array): GlbPoints {
  const only = <T extends Float64Array | Uint8Array | Int8Array>(from: T): T =>
    from.filter((_, i) => drawn[Math.floor(i / 3)] === 1) as T;
  return { positions: only(positions), colors: only(colors), ...(normals && { normals: only(normals) }) };
}

async function readPoints(
  { position, color, normal, baseColor, matrix }: PointPrimitive,
  from: number,
  to: number,
  views: AccessorItems,
): Promise<GlbPoints> {
  const count = to - from;
  const positions = new Float64Array(count * 3);
  const m = matrix;
  await views.each(position, from, to, positions);
  for (let at = 0; at < positions.length; at += 3) {
    const [x, y, z] = [positions[at]!, positions[at + 1]!, positions[at + 2]!];
    positions[at] = m[0]! * x + m[4]! * y + m[8]! * z + m[12]!;
    positions[at + 1] = -(m[2]! * x + m[6]! * y + m[10]! * z + m[14]!);
    positions[at + 2] = m[1]! * x + m[5]! * y + m[9]! * z + m[13]!;
  }
  const colors = new Uint8Array(count * 3);
  const linear = new Float64Array(count * 3).fill(1);
  if (color) await views.each(color, from, to, linear);
  const [red, green, blue] = baseColor;
  for (let at = 0; at < colors.length; at += 3) {
    colors[at] = srgbOf(linear[at]! * red);
    colors[at + 1] = srgbOf(linear[at + 1]! * green);
    colors[at + 2] = srgbOf(linear[at + 2]! * blue);
  }
  if (!normal) return { positions, colors };

  const directions = new Float64Array(count * 3);
  await views.each(normal, from, to, directions);
  return { positions, colors, normals: turnNormals(directions, m) };
}

/** By the inverse transpose, whose scale does not matter: the cofactors. */
function turnNormals(directions: Float64Array, m: readonly number[]): Int8Array {
  const [a, b, c, d, e, f, g, h, i] = [m[0]!, m[4]!, m[8]!, m[1]!, m[5]!, m[9]!, m[2]!, m[6]!, m[10]!];
  const [c0, c1, c2] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const sign = a * c0 + b * c1 + c * c2 < 0 ? -127 : 127;
  const normals = new Int8Array(directions.length);
  for (let at = 0; at < directions.length; at += 3) {
    const [x, y, z] = [directions[at]!, directions[at + 1]!, directions[at + 2]!];
    const nx = c0 * x + c1 * y + c2 * z;
    const ny = (c * h - b * i) * x + (a * i - c * g) * y + (b * g - a * h) * z;
    const nz = (b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z;
    const scale = sign / (Math.hypot(nx, ny, nz) || 1);
    normals[at] = Math.round(nx * scale);
    normals[at + 1] = Math.round(-nz * scale);
    normals[at + 2] = Math.round(ny * scale);
  }
  return normals;
}
