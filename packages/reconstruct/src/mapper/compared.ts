/** Which photos were compared with one another, and how much alike they look. */
import type { Tie } from "./unsure.ts";

type Nearest = { readonly view: number; readonly matches: number };

export class Compared {
  /** Per view, the earlier views it was compared with, and how many features look alike. */
  readonly #earlier: Map<number, number>[] = [];
  readonly #nearest: Nearest[] = [];

  addView(): void {
    this.#earlier.push(new Map());
  }

  /** @param matches features of the two that look alike, before any geometry */
  note(view: number, earlier: number, matches: number): void {
    this.#earlier[view].set(earlier, matches);
    this.#noteNearest(view, earlier, matches);
    this.#noteNearest(earlier, view, matches);
  }

  has(view: number, earlier: number): boolean {
    return this.#earlier[view].has(earlier);
  }

  /** How many features look alike; undefined of photos that were not compared. */
  likenessOf({ a, b }: Tie): number | undefined {
    return this.#earlier[b].get(a);
  }

  /** The view that one looks most like, and how many features look alike. */
  nearestOf(view: number): Nearest | undefined {
    return this.#nearest[view];
  }

  #noteNearest(view: number, other: number, matches: number): void {
    if (matches > (this.#nearest[view]?.matches ?? 0)) this.#nearest[view] = { view: other, matches };
  }
}
