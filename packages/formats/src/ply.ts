/**
 * PLY point clouds, binary little endian: `x y z` as `float` or `double`, `nx ny nz` as `float` where normals are known,
 * `red green blue` as `uchar`. Written run by run, so that a cloud of any size takes constant memory.
 * Format: G. Turk, "The PLY polygon file format" (1994).
 */
import { CairnError } from "@cairn/protocol/errors";
import type { PointRun } from "./point-run.ts";

export type PlyPoints = {
  /** `[n, 3]` */
  positions: Float32Array;
  /** `[n, 3]` sRGB; white where the file has no colours. */
  colors: Uint8Array;
};

/** What the header says of every point. */
export type PlyShape = {
  readonly count: number;
  /** Coordinates as `double`: for those too large for 24 bits of mantissa. */
  readonly double: boolean;
  readonly normals: boolean;
  /** Triangles that follow the vertices; left out: the file has none. */
  readonly faces?: number;
};

const POINTS_PER_PIECE = 65_536;
/** A header longer than this is not one. */
const MAX_HEADER_BYTES = 64 * 1024;

/** Everything before the first point. */
export function plyHeader({ count, double, normals, faces }: PlyShape): Uint8Array {
  const properties = [
    ...["x", "y", "z"].map((axis) => `property ${double ? "double" : "float"} ${axis}`),
    ...(normals ? ["nx", "ny", "nz"].map((name) => `property float ${name}`) : []),
    ...["red", "green", "blue"].map((name) => `property uchar ${name}`),
    ...(faces === undefined ? [] : [`element face ${faces}`, "property list uchar uint vertex_indices"]),
  ];
  const head = ["ply", "format binary_little_endian 1.0", "comment Cairn", `element vertex ${count}`, ...properties];
  return new TextEncoder().encode(`${[...head, "end_header"].join("\n")}\n`);
}

/** Of each point. */
export function plyPointBytes({ double, normals }: PlyShape): number {
  return 3 * (double ? 8 : 4) + (normals ? 12 : 0) + 3;
}

/** The points of one run; a normal that is not known is 0, 0, 0. The bytes are the caller's. */
export function plyRun(run: PointRun, shape: PlyShape): Uint8Array {
  const { double, normals: wanted } = shape;
  const { count, positions, colors, normals } = run;
  const coordinateBytes = double ? 8 : 4;
  const normalAt = 3 * coordinateBytes;
  const stride = plyPointBytes(shape);
  const colorAt = stride - 3;
  const bytes = new Uint8Array(count * stride);
  const view = new DataView(bytes.buffer);
  for (let i = 0, at = 0; i < count; i++, at += stride) {
    for (let axis = 0; axis < 3; axis++) {
      const value = positions[3 * i + axis]!;
      if (double) view.setFloat64(at + 8 * axis, value, true);
      else view.setFloat32(at + 4 * axis, value, true);
      if (wanted && normals) view.setFloat32(at + normalAt + 4 * axis, normals[3 * i + axis]! / 127, true);
      bytes[at + colorAt + axis] = colors[3 * i + axis]!;
    }
  }
  return bytes;
}

/**
 * A whole cloud in memory as a file with `float` coordinates: first the header, then the points in pieces.
 * @param positions `[n, 3]` @param colors `[n, 3]` sRGB
 * @param normals `[n, 3]` unit vectors times 127, 0 0 0 where one is not known; left out: the file has none
 */
export function* writePly(
  positions: Float32Array | Float64Array,
  colors: Uint8Array,
  normals?: Int8Array,
): Generator<Uint8Array> {
  const n = positions.length / 3;
  if (!Number.isInteger(n) || colors.length !== n * 3) {
    throw new RangeError(`positions holds ${positions.length} numbers, colors ${colors.length}`);
  }
  const shape = { count: n, double: false, normals: normals !== undefined };
  yield plyHeader(shape);
  for (let from = 0; from < n; from += POINTS_PER_PIECE) {
    const to = Math.min(n, from + POINTS_PER_PIECE);
    const run = {
      count: to - from,
      positions: Float64Array.from(positions.subarray(3 * from, 3 * to)),
      colors: colors.subarray(3 * from, 3 * to),
      photos: 0,
      normals: normals?.subarray(3 * from, 3 * to),
    };
    yield plyRun(run, shape);
  }
}

