/**
 * A file that is appended to while it is being made. Writers do not wait: what the disk has not taken yet is counted, so
 * that whoever writes can stop in time. Synced now and then, so that a lost power supply costs seconds.
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { CairnError } from "@cairn/protocol";
import { storeError, syncFolder } from "../disk/disk.ts";
import { writeAt } from "../disk/whole.ts";

const SYNC_EVERY_MS = 5000;

export type GrowingFileOptions = {
  /** Told once, when the disk refuses; from then on nothing is written. */
  readonly onTrouble: (error: CairnError) => void;
  readonly onAppended: () => void;
};

export class GrowingFile {
  readonly path: string;
  #file: FileHandle | undefined;
  readonly #onTrouble: GrowingFileOptions["onTrouble"];
  readonly #onAppended: () => void;
  #queue: Uint8Array[] = [];
  #waitingBytes = 0;
  #writtenBytes = 0;
  #syncedMs = performance.now();
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failed = false;

  /** Made with its first bytes. */
  constructor(path: string, { onTrouble, onAppended }: GrowingFileOptions) {
    this.path = path;
    this.#onTrouble = onTrouble;
    this.#onAppended = onAppended;
  }

  /** Appended, or waiting for the disk. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#waitingBytes;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  append(bytes: Uint8Array): void {
    if (this.#failed || this.#closing) return;
    this.#queue.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#write();
    this.#onAppended();
  }

  /** Nothing more comes. Resolves when what was appended is on disk, as far as that took it. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    const file = this.#file;
    this.#file = undefined;
    if (!this.#failed) await file?.sync().catch((error: unknown) => this.#fail(error));
    await file?.close().catch((error: unknown) => this.#fail(error));
  }

  async #write(): Promise<void> {
    try {
      if (!this.#file) {
        this.#file = await open(this.path, "wx");
        await syncFolder(dirname(this.path)); // what is synced later has a name
      }
      for (let bytes = this.#queue.shift(); bytes; bytes = this.#queue.shift()) {
        await writeAt(this.#file, bytes, this.#writtenBytes);
        this.#writtenBytes += bytes.length;
        this.#waitingBytes -= bytes.length;
        if (performance.now() - this.#syncedMs < SYNC_EVERY_MS) continue;
        await this.#file.datasync();
        this.#syncedMs = performance.now();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = undefined;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#queue = [];
    this.#waitingBytes = 0;
    this.#onTrouble(storeError(error));
  }
}
