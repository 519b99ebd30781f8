/**
 * How sure the poses are. Of a refined scene the whole of it says so: the inverse of the reduced normal equations, its
 * first camera held. Of a photo just placed its own observations do, the points taken as they are: less than the truth,
 * but known at once.
 */
import { absolutePoseCovariance } from "@cairn/geometry";
import type { PoseSigma } from "@cairn/protocol";
import type { SceneCovariance } from "../mapper/adjust.ts";
import type { Scene } from "../mapper/scene.ts";

const DEGREES = 180 / Math.PI;
/** With fewer observations there is no saying. */
const MIN_OBSERVATIONS = 10;

/** Of each adjusted view, in the units that the scene had then. A camera that was held has 0. */
export function sigmasOf({ views, pose }: SceneCovariance): Map<number, PoseSigma> {
  return new Map(views.map((view, place) => [view, sigmaOf(pose.subarray(place * 36, place * 36 + 36))]));
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
  return covariance && sigmaOf(covariance);
}

/** @param covariance `[36]` of the step ω, v; the centre moves by −Rᵀ v */
function sigmaOf(covariance: Float64Array): PoseSigma {
  const rms = (from: number) => Math.sqrt([0, 7, 14].reduce((sum, i) => sum + Math.max(0, covariance[from + i]), 0));
  return { position: rms(21), rotationDeg: rms(0) * DEGREES };
}