/** Size and accessor of each scalar type, by its two names. */
const SCALARS = new Map<string, { sizeBytes: number; read: (view: DataView, at: number) => number }>(
  (
    [
      [["char", "int8"], 1, (view, at) => view.getInt8(at)],
      [["uchar", "uint8"], 1, (view, at) => view.getUint8(at)],
      [["short", "int16"], 2, (view, at) => view.getInt16(at, true)],
      [["ushort", "uint16"], 2, (view, at) => view.getUint16(at, true)],
      [["int", "int32"], 4, (view, at) => view.getInt32(at, true)],
      [["uint", "uint32"], 4, (view, at) => view.getUint32(at, true)],
      [["float", "float32"], 4, (view, at) => view.getFloat32(at, true)],
      [["double", "float64"], 8, (view, at) => view.getFloat64(at, true)],
    ] satisfies [string[], number, (view: DataView, at: number) => number][]
  ).flatMap(([names, sizeBytes, read]) => names.map((name) => [name, { sizeBytes, read }] as const)),
);

/**
 * Reads the vertices of a binary little-endian PLY file whose first element is `vertex`. Copies.
 * @throws {CairnError} `request.invalid` when it is not one, or is cut off
 */
export function readPly(bytes: Uint8Array): PlyPoints {
  const { count, fields, strideBytes, bodyAt } = readHeader(bytes);
  if (bytes.length < bodyAt + count * strideBytes) throw invalid("cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset + bodyAt, count * strideBytes);
  const positions = new Float32Array(count * 3);
  const colors = new Uint8Array(count * 3).fill(255);
  const copy = (names: readonly string[], into: Float32Array | Uint8Array) => {
    for (const [axis, name] of names.entries()) {
      const field = fields.get(name);
      if (!field) continue;
      for (let i = 0; i < count; i++) into[3 * i + axis] = field.read(view, i * strideBytes + field.offset);
    }
  };
  copy(["x", "y", "z"], positions);
  copy(["red", "green", "blue"], colors);
  return { positions, colors };
}

function readHeader(bytes: Uint8Array) {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, MAX_HEADER_BYTES));
  const end = /^end_header\r?\n/m.exec(text);
  if (!/^ply\r?\n/.test(text) || !end) throw invalid("no header");
  let count = -1;
  let elements = 0;
  let strideBytes = 0;
  let format = "";
  const fields = new Map<string, { offset: number; read: (view: DataView, at: number) => number }>();
  for (const line of text.slice(0, end.index).split(/\r?\n/)) {
    const [word, a = "", b = ""] = line.trim().split(/\s+/);
    if (word === "format") format = a;
    if (word === "element") {
      if (elements === 0) {
        if (a !== "vertex" || !/^\d+$/.test(b)) throw invalid("vertex element");
        count = Number(b);
      }
      elements++;
    }
    if (word !== "property" || elements !== 1) continue;
    const scalar = SCALARS.get(a);
    if (!scalar) throw invalid("vertex property");
    fields.set(b, { offset: strideBytes, read: scalar.read });
    strideBytes += scalar.sizeBytes;
  }
  if (format !== "binary_little_endian") throw invalid("format");
  if (count < 0 || !["x", "y", "z"].every((name) => fields.has(name))) throw invalid("vertex element");
  return { count, fields, strideBytes, bodyAt: end.index + end[0].length };
}

function invalid(problem: string): CairnError {
  return new CairnError("request.invalid", { field: "ply", problem });
}
