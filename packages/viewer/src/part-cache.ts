/** Segments as they came, by what they hold: the same bytes are never fetched twice, whatever generation names them. */

export class PartCache {
  readonly #maxBytes: number;
  readonly #parts = new Map<string, Uint8Array>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  has(hash: string): boolean {
    return this.#parts.has(hash);
  }

  get(hash: string): Uint8Array | undefined {
    const bytes = this.#parts.get(hash);
    if (bytes) {
      this.#parts.delete(hash);
      this.#parts.set(hash, bytes);
    }
    return bytes;
  }

  put(hash: string, bytes: Uint8Array): void {
    if (this.#parts.has(hash) || bytes.length > this.#maxBytes) return;
    // A view into something larger would keep all of that.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
    this.#parts.set(hash, own);
    this.#sizeBytes += own.length;
    for (const [old, { length }] of this.#parts) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#parts.delete(old);
      this.#sizeBytes -= length;
    }
  }

  drop(hash: string): void {
    this.#sizeBytes -= this.#parts.get(hash)?.length ?? 0;
    this.#parts.delete(hash);
  }

  clear(): void {
    this.#parts.clear();
    this.#sizeBytes = 0;
  }
}
