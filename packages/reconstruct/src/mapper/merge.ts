/** Puts two scenes together where their photos tie them to one another, if the whole then explains more than the parts. */
import { transformPose } from "@cairn/geometry";
import { adjust } from "./adjust.ts";
import { findBridge, gatherEvidence } from "./bridge.ts";
import { contradicts, explainedMatches, standingOf } from "./consistency.ts";
import { isFoldedAlong, pairKey } from "./folds.ts";
import type { GrowOptions } from "./grow.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import { byStrength } from "./scene-building.ts";
import { filterPoints, triangulateTracks } from "./structure.ts";

/** Of what the two explain apart, so much must still be explained; the pairs between them come on top. */
const KEPT = 0.95;
/** Matches between the two that the poses bear out, of all of them. */
const MIN_CROSS_SHARE = 0.5;
const MIN_STANDING = 0.5;

export type Merge = {
  /** A copy of the first scene with the second in it; undefined when they do not fit together. */
  readonly scene: Scene | undefined;
  /** How many features of one see a point of the other. */
  readonly sightings: number;
};

/**
 * The second scene's cameras are laid into the frame of the first, with the lenses that the first has no photo of; its
 * points are made anew from the first's tracks, which know every pair. Neither scene is changed.
 * @param enough asked with how much there is to go by; when it says no, nothing is tried
 */
export function mergeScenes(
  first: Scene,
  second: Scene,
  pairs: readonly Pair[],
  { lenses, seed, doubted, stop }: GrowOptions,
  enough: (sightings: number) => boolean,
): Merge {
  const isFirst = (view: number) => first.isPosed(view);
  const isSecond = (view: number) => second.isPosed(view) && !first.isPosed(view);
  const cross = byStrength(pairs.filter(({ a, b }) => (isFirst(a) && isSecond(b)) || (isFirst(b) && isSecond(a))));
  if (cross.length === 0) return { scene: undefined, sightings: 0 };
  const evidence = gatherEvidence({ scene: first, has: isFirst }, { scene: second, has: isSecond }, cross);
  const sightings = evidence.sightings.length;
  if (!enough(sightings)) return { scene: undefined, sightings };
  stop();
  const bridge = findBridge(first, second, evidence, seed);
  if (!bridge) return { scene: undefined, sightings };

  const merged = first.clone();
  merged.takeLenses(second, { own: false });
  const moved = second.posed.filter(isSecond);
  const pose = new Float64Array(12);
  for (const view of moved) {
    transformPose(bridge.firstFromSecond, second.poses, view * 12, pose, 0);
    merged.setPose(view, pose);
  }
  triangulateTracks(merged, 6);
  filterPoints(merged, 8);
  for (const maxErrorPx of [6, 4]) {
    adjust(merged, { iterations: 10, lenses, stop });
    filterPoints(merged, maxErrorPx);
    triangulateTracks(merged, 4);
  }
  const explainedCross = explainedMatches(merged, cross, MAX_CROSS_ERROR_PX);
  const allCross = cross.reduce((sum, { kept }) => sum + kept.length / 2, 0);
  const apart = explainedMatches(first, pairs) + explainedMatches(second, pairs);
  const fits =
    explainedCross >= MIN_CROSS_SHARE * allCross &&
    explainedMatches(merged, pairs) >= KEPT * apart &&
    moved.every((view) => standingOf(merged, pairs, view) >= MIN_STANDING);
  if (!fits) return { scene: undefined, sightings };
  if (!isFoldedAlong(merged, cross)) return { scene: merged, sightings };
  for (const pair of cross) if (!contradicts(merged, pair)) doubted.add(pairKey(pair));
  return { scene: undefined, sightings };
}

const MAX_CROSS_ERROR_PX = 6;
