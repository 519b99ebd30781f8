/** The header of a PLY file from anyone: which elements follow, of which fields. Nothing in it is believed. */
import { refuse } from "./point-source.ts";

export type Scalar = "i1" | "u1" | "i2" | "u2" | "i4" | "u4" | "f4" | "f8";
export type PlyField = {
  readonly name: string;
  readonly type: Scalar;
  /** Of a list: the type of its length. */
  readonly lengthType?: Scalar;
};
export type PlyElement = { readonly name: string; readonly count: number; readonly fields: readonly PlyField[] };
export type PlyHeader = {
  readonly encoding: "ascii" | "little" | "big";
  readonly elements: readonly PlyElement[];
  readonly bodyAt: number;
};

/** A header longer than this is not one. */
export const MAX_HEADER_BYTES = 64 * 1024;
const MAX_ELEMENTS = 64;
const MAX_FIELDS = 1024;

const SCALARS = new Map<string, Scalar>([
  ["char", "i1"],
  ["int8", "i1"],
  ["uchar", "u1"],
  ["uint8", "u1"],
  ["short", "i2"],
  ["int16", "i2"],
  ["ushort", "u2"],
  ["uint16", "u2"],
  ["int", "i4"],
  ["int32", "i4"],
  ["uint", "u4"],
  ["uint32", "u4"],
  ["float", "f4"],
  ["float32", "f4"],
  ["double", "f8"],
  ["float64", "f8"],
]);
const ENCODINGS = new Map<string, PlyHeader["encoding"]>([
  ["ascii", "ascii"],
  ["binary_little_endian", "little"],
  ["binary_big_endian", "big"],
]);

export function sizeOf(type: Scalar): number {
  return Number(type[1]);
}

/** Bytes of one row; `undefined` when it has a list. */
export function strideOf({ fields }: PlyElement): number | undefined {
  if (fields.some(({ lengthType }) => lengthType)) return undefined;
  return fields.reduce((sum, { type }) => sum + sizeOf(type), 0);
}

/** @param bytes the file's beginning @throws {CairnError} `import.invalid` */
export function readPlyHeader(bytes: Uint8Array): PlyHeader {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, MAX_HEADER_BYTES));
  const end = /(?:\r\n|\n|\r)end_header[ \t]*(?:\r\n|\n|\r)/.exec(text);
  if (!/^ply\s/.test(text) || !end) throw refuse("ply", "no header of a PLY file");
  let encoding: PlyHeader["encoding"] | undefined;
  const elements: { name: string; count: number; fields: PlyField[] }[] = [];
  for (const line of text.slice(0, end.index).split(/\r\n|\n|\r/)) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === "format") encoding = ENCODINGS.get(rest[0] ?? "");
    else if (word === "element") {
      const [name = "", count = ""] = rest;
      if (!/^\d{1,15}$/.test(count)) throw refuse("ply", `element ${short(name)} has no count`);
      if (elements.length === MAX_ELEMENTS) throw refuse("ply", `more than ${MAX_ELEMENTS} elements`);
      elements.push({ name, count: Number(count), fields: [] });
    } else if (word === "property") {
      const fields = elements.at(-1)?.fields;
      if (!fields) throw refuse("ply", "a property before the first element");
      if (fields.length === MAX_FIELDS) throw refuse("ply", `more than ${MAX_FIELDS} properties`);
      fields.push(fieldOf(rest));
    }
  }
  if (!encoding) throw refuse("ply", "a format that is neither ascii nor binary");
  return { encoding, elements, bodyAt: end.index + end[0].length };
}

function fieldOf(words: string[]): PlyField {
  const list = words[0] === "list";
  const [lengthType, type] = [list ? SCALARS.get(words[1] ?? "") : undefined, SCALARS.get(words[list ? 2 : 0] ?? "")];
  const name = words[list ? 3 : 1];
  if (!type || !name || (list && !lengthType)) throw refuse("ply", `property ${short(words.join(" "))}`);
  return { name: name.toLowerCase(), type, ...(lengthType && { lengthType }) };
}

function short(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 64);
}
