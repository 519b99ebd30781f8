/** The triangles of a PLY file of any kind: element `vertex` with x, y, z, element `face` with a list of indices. */
import { type PlyElement, type PlyHeader, readPlyHeader, type Scalar, sizeOf } from "../read/ply-header.ts";
import { FacetList, type Facets, refuseMesh } from "./facets.ts";

const MAX_CORNERS = 10_000;
const MAX_TEXT_BYTES = 2 ** 29 - 64;

/** @throws {CairnError} `design.unreadable` */
export function readMeshPly(bytes: Uint8Array): Facets {
  const header = readPlyHeader(bytes);
  const next = header.encoding === "ascii" ? textValues(bytes, header) : binaryValues(bytes, header);
  let vertices = new Float64Array(0);
  const facets = new FacetList();
  for (const element of header.elements) {
    // Every row takes a byte at least: a count beyond the file is refused before memory is asked for.
    if (element.fields.length > 0 && element.count > bytes.length) throw refuseMesh("ply", "ends before its data");
    if (element.name === "vertex") vertices = new Float64Array(element.count * 3);
    for (let row = 0; row < (element.fields.length > 0 ? element.count : 0); row++) {
      readRow(element, row, next, vertices, facets);
    }
  }
  const found = facets.take();
  if (found.length === 0) throw refuseMesh("ply", "no faces");
  return found;
}

function readRow(
  element: PlyElement,
  row: number,
  next: (type: Scalar) => number,
  vertices: Float64Array,
  facets: FacetList,
): void {
  for (const { name, type, lengthType } of element.fields) {
    if (!lengthType) {
      const value = next(type);
      const axis = element.name === "vertex" ? ["x", "y", "z"].indexOf(name) : -1;
      if (axis >= 0) vertices[row * 3 + axis] = value;
      continue;
    }
    const length = next(lengthType);
    if (!(length >= 0 && length <= MAX_CORNERS)) throw refuseMesh("ply", "a list that is too long");
    const corners: Float64Array[] = [];
    for (let i = 0; i < length; i++) {
      const index = next(type);
      if (element.name !== "face" || !/^vertex_ind(ex|ices)$/.test(name)) continue;
      if (!(index >= 0 && index * 3 < vertices.length && Number.isInteger(index))) {
        throw refuseMesh("ply", "a face names a vertex that is not there");
      }
      corners.push(vertices.subarray(index * 3, index * 3 + 3));
    }
    for (let i = 2; i < corners.length; i++) facets.add(corners[0]!, corners[i - 1]!, corners[i]!);
  }
}

function binaryValues(bytes: Uint8Array, { encoding, bodyAt }: PlyHeader): (type: Scalar) => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = encoding === "little";
  let at = bodyAt;
  const read: Record<Scalar, () => number> = {
    i1: () => view.getInt8(at),
    u1: () => view.getUint8(at),
    i2: () => view.getInt16(at, little),
    u2: () => view.getUint16(at, little),
    i4: () => view.getInt32(at, little),
    u4: () => view.getUint32(at, little),
    f4: () => view.getFloat32(at, little),
    f8: () => view.getFloat64(at, little),
  };
  return (type) => {
    if (at + sizeOf(type) > bytes.length) throw refuseMesh("ply", "ends before its data");
    const value = read[type]();
    at += sizeOf(type);
    return value;
  };
}

function textValues(bytes: Uint8Array, { bodyAt }: PlyHeader): (type: Scalar) => number {
  if (bytes.length > MAX_TEXT_BYTES) throw refuseMesh("ply", "a text longer than 512 MiB");
  const text = new TextDecoder("latin1").decode(bytes.subarray(bodyAt));
  const words = /\S+/g;
  return () => {
    const word = words.exec(text)?.[0];
    if (word === undefined) throw refuseMesh("ply", "ends before its data");
    const value = Number(word);
    if (Number.isNaN(value) && !/^[+-]?(nan|inf)/i.test(word)) throw refuseMesh("ply", "a value that is no number");
    return value;
  };
}
