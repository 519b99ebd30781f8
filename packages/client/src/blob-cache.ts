/** Bytes of blobs by name (a digest, a range), bounded: those used longest ago go first. None goes stale. */
export class BlobCache {
  readonly #maxBytes: number;
  readonly #blobs = new Map<string, Uint8Array>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(name: string): Uint8Array | undefined {
    const bytes = this.#blobs.get(name);
    if (bytes) {
      this.#blobs.delete(name);
      this.#blobs.set(name, bytes);
    }
    return bytes;
  }

  /** Keeps `bytes` themselves, not a copy. What is larger than the whole cache is not kept. */
  put(name: string, bytes: Uint8Array): void {
    if (this.#blobs.has(name) || bytes.length > this.#maxBytes) return;
    this.#blobs.set(name, bytes);
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
