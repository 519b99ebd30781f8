/**
 * COLMAP's text model as its binary model: `cameras.bin`, `images.bin`, `points3D.bin`. Line by line, so that a model of
 * any size takes the memory of its longest line.
 * Format: https://colmap.github.io/format.html#binary-file-format
 */
import { CairnError } from "@cairn/protocol/errors";

export type ColmapFile = "cameras" | "images" | "points3D";
type Lines = AsyncIterable<string> | Iterable<string>;

const MODEL_IDS = new Map([
  ["SIMPLE_PINHOLE", 0],
  ["PINHOLE", 1],
  ["SIMPLE_RADIAL", 2],
  ["RADIAL", 3],
]);
const NO_POINT = 2n ** 64n - 1n;
const PIECE_BYTES = 64 * 1024;

/** How many cameras, images or points a text file holds: the binary file says so first. */
export async function countColmapRecords(file: ColmapFile, lines: Lines): Promise<number> {
  let count = 0;
  for await (const _ of records(file, lines)) count++;
  return count;
}

/** @param count as `countColmapRecords` says @throws {CairnError} `request.invalid` with the file that cannot be read */
export async function* colmapBinary(file: ColmapFile, count: number, lines: Lines): AsyncGenerator<Uint8Array> {
  const out = new Writer();
  out.u64(BigInt(count));
  for await (const [head, features] of records(file, lines)) {
    const words = head.split(/\s+/);
    if (file === "cameras") writeCamera(out, words);
    else if (file === "images") writeImage(out, words, features);
    else writePoint(out, words);
    if (out.sizeBytes >= PIECE_BYTES) yield out.take();
  }
  yield out.take();
}

/** Each record's line; an image's second line, which may be empty, comes with its first. */
async function* records(file: ColmapFile, lines: Lines): AsyncGenerator<[head: string, features: string]> {
  let head: string | undefined;
  for await (const line of lines) {
    const text = line.trim();
    if (head !== undefined) {
      yield [head, text];
      head = undefined;
    } else if (text === "" || text.startsWith("#")) continue;
    else if (file === "images") head = text;
    else yield [text, ""];
  }
  if (head !== undefined) yield [head, ""];
}

function writeCamera(out: Writer, words: string[]): void {
  const model = MODEL_IDS.get(words[1] ?? "");
  if (model === undefined) throw new CairnError("request.invalid", { file: "cameras.txt" });
  out.u32(whole(words[0], "cameras.txt"));
  out.u32(model);
  out.u64(BigInt(whole(words[2], "cameras.txt")));
  out.u64(BigInt(whole(words[3], "cameras.txt")));
  for (const word of words.slice(4)) out.f64(Number(word));
}

function writeImage(out: Writer, words: string[], features: string): void {
  const cells = features === "" ? [] : features.split(/\s+/);
  if (words.length < 10 || cells.length % 3 !== 0) throw new CairnError("request.invalid", { file: "images.txt" });
  out.u32(whole(words[0], "images.txt"));
  for (const word of words.slice(1, 8)) out.f64(Number(word));
  out.u32(whole(words[8], "images.txt"));
  out.text(words.slice(9).join(" "));
  out.u64(BigInt(cells.length / 3));
  for (let at = 0; at < cells.length; at += 3) {
    out.f64(Number(cells[at]));
    out.f64(Number(cells[at + 1]));
    const point = cells[at + 2]!;
    out.u64(point === "-1" ? NO_POINT : BigInt(whole(point, "images.txt")));
  }
}

function writePoint(out: Writer, words: string[]): void {
  if (words.length < 8 || words.length % 2 !== 0) throw new CairnError("request.invalid", { file: "points3D.txt" });
  out.u64(BigInt(whole(words[0], "points3D.txt")));
  for (const word of words.slice(1, 4)) out.f64(Number(word));
  for (const word of words.slice(4, 7)) out.u8(whole(word, "points3D.txt"));
  out.f64(Number(words[7]));
  out.u64(BigInt((words.length - 8) / 2));
  for (const word of words.slice(8)) out.u32(whole(word, "points3D.txt"));
}

function whole(word: string | undefined, file: string): number {
  const value = Number(word);
  if (!Number.isSafeInteger(value) || value < 0) throw new CairnError("request.invalid", { file });
  return value;
}

/** Little-endian values, one after the other. */
class Writer {
  #bytes = new Uint8Array(2 * PIECE_BYTES);
  #view = new DataView(this.#bytes.buffer);
  sizeBytes = 0;

  u8(value: number): void {
    const at = this.#next(1); // may replace the array: before it is looked at
    this.#bytes[at] = value;
  }

  u32(value: number): void {
    const at = this.#next(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#next(8);
    this.#view.setBigUint64(at, value, true);
  }

  f64(value: number): void {
    const at = this.#next(8);
    this.#view.setFloat64(at, value, true);
  }

  /** UTF-8, ended by a zero. */
  text(value: string): void {
    const bytes = new TextEncoder().encode(`${value}\0`);
    const at = this.#next(bytes.length);
    this.#bytes.set(bytes, at);
  }

  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.sizeBytes);
    this.sizeBytes = 0;
    return taken;
  }

  #next(sizeBytes: number): number {
    const at = this.sizeBytes;
    this.sizeBytes += sizeBytes;
    if (this.sizeBytes > this.#bytes.length) {
      const more = new Uint8Array(2 * this.sizeBytes);
      more.set(this.#bytes);
      this.#bytes = more;
      this.#view = new DataView(more.buffer);
    }
    return at;
  }
}
