/** The last so many of what came: whether something is among them costs the same however many they are. */
export class Recent<T> {
  readonly #ring: T[] = [];
  readonly #known = new Set<T>();
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** @returns false when it is among the last ones: it stays as old as it is then */
  add(value: T): boolean {
    if (this.#known.has(value)) return false;
    const old = this.#ring[this.#next];
    if (old !== undefined) this.#known.delete(old);
    this.#ring[this.#next] = value;
    this.#known.add(value);
    this.#next = (this.#next + 1) % this.#size;
    return true;
  }
}
