/**
 * One camera may be told in several ways: some photos have EXIF and others lost it, or EXIF was rounded otherwise. Each way
 * begins as a lens of its own, since nobody knows better; what a rebuild finds of them tells that they are one. Found from
 * fewer photos each is less sure, and the model with it (measured: fountain-P11 with EXIF of two kinds and none in turn
 * 5.0 mm off, as one lens 2.2; Herz-Jesus-P8 9.7 and 4.6).
 */
import { adjust } from "./adjust.ts";
import type { Refinement } from "./grow.ts";
import type { Lens } from "./lens.ts";
import { lossOfScene } from "./noise.ts";
import { misfits } from "./off-centre.ts";
import { principalLenses } from "./principal.ts";
import type { Scene } from "./scene.ts";
import { focalSigmas, isMeasured, isOpen } from "./sureness.ts";

/** A lens, and the one that its photos were taken with. */
export type SameLens = readonly [own: number, base: number];

/** Farther apart, in the logarithm, lenses are two however unsure they are: nobody zooms by less. */
export const SAME_FOCAL = 0.03;

const ITERATIONS = 20;
/**
 * With one lens for both their photos may fit worse by this part. Measured: at most 0.0023 where they are one (the two sets
 * above); 0.6 to 3 where they look straight ahead 10 to 40 px apart or one bends light by 0.15 to 0.2 (k1) more.
 */
const MOST_LOSS = 0.02;

/**
 * Lenses of photos of one size whose focal lengths, as a rebuild found them, agree to within one standard deviation, and
 * with one lens for both their photos fit as well. What somebody gave stays by itself.
 * @param isOther whether a lens is one of photos that were zoomed, which are judged elsewhere
 */
export function sameLenses(
  scene: Scene,
  lenses: readonly Lens[],
  sureness: Refinement,
  isOther: (lens: number) => boolean,
  stop: () => void,
): SameLens[] {
  const sigmas = focalSigmas(sureness, scene.calibrations);
  const sizes = sizesOf(scene);
  const isAsked = (lens: number) => {
    return lenses[lens].source !== "given" && !sureness.offCentre.has(lens) && !isOther(lens);
  };
  // The others join the one that most photos have told.
  const order = [...sizes.keys()].filter(isAsked).sort((a, b) => scene.posedWith(b) - scene.posedWith(a) || a - b);
  const joined = new Map<number, number>();
  for (const [place, own] of order.entries()) {
    const base = order.slice(0, place).find((each) => {
      if (joined.has(each) || sizes.get(each) !== sizes.get(own)) return false;
      if (!isMeasured(sigmas[each]) || !(sigmas[own] > 0) || isOpen(sigmas[own])) return false;
      const apart = Math.abs(Math.log(scene.calibration(own)[0] / scene.calibration(each)[0]));
      if (apart > Math.min(SAME_FOCAL, Math.hypot(sigmas[own], sigmas[each]))) return false;
      return fitsBoth(scene, lenses, sureness, [own, each], stop);
    });
    if (base !== undefined) joined.set(own, base);
  }
  return [...joined];
}

/** Whether the photos of two lenses fit as well with one for both: a copy is adjusted with that. */
function fitsBoth(
  scene: Scene,
  lenses: readonly Lens[],
  sureness: Refinement,
  [own, base]: SameLens,
  stop: () => void,
): boolean {
  const lossPx = lossOfScene(scene);
  const misfit = (of: Scene) =>
    [own, base].flatMap((lens) => [...misfits(of, lens, lossPx).values()]).reduce((sum, cost) => sum + cost, 0);
  const shared = scene.clone(scene.views.map((view) => (view.lens === own ? { ...view, lens: base } : view)));
  for (const index of shared.posed) shared.lensChanged(index);
  const principal = principalLenses(shared, lenses, sureness);
  adjust(shared, { iterations: ITERATIONS, lenses, principal, lossPx, fine: true, stop });
  return misfit(shared) <= (1 + MOST_LOSS) * misfit(scene);
}

/** Of lenses with a posed photo: how large that is at full size and as decoded, whichever way it was held. */
function sizesOf(scene: Scene): Map<number, string> {
  const sizes = new Map<number, string>();
  for (const index of scene.posed) {
    const { lens, photo } = scene.views[index];
    const sides = [photo.fullWidthPx, photo.fullHeightPx].sort((a, b) => b - a);
    sizes.set(lens, `${sides.join("x")} ${Math.max(photo.widthPx, photo.heightPx)}`);
  }
  return sizes;
}
