/**
 * What has come of one file so far, as one file that only grows: a line of facts, then records of one chunk each. A crash
 * costs at most the record that it cut, and that one was not acknowledged: it is told by its checksums, for a crash may
 * leave any of its sectors out.
 *
 *   facts as JSON, "\n", then records: index, size, CRC-32 of the bytes, CRC-32 of these 12 bytes (u32, big-endian), bytes
 */
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { CairnError } from "@cairn/protocol";
import { syncFolder } from "../disk/disk.ts";
import { readAt, writeAt } from "../disk/whole.ts";

export type ChunkFacts = {
  readonly upload: string;
  readonly fileName: string;
  /** Who sends it; may go on with it over another connection. */
  readonly source: string;
  readonly totalChunks?: number;
  readonly totalBytes?: number;
  /** Its chunks are counted from here; left out: from 0 or 1, whichever was sent. */
  readonly firstChunk?: number;
  /** Its chunks are text, which may be cut within a letter. */
  readonly text?: boolean;
};

const RECORD = 16;
const MAX_FACTS_BYTES = 8192;
/** So that the table of an upload stays small, and the list of what is missing as well. */
const MAX_CHUNKS = 100_000;
const COPY_BYTES = 2 ** 20;

type Place = { readonly at: number; readonly size: number };

export class ChunkFile {
  readonly facts: ChunkFacts;
  readonly #file: FileHandle;
  readonly #places = new Map<number, Place>();
  #end: number;
  #bytes = 0;
  #largest = -1;

  private constructor(file: FileHandle, facts: ChunkFacts, end: number) {
    this.#file = file;
    this.facts = facts;
    this.#end = end;
  }

  static async create(path: string, facts: ChunkFacts): Promise<ChunkFile> {
    const file = await open(path, "wx+");
    try {
      const line = Buffer.from(`${JSON.stringify(facts)}\n`);
      await writeAt(file, line, 0);
      await file.sync();
      await syncFolder(dirname(path));
      return new ChunkFile(file, facts, line.length);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
  }

  /** After a restart. Undefined: it holds nothing that was acknowledged. @throws what the disk says */
  static async reopen(path: string): Promise<ChunkFile | undefined> {
    const file = await open(path, "r+");
    try {
      const { size } = await file.stat();
      const head = await readAt(file, 0, Math.min(size, MAX_FACTS_BYTES));
      const end = head.indexOf(10);
      const facts = end < 0 ? undefined : factsIn(head.toString("utf8", 0, end));
      if (!facts) {
        await file.close();
        return undefined;
      }
      const chunks = new ChunkFile(file, facts, end + 1);
      await chunks.#scan(size);
      return chunks;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#places.size;
  }

  /** The index of a chunk that comes without one: they are in order of arrival. */
  get next(): number {
    return this.#largest + 1;
  }

  has(index: number): boolean {
    return this.#places.has(index);
  }

  /**
   * On disk when it resolves. The same index again replaces nothing (HUB-65). One call at a time.
   * @throws {CairnError} `file.too_large`
   */
  async add(index: number, bytes: Uint8Array, mostBytes: number): Promise<void> {
    if (this.#places.has(index)) return;
    if (this.#bytes + bytes.length > mostBytes) throw new CairnError("file.too_large", { mostBytes });
    if (index >= MAX_CHUNKS) throw new CairnError("file.too_large", { mostChunks: MAX_CHUNKS });
    const record = Buffer.allocUnsafe(RECORD + bytes.length);
    record.writeUInt32BE(index, 0);
    record.writeUInt32BE(bytes.length, 4);
    record.writeUInt32BE(crc32(bytes), 8);
    record.writeUInt32BE(crc32(record.subarray(0, 12)), 12);
    record.set(bytes, RECORD);
    await writeAt(this.#file, record, this.#end);
    await this.#file.datasync();
    this.#took(index, { at: this.#end + RECORD, size: bytes.length });
  }

  /**
   * Indices between the first and the last that did not come, at most `most` of them. The last is known from the number of
   * chunks, or is the largest that came.
   */
  missing(most: number): number[] {
    const { totalChunks, firstChunk } = this.facts;
    const first = firstChunk ?? (!this.#places.has(0) && this.#places.has(1) ? 1 : 0);
    const end = Math.max(this.#largest + 1, totalChunks === undefined ? 0 : first + totalChunks);
    const missing: number[] = [];
    for (let index = first; index < end && missing.length < most; index++) {
      if (!this.#places.has(index)) missing.push(index);
    }
    return missing;
  }

  /** All bytes in the order of their indices. */
  async *contents(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (const index of [...this.#places.keys()].sort((a, b) => a - b)) {
      const { at, size } = this.#places.get(index) ?? { at: 0, size: 0 };
      for (let done = 0; done < size; ) {
        const { bytesRead } = await this.#file.read(buffer, 0, Math.min(COPY_BYTES, size - done), at + done);
        if (bytesRead === 0) throw new CairnError("store.failed", { problem: "a chunk was cut short" });
        yield buffer.subarray(0, bytesRead);
        done += bytesRead;
      }
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Only the last record can be a torn one: each was on disk before the next began. */
  async #scan(size: number): Promise<void> {
    let last: { index: number; place: Place; crc: number } | undefined;
    for (let at = this.#end; at + RECORD <= size; ) {
      const record = await readAt(this.#file, at, RECORD);
      const place = { at: at + RECORD, size: record.readUInt32BE(4) };
      if (crc32(record.subarray(0, 12)) !== record.readUInt32BE(12) || place.at + place.size > size) break;
      if (last) this.#took(last.index, last.place);
      last = { index: record.readUInt32BE(0), place, crc: record.readUInt32BE(8) };
      at = place.at + place.size;
    }
    if (last && (await this.#crcOf(last.place)) === last.crc) this.#took(last.index, last.place);
    await this.#file.truncate(this.#end);
  }

  async #crcOf({ at, size }: Place): Promise<number> {
    let crc = 0;
    for (let done = 0; done < size; done += COPY_BYTES) {
      crc = crc32(await readAt(this.#file, at + done, Math.min(COPY_BYTES, size - done)), crc);
    }
    return crc;
  }

  #took(index: number, place: Place): void {
    this.#places.set(index, place);
    this.#bytes += place.size;
    this.#largest = Math.max(this.#largest, index);
    this.#end = place.at + place.size;
  }
}

function factsIn(line: string): ChunkFacts | undefined {
  try {
    return JSON.parse(line) as ChunkFacts;
  } catch {
    return undefined; // cut by a crash before anybody was told of it
  }
}
