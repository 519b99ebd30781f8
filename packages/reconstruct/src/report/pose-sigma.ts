/**
 * How sure the poses are. Of a refined scene the whole of it says so: the inverse of the reduced normal equations, each
 * camera against all of them. Of a photo just placed its own observations do, the points taken as they are: known at
 * once, and less.
 *
 * Both tell what chance does, as if every residual were its own. Matches that slide along an edge agree with one another,
 * a loss that weighs large residuals down hides their size, and lenses bend light as no model says. What that adds was
 * measured: after the best similarity, errors of surveyed photos are 4 to 7 times as large as the first say (three sets
 * whole, 1600 px; of 4 to 11 photos of 1000 px 1.5 to 5 times), and 5 to 8 times as large as the second.
 */
import { absolutePoseCovariance } from "@cairn/geometry";
import type { PoseSigma } from "@cairn/protocol";
import type { SceneCovariance } from "../mapper/adjust.ts";
import type { Scene } from "../mapper/scene.ts";

const DEGREES = 180 / Math.PI;
/** What is told, of what chance does: see above. */
const REFINED = 5;
const PLACED = 6;
/** With fewer observations there is no saying. */
const MIN_OBSERVATIONS = 10;

/** Of each adjusted view that still has its place, in the units that the scene had then. */
export function sigmasOf({ views, pose }: SceneCovariance, scene: Pick<Scene, "isPosed">): Map<number, PoseSigma> {
  const sigmas = views.map((view, place) => {
    return [view, sigmaOf(pose.subarray(place * 36, place * 36 + 36), REFINED)] as const;
  });
  return new Map(sigmas.filter(([view]) => scene.isPosed(view)));
}

/** The same in units of which one is `scale` of those before. */
export function scaledSigmas(sigmas: ReadonlyMap<number, PoseSigma>, scale: number): Map<number, PoseSigma> {
  return new Map([...sigmas].map(([view, sigma]) => [view, { ...sigma, position: scale * sigma.position }]));
}

/** Of one posed view by what it sees itself. */
export function ownSigma(scene: Scene, view: number): PoseSigma | undefined {
  const points: number[] = [];
  const rays: number[] = [];
  const all = scene.rays(view);
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (!track.point || !track.fits[track.views.indexOf(view)]) continue;
    points.push(...track.point);
    rays.push(all[2 * feature], all[2 * feature + 1]);
  }
  if (rays.length < 2 * MIN_OBSERVATIONS) return undefined;
  const covariance = absolutePoseCovariance(Float64Array.from(points), Float64Array.from(rays), scene.pose(view));
  return covariance && sigmaOf(covariance, PLACED);
}

/** @param covariance `[36]` of the step ω, v; the centre moves by −Rᵀ v */
function sigmaOf(covariance: Float64Array, times: number): PoseSigma {
  const rms = (from: number) =>
    times * Math.sqrt([0, 7, 14].reduce((sum, i) => sum + Math.max(0, covariance[from + i]), 0));
  return { position: rms(21), rotationDeg: rms(0) * DEGREES };
}
