/**
 * PLY point clouds from anyone: text or binary of either byte order, fields of any type in any order, other elements and
 * lists before and among them. Read in pieces; counts are held against what the file has room for.
 * Format: G. Turk, "The PLY polygon file format" (1994).
 */
import type { PointRun } from "../point-run.ts";
import { ColumnReader, planColumns } from "./columns.ts";
import {
  MAX_HEADER_BYTES,
  type PlyElement,
  type PlyHeader,
  readPlyHeader,
  type Scalar,
  sizeOf,
  strideOf,
} from "./ply-header.ts";
import { CHUNK_POINTS, chunkPoints, type PointSource, refuse, viewOf } from "./point-source.ts";

const WINDOW_BYTES = 2 ** 20;
const MAX_LINE_BYTES = 2 ** 20;

export type PlyCloud = { readonly count: number; chunks(): AsyncGenerator<PointRun> };

/** @throws {CairnError} `import.invalid`: no PLY, or it claims what its size cannot hold */
export async function openPly(source: PointSource): Promise<PlyCloud> {
  const header = readPlyHeader(await source.range(0, Math.min(source.sizeBytes, MAX_HEADER_BYTES)));
  const at = header.elements.findIndex(({ name }) => name === "vertex" || name === "point");
  const vertex = header.elements[at];
  if (!vertex) throw refuse("ply", "no vertex element");
  const plan = planColumns(vertex.fields);
  if (!plan) throw refuse("ply", "the vertices have no x, y and z");
  checkRoom(header, source.sizeBytes);
  const reader = new ColumnReader(plan, vertex.fields);
  const fields = plan.map(({ field }) => field);
  const before = header.elements.slice(0, at);
  const rows = header.encoding === "ascii" ? textRows : strideOf(vertex) === undefined ? listRows : plainRows;
  return {
    count: vertex.count,
    async *chunks() {
      for await (const { columns, count } of rows(source, header, before, vertex, fields)) {
        yield reader.read(columns, count);
      }
      reader.end();
    },
  };
}

/** Refuses counts that the file cannot hold, and bytes after the end that the counts do not tell of. */
function checkRoom({ encoding, elements, bodyAt }: PlyHeader, sizeBytes: number): void {
  const room = sizeBytes - bodyAt;
  let least = 0;
  for (const element of elements) {
    // A row of text has at least one digit and a blank for each field; a list has at least its length.
    const row =
      encoding === "ascii"
        ? Math.max(1, 2 * element.fields.length)
        : element.fields.reduce((sum, { type, lengthType }) => sum + sizeOf(lengthType ?? type), 0);
    if (element.count > 0 && row === 0) throw refuse("ply", `element ${element.name.slice(0, 64)} has no properties`);
    least += element.count * row;
  }
  // The last line of a text needs no end.
  if (least - (encoding === "ascii" ? 1 : 0) > room) {
    throw refuse("ply", `its header counts take ${least} bytes or more, ${room} follow: cut off, or a wrong count`);
  }
  const exact = encoding !== "ascii" && elements.every((element) => strideOf(element) !== undefined);
  // Some writers end the file with a line.
  if (exact && room > least + 2) {
    throw refuse("ply", `${room - least} bytes follow the last point: the header counts too few`);
  }
}

type Rows = (
  source: PointSource,
  header: PlyHeader,
  before: readonly PlyElement[],
  vertex: PlyElement,
  fields: readonly number[],
) => AsyncGenerator<{ columns: Float64Array[]; count: number }>;

/** Rows of one length: each column is read straight from a block of them. */
const plainRows: Rows = async function* (source, header, before, vertex, fields) {
  const little = header.encoding === "little";
  const stride = strideOf(vertex)!;
  const offsets = vertex.fields.map((_, i) => strideOf({ ...vertex, fields: vertex.fields.slice(0, i) })!);
  let at = await skip(source, header, before);
  for (let done = 0; done < vertex.count; ) {
    const count = Math.min(chunkPoints(stride), vertex.count - done);
    const bytes = await exactly(source, at, at + count * stride);
    const view = viewOf(bytes);
    const columns = fields.map((field) => {
      const values = new Float64Array(count);
      readColumn(view, vertex.fields[field]!.type, offsets[field]!, stride, little, values);
      return values;
    });
    yield { columns, count };
    at += bytes.length;
    done += count;
  }
};

