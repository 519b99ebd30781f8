/**
 * Gives photos that were zoomed, and nobody said so, a lens of their own, the one that they share back where they were not,
 * and one to those of a camera that was told in several ways. A lens is known to every scene, shown or not.
 */
import type { Refinement } from "./grow.ts";
import type { LensTrust } from "./lens-trust.ts";
import { SAME_FOCAL, sameLenses } from "./same-lens.ts";
import type { Scene } from "./scene.ts";
import type { Lenses, View } from "./view.ts";
import { takePlace } from "./zoom.ts";

/** What has to know of a lens: a scene, or all places beside it. */
type Knowing = Pick<Scene, "addLens" | "lensChanged">;

type OwnLensesOptions = {
  readonly views: View[];
  readonly lenses: Lenses;
  readonly trust: LensTrust;
};

export class OwnLenses {
  readonly #views: View[];
  readonly #lenses: Lenses;
  readonly #trust: LensTrust;

  constructor({ views, lenses, trust }: OwnLensesOptions) {
    this.#views = views;
    this.#lenses = lenses;
    this.#trust = trust;
  }

  /**
   * @param focalPx decoded pixels
   * @param scene the one that said so
   * @param all that are to know it, this one among them
   */
  split(view: number, focalPx: number, scene: Scene, all: readonly Knowing[]): void {
    const { lens } = this.#views[view];
    const own = this.#lenses.zoomed(lens);
    for (const each of all) each.addLens(Float64Array.of(focalPx, focalPx, 0, 0, 0, 0));
    this.#change(view, own, all);
    this.#trust.splitOff(own, lens, scene);
  }

  /**
   * Photos that were taken for zoomed beside one that was, and are not, get the lens back that they share; and those
   * that have found no place with their own, or were asked before it was known where that lens looks, to be asked again.
   * @param scene as it was refined
   * @param all that are to know it, this one among them
   * @returns whether there were such
   */
  rejoin(scene: Scene, all: readonly Knowing[]): boolean {
    let rejoined = false;
    for (const [own, base] of this.#trust.splits) {
      const ratio = scene.calibration(own)[0] / scene.calibration(base)[0];
      const isPlaced = scene.posedWith(own) > 0;
      const isOther = isPlaced && Math.abs(Math.log(ratio)) > SAME_FOCAL;
      const isOutdated = this.#trust.isOutdated(scene, own);
      if (scene.posedWith(base) === 0 || (isOther && !isOutdated)) continue;
      for (const { index, lens } of this.#views) {
        if (lens !== own) continue;
        if (isOther && scene.isPosed(index)) takePlace(scene, index);
        this.#change(index, base, all);
      }
      this.#trust.rejoined(own);
      rejoined = true;
    }
    return rejoined;
  }

  /**
   * Photos of one camera that was told in several ways share a lens from then on.
   * @param refined the scene that said so, and how sure it is
   * @param all that are to know it, this one among them
   * @returns whether there were such
   */
  join(
    { scene, sureness }: { readonly scene: Scene; readonly sureness?: Refinement | undefined },
    all: readonly Knowing[],
    stop: () => void,
  ): boolean {
    const zoomed = new Set(this.#trust.splits.map(([own]) => own));
    const isZoomed = (lens: number) => zoomed.has(lens);
    const joined = sureness ? sameLenses(scene, this.#lenses.list, sureness, isZoomed, stop) : [];
    for (const [own, base] of joined) {
      for (const { index, lens } of this.#views) if (lens === own) this.#change(index, base, all);
      this.#lenses.join(own, base);
      this.#trust.joined(own, base);
    }
    return joined.length > 0;
  }

  #change(view: number, lens: number, all: readonly Knowing[]): void {
    this.#views[view] = { ...this.#views[view], lens };
    for (const each of all) each.lensChanged(view);
  }
}
