/**
 * Photos of one camera share a lens; but nobody may have told that one of them was taken with another zoom. Such a
 * photo sees points of the scene under a focal length that is far off, and would get a place that is far off, too.
 */
import { estimateAbsolutePose, neededIterations, seededRandom } from "@cairn/geometry";
import { pairSeed } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** Tight: a plane seen under a wrong focal length is explained to a few pixels by another distance. */
const MAX_ERROR_PX = 1.5;
/** With the right focal length so many of the points it sees agree, and more need not be asked. */
const SOUND_SHARE = 0.6;
const MIN_INLIERS = 40;
/** Another focal length must explain so many times as many. */
const CLEARLY = 1.5;
/** How surely another focal length that explains so many is found. */
const CONFIDENCE = 0.9999;
const MOST_ITERATIONS = 1000;
/** Steps of 8 %, the least that does not pass over the right one. Nearer to 1 a lens that is not quite known is meant. */
const STEPS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const FACTORS = [...STEPS.map((n) => 1.08 ** n), ...STEPS.map((n) => 1.08 ** -n)];

/** @returns by how much a view without a pose was zoomed against its lens; undefined when it was not, or nothing says so */
export function zoomOf(scene: Scene, view: number, seed: number): number | undefined {
  const points: number[] = [];
  const own: number[] = [];
  const all = scene.rays(view);
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
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
  let most = Math.max(MIN_INLIERS, CLEARLY * unzoomed);
  for (const factor of FACTORS) {
    if (most > n) break;
    const count = inliers(factor, most / n);
    if (count < most) continue;
    most = count;
    best = factor;
  }
  return best;
}