/** Rows with lists among their fields: one value after the other. */
const listRows: Rows = async function* (source, header, before, vertex, fields) {
  const walk = new Walk(source, await skip(source, header, before), header.encoding === "little");
  const column = vertex.fields.map((_, field) => fields.indexOf(field));
  for (let done = 0; done < vertex.count; ) {
    const count = Math.min(CHUNK_POINTS, vertex.count - done);
    const columns = fields.map(() => new Float64Array(count));
    for (let i = 0; i < count; i++) {
      for (const [f, { type, lengthType }] of vertex.fields.entries()) {
        if (lengthType) await walk.skipList(lengthType, type);
        else {
          if (walk.left < 8) await walk.fill();
          const value = walk.scalar(type);
          if (column[f]! >= 0) columns[column[f]!]![i] = value;
        }
      }
    }
    yield { columns, count };
    done += count;
  }
};

const textRows: Rows = async function* (source, header, before, vertex, fields) {
  const lines = linesOf(source, header.bodyAt);
  const next = async () => {
    const { done, value } = await lines.next();
    if (done) throw refuse("ply", "cut off: fewer lines than its header counts");
    return value;
  };
  for (const { count } of before) for (let i = 0; i < count; i++) await next();
  const simple = vertex.fields.every(({ lengthType }) => !lengthType);
  for (let done = 0; done < vertex.count; ) {
    const count = Math.min(CHUNK_POINTS, vertex.count - done);
    const columns = fields.map(() => new Float64Array(count));
    for (let i = 0; i < count; i++) {
      const words = (await next()).split(/\s+/);
      const places = simple ? undefined : wordPlaces(words, vertex);
      for (let c = 0; c < fields.length; c++) {
        columns[c]![i] = numberOf(words[places ? places[fields[c]!]! : fields[c]!]);
      }
    }
    yield { columns, count };
    done += count;
  }
  if (header.elements.at(-1) === vertex && !(await lines.next()).done) {
    throw refuse("ply", "lines follow the last point: the header counts too few");
  }
};

/** Which word each field begins at, past lists of any length. */
function wordPlaces(words: readonly string[], { fields }: PlyElement): number[] {
  let at = 0;
  return fields.map(({ lengthType }) => {
    const place = at;
    at += 1 + (lengthType ? numberOf(words[at]) : 0);
    if (!(at <= words.length)) throw refuse("ply", "a list is longer than its line");
    return place;
  });
}

