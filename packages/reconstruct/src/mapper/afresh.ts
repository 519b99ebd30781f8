/**
 * A second look at the whole. What grew photo by photo depends on the order in which they came: an early photo in a
 * wrong place, or two parts put together at a wrong scale, hold on to whatever comes later, and every photo may still
 * fit. Where a scene leaves much unexplained of what pairs of photos say, it is built once more, from all of them at
 * once and in an order of its own choosing, and the one that explains more stays.
 */
import { explainedMatches } from "./consistency.ts";
import { type GrowOptions, type Refinement, refineScene } from "./grow.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import { buildScene, carryHanded } from "./scene-building.ts";

/**
 * Share of all matches that a sound scene explains closely. Measured: 0.98 to 0.99; 0.93 where façades repeat; 0.92
 * and less in scenes with cameras in wrong places.
 */
const SOUND_SHARE = 0.96;
/** The other must explain so much more: a coin thrown again is no reason to move everything. */
const BETTER = 1.01;
/** Up to so many photos building is cheap; beyond, it is done when there are so many times as many as the last time. */
const CHEAP_VIEWS = 40;
const MORE_VIEWS = 1.5;

/** When another scene was built last. */
export type LastLook = { readonly views: number; readonly matches: number };

/** @returns why to look again, as what to remember; undefined when there is no reason */
export function worthAnotherLook(
  scene: Scene,
  pairs: readonly Pair[],
  last: LastLook | undefined,
): LastLook | undefined {
  const views = scene.views.length;
  const matches = pairs.reduce((sum, { kept }) => sum + kept.length / 2, 0);
  if (last && (views === last.views || (Math.max(views, last.views) > CHEAP_VIEWS && views < MORE_VIEWS * last.views)))
    return undefined;
  return explainedMatches(scene, pairs) < SOUND_SHARE * matches ? { views, matches } : undefined;
}

export type Afresh = {
  readonly scene: Scene;
  /** How sure its one refinement was. */
  readonly sureness: Refinement | undefined;
};

/** @returns another scene of the same photos when it explains clearly more; it remembers what was handed out */
export function builtAfresh(scene: Scene, pairs: readonly Pair[], options: GrowOptions): Afresh | undefined {
  const rival = buildScene(scene.views, pairs, scene.calibrations, options);
  if (!rival) return undefined;
  const sureness = refineScene(rival, options, 1);
  if (explainedMatches(rival, pairs) < BETTER * explainedMatches(scene, pairs)) return undefined;
  carryHanded(scene.tracks, rival.tracks);
  return { scene: rival, sureness };
}
