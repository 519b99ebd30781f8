/**
 * Photos of one camera share a lens; but nobody may have told that one of them was taken with another zoom. Such a
 * photo sees points of the scene under a focal length that is far off, and would get a place that is far off, too.
 */
import { estimateAbsolutePose, neededIterations, seededRandom } from "@cairn/geometry";
import { type Pair, pairSeed } from "./pair.ts";
import { type Scene, spread } from "./scene.ts";
import { observationErrorPx } from "./structure.ts";
import type { Track } from "./tracks.ts";

/** Tight: a plane seen under a wrong focal length is explained to a few pixels by another distance. */
const MAX_ERROR_PX = 1.5;
/**
 * With the right focal length so many of the points it sees agree, and more need not be asked. Before a wall that fills
 * two thirds of the photo a step forward passes for a zoom: as many of them agree with the wrong one.
 */
const SOUND_SHARE = 0.9;
const MIN_INLIERS = 40;
/**
 * Another focal length must explain so many times as many, or this part of what is left: matches that are wrong stay so.
 * Before a scene is refined more of it: over flat ground another one makes up for what is not in its place yet (a drone's
 * photo, 76 % of 500 points: 88 % agreed with a focal length a quarter longer, and it got a place 13 m too high).
 */
const CLEARLY = 1.5;
const OF_THE_REST = { refined: 1 / 2, before: 3 / 4 };
/**
 * In a refined scene with a lens that is known any more will do: of photos that were not zoomed no other focal length
 * explained as many (three sets whose façades repeat, 60 photos asked). Of one of a wall and little else the right one
 * has 8 % more.
 */
const VISIBLY = 1.05;
const VISIBLY_MORE = 10;
/**
 * As far off again on its other side no more than this part of the gain may be left. Over flat ground there is no other
 * side: from farther and farther off with a longer and longer lens less and less shows of what is not in its place.
 */
const MOST_BEYOND = 1 / 2;
/** So many points are asked at most, evenly spread. */
const MOST_ASKED = 500;
/** How surely another focal length that explains so many is found. */
const CONFIDENCE = 0.9999;
const MOST_ITERATIONS = 1000;
/** Steps of 8 %: half a step off, some more agree than with any other. Nearer to 1 a lens that is not quite known is meant. */
const STEPS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const NEAR_STEPS = [1, 2];
const bothWays = (steps: readonly number[]) => steps.flatMap((n) => [1.08 ** n, 1.08 ** -n]);
const FAR = bothWays(STEPS);
const NEAR = bothWays(NEAR_STEPS);
const FINER_STEPS = [1.04, 1.02, 1.01];

/** Whether two other photos see a track's point where it is. */
function isPlacedByOthers(scene: Scene, { views, fits }: Track, view: number): boolean {
  let others = 0;
  for (const [k, other] of views.entries()) if (other !== view && fits[k] && scene.isPosed(other)) others++;
  return others >= 2;
}

type Seen = { readonly feature: number; readonly track: Track };

/**
 * Points that two others place and the view was matched with. What its pairs kept will not do: under a wrong focal
 * length geometry leaves of them what lies on one wall, and that agrees.
 */
function seenPoints(scene: Scene, pairs: readonly Pair[], view: number): Seen[] {
  const found = new Map<number, Track>();
  for (const { a, b, matches } of pairs) {
    if (a !== view && b !== view) continue;
    const [other, own] = a === view ? [b, 0] : [a, 1];
    if (!scene.isPosed(other)) continue;
    for (let k = 0; k < matches.length; k += 2) {
      const track = scene.tracks.of(other, matches[k + 1 - own]);
      if (track?.point && isPlacedByOthers(scene, track, view)) found.set(matches[k + own], track);
    }
  }
  return [...found].map(([feature, track]) => ({ feature, track }));
}

/** @returns the share of such points that a posed view sees where they are; 1 when there are few */
export function closelySeen(scene: Scene, pairs: readonly Pair[], view: number): number {
  const seen = seenPoints(scene, pairs, view);
  if (seen.length < MIN_INLIERS) return 1;
  const close = seen.filter(({ feature, track }) => {
    return observationErrorPx(scene, track.point!, view, feature) <= MAX_ERROR_PX;
  });
  return close.length / seen.length;
}

type ZoomOptions = {
  /** The focal length of the lens is known: then one that is nearly the same is another all the same. */
  readonly known: boolean;
  /** The points are where they will stay. */
  readonly refined: boolean;
  readonly seed: number;
};

/**
 * @returns by how much a view was zoomed against its lens, by points that others place; undefined when it was not, or
 * nothing says so
 */
export function zoomOf(
  scene: Scene,
  pairs: readonly Pair[],
  view: number,
  { known, refined, seed }: ZoomOptions,
): number | undefined {
  const points: number[] = [];
  const own: number[] = [];
  const all = scene.rays(view);
  for (const { feature, track } of spread(seenPoints(scene, pairs, view), MOST_ASKED)) {
    points.push(...track.point!);
    own.push(all[2 * feature], all[2 * feature + 1]);
  }
  const n = own.length / 2;
  if (n < MIN_INLIERS) return undefined;
  const world = Float64Array.from(points);
  /** @param share less than this need not be found */
  const inliers = (factor: number, share: number) => {
    const rays = Float64Array.from(own, (x) => x / factor);
    const random = seededRandom(pairSeed(seed, view, view));
    const maxError = MAX_ERROR_PX / (scene.focal(view) * factor);
    const maxIterations = Math.min(MOST_ITERATIONS, neededIterations(share, 3, CONFIDENCE));
    return estimateAbsolutePose(world, rays, { random, maxError, maxIterations })?.inlierCount ?? 0;
  };
  const unzoomed = inliers(1, 0);
  if (unzoomed >= SOUND_SHARE * n) return undefined;
  let [best, most] = [1, unzoomed];
  const seek = (factors: readonly number[]) => {
    for (const factor of factors) {
      const count = inliers(factor, Math.max(most, MIN_INLIERS) / n);
      if (count > most) [best, most] = [factor, count];
    }
  };
  seek(known ? [...NEAR, ...FAR] : FAR);
  if (best === 1) return undefined;
  for (const step of FINER_STEPS) seek([best * step, best / step]);
  const ofTheRest = refined ? OF_THE_REST.refined : OF_THE_REST.before;
  const clearly = Math.min(CLEARLY * unzoomed, unzoomed + ofTheRest * (n - unzoomed));
  const least = refined && known ? Math.max(VISIBLY * unzoomed, unzoomed + VISIBLY_MORE) : clearly;
  if (most < Math.max(MIN_INLIERS, least)) return undefined;
  const beyond = inliers(best * best, 0);
  return beyond - unzoomed <= MOST_BEYOND * (most - unzoomed) ? best : undefined;
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