function numberOf(word: string | undefined): number {
  const value = word ? Number(word) : Number.NaN;
  if (!Number.isNaN(value)) return value;
  // Older programs on Windows write 1.#QNAN, -1.#IND, 1.#INF.
  const named = /^([-+]?)(?:1\.#)?(nan|inf|qnan|snan|ind)/i.exec(word ?? "");
  if (!named) throw refuse("ply", "a value that is no number");
  return named[2]!.toLowerCase() === "inf" ? (named[1] === "-" ? -Infinity : Infinity) : Number.NaN;
}

/** Trimmed lines that are not blank. */
async function* linesOf(source: PointSource, from: number): AsyncGenerator<string> {
  let rest = "";
  for (let at = from; at < source.sizeBytes; ) {
    const bytes = await source.range(at, Math.min(source.sizeBytes, at + WINDOW_BYTES));
    if (bytes.length === 0) throw refuse("ply", "cut off");
    at += bytes.length;
    const parts = (rest + new TextDecoder("latin1").decode(bytes)).split(/\r\n|\n|\r/);
    rest = parts.pop()!;
    if (rest.length > MAX_LINE_BYTES) throw refuse("ply", `a line of more than ${MAX_LINE_BYTES} characters`);
    for (const part of parts) {
      const line = part.trim();
      if (line !== "") yield line;
    }
  }
  if (rest.trim() !== "") yield rest.trim();
}

/** Where the vertices begin, past the elements before them. */
async function skip(source: PointSource, header: PlyHeader, before: readonly PlyElement[]): Promise<number> {
  let at = header.bodyAt;
  for (const element of before) {
    const stride = strideOf(element);
    if (stride !== undefined) {
      at += element.count * stride;
      continue;
    }
    const walk = new Walk(source, at, header.encoding === "little");
    for (let i = 0; i < element.count; i++) {
      for (const { type, lengthType } of element.fields) {
        if (lengthType) await walk.skipList(lengthType, type);
        else await walk.skip(sizeOf(type));
      }
    }
    at = walk.at;
  }
  return at;
}

async function exactly(source: PointSource, start: number, end: number): Promise<Uint8Array> {
  if (end > source.sizeBytes) throw refuse("ply", "cut off: the header counts more than the file holds");
  const bytes = await source.range(start, end);
  if (bytes.length !== end - start) throw refuse("ply", "cut off");
  return bytes;
}

/** A place in the file that moves on by what is read there. */
class Walk {
  readonly #source: PointSource;
  readonly #little: boolean;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #viewAt: number;
  #in = 0;

  constructor(source: PointSource, at: number, little: boolean) {
    this.#source = source;
    this.#viewAt = at;
    this.#little = little;
  }

  get at(): number {
    return this.#viewAt + this.#in;
  }

  /** Bytes that can be read without `fill`. */
  get left(): number {
    return this.#view.byteLength - this.#in;
  }

  async fill(): Promise<void> {
    const { at } = this;
    const end = Math.min(this.#source.sizeBytes, at + WINDOW_BYTES);
    this.#view = viewOf(await exactly(this.#source, Math.min(at, end), end));
    this.#viewAt = at;
    this.#in = 0;
  }

  scalar(type: Scalar): number {
    const size = sizeOf(type);
    if (this.left < size) throw refuse("ply", "cut off: the header counts more than the file holds");
    const value = readScalar(this.#view, this.#in, type, this.#little);
    this.#in += size;
    return value;
  }

  async skip(sizeBytes: number): Promise<void> {
    this.#in += sizeBytes;
    if (this.at > this.#source.sizeBytes) throw refuse("ply", "cut off: the header counts more than the file holds");
    if (this.left < 8) await this.fill();
  }

  async skipList(lengthType: Scalar, type: Scalar): Promise<void> {
    if (this.left < 8) await this.fill();
    const length = this.scalar(lengthType);
    if (!(length >= 0 && Number.isInteger(length))) throw refuse("ply", "a list whose length is no number");
    await this.skip(length * sizeOf(type));
  }
}

function readScalar(view: DataView, at: number, type: Scalar, little: boolean): number {
  switch (type) {
    case "i1":
      return view.getInt8(at);
    case "u1":
      return view.getUint8(at);
    case "i2":
      return view.getInt16(at, little);
    case "u2":
      return view.getUint16(at, little);
    case "i4":
      return view.getInt32(at, little);
    case "u4":
      return view.getUint32(at, little);
    case "f4":
      return view.getFloat32(at, little);
    case "f8":
      return view.getFloat64(at, little);
  }
}

/** The commonest types have loops of their own: the type is looked at once a column. */
function readColumn(
  view: DataView,
  type: Scalar,
  offset: number,
  stride: number,
  little: boolean,
  out: Float64Array,
): void {
  const n = out.length;
  if (type === "f4") for (let i = 0, at = offset; i < n; i++, at += stride) out[i] = view.getFloat32(at, little);
  else if (type === "u1") for (let i = 0, at = offset; i < n; i++, at += stride) out[i] = view.getUint8(at);
  else if (type === "f8") for (let i = 0, at = offset; i < n; i++, at += stride) out[i] = view.getFloat64(at, little);
  else for (let i = 0, at = offset; i < n; i++, at += stride) out[i] = readScalar(view, at, type, little);
}
