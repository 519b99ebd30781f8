/**
 * What has come of one file so far, as one file that only grows: a line of facts, then records of one chunk each. A crash
 * costs at most the record that it cut, and that one was not acknowledged.
 *
 *   facts as JSON, "\n", then records: index u32, size u32 (big-endian), bytes
 */
import { type FileHandle, open } from "node:fs/promises";
import { CairnError } from "@cairn/protocol";

export type ChunkFacts = {
  readonly upload: string;
  readonly fileName: string;
  /** Who sends it; may go on with it over another connection. */
  readonly source: string;
  readonly totalChunks?: number;
  readonly totalBytes?: number;
  /** Its chunks are counted from here; left out: from 0 or 1, whichever was sent. */
  readonly firstChunk?: number;
};

const RECORD = 8;
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
    const line = Buffer.from(`${JSON.stringify(facts)}\n`);
    await file.write(line, 0, line.length, 0);
    await file.sync();
    return new ChunkFile(file, facts, line.length);
  }

  /** After a restart. Undefined: it holds nothing that was acknowledged. */
  static async reopen(path: string): Promise<ChunkFile | undefined> {
    const file = await open(path, "r+");
    try {
      const head = Buffer.alloc(MAX_FACTS_BYTES);
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      const end = head.subarray(0, bytesRead).indexOf(10);
      if (end < 0) {
        await file.close();
        return undefined;
      }
      const facts = JSON.parse(head.toString("utf8", 0, end)) as ChunkFacts;
      const chunks = new ChunkFile(file, facts, end + 1);
      await chunks.#scan((await file.stat()).size);
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
    record.set(bytes, RECORD);
    await this.#file.write(record, 0, record.length, this.#end);
    await this.#file.datasync();
    this.#took(index, { at: this.#end + RECORD, size: bytes.length });
    this.#end += record.length;
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

  async #scan(size: number): Promise<void> {
    const record = Buffer.alloc(RECORD);
    for (;;) {
      const { bytesRead } = await this.#file.read(record, 0, RECORD, this.#end);
      if (bytesRead < RECORD) break;
      const place = { at: this.#end + RECORD, size: record.readUInt32BE(4) };
      if (place.at + place.size > size) break;
      this.#took(record.readUInt32BE(0), place);
      this.#end = place.at + place.size;
    }
    await this.#file.truncate(this.#end);
  }

  #took(index: number, place: Place): void {
    this.#places.set(index, place);
    this.#bytes += place.size;
    this.#largest = Math.max(this.#largest, index);
  }
}
