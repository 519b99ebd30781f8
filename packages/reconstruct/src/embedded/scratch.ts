/**
 * Disk in place of memory: bytes that are put aside and read back by this process only. One file without a name: when
 * the process ends, however it ends, the system takes it away.
 */

import { randomUUID } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

export type Extent = { readonly start: number; readonly sizeBytes: number };

export class Scratch {
  readonly #folder: string;
  #file: number | undefined;
  #endBytes = 0;
  /** Given back, by `start`; neighbours are joined. */
  #free: Extent[] = [];

  /** The file is made with the first bytes. @param folder made when it is not there */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** How long the file is. */
  get sizeBytes(): number {
    return this.#endBytes;
  }

  write(bytes: Uint8Array): Extent {
    const file = this.#open();
    const extent = this.#take(bytes.byteLength);
    for (let done = 0; done < bytes.byteLength; ) {
      done += writeSync(file, bytes, done, bytes.byteLength - done, extent.start + done);
    }
    return extent;
  }

  /** Into `bytes`, as many as it holds. */
  read({ start, sizeBytes }: Extent, bytes: Uint8Array): void {
    if (bytes.byteLength !== sizeBytes) throw new RangeError(`${bytes.byteLength} bytes for ${sizeBytes}`);
    for (let done = 0; done < sizeBytes; ) {
      const count = readSync(this.#open(), bytes, done, sizeBytes - done, start + done);
      if (count === 0) throw new Error("the scratch file has become shorter");
      done += count;
    }
  }

  /** The extent must not be read again. */
  free(extent: Extent): void {
    this.#free.push(extent);
    this.#free.sort((a, b) => a.start - b.start);
    const joined: Extent[] = [];
    for (const next of this.#free) {
      const last = joined.at(-1);
      if (last && last.start + last.sizeBytes === next.start) {
        joined[joined.length - 1] = { start: last.start, sizeBytes: last.sizeBytes + next.sizeBytes };
      } else joined.push(next);
    }
    const end = joined.at(-1);
    if (end && end.start + end.sizeBytes === this.#endBytes) {
      joined.pop();
      this.#endBytes = end.start;
      if (this.#file !== undefined) ftruncateSync(this.#file, this.#endBytes);
    }
    this.#free = joined;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): number {
    if (this.#file === undefined) {
      mkdirSync(this.#folder, { recursive: true });
      const path = join(this.#folder, `${randomUUID()}.scratch`);
      this.#file = openSync(path, "wx+", 0o600);
      unlinkSync(path);
    }
    return this.#file;
  }

  /** The first gap that is large enough, or the end. */
  #take(sizeBytes: number): Extent {
    const index = this.#free.findIndex((gap) => gap.sizeBytes >= sizeBytes);
    if (index < 0) {
      const start = this.#endBytes;
      this.#endBytes += sizeBytes;
      return { start, sizeBytes };
    }
    const gap = this.#free[index];
    const left = { start: gap.start + sizeBytes, sizeBytes: gap.sizeBytes - sizeBytes };
    this.#free.splice(index, 1, ...(left.sizeBytes > 0 ? [left] : []));
    return { start: gap.start, sizeBytes };
  }
}
