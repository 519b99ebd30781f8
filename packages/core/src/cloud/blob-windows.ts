/** Pieces of many blobs, each of which is read once from its beginning to its end: of every blob a window is held. */
import { CairnError, type Digest } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { RangeSource } from "./layer-tables.ts";

/** Of all windows together, about. */
const HELD_BYTES = 2 ** 24;
const MIN_WINDOW_BYTES = 2 ** 12;
const MAX_WINDOW_BYTES = 2 ** 16;

/** @property room used again and again: left to the garbage collector, windows pile up until it looks for them */
type Window = { readonly sizeBytes: number; start: number; bytes: Uint8Array; room: Uint8Array };

/** For one reader at a time. */
export class BlobWindows implements RangeSource {
  readonly #blobs: BlobStore;
  readonly #windowBytes: number;
  readonly #windows = new Map<Digest, Window>();

  /** @param count of blobs that will be read, about */
  constructor(blobs: BlobStore, count: number) {
    this.#blobs = blobs;
    const even = Math.floor(HELD_BYTES / Math.max(1, count));
    this.#windowBytes = Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, even));
  }

  /**
   * Good until more of the blob is read.
   * @throws {CairnError} `blob.missing`; `blob.corrupt` when the blob ends before `end`
   */
  async range(blob: Digest, start: number, end: number): Promise<Uint8Array> {
    const window = this.#windows.get(blob) ?? (await this.#open(blob));
    if (start < window.start || end > window.start + window.bytes.length) {
      const upTo = Math.max(end, Math.min(window.sizeBytes, start + this.#windowBytes));
      if (window.room.length < upTo - start) window.room = new Uint8Array(upTo - start);
      window.bytes = new Uint8Array(0); // nothing, if reading fails
      window.bytes = await this.#blobs.range(blob, start, upTo, window.room);
      window.start = start;
    }
    return window.bytes.subarray(start - window.start, end - window.start);
  }

  async #open(blob: Digest): Promise<Window> {
    const stored = await this.#blobs.stat(blob);
    if (!stored) throw new CairnError("blob.missing", { digest: blob });
    const window = { sizeBytes: stored.sizeBytes, start: 0, bytes: new Uint8Array(0), room: new Uint8Array(0) };
    this.#windows.set(blob, window);
    return window;
  }
}
