/** Looks at photos from the side: keeps what that takes of each, and what it showed of the last few. */
import type { FrontEnd } from "../features/front-end.ts";
import type { Grey } from "../features/grey.ts";
import type { SlantSide } from "../features/slant-matches.ts";
import type { Slants } from "../features/slants.ts";
import type { SeenAslant } from "../mapper/aslant.ts";
import type { Tie } from "../mapper/unsure.ts";
import type { View } from "../mapper/view.ts";
import type { Shelf } from "./shelf.ts";

/** Photos whose slants are in memory, some 2 MB each. */
const HELD = 24;

type Size = Pick<Grey, "widthPx" | "heightPx">;

export class SlantedLooks {
  readonly #kernels: Pick<FrontEnd, "grey" | "slants" | "matchAslant">;
  readonly #shelf: Shelf;
  readonly #sizes = new Map<number, Size>();
  /** Those asked for last are at the end. */
  readonly #slants = new Map<number, Promise<Slants>>();

  constructor(kernels: Pick<FrontEnd, "grey" | "slants" | "matchAslant">, shelf: Shelf) {
    this.#kernels = kernels;
    this.#shelf = shelf;
  }

  /** What is kept of a photo. */
  grey({ rgb, widthPx, heightPx }: { rgb: Uint8Array; widthPx: number; heightPx: number }): Promise<Grey> {
    return this.#kernels.grey(rgb, widthPx, heightPx);
  }

  keep(view: number, { grey, widthPx, heightPx }: Grey): void {
    this.#sizes.set(view, { widthPx, heightPx });
    this.#shelf.put(keyOf(view), grey);
  }

  /** What the two share. Of photos that were kept. */
  async see({ a, b }: Tie, views: readonly View[], signal?: AbortSignal): Promise<SeenAslant> {
    const sides = await Promise.all([this.#side(views[a], signal), this.#side(views[b], signal)]);
    const matches = await this.#kernels.matchAslant(...sides, signal ? { signal } : {});
    return { a, b, matches, sides };
  }

  async #side(view: View, signal: AbortSignal | undefined): Promise<SlantSide> {
    return { features: view.features, slants: await this.#slantsOf(view.index, signal) };
  }

  #slantsOf(view: number, signal: AbortSignal | undefined): Promise<Slants> {
    const known = this.#slants.get(view);
    this.#slants.delete(view);
    const slants = known ?? this.#kernels.slants(this.#picture(view), signal ? { signal } : {});
    this.#slants.set(view, slants);
    // A look that was cancelled is had again when it is asked for again.
    if (!known) slants.catch(() => this.#slants.delete(view));
    const [oldest] = this.#slants.keys();
    if (this.#slants.size > HELD) this.#slants.delete(oldest);
    return slants;
  }

  #picture(view: number): Grey {
    const grey = this.#shelf.get(keyOf(view));
    if (!grey) throw new RangeError(`nothing is kept of view ${view}`);
    return { grey: new Uint8Array(grey), ...this.#sizes.get(view)! };
  }
}

function keyOf(view: number): string {
  return `grey-${view}`;
}
