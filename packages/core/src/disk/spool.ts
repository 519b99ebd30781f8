/**
 * A file that is made faster than it is read: it waits on the disk and not in memory. It has no name, so when the process
 * ends, however it ends, the system takes it away.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { storeError } from "./disk.ts";

/** Read at once: few steps for a fast reader, little memory for a slow one. */
const PIECE_BYTES = 2 ** 16;

export class Spool {
  readonly #file: FileHandle;
  #sizeBytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @param folder made when it is not there @throws {CairnError} `store.full`, `store.failed` */
  static async open(folder: string): Promise<Spool> {
    try {
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${randomUUID()}.scratch`);
      const file = await open(path, "wx+", 0o600);
      await unlink(path);
      return new Spool(file);
    } catch (error) {
      throw storeError(error);
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** @throws {CairnError} `store.full`, `store.failed` */
  async write(bytes: Uint8Array): Promise<void> {
    // Not `file.write(bytes)` alone, which may stop half-way without an error.
    await this.#file.writeFile(bytes).catch((error: unknown) => {
      throw storeError(error);
    });
    this.#sizeBytes += bytes.length;
  }

  /** All that was written, in pieces of their own. */
  async *read(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.#sizeBytes; ) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, this.#sizeBytes - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw storeError(new Error("the file became shorter"));
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
