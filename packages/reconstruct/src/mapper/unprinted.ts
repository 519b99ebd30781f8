/**
 * Keeps what is printed on the photos out of their ties: out of those to come as far as it is known or they tell, and out
 * of those that were there before it was known.
 */
import type { Pair } from "./pair.ts";
import type { PairChecks } from "./pair-checks.ts";
import { Printed } from "./printed.ts";
import type { Scene } from "./scene.ts";
import type { View } from "./view.ts";

/** Up to this many photos pairs are looked at anew as soon as something is seen to be printed on the photos. */
const FEW_VIEWS = 20;

/** Matches of a new photo with an earlier one: `[m, 2]`, the earlier photo's feature first. */
export type Candidate = { readonly other: number; readonly matches: Int32Array };

type UnprintedOptions = {
  readonly views: readonly View[];
  readonly checks: Pick<PairChecks, "unprinted">;
};

export class Unprinted {
  readonly #views: readonly View[];
  readonly #checks: UnprintedOptions["checks"];
  readonly #printed = new Printed();
  /** Something is printed on the photos that was not known when pairs were verified. */
  #isNews = false;

  constructor({ views, checks }: UnprintedOptions) {
    this.#views = views;
    this.#checks = checks;
  }

  /** The candidates of a photo without what is printed. */
  candidatesOf(view: number, candidates: readonly Candidate[]): Candidate[] {
    const pairs = candidates.map(({ other, matches }) => ({ a: other, b: view, matches }));
    for (const pair of pairs) if (this.#printed.learn(this.#views, pair)) this.#isNews = true;
    return pairs.map((pair) => ({ other: pair.a, matches: this.#printed.without(this.#views, pair) }));
  }

  /** Whether pairs are to be looked at anew before the next rebuild does. */
  isDue(): boolean {
    return this.#isNews && this.#views.length <= FEW_VIEWS;
  }

  /** The pairs without what is printed, and whether any of them tied photos by it. */
  settle(scene: Scene, pairs: readonly Pair[], stop: () => void): { pairs: Pair[]; isChanged: boolean } {
    const without = this.of(scene, pairs, stop);
    this.#isNews = false;
    const isChanged = without.length < pairs.length || without.some((pair, k) => pair.kept !== pairs[k].kept);
    return { pairs: without, isChanged };
  }

  /** @returns forgets what was learned since, and that ties by it were looked at */
  mark(): () => void {
    const [isNews, goBack] = [this.#isNews, this.#printed.mark()];
    return () => {
      this.#isNews = isNews;
      goBack();
    };
  }

  /** The pairs without what is printed, verified again where that was much of them. */
  of(scene: Scene, pairs: readonly Pair[], stop: () => void): Pair[] {
    return this.#checks.unprinted(scene, pairs, this.#printed, stop);
  }
}
