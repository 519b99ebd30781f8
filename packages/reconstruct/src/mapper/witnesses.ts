/**
 * Which tracks say where the cameras stand. What two photos alone see has no third witness: on a façade that repeats
 * itself a wrong match that lies on its epipolar line fits to a fraction of a pixel and bends the model. Such tracks are
 * left out where longer ones tie both photos firmly to the same part of the scene (measured: castle-P19 52 to 26 mm in
 * file order, 68 to 25 mm shuffled), and their points are put where the cameras then see them.
 *
 * At the end, where fine features are enough, coarse ones follow, too: seen from the side the middle of a large blob is
 * not the same point, and errors that many features share do not average out (measured: fountain-P11 2.35 to 2.24 mm,
 * Herz-Jesus-P8 3.9 to 3.6 mm).
 */
import type { Track } from "./tracks.ts";

/** A track's observations in posed photos that agree with its point. */
export type Witnessed = { readonly track: Track; readonly views: readonly number[] };

/** Longer tracks that tie two photos firmly. */
const FIRM_TIE = 40;
/** A photo with fewer observations of longer tracks needs every one. */
const ENOUGH = 100;

/**
 * Parts the tracks into those that cameras are adjusted by and those that only follow.
 * @param isFine when given, only these observations speak where there are enough of them
 */
export function partByWitnesses(
  tracks: readonly Witnessed[],
  isFine: (track: Track, view: number) => boolean = () => true,
): { led: Witnessed[]; following: Witnessed[] } {
  const observations = new Map<number, number>();
  const ties = new Map<number, Map<number, number>>();
  const speaking = tracks.map(({ track, views }) => views.filter((view) => isFine(track, view)));
  for (const views of speaking) {
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
  for (const [index, each] of tracks.entries()) {
    const group = root(each.views[0]);
    if (!each.views.every((view) => firm(view) && root(view) === group)) led.push(each);
    else if (speaking[index].length < 3) following.push(each);
    else led.push({ track: each.track, views: speaking[index] });
  }
  return { led, following };
}
