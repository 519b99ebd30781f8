/** A scene from nothing but photos and pairs: the batch side of the mapper, in an order of its own choosing. */
import { contradicts } from "./consistency.ts";
import { type GrowOptions, growScene, startPairs, startScene } from "./grow.ts";
import type { Pair } from "./pair.ts";
import { Scene } from "./scene.ts";
import { observationErrorPx, triangulateTracks } from "./structure.ts";
import { type Compatible, Tracks } from "./tracks.ts";
import type { View } from "./view.ts";

/** Tries at most this many pairs as the start. */
const STARTS = 3;
/** A point of one track must land this near the features of the other. */
const MERGE_ERROR_PX = 4;

/** A scene with these photos and tracks and no poses. @param calibrations `[lenses, 6]` */
function emptyScene(views: readonly View[], pairs: readonly Pair[], calibrations: Float64Array): Scene {
  const scene = new Scene(views);
  scene.calibrations = calibrations.slice();
  for (const view of views) scene.addView(view);
  for (const pair of byStrength(pairs)) joinPair(scene.tracks, pair);
  return scene;
}

export function byStrength(pairs: readonly Pair[]): Pair[] {
  return [...pairs].sort((p, q) => q.kept.length - p.kept.length || p.a - q.a || p.b - q.b);
}

/** @param onlyA @param onlyB when given, only matches of these features */
export function joinPair(
  tracks: Tracks,
  { a, b, kept }: Pair,
  compatible?: Compatible,
  onlyA?: ReadonlySet<number>,
  onlyB?: ReadonlySet<number>,
): void {
  for (let k = 0; k < kept.length; k += 2) {
    if (onlyA?.has(kept[k]) === false || onlyB?.has(kept[k + 1]) === false) continue;
    tracks.join(a, kept[k], b, kept[k + 1], compatible);
  }
}

/** Whether most observations of one track fit the point of the other. */
export function compatibleIn(scene: Scene): Compatible {
  return (kept, joining) => {
    let fitting = 0;
    let posed = 0;
    for (let k = 0; k < joining.views.length; k++) {
      if (!scene.isPosed(joining.views[k])) continue;
      posed++;
      if (observationErrorPx(scene, kept.point!, joining.views[k], joining.features[k]) <= MERGE_ERROR_PX) fitting++;
    }
    return posed === 0 || 2 * fitting > posed;
  };
}

/** @param starts the pairs among which to begin @returns undefined when none of them can start a scene */
export function buildScene(
  views: readonly View[],
  pairs: readonly Pair[],
  calibrations: Float64Array,
  options: GrowOptions,
  starts: readonly Pair[] = pairs,
): Scene | undefined {
  for (const start of startPairs(starts).slice(0, STARTS)) {
    options.stop();
    const scene = emptyScene(views, pairs, calibrations);
    if (!startScene(scene, start, options)) continue;
    growScene(scene, pairs, options);
    return scene;
  }
  return undefined;
}

/**
 * Makes the tracks of a scene anew from all pairs but those that its poses contradict, and triangulates them: what
 * wrong or late matches had kept apart or tied together wrongly is put right.
 */
export function retrack(scene: Scene, pairs: readonly Pair[], maxErrorPx: number): void {
  const before = scene.tracks;
  const tracks = new Tracks();
  for (const { places } of scene.views) tracks.addView(places.count);
  for (const pair of byStrength(pairs)) if (!contradicts(scene, pair)) joinPair(tracks, pair);
  scene.tracks = tracks;
  carryHanded(before, tracks);
  triangulateTracks(scene, maxErrorPx);
}

/** Remembers on the new tracks what was handed out of the old ones. */
export function carryHanded(from: Tracks, to: Tracks): void {
  for (const old of from.all()) {
    if (!old.handed) continue;
    for (let k = 0; k < old.views.length; k++) {
      const track = old.fits[k] ? to.of(old.views[k], old.features[k]) : undefined;
      if (!track) continue;
      track.handed ??= old.handed;
      break;
    }
  }
}
