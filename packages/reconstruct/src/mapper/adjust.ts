/** Bundle adjustment of a scene: gathers the fitting observations into arrays, adjusts, and puts the result back. */
import {
  type BundleCovariance,
  bundleIterations,
  CALIBRATION_SIZE,
  type CalibrationParameter,
  type CalibrationPrior,
} from "@cairn/geometry";
import { FOCAL_RANGE, type Lens, MAX_DISTORTION } from "./lens.ts";
import type { Scene } from "./scene.ts";
import type { Track } from "./tracks.ts";

type AdjustOptions = {
  readonly iterations: number;
  /** Views whose poses move; all others stay and only the points that these see move. All when left out. */
  readonly free?: ReadonlySet<number>;
  /** Which lenses may change; none when left out. */
  readonly lenses?: readonly Lens[];
  /** Lenses whose principal point may change, too. */
  readonly principal?: ReadonlySet<number>;
  /** Asked between iterations; when it throws, the scene is as it was. */
  readonly stop: () => void;
  /** Also find how sure the lenses are. */
  readonly covariance?: boolean;
};

/** How sure an adjustment is; its `pose` is in the order of `views`. */
export type SceneCovariance = BundleCovariance & { readonly views: readonly number[] };

/** From this many posed photos on the focal length, and the distortion, follow from the scene. */
const FOCAL_VIEWS = 3;
const DISTORTION_VIEWS = 4;
/** EXIF tells the focal length in whole millimetres of another format: measured 3 to 7 % off. */
const EXIF_SIGMA = 0.07;
const DISTORTION_SIGMA = 0.15;
const PRINCIPAL_VIEWS = 6;
/** Of the long side. */
const PRINCIPAL_SIGMA = 0.005;
/** Where the focal length is less sure than this, as a part, the scene is too flat or too thin. */
const PRINCIPAL_FOCAL_SIGMA = 0.002;
const TOLERANCE = 1e-5;

/** @returns how sure the result is, when asked for and when the observations say it */
export function adjust(
  scene: Scene,
  { iterations, free, lenses = [], principal, stop, covariance = false }: AdjustOptions,
): SceneCovariance | undefined {
  const tracks: Track[] = [];
  const involved = new Set<number>(free);
  let observations = 0;
  for (const track of free ? scene.tracks.ofViews(free) : scene.tracks.all()) {
    if (!track.point) continue;
    let seenByFree = free === undefined;
    let fitting = 0;
    for (let k = 0; k < track.views.length; k++) {
      if (!track.fits[k] || !scene.isPosed(track.views[k])) continue;
      fitting++;
      if (free?.has(track.views[k])) seenByFree = true;
    }
    if (fitting < 2 || !seenByFree) continue;
    tracks.push(track);
    observations += fitting;
    for (let k = 0; k < track.views.length; k++) {
      if (track.fits[k] && scene.isPosed(track.views[k])) involved.add(track.views[k]);
    }
  }
  if (observations === 0) return undefined;

  // The first camera holds the frame; views keep the order in which they were posed.
  const views = scene.posed.filter((view) => involved.has(view));
  const placeOf = new Map(views.map((view, place) => [view, place]));
  const poses = new Float64Array(views.length * 12);
  const constantPose = new Uint8Array(views.length);
  for (const [place, view] of views.entries()) {
    poses.set(scene.pose(view), place * 12);
    constantPose[place] = free === undefined ? (place === 0 ? 1 : 0) : free.has(view) ? 0 : 1;
  }
  const points = new Float64Array(tracks.length * 3);
  const observationCamera = new Int32Array(observations);
  const observationPoint = new Int32Array(observations);
  const observationPixels = new Float64Array(observations * 2);
  let at = 0;
  for (const [index, track] of tracks.entries()) {
    points.set(track.point!, index * 3);
    for (let k = 0; k < track.views.length; k++) {
      const place = track.fits[k] ? placeOf.get(track.views[k]) : undefined;
      if (place === undefined) continue;
      const from = scene.views[track.views[k]].pixels;
      observationCamera[at] = place;
      observationPoint[at] = index;
      observationPixels[2 * at] = from[2 * track.features[k]];
      observationPixels[2 * at + 1] = from[2 * track.features[k] + 1];
      at++;
    }
  }
  const calibrations = scene.calibrations.slice();
  const refine = scene.lensIndices().map((lens) => freedomOf(scene, lenses[lens], principal?.has(lens) ?? false));
  const iterating = bundleIterations(
    {
      poses,
      calibrations,
      calibrationOf: Int32Array.from(views, (view) => scene.views[view].lens),
      points,
      observationCamera,
      observationPoint,
      observationPixels,
      constantPose,
      refine,
      priors: lenses.flatMap((lens, index) => priorsOf(lens, index, refine[index])),
    },
    { maxIterations: iterations, tolerance: TOLERANCE, covariance },
  );
  let turn = iterating.next();
  while (!turn.done) {
    stop();
    turn = iterating.next();
  }

  for (const [place, view] of views.entries()) {
    if (!constantPose[place]) scene.setPose(view, poses.subarray(place * 12, place * 12 + 12));
  }
  for (const [index, track] of tracks.entries()) track.point = points.slice(index * 3, index * 3 + 3);
  for (const [index, lens] of lenses.entries()) {
    if (refine[index].length === 0) continue;
    const at = index * CALIBRATION_SIZE;
    scene.setCalibration(index, clamped(lens, calibrations.slice(at, at + CALIBRATION_SIZE)));
  }
  const sureness = turn.value.covariance;
  return sureness && { ...sureness, views };
}

