/**
 * Which tracks say where the cameras stand. What two photos alone see has no third witness: on a façade that repeats
 * itself a wrong match that lies on its epipolar line fits to a fraction of a pixel and bends the model. Such tracks are
 * left out where longer ones tie both photos firmly to the same part of the scene (measured: castle-P19 52 to 26 mm in
 * file order, 68 to 25 mm shuffled), and their points are put where the cameras then see them.
 */
import type { Track } from "./tracks.ts";

/** A track's observations in posed photos that agree with its point. */
export type Witnessed = { readonly track: Track; readonly views: readonly number[] };

/** Longer tracks that tie two photos firmly. */
const FIRM_TIE = 40;
/** A photo with fewer observations of longer tracks needs every one. */
const ENOUGH = 100;

/** Parts the tracks into those that cameras are adjusted by and those that only follow. */
export function partByWitnesses(tracks: readonly Witnessed[]): { led: Witnessed[]; following: Witnessed[] } {
  const observations = new Map<number, number>();
  const ties = new Map<number, Map<number, number>>();
  for (const { views } of tracks) {
    if (views.length < 3) continue;
    for (const [k, a] of views.entries()) {
      observations.set(a, (observations.get(a) ?? 0) + 1);
      for (let other = k + 1; other < views.length; other++) {
        const [low, high] = a < views[other] ? [a, views[other]] : [views[other], a];
        let row = ties.get(low);
        if (!row) {
          row = new Map();
          ties.set(low, row);
        }
        row.set(high, (row.get(high) ?? 0) + 1);
      }
    }
  }

  const group = new Map<number, number>();
  const root = (view: number): number => {
    let at = view;
    for (let next = group.get(at); next !== undefined && next !== at; next = group.get(at)) at = next;
    return at;
  };
  for (const [a, row] of ties) for (const [b, count] of row) if (count >= FIRM_TIE) group.set(root(b), root(a));

  const firm = (view: number) => (observations.get(view) ?? 0) >= ENOUGH;
  const led: Witnessed[] = [];
  const following: Witnessed[] = [];
  for (const each of tracks) {
    const [a, b] = each.views;
    const follows = each.views.length === 2 && firm(a) && firm(b) && root(a) === root(b);
    (follows ? following : led).push(each);
  }
  return { led, following };
}
