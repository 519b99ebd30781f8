/** Bundle adjustment of a scene: gathers the fitting observations into arrays, adjusts, and puts the result back. */
import {
  type BundleCovariance,
  type BundleOptions,
  type BundleProblem,
  type BundleReport,
  bundleIterations,
  CALIBRATION_SIZE,
  type CalibrationParameter,
  type CalibrationPrior,
  type Loss,
} from "@cairn/geometry";
import { chooseLeaders, hearFewHeld } from "./leaders.ts";
import { focalRangeOf, type Lens, MAX_DISTORTION } from "./lens.ts";
import { FINE_SIGMA_PX, finenessOf } from "./noise.ts";
import { type FreePrincipals, principalPriors } from "./principal.ts";
import type { Scene } from "./scene.ts";
import { placePoint } from "./structure.ts";
import type { Track } from "./tracks.ts";
import { partByWitnesses, type Witnessed } from "./witnesses.ts";

type AdjustOptions = {
  readonly iterations: number;
  /** Views whose poses move; all others stay and only the points that these see move. All when left out. */
  readonly free?: ReadonlySet<number>;
  /** Which lenses may change; none when left out. */
  readonly lenses?: readonly Lens[];
  /** Lenses whose principal point may change, too. */
  readonly principal?: FreePrincipals;
  /** What may change of these lenses, in the place of what the scene is taken to tell. */
  readonly setFree?: ReadonlyMap<number, readonly CalibrationParameter[]>;
  /** Residuals well above this lose their weight, pixels of a fine feature; 1 when left out. */
  readonly lossPx?: number;
  /** Fine features speak for coarse ones where there are enough. */
  readonly fine?: boolean;
  /** Asked between iterations; when it throws, the scene is as it was. */
  readonly stop: () => void;
  /** Also find how sure the lenses are. */
  readonly covariance?: boolean;
};

/** How sure an adjustment is; its `pose` is in the order of `views`. */
export type SceneCovariance = BundleCovariance & {
  readonly views: readonly number[];
  /** `[lenses]` how many observations each lens made. */
  readonly observations: Int32Array;
};

/** From this many posed photos on the focal length, and the distortion, follow from the scene. */
const FOCAL_VIEWS = 3;
const DISTORTION_VIEWS = 4;
/** EXIF tells the focal length in whole millimetres of another format: measured 3 to 7 % off. */
const EXIF_SIGMA = 0.07;
const DISTORTION_SIGMA = 0.15;
const TOLERANCE = 1e-5;
/** What a part of the observations says is not worth more. */
const PART_TOLERANCE = 1e-4;
/** Points alone, each by itself, are soon where they belong. */
const FIT_ITERATIONS = 10;
/** Larger features are coarse. */
const COARSE_SCALE_PX = 4;

/** @returns how sure the result is, when asked for and when the observations say it */
export function adjust(
  scene: Scene,
  {
    iterations,
    free,
    lenses = [],
    principal,
    setFree,
    lossPx = 1,
    fine = false,
    stop,
    covariance = false,
  }: AdjustOptions,
): SceneCovariance | undefined {
  const { led: speaking, following } = partByWitnesses(witnessed(scene, free), fine ? isFineIn(scene) : undefined);
  if (speaking.length === 0) return undefined;
  const led = free ? hearFewHeld(speaking, free) : chooseLeaders(scene, speaking);
  const involved = new Set<number>(free);
  for (const each of led) for (const view of each.views) involved.add(view);

  // The first camera holds the frame; views keep the order in which they were posed.
  const views = scene.posed.filter((view) => involved.has(view));
  const constantPose = new Uint8Array(views.length);
  for (const [place, view] of views.entries()) {
    constantPose[place] = free === undefined ? (place === 0 ? 1 : 0) : free.has(view) ? 0 : 1;
  }
  const refine = scene
    .lensIndices()
    .map((lens) => setFree?.get(lens) ?? freedomOf(scene, lenses[lens], principal?.has(lens) ?? false));
  const problem = problemOf(scene, led, views);
  const loss = { kind: "cauchy", scalePx: lossPx / FINE_SIGMA_PX } as const;
  const report = run(
    {
      ...problem,
      constantPose,
      refine,
      priors: lenses.flatMap((lens, index) => {
        return priorsOf(lens, index, refine[index], scene.calibration(index), principal);
      }),
    },
    { maxIterations: iterations, tolerance: free || led === speaking ? TOLERANCE : PART_TOLERANCE, loss, covariance },
    stop,
  );
  const { poses, calibrations, observationCamera } = problem;
  const points =
    free || led === speaking
      ? problem.points
      : fittedPoints({ ...problemOf(scene, speaking, views), poses, calibrations }, loss, stop);
  for (const [place, view] of views.entries()) {
    if (!constantPose[place]) scene.setPose(view, poses.subarray(place * 12, place * 12 + 12));
  }
  for (const [index, { track }] of speaking.entries()) track.point = points.slice(index * 3, index * 3 + 3);
  for (const [index, lens] of lenses.entries()) {
    if (refine[index].length === 0) continue;
    const at = index * CALIBRATION_SIZE;
    const found = calibrations.slice(at, at + CALIBRATION_SIZE);
    // What is set free to be compared with what is held goes where the photos lead it.
    scene.setCalibration(index, setFree?.has(index) ? found : clamped(lens, found));
  }
  for (const { track, views: seenBy } of following) placePoint(scene, track, seenBy);
  if (!free) scene.adjustedAt = scene.posed.length;
  const sureness = report.covariance;
  if (!sureness) return undefined;
  const ofLens = new Int32Array(calibrations.length / CALIBRATION_SIZE);
  for (const place of observationCamera) ofLens[scene.views[views[place]].lens]++;
  return { ...sureness, views, observations: ofLens };
}

