/** Point clouds that came from outside services, by name: the newest of each, and as many as fit (HUB-41, HUB-92). */
const KEPT_BYTES = 64 * 2 ** 20;

export class PlyFiles {
  readonly #files = new Map<string, Buffer>();
  #bytes = 0;

  /** The oldest make way; one that is larger than all may be is not kept. */
  put(name: string, bytes: Buffer): void {
    this.#remove(name);
    this.#files.set(name, bytes);
    this.#bytes += bytes.length;
    for (const oldest of this.#files.keys()) {
      if (this.#bytes <= KEPT_BYTES) break;
      this.#remove(oldest);
    }
  }

  get(name: string): Buffer | undefined {
    return this.#files.get(name);
  }

  #remove(name: string): void {
    this.#bytes -= this.#files.get(name)?.length ?? 0;
    this.#files.delete(name);
  }
}
