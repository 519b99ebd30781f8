/**
 * How far matches of two photos may lie from their epipolar lines: what passed while a focal length was doubtful is held
 * to less when it is known.
 */
import type { LensTrust } from "./lens-trust.ts";
import { type Pair, verifyPair } from "./pair.ts";
import type { Printed } from "./printed.ts";
import type { Scene } from "./scene.ts";
import type { View } from "./view.ts";

/** With the focal length known a match lies this near its epipolar line, decoded pixels. */
const PAIR_ERROR_PX = 2;
const UNSURE_PAIR_ERROR_PX = 4;
/** Pairs are verified again when a focal length has changed by this part. */
const RECHECK_CHANGE = 0.05;
/** Pairs are verified again when so large a part of what they kept is printed on the photos. */
const RECHECK_PRINTED = 0.1;

type PairChecksOptions = {
  readonly views: readonly View[];
  readonly trust: LensTrust;
  readonly seed: number;
};

export class PairChecks {
  readonly #views: readonly View[];
  readonly #trust: LensTrust;
  readonly #seed: number;

  constructor({ views, trust, seed }: PairChecksOptions) {
    this.#views = views;
    this.#trust = trust;
    this.#seed = seed;
  }

  /** Decoded pixels. @param measured lenses that a refined scene has measured, which nothing was learned from yet */
  errorPx({ a, b }: Pick<Pair, "a" | "b">, measured?: ReadonlySet<number>): number {
    const sure = [a, b].every((view) => this.#trust.isCertain(this.#views[view].lens, measured));
    return sure ? PAIR_ERROR_PX : UNSURE_PAIR_ERROR_PX;
  }

  /** Verifies pairs again whose lenses have changed much since, or are known better. Those that no longer hold are left out. */
  again(scene: Scene, pairs: readonly Pair[], stop: () => void, measured?: ReadonlySet<number>): Pair[] {
    return pairs.flatMap((pair) => {
      const { a, b, matches, focals } = pair;
      const errorPx = this.errorPx(pair, measured);
      const changed = [a, b].some((view, side) => Math.abs(scene.focal(view) / focals[side] - 1) > RECHECK_CHANGE);
      if (!changed && errorPx >= pair.errorPx) return [pair];
      stop();
      return verifyPair(scene, a, b, matches, errorPx, this.#seed) ?? [];
    });
  }

  /** The pairs without what is printed on the photos. Those that no longer hold are left out. */
  unprinted(scene: Scene, pairs: readonly Pair[], printed: Printed, stop: () => void): Pair[] {
    return pairs.flatMap((pair) => {
      const matches = printed.without(this.#views, pair);
      if (matches === pair.matches) return [pair];
      const kept = printed.without(this.#views, { ...pair, matches: pair.kept });
      if (kept.length >= (1 - RECHECK_PRINTED) * pair.kept.length) return [{ ...pair, matches, kept }];
      stop();
      return verifyPair(scene, pair.a, pair.b, matches, this.errorPx(pair), this.#seed) ?? [];
    });
  }
}
