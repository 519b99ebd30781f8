/** Blobs that were put a moment ago, in memory, so that who hears of one need not read it from disk. Bounded in bytes. */
import type { Digest } from "@cairn/protocol";

export class RecentBytes {
  readonly #maxBytes: number;
  readonly #maxBlobBytes: number;
  /** Oldest first. */
  readonly #blobs = new Map<Digest, Uint8Array>();
  #sizeBytes = 0;

  /** @param maxBlobBytes longer blobs are not kept: they would drive out all others */
  constructor(maxBytes: number, maxBlobBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxBlobBytes = maxBlobBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Copies the bytes: whoever put them may use its memory again. */
  keep(digest: Digest, bytes: Uint8Array): void {
    this.forget(digest);
    if (bytes.length > this.#maxBlobBytes) return;
    this.#blobs.set(digest, new Uint8Array(bytes));
    this.#sizeBytes += bytes.length;
    for (const old of this.#blobs.keys()) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.forget(old);
    }
  }

  forget(digest: Digest): void {
    this.#sizeBytes -= this.#blobs.get(digest)?.length ?? 0;
    this.#blobs.delete(digest);
  }

  /** A copy of bytes `start`…`end` (exclusive), which may be moved elsewhere; `undefined` when they are not here. */
  range(digest: Digest, start: number, end: number): Uint8Array | undefined {
    const bytes = this.#blobs.get(digest);
    return bytes && end <= bytes.length ? bytes.slice(start, end) : undefined;
  }
}