/** What of a lens follows from the scene. */
function freedomOf(scene: Scene, lens: Lens | undefined, principal: boolean): readonly CalibrationParameter[] {
  if (!lens || lens.source === "given" || scene.posed.length < FOCAL_VIEWS) return [];
  if (scene.posed.length < DISTORTION_VIEWS) return ["f"];
  return principal ? ["f", "k1", "cx", "cy"] : ["f", "k1"];
}

/** Beliefs that thousands of observations outweigh, and that hold a lens where there are few. */
function priorsOf(lens: Lens, calibration: number, refine: readonly CalibrationParameter[]): CalibrationPrior[] {
  const priors: CalibrationPrior[] = [];
  if (refine.includes("f") && lens.source === "exif") {
    priors.push({ calibration, parameter: "f", value: lens.priorPx, sigma: EXIF_SIGMA * lens.priorPx });
  }
  if (refine.includes("k1")) priors.push({ calibration, parameter: "k1", value: 0, sigma: DISTORTION_SIGMA });
  for (const parameter of ["cx", "cy"] as const) {
    if (!refine.includes(parameter)) continue;
    priors.push({ calibration, parameter, value: 0, sigma: PRINCIPAL_SIGMA * lens.longSidePx });
  }
  return priors;
}

/**
 * Lenses whose principal point the scene can tell from a turn of the cameras. It lies some pixels off the photo's
 * centre in most cameras; left there, that costs half of the accuracy (measured: fountain-P11 5.5 mm against 2.3,
 * Herz-Jesus-P8 9.2 against 6.1, castle-P19 0.17 m against 0.08). Over flat ground it stays: there it can't be told.
 */
export function principalLenses(scene: Scene, lenses: readonly Lens[], sureness: BundleCovariance): Set<number> {
  const found = new Set<number>();
  for (const [index, lens] of lenses.entries()) {
    const views = scene.posed.filter((view) => scene.views[view].lens === index);
    const sizes = new Set(views.map((view) => scene.views[view].photo.widthPx));
    const at = index * CALIBRATION_SIZE;
    const focalSigma = sureness.calibrationSigma[at] / scene.calibrations[at];
    // An upright and a sideways photo have it in different places.
    if (lens.source === "given" || sizes.size !== 1 || views.length < PRINCIPAL_VIEWS) continue;
    if (focalSigma > 0 && focalSigma < PRINCIPAL_FOCAL_SIGMA) found.add(index);
  }
  return found;
}

/** Keeps a lens believable; `lensSound` tells that it had to. */
function clamped(lens: Lens, calibration: Float64Array): Float64Array {
  const [low, high] = FOCAL_RANGE;
  const f = Math.min(high * lens.longSidePx, Math.max(low * lens.longSidePx, calibration[0]));
  calibration[1] *= f / calibration[0];
  calibration[0] = f;
  for (const k of [4, 5]) calibration[k] = Math.min(MAX_DISTORTION, Math.max(-MAX_DISTORTION, calibration[k]));
  return calibration;
}

/** Whether a calibration lies inside the limits, and not at one. */
export function lensSound(lens: Lens, calibration: Float64Array): boolean {
  const [low, high] = FOCAL_RANGE;
  const part = calibration[0] / lens.longSidePx;
  return part > low * 1.01 && part < high * 0.99 && Math.abs(calibration[4]) < MAX_DISTORTION * 0.99;
}
