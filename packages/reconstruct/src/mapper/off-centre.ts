/**
 * Photos that were cut out of others, or framed unevenly, look straight ahead far from their middle. Left in the middle
 * the principal point costs such a model most of its accuracy, and nothing shows (measured: castle-P19 without its upper
 * 167 rows 0.37 m off, with its principal point found 0.026 m, as uncut). But one far off may also make up for a way in
 * which the lens bends light that the model lacks. So it has to explain more than such a remainder could.
 *
 * Residuals of which a share s leans one way move a parameter by √(1 + 2 s n) of its standard deviation (`swelling`); what
 * takes a share g of their energy away is √(g / s) of that off. This is the F-test of nested models (Seber and Lee,
 * Linear Regression Analysis, 2nd ed., § 4.3) with that share in the place of chance.
 */
import type { Lens } from "./lens.ts";
import { finenessOf } from "./noise.ts";
import type { Scene } from "./scene.ts";
import { observationErrorPx } from "./structure.ts";
import { SYSTEMATIC_OF_PRINCIPAL } from "./sureness.ts";

/**
 * So many standard deviations off the middle, by what it explains. Measured: 3.1 to 3.4 where a compact camera's is
 * found 60 px of 1600 off and is not there; 7.4 with an uneven frame (45 px), 14 and more in photos that were cut.
 */
const SIGMAS = 5;
/** Of a lens's photos so many must each be explained better: all were cut alike. */
const AGREEING = 3 / 4;
/** Outside of the photo there is no telling it from a turn of the cameras. */
const FARTHEST = 0.5;

/** `denied`: it is not in the middle, but where it was found it is no good either. */
export type OffCentre = "found" | "denied" | "refused";

/**
 * Whether a principal point is where it was found, far from the middle.
 * @param middle the same scene, adjusted with that lens's principal point in the middle
 * @param lossPx scale of Cauchy's loss in both adjustments, pixels of a fine feature
 */
export function judgeOffCentre(
  scene: Scene,
  middle: Scene,
  index: number,
  { longSidePx }: Pick<Lens, "longSidePx">,
  lossPx: number,
): OffCentre {
  const [found, without] = [scene, middle].map((each) => misfits(each, index, lossPx));
  const [least, most] = [found, without].map((each) => [...each.values()].reduce((sum, cost) => sum + cost, 0));
  if (most - least <= SIGMAS ** 2 * SYSTEMATIC_OF_PRINCIPAL * least) return "refused";
  const better = [...found].filter(([view, cost]) => cost < without.get(view)!).length;
  const [cx, cy] = scene.calibration(index).subarray(2, 4);
  const isInside = Math.hypot(cx, cy) <= FARTHEST * longSidePx;
  return isInside && better >= AGREEING * found.size ? "found" : "denied";
}

/** Per posed view of a lens, how badly its features fit: Cauchy's loss without its scale. */
export function misfits(scene: Scene, lens: number, lossPx: number): Map<number, number> {
  const costs = new Map<number, number>();
  for (const { point, views, features, fits } of scene.tracks.all()) {
    if (!point) continue;
    for (const [k, view] of views.entries()) {
      const { lens: own, places } = scene.views[view];
      if (own !== lens || !fits[k] || !scene.isPosed(view)) continue;
      const errorPx = observationErrorPx(scene, point, view, features[k]) * finenessOf(places.scale[features[k]]);
      costs.set(view, (costs.get(view) ?? 0) + Math.log1p((errorPx / lossPx) ** 2));
    }
  }
  return costs;
}
