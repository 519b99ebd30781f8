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
  const speaking = tracks.map(({ track, views }) => views.filter((view) => isFine(track, view)));
  const placeOf = new Map<number, number>();
  for (const views of speaking) for (const view of views) if (!placeOf.has(view)) placeOf.set(view, placeOf.size);
  const count = placeOf.size;
  const observations = new Int32Array(count);
  /** `[count, count]` points that two photos see with a third; the pairs of a point are many. */
  const ties = new Int32Array(count * count);
  for (const views of speaking) {
    if (views.length < 3) continue;
    const places = views.map((view) => placeOf.get(view)!);
    for (let k = 0; k < places.length; k++) {
      const a = places[k];
      observations[a]++;
      for (let other = k + 1; other < places.length; other++) {
        const b = places[other];
        ties[a < b ? a * count + b : b * count + a]++;
      }
    }
  }

  /** Photos that are tied firmly, directly or through others, have one root. */
  const group = Int32Array.from({ length: count }, (_, place) => place);
  const root = (place: number): number => {
    let at = place;
    while (group[at] !== at) at = group[at];
    return at;
  };
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) if (ties[a * count + b] >= FIRM_TIE) group[root(b)] = root(a);
  }
  const firmGroup = (view: number): number => {
    const place = placeOf.get(view);
    return place !== undefined && observations[place] >= ENOUGH ? root(place) : -1;
  };

  const led: Witnessed[] = [];
  const following: Witnessed[] = [];
  for (const [index, each] of tracks.entries()) {
    const common = firmGroup(each.views[0]);
    if (common < 0 || !each.views.every((view) => firmGroup(view) === common)) led.push(each);
    else if (speaking[index].length < 3) following.push(each);
    else led.push({ track: each.track, views: speaking[index] });
  }
  return { led, following };
}
