/** Blobs by digest, bounded in bytes: the one used longest ago goes first. Blobs never change, so none goes stale. */
import type { Digest } from "@cairn/protocol";

export class BlobCache {
  readonly #maxBytes: number;
  readonly #blobs = new Map<Digest, Uint8Array>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(digest: Digest): Uint8Array | undefined {
    const bytes = this.#blobs.get(digest);
    if (bytes) {
      this.#blobs.delete(digest);
      this.#blobs.set(digest, bytes);
    }
    return bytes;
  }

  /** Keeps `bytes` themselves, not a copy. What is larger than the whole cache is not kept. */
  put(digest: Digest, bytes: Uint8Array): void {
    if (this.#blobs.has(digest) || bytes.length > this.#maxBytes) return;
    this.#blobs.set(digest, bytes);
    this.#sizeBytes += bytes.length;
    for (const [old, { length }] of this.#blobs) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#blobs.delete(old);
      this.#sizeBytes -= length;
    }
  }

  clear(): void {
    this.#blobs.clear();
    this.#sizeBytes = 0;
  }
}
