/**
 * Points of a GLB file, whoever wrote it: float or quantised positions, linear colours, nested transforms, meshopt
 * compression. Read in pieces through byte ranges, so a file need not fit into memory.
 */
import { CHUNK_HEAD_BYTES, HEADER_BYTES, readBinaryHead, readGlbHeader } from "./container.ts";
import {
  type Accessor,
  type BufferView,
  type ComponentName,
  type Indices,
  invalid,
  type PointPrimitive,
  pointPrimitives,
} from "./gltf-document.ts";
import { srgbOf } from "./linear-color.ts";

export type GlbSource = {
  readonly sizeBytes: number;
  /** Bytes `start`…`end` (exclusive). */
  range(start: number, end: number): Promise<Uint8Array>;
};

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

const CHUNK_POINTS = 65_536;
const MAX_JSON_BYTES = 64 * 2 ** 20;
/** Decoded views that are kept because the next primitive may use them too. */
const MAX_KEPT_BYTES = 2 ** 28;

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
      const views = new DecodedViews(source, binaryStart);
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
async function drawnItems(drawn: Indices, count: number, views: DecodedViews): Promise<Uint8Array> {
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
  views: DecodedViews,
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

/** Views of the binary chunk: plain ones are read where they are wanted, packed ones are decoded once and kept. */
class DecodedViews {
  readonly #source: GlbSource;
  readonly #binaryStart: number;
  readonly #decoded = new Map<number, Uint8Array>();

  constructor(source: GlbSource, binaryStart: number) {
    this.#source = source;
    this.#binaryStart = binaryStart;
  }

  /** Three numbers for each of the items `from`…`to`, normalised where the accessor says so. */
  async each(accessor: Accessor, from: number, to: number, out: Float64Array): Promise<void> {
    const { view, offset, stride } = accessor;
    const bytes = await this.#bytes(view, offset + from * stride, offset + to * stride);
    readComponents(bytes, accessor, to - from, out);
  }

  /** The numbers `from`…`to`. */
  async indices({ view, offset, component, itemBytes }: Indices, from: number, to: number) {
    return elementsOf(await this.#bytes(view, offset + from * itemBytes, offset + to * itemBytes), component);
  }

  async #bytes(view: BufferView, start: number, to: number): Promise<Uint8Array> {
    const end = Math.min(view.sizeBytes, to);
    if (view.meshopt) return (await this.#whole(view, view.meshopt)).subarray(start, end);
    return this.#range(view.start + start, view.start + end);
  }

  async #whole(view: BufferView, packed: NonNullable<BufferView["meshopt"]>): Promise<Uint8Array> {
    const known = this.#decoded.get(view.index);
    if (known) return known;
    const { MeshoptDecoder } = await import("meshoptimizer/decoder"); // WebAssembly, for few files
    await MeshoptDecoder.ready;
    const bytes = await this.#range(view.start, view.end);
    const target = new Uint8Array(view.sizeBytes);
    try {
      MeshoptDecoder.decodeGltfBuffer(target, packed.count, packed.stride, bytes, "ATTRIBUTES", packed.filter);
    } catch (cause) {
      throw invalid("a meshopt view is damaged", cause);
    }
    let keptBytes = target.length;
    for (const [index, { length }] of [...this.#decoded].reverse()) {
      keptBytes += length;
      if (keptBytes > MAX_KEPT_BYTES) this.#decoded.delete(index);
    }
    this.#decoded.set(view.index, target);
    return target;
  }

  async #range(start: number, end: number): Promise<Uint8Array> {
    const bytes = await this.#source.range(this.#binaryStart + start, this.#binaryStart + end);
    if (bytes.length !== end - start) throw invalid("ends before its data");
    return bytes;
  }
}

const DIVISOR = { i8: 127, u8: 255, i16: 32767, u16: 65535, u32: 2 ** 32 - 1, f32: 1 } as const;

/** Strides and offsets are whole elements; `gltf-document.ts` has seen to it. */
function readComponents(
  bytes: Uint8Array,
  { component, normalized, stride }: Accessor,
  count: number,
  out: Float64Array,
): void {
  const elements = elementsOf(bytes, component);
  const step = stride / elements.BYTES_PER_ELEMENT;
  for (let i = 0, at = 0, to = 0; i < count; i++, at += step, to += 3) {
    out[to] = elements[at]!;
    out[to + 1] = elements[at + 1]!;
    out[to + 2] = elements[at + 2]!;
  }
  if (!normalized) return;
  const divisor = DIVISOR[component];
  // Both −128 and −127 mean −1.
  for (let i = 0; i < out.length; i++) out[i] = Math.max(-1, out[i]! / divisor);
}

function elementsOf(bytes: Uint8Array, component: ComponentName) {
  const size = component === "f32" || component === "u32" ? 4 : component === "i16" || component === "u16" ? 2 : 1;
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const count = Math.floor(length / size);
  switch (component) {
    case "i8":
      return new Int8Array(buffer, byteOffset, count);
    case "u8":
      return new Uint8Array(buffer, byteOffset, count);
    case "i16":
      return new Int16Array(buffer, byteOffset, count);
    case "u16":
      return new Uint16Array(buffer, byteOffset, count);
    case "u32":
      return new Uint32Array(buffer, byteOffset, count);
    case "f32":
      return new Float32Array(buffer, byteOffset, count);
  }
}
