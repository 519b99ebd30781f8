/**
 * Pictures and depth maps of all photos, of which memory holds a bounded part: those that nobody has asked for longest
 * are on disk. What was put here is always found again.
 */
import type { Extent, Scratch } from "./scratch.ts";

/**
 * The bound of what the dense stage holds in memory between its steps. Five hundred photos of a space have about one
 * and a half gigabytes of pictures and depth; a step looks at about a dozen.
 */
export const SHELF_BYTES = 256 * 2 ** 20;

type Item = { bytes: Uint8Array | undefined; extent: Extent | undefined };

export class Shelf {
  readonly #scratch: Scratch;
  readonly #maxBytes: number;
  /** Those asked for last are at the end. */
  readonly #items = new Map<string, Item>();
  #heldBytes = 0;

  constructor(scratch: Scratch, maxBytes = SHELF_BYTES) {
    this.#scratch = scratch;
    this.#maxBytes = maxBytes;
  }

  /** In memory now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** `bytes` are kept, not copied, and must not change any more. */
  put(key: string, bytes: Uint8Array): void {
    this.drop(key);
    this.#items.set(key, { bytes, extent: undefined });
    this.#heldBytes += bytes.byteLength;
    this.#makeRoom(key);
  }

  /** Only to be read. */
  get(key: string): Uint8Array | undefined {
    const item = this.#items.get(key);
    if (!item) return undefined;
    this.#items.delete(key);
    this.#items.set(key, item);
    if (item.bytes) return item.bytes;
    const extent = item.extent!;
    const bytes = new Uint8Array(extent.sizeBytes);
    this.#scratch.read(extent, bytes);
    item.bytes = bytes;
    this.#heldBytes += bytes.byteLength;
    this.#makeRoom(key);
    return bytes;
  }

  drop(key: string): void {
    const item = this.#items.get(key);
    if (!item) return;
    this.#items.delete(key);
    if (item.bytes) this.#heldBytes -= item.bytes.byteLength;
    if (item.extent) this.#scratch.free(item.extent);
  }

  #makeRoom(inUse: string): void {
    if (this.#heldBytes <= this.#maxBytes) return;
    for (const [key, item] of this.#items) {
      if (!item.bytes || key === inUse) continue;
      // Written once: it never changes.
      item.extent ??= this.#scratch.write(item.bytes);
      this.#heldBytes -= item.bytes.byteLength;
      item.bytes = undefined;
      if (this.#heldBytes <= this.#maxBytes) return;
    }
  }
}
