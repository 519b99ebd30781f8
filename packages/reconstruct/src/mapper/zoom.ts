/**
 * Photos of one camera share a lens; but nobody may have told that one of them was taken with another zoom. Such a
 * photo sees points of the scene under a focal length that is far off, and would get a place that is far off, too.
 */
import { estimateAbsolutePose, neededIterations, seededRandom } from "@cairn/geometry";
import { pairSeed } from "./pair.ts";
import type { Scene } from "./scene.ts";
import type { Track } from "./tracks.ts";

/** Tight: a plane seen under a wrong focal length is explained to a few pixels by another distance. */
const MAX_ERROR_PX = 1.5;
/** With the right focal length so many of the points it sees agree, and more need not be asked. */
const SOUND_SHARE = 0.6;
const MIN_INLIERS = 40;
/** Another focal length must explain so many times as many; fewer times where it explains nearly all. */
const CLEARLY = 1.5;
const LEAST_CLEARLY = 1.25;
const NEARLY_ALL = 0.75;
/** How surely another focal length that explains so many is found. */
const CONFIDENCE = 0.9999;
const MOST_ITERATIONS = 1000;
/** Steps of 8 %, the least that does not pass over the right one. Nearer to 1 a lens that is not quite known is meant. */
const STEPS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const FACTORS = [...STEPS.map((n) => 1.08 ** n), ...STEPS.map((n) => 1.08 ** -n)];

/** Whether two other photos see a track's point where it is. */
function isPlacedByOthers(scene: Scene, { views, fits }: Track, view: number): boolean {
  let others = 0;
  for (const [k, other] of views.entries()) if (other !== view && fits[k] && scene.isPosed(other)) others++;
  return others >= 2;
}

/** @returns by how much a view was zoomed against its lens, by points that others place; undefined when it was not, or nothing says so */
export function zoomOf(scene: Scene, view: number, seed: number): number | undefined {
  const points: number[] = [];
  const own: number[] = [];
  const all = scene.rays(view);
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (!track.point || (scene.isPosed(view) && !isPlacedByOthers(scene, track, view))) continue;
    points.push(...track.point);
    own.push(all[2 * feature], all[2 * feature + 1]);
  }
  const n = own.length / 2;
  if (n < MIN_INLIERS) return undefined;
  const world = Float64Array.from(points);
  /** @param share less than this need not be found: what is not zoomed has 20 focal lengths that explain too little */
  const inliers = (factor: number, share: number) => {
    const rays = Float64Array.from(own, (x) => x / factor);
    const random = seededRandom(pairSeed(seed, view, view));
    const maxError = MAX_ERROR_PX / (scene.focal(view) * factor);
    const maxIterations = Math.min(MOST_ITERATIONS, neededIterations(share, 3, CONFIDENCE));
    return estimateAbsolutePose(world, rays, { random, maxError, maxIterations })?.inlierCount ?? 0;
  };
  const unzoomed = inliers(1, 0);
  if (unzoomed >= SOUND_SHARE * n) return undefined;
  let best: number | undefined;
  const clearly = Math.min(CLEARLY * unzoomed, Math.max(LEAST_CLEARLY * unzoomed, NEARLY_ALL * n));
  let most = Math.max(MIN_INLIERS, clearly);
  for (const factor of FACTORS) {
    if (most > n) break;
    const count = inliers(factor, most / n);
    if (count < most) continue;
    most = count;
    best = factor;
  }
  return best;
}

/** Takes a view's pose, and the points that nobody but it and one other has placed. */
export function takePlace(scene: Scene, view: number): void {
  for (const [, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
    if (!isPlacedByOthers(scene, track, view)) track.point = undefined;
    track.fits[track.views.indexOf(view)] = false;
  }
  scene.dropPose(view);
}
