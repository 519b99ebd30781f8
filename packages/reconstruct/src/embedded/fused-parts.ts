/**
 * Fused points of a rebuild, part by part, until all are there and become one list. They wait on the shelf: beside that
 * list memory never holds a second one of its size.
 */
import type { FusedPart } from "../dense/fusion-jobs.ts";
import type { Shelf } from "./shelf.ts";

/** What is handed out of the fused points. */
export type DensePoints = Pick<FusedPart, "positions" | "colors" | "confidences" | "source">;

export class FusedParts implements Iterable<DensePoints> {
  readonly #shelf: Shelf;
  /** Points of each part. */
  #counts: number[] = [];

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  /** Points in all parts. */
  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Parts may come in any order. They are kept, not copied, and must not change any more. */
  put(part: number, { positions, colors, confidences, source }: DensePoints): void {
    this.#counts[part] = source.length;
    if (source.length === 0) return;
    this.#shelf.put(keyOf(part, "positions"), bytesOf(positions));
    this.#shelf.put(keyOf(part, "colors"), colors);
    this.#shelf.put(keyOf(part, "confidences"), confidences);
    this.#shelf.put(keyOf(part, "source"), bytesOf(source));
  }

  /** In the order of their numbers; each only once, for it is not kept any longer. */
  *[Symbol.iterator](): Generator<DensePoints> {
    for (const [part, count] of this.#counts.entries()) {
      if (count === 0) continue;
      const positions = this.#take(part, "positions");
      const colors = this.#take(part, "colors");
      const confidences = this.#take(part, "confidences");
      const source = this.#take(part, "source");
      this.#counts[part] = 0;
      yield {
        positions: new Float32Array(positions.buffer, positions.byteOffset, positions.byteLength / 4),
        colors,
        confidences,
        source: new Uint32Array(source.buffer, source.byteOffset, source.byteLength / 4),
      };
    }
    this.#counts = [];
  }

  clear(): void {
    for (const part of this.#counts.keys()) for (const field of FIELDS) this.#shelf.drop(keyOf(part, field));
    this.#counts = [];
  }

  #take(part: number, field: Field): Uint8Array {
    const key = keyOf(part, field);
    const bytes = this.#shelf.get(key)!;
    this.#shelf.drop(key);
    return bytes;
  }
}

const FIELDS = ["positions", "colors", "confidences", "source"] as const satisfies (keyof DensePoints)[];
type Field = (typeof FIELDS)[number];

const keyOf = (part: number, field: Field): string => `fused ${part} ${field}`;
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
