/** What two photos share when they are also seen aslant, as matches of the mapper's. */
import { essentialFromPose, normalisedFromPixels, sampsonSquare } from "@cairn/geometry";
import { placeOf, type SlantSide } from "../features/slant-matches.ts";
import { matchedRays, type Pair, pairSeed } from "./pair.ts";
import type { Scene } from "./scene.ts";
import type { TwoViewQuestion } from "./two-view.ts";
import type { Tie } from "./unsure.ts";
import { nearestPlace, type View, withPlaces } from "./view.ts";

export type SeenAslant = Tie & {
  /** `[m, 2]` places as `matchAslant` names them. */
  readonly matches: Uint32Array;
  readonly sides: readonly [SlantSide, SlantSide];
};

/** Nearer than this, decoded pixels, it is a place that the photo has. */
const SAME_PLACE_PX = 1.5;

/** As `questionOf`. */
export function questionAslant(
  scene: Scene,
  { a, b, matches, sides }: SeenAslant,
  errorPx: number,
  seed: number,
): TwoViewQuestion {
  const [first, second] = [a, b].map((view, side) => {
    const { lens, principal } = scene.views[view];
    const pixels = new Float64Array(matches.length);
    for (let k = 0; k < matches.length; k += 2) {
      const [x, y] = placeOf(sides[side], matches[k + side]);
      pixels[k] = x - principal.x;
      pixels[k + 1] = y - principal.y;
    }
    return normalisedFromPixels(scene.calibration(lens), pixels);
  });
  return { first, second, maxError: (2 * errorPx) / (scene.focal(a) + scene.focal(b)), seed: pairSeed(seed, a, b) };
}

/** The pair with those of other matches of the same two photos that its geometry explains. */
export function joined(scene: Scene, pair: Pair, others: Int32Array): Pair {
  const { a, b, pose, kept, matches, errorPx, kind } = pair;
  if (kind === "rotation") return pair;
  const e = essentialFromPose(pose);
  const limit = ((2 * errorPx) / (scene.focal(a) + scene.focal(b))) ** 2;
  const [first, second] = matchedRays(scene.rays(a), scene.rays(b), others);
  const taken = [0, 1].map((side) => new Set(matches.filter((_, k) => k % 2 === side)));
  const more: number[] = [];
  for (let k = 0; k < others.length; k += 2) {
    if (taken[0].has(others[k]) || taken[1].has(others[k + 1])) continue;
    if (sampsonSquare(e, first[k], first[k + 1], second[k], second[k + 1]) > limit) continue;
    more.push(others[k], others[k + 1]);
  }
  return { ...pair, kept: Int32Array.from([...kept, ...more]), matches: Int32Array.from([...matches, ...more]) };
}

/** The view with the places that it lacks, and of each match the place on this side. */
export function adopted(
  view: View,
  { matches, sides }: Pick<SeenAslant, "matches" | "sides">,
  side: 0 | 1,
): { view: View; places: Int32Array } {
  const { features, slants } = sides[side];
  const places = new Int32Array(matches.length / 2);
  const fresh = { x: [] as number[], y: [] as number[], scale: [] as number[] };
  for (let m = 0; m < places.length; m++) {
    const place = matches[2 * m + side];
    const slant = place - features.count;
    if (slant < 0) {
      places[m] = place;
      continue;
    }
    const [x, y] = placeOf(sides[side], place);
    const known = nearestPlace(view.places, x, y);
    const added = { count: fresh.x.length, x: fresh.x, y: fresh.y };
    const other = known.distancePx < SAME_PLACE_PX ? undefined : nearestPlace(added, x, y);
    if (!other) places[m] = known.place;
    else if (other.distancePx < SAME_PLACE_PX) places[m] = view.places.count + other.place;
    else {
      places[m] = view.places.count + fresh.x.length;
      fresh.x.push(x);
      fresh.y.push(y);
      fresh.scale.push(slants.scale[slant]);
    }
  }
  if (fresh.x.length === 0) return { view, places };
  const [x, y, scale] = [fresh.x, fresh.y, fresh.scale].map((values) => Float32Array.from(values));
  return { view: withPlaces(view, { count: x.length, x, y, scale }), places };
}