/** The points of a problem as its cameras see them where these stand. */
function fittedPoints(problem: BundleProblem, loss: Loss, stop: () => void): Float64Array {
  const constantPose = new Uint8Array(problem.poses.length / 12).fill(1);
  run({ ...problem, constantPose }, { maxIterations: FIT_ITERATIONS, tolerance: TOLERANCE, loss }, stop);
  return problem.points;
}

function run(problem: BundleProblem, options: BundleOptions, stop: () => void): BundleReport {
  const iterating = bundleIterations(problem, options);
  for (;;) {
    const { done, value } = iterating.next();
    if (done) return value;
    stop();
  }
}

/** The tracks' points, the cameras that see them, and where. @param views those of the tracks, in the problem's order */
function problemOf(scene: Scene, tracks: readonly Witnessed[], views: readonly number[]) {
  const placeOf = new Map(views.map((view, place) => [view, place]));
  const observations = tracks.reduce((sum, { views: seenBy }) => sum + seenBy.length, 0);
  const problem = {
    poses: new Float64Array(views.length * 12),
    calibrations: scene.calibrations.slice(),
    calibrationOf: Int32Array.from(views, (view) => scene.views[view].lens),
    points: new Float64Array(tracks.length * 3),
    observationCamera: new Int32Array(observations),
    observationPoint: new Int32Array(observations),
    observationPixels: new Float64Array(observations * 2),
    observationWeight: new Float64Array(observations),
  };
  for (const [place, view] of views.entries()) problem.poses.set(scene.pose(view), place * 12);
  let at = 0;
  for (const [index, { track, views: seenBy }] of tracks.entries()) {
    problem.points.set(track.point!, index * 3);
    for (const view of seenBy) {
      const feature = track.features[track.views.indexOf(view)];
      const { pixels, places } = scene.views[view];
      problem.observationCamera[at] = placeOf.get(view)!;
      problem.observationPoint[at] = index;
      problem.observationPixels[2 * at] = pixels[2 * feature];
      problem.observationPixels[2 * at + 1] = pixels[2 * feature + 1];
      problem.observationWeight[at] = finenessOf(places.scale[feature]) / FINE_SIGMA_PX;
      at++;
    }
  }
  return problem;
}

/** Tracks with a point that two posed photos or more bear out, one of them free. */
function witnessed(scene: Scene, free: ReadonlySet<number> | undefined): Witnessed[] {
  const found: Witnessed[] = [];
  for (const track of free ? scene.tracks.ofViews(free) : scene.tracks.all()) {
    if (!track.point) continue;
    const views = track.views.filter((view, k) => track.fits[k] && scene.isPosed(view));
    if (views.length >= 2 && (!free || views.some((view) => free.has(view)))) found.push({ track, views });
  }
  return found;
}

const isFineIn =
  ({ views }: Scene) =>
  (track: Track, view: number): boolean =>
    views[view].places.scale[track.features[track.views.indexOf(view)]] <= COARSE_SCALE_PX;

/** What of a lens follows from the scene. */
function freedomOf(scene: Scene, lens: Lens | undefined, principal: boolean): readonly CalibrationParameter[] {
  if (!lens || lens.source === "given" || scene.posed.length < FOCAL_VIEWS) return [];
  if (scene.posed.length < DISTORTION_VIEWS) return ["f"];
  return principal ? ["f", "k1", "cx", "cy"] : ["f", "k1"];
}

/** Beliefs that thousands of observations outweigh, and that hold a lens where there are few. */
function priorsOf(
  lens: Lens,
  calibration: number,
  refine: readonly CalibrationParameter[],
  [, , , , k1]: Float64Array,
  principal: FreePrincipals = new Map(),
): CalibrationPrior[] {
  const priors: CalibrationPrior[] = [];
  if (refine.includes("f") && lens.source === "exif") {
    priors.push({ calibration, parameter: "f", value: lens.priorPx, sigma: EXIF_SIGMA * lens.priorPx });
  }
  if (refine.includes("k1")) {
    const value = lens.source === "given" ? k1 : 0;
    priors.push({ calibration, parameter: "k1", value, sigma: DISTORTION_SIGMA });
  }
  return [...priors, ...principalPriors(principal, calibration, refine)];
}

/** Keeps a lens believable; `lensSound` tells that it had to. */
function clamped(lens: Lens, calibration: Float64Array): Float64Array {
  const [low, high] = focalRangeOf(lens);
  const f = Math.min(high * lens.longSidePx, Math.max(low * lens.longSidePx, calibration[0]));
  calibration[1] *= f / calibration[0];
  calibration[0] = f;
  for (const k of [4, 5]) calibration[k] = Math.min(MAX_DISTORTION, Math.max(-MAX_DISTORTION, calibration[k]));
  return calibration;
}

/** Whether a calibration lies inside the limits, and not at one. */
export function lensSound(lens: Lens, calibration: Float64Array): boolean {
  const [low, high] = focalRangeOf(lens);
  const part = calibration[0] / lens.longSidePx;
  return part > low * 1.01 && part < high * 0.99 && Math.abs(calibration[4]) < MAX_DISTORTION * 0.99;
}
