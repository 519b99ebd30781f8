/**
 * Where a camera looks straight ahead: its principal point. It lies some pixels off the photo's middle in most cameras
 * (surveyed: 7.7 and 8.7 of 1600 px in the one that fountain-P11, Herz-Jesus-P8 and castle-P19 were taken with); left
 * there, that costs half of the accuracy (measured: fountain-P11 5.5 mm against 2.3, Herz-Jesus-P8 9.2 against 6.1,
 * castle-P19 0.17 m against 0.08).
 *
 * Photos do not tell each of its coordinates equally well. Of nine from around a thing, 40 degrees apart, all cameras may
 * look a little lower and the point lie a little lower: it was found right to 1.3 px across and 5 to 10 px too low, and
 * all were turned by that. So each is found by the photos alone where they say more than one knows without them, and
 * elsewhere by both, weighed as Bayes has it.
 */
import {
  type BundleCovariance,
  CALIBRATION_SIZE,
  type CalibrationParameter,
  type CalibrationPrior,
} from "@cairn/geometry";
import type { Lens } from "./lens.ts";
import type { OffCentre } from "./off-centre.ts";
import type { Scene } from "./scene.ts";
import { SYSTEMATIC_OF_PRINCIPAL, swelling } from "./sureness.ts";

/** How near the middle each coordinate is believed to be: one standard deviation, pixels, as an adjustment weighs it. */
type Belief = { readonly cx: number; readonly cy: number };
/** Lenses whose principal point may change, by index. */
export type FreePrincipals = ReadonlyMap<number, Belief>;

const AXES = ["cx", "cy"] as const;
/** Where a calibration has them. */
const AT = { cx: 2, cy: 3 } as const;
/**
 * With these it may be told: left in the middle, four neighbours of the three sets above are turned by 0.04 to 0.20
 * degrees, with it found by 0.02 to 0.07.
 */
const PRINCIPAL_VIEWS = 4;
/** One standard deviation of what is known without photos, of the long side. */
const PRINCIPAL_SIGMA = 0.005;
/** Farther off no camera has it: there the lens bends light in a way that the model lacks, or the photos were cut. */
const PRINCIPAL_LIMIT = 0.015;
/** The same of photos that were cut: how far off is anybody's guess. */
const CUT_SIGMA = 0.25;
/** Where the focal length is less sure than this, as a part, the scene is too flat or too thin. */
const PRINCIPAL_FOCAL_SIGMA = 0.002;

/** Lenses whose principal point the scene can tell from a turn of the cameras. Over flat ground it stays: there it can't be told. */
export function principalLenses(scene: Scene, lenses: readonly Lens[], sureness: BundleCovariance): FreePrincipals {
  const found = new Map<number, Belief>();
  for (const [index, lens] of lenses.entries()) {
    const views = scene.posed.filter((view) => scene.views[view].lens === index);
    const sizes = new Set(views.map((view) => scene.views[view].photo.widthPx));
    const at = index * CALIBRATION_SIZE;
    const focalSigma = sureness.calibrationSigma[at] / scene.calibrations[at];
    // An upright and a sideways photo have it in different places.
    if (lens.source === "given" || sizes.size !== 1 || views.length < PRINCIPAL_VIEWS) continue;
    if (focalSigma > 0 && focalSigma < PRINCIPAL_FOCAL_SIGMA) found.set(index, beliefOf(lens));
  }
  return found;
}

/** What is known of a principal point without photos. */
export function beliefOf({ longSidePx }: Pick<Lens, "longSidePx">): Belief {
  return { cx: PRINCIPAL_SIGMA * longSidePx, cy: PRINCIPAL_SIGMA * longSidePx };
}

/** @param refine what of the lens may change */
export function principalPriors(
  free: FreePrincipals,
  calibration: number,
  refine: readonly CalibrationParameter[],
): CalibrationPrior[] {
  const belief = free.get(calibration);
  if (!belief) return [];
  return AXES.filter((axis) => refine.includes(axis)).map((parameter) => {
    return { calibration, parameter, value: 0, sigma: belief[parameter] };
  });
}

/** Puts the principal points back that are not to be found: those of an earlier rebuild, too. */
export function putUnsoughtBack(scene: Scene, lenses: readonly Lens[], free: FreePrincipals): void {
  for (const [index, { source }] of lenses.entries()) {
    if (source !== "given" && !free.has(index)) putBack(scene, index);
  }
}

/**
 * Puts the principal points back that were found farther from the centre than cameras have it, unless the photos were
 * cut: then nothing more is believed of it (measured: 44 px of 1600 on a compact camera is not so, 8 where it is 8).
 * @param judge whether one is where it was found
 * @returns those that stay free, and those that are not in the middle, but found nowhere else
 */
export function believablePrincipals(
  scene: Scene,
  lenses: readonly Lens[],
  free: FreePrincipals,
  judge: (lens: number) => OffCentre,
): { readonly kept: FreePrincipals; readonly denied: readonly number[] } {
  const kept = new Map<number, Belief>();
  const denied: number[] = [];
  for (const [index, belief] of free) {
    const { longSidePx } = lenses[index];
    const [cx, cy] = scene.calibration(index).subarray(AT.cx);
    const judged = belief.cx > PRINCIPAL_SIGMA * longSidePx || Math.hypot(cx, cy) <= PRINCIPAL_LIMIT * longSidePx;
    const word = judged ? undefined : judge(index);
    if (word === undefined) kept.set(index, belief);
    else if (word === "found") kept.set(index, { cx: CUT_SIGMA * longSidePx, cy: CUT_SIGMA * longSidePx });
    else putBack(scene, index);
    if (word === "denied") denied.push(index);
  }
  return { kept, denied };
}

export function putBack(scene: Scene, lens: number): void {
  const calibration = scene.calibration(lens).slice();
  if (calibration[AT.cx] === 0 && calibration[AT.cy] === 0) return;
  calibration[AT.cx] = calibration[AT.cy] = 0;
  scene.setCalibration(lens, calibration);
}

/**
 * Of coordinates of which the photos say less than one knows without them, what is known gets its due weight. An
 * adjustment takes every residual for chance and for σ = 1, so that thousands would outweigh any belief: it has to count
 * for as much more as they count for too much.
 * @param sureness of the adjustment that has just found them
 * @returns undefined where the photos say more of all
 */
export function heldPrincipals(
  free: FreePrincipals,
  sureness: Pick<BundleCovariance, "calibrationSigma" | "pixelSigma"> & { readonly observations: Int32Array },
): FreePrincipals | undefined {
  const { calibrationSigma, pixelSigma, observations } = sureness;
  const held = new Map(free);
  let changed = false;
  for (const [index, belief] of free) {
    const swollen = swelling(SYSTEMATIC_OF_PRINCIPAL, observations[index]);
    for (const axis of AXES) {
      const toldPx = swollen * calibrationSigma[index * CALIBRATION_SIZE + AT[axis]];
      if (toldPx <= belief[axis]) continue;
      held.set(index, { ...(held.get(index) ?? belief), [axis]: belief[axis] / (swollen * pixelSigma) });
      changed = true;
    }
  }
  return changed ? held : undefined;
}
