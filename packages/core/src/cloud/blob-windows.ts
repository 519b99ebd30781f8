/** Pieces of many blobs, each of which is read once from its beginning to its end: of every blob a window is held. */
import type { Part } from "@cairn/cloud";
import { CairnError, type Digest } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";

/** Of all windows together, about. */
const HELD_BYTES = 2 ** 24;
const MIN_WINDOW_BYTES = 2 ** 12;
const MAX_WINDOW_BYTES = 2 ** 16;

/** @property room used again and again: left to the garbage collector, windows pile up until it looks for them */
type Window = { readonly sizeBytes: number; start: number; bytes: Uint8Array; room: Uint8Array };

export class BlobWindows {
  readonly #blobs: BlobStore;
  readonly #windowBytes: number;
  readonly #windows = new Map<Digest, Window>();

  /** @param count of blobs that will be read, about */
  constructor(blobs: BlobStore, count: number) {
    this.#blobs = blobs;
    const even = Math.floor(HELD_BYTES / Math.max(1, count));
    this.#windowBytes = Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, even));
  }

  /** Where the window has it; good until more of the blob is loaded. */
  held({ blob, start, end }: Part): Uint8Array | undefined {
    const window = this.#windows.get(blob);
    if (!window || start < window.start || end > window.start + window.bytes.length) return undefined;
    return window.bytes.subarray(start - window.start, end - window.start);
  }

  /** Moves the window to it. @throws {CairnError} `blob.missing`; `blob.corrupt` when the blob ends before */
  async load({ blob, start, end }: Part): Promise<Uint8Array> {
    const window = this.#windows.get(blob) ?? (await this.#open(blob));
    const upTo = Math.max(end, Math.min(window.sizeBytes, start + this.#windowBytes));
    if (window.room.length < upTo - start) window.room = new Uint8Array(upTo - start);
    window.bytes = new Uint8Array(0); // nothing, if reading fails
    window.bytes = await this.#blobs.range(blob, start, upTo, window.room);
    window.start = start;
    return window.bytes.subarray(0, end - start);
  }

  async #open(blob: Digest): Promise<Window> {
    const stored = await this.#blobs.stat(blob);
    if (!stored) throw new CairnError("blob.missing", { digest: blob });
    const window = { sizeBytes: stored.sizeBytes, start: 0, bytes: new Uint8Array(0), room: new Uint8Array(0) };
    this.#windows.set(blob, window);
    return window;
  }
}
