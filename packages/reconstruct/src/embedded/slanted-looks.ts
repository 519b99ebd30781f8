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

/** Until it is made it ends with the job that asked for it, so that no other job can have it. */
type Look = { readonly slants: Promise<Slants>; readonly signal: AbortSignal | undefined; made: boolean };

export class SlantedLooks {
  readonly #kernels: Pick<FrontEnd, "grey" | "slants" | "matchAslant">;
  readonly #shelf: Shelf;
  readonly #sizes = new Map<number, Size>();
  /** Those asked for last are at the end. */
  readonly #looks = new Map<number, Look>();

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
    const known = this.#looks.get(view);
    this.#looks.delete(view);
    const look = known && (known.made || known.signal === signal) ? known : this.#look(view, signal);
    this.#looks.set(view, look);
    const [oldest] = this.#looks.keys();
    if (this.#looks.size > HELD) this.#looks.delete(oldest);
    return look.slants;
  }

  #look(view: number, signal: AbortSignal | undefined): Look {
    const slants = this.#kernels.slants(this.#picture(view), signal ? { signal } : {});
    const look = { slants, signal, made: false };
    const forget = () => {
      if (this.#looks.get(view) === look) this.#looks.delete(view);
    };
    slants.then(() => {
      look.made = true;
    }, forget);
    return look;
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
