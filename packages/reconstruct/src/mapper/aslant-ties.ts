/**
 * Ties photos by what they share when they are also seen aslant. One that no more than a single placed photo would hold
 * waits for another: where it is then rests on few points, and it may be far off though it fits.
 */
import { adopted, joined, type SeenAslant } from "./aslant.ts";
import { type Pair, pairOf } from "./pair.ts";
import type { PairChecks } from "./pair-checks.ts";
import type { Scene } from "./scene.ts";
import { compatibleIn, joinPair } from "./scene-building.ts";
import type { Submaps } from "./submaps.ts";
import type { TwoViewAnswer } from "./two-view.ts";
import { isHeldByOne, type Tie } from "./unsure.ts";
import type { View } from "./view.ts";

/** Each holds the slants of two photos. */
const MOST_HELD_BY_ONE = 12;
/** Fewer matches than this may agree on a geometry by chance. */
const CHANCE_MATCHES = 50;

/** What the ties are for: places that only a slant shows are added to its views, and their tracks joined. */
type Place = {
  readonly views: View[];
  readonly scene: Scene;
  readonly submaps: Submaps;
  readonly checks: Pick<PairChecks, "errorPx">;
};

export class AslantTies {
  #asked = new Set<string>();
  /** Borne out, and not linked yet. */
  #heldByOne: readonly SeenAslant[] = [];

  /** Whether two photos were looked at. */
  wasAsked(tie: Tie): boolean {
    return this.#asked.has(keyOf(tie));
  }

  /** @returns forgets what was seen since */
  mark(): () => void {
    const [asked, heldByOne] = [[...this.#asked], this.#heldByOne];
    return () => {
      this.#asked = new Set(asked);
      this.#heldByOne = heldByOne;
    };
  }

  /** Whether one that waits may be linked, though nothing more was seen. */
  isDue(scene: Scene, pairs: readonly Pair[]): boolean {
    const ties = [...pairs, ...this.#heldByOne];
    return this.#heldByOne.some((tie) => !isHeldByOne(scene, tie, ties));
  }

  /** What geometry is to be asked about: what waits, once more, as places and lenses change meanwhile, and what was seen. */
  toAsk(seen: readonly SeenAslant[]): readonly SeenAslant[] {
    return [...this.#heldByOne, ...seen];
  }

  /**
   * @param pairs known so far
   * @param answers about `toAsk`, nothing having changed
   * @returns the pairs as they are with what was seen
   */
  link(
    place: Place,
    pairs: readonly Pair[],
    seen: readonly SeenAslant[],
    answers: readonly (TwoViewAnswer | undefined)[],
  ): Pair[] {
    const answerOf = new Map(this.toAsk(seen).map((tie, k) => [tie, answers[k]]));
    const borneOut = [...answerOf.keys()].filter((tie) => answerOf.get(tie));
    // What so few matches said, and a look from the side does not bear out, was chance.
    const denied = new Set([...answerOf.keys()].filter((tie) => !answerOf.get(tie)).map(keyOf));
    const known = pairs.filter((pair) => pair.kept.length / 2 >= CHANCE_MATCHES || !denied.has(keyOf(pair)));
    const ties = [...known, ...borneOut];
    const waiting = new Set(borneOut.filter((tie) => isHeldByOne(place.scene, tie, ties)));
    this.#heldByOne = [...waiting].slice(-MOST_HELD_BY_ONE);
    for (const tie of seen) this.#asked.add(keyOf(tie));
    return borneOut
      .filter((tie) => !waiting.has(tie))
      .reduce((all, tie) => linkedOne(place, all, tie, answerOf.get(tie)), known);
  }
}

function linkedOne(place: Place, pairs: Pair[], seen: SeenAslant, answer: TwoViewAnswer | undefined): Pair[] {
  const { scene } = place;
  const { a, b } = seen;
  const others = pairs.filter((pair) => pair.a !== a || pair.b !== b);
  const before = pairs.find((pair) => pair.a === a && pair.b === b);
  const [first, second] = [adopt(place, a, seen, 0), adopt(place, b, seen, 1)];
  const matches = new Int32Array(seen.matches.length);
  for (let m = 0; m < first.length; m++) {
    matches[2 * m] = first[m];
    matches[2 * m + 1] = second[m];
  }
  const found = pairOf(scene, { a, b, matches, errorPx: place.checks.errorPx(seen) }, answer);
  if (!found) return pairs;
  const pair = before ? joined(scene, found, before.matches) : found;
  joinPair(scene.tracks, pair, compatibleIn(scene));
  return [...others, pair];
}

/** @returns of each match the place on this side, which the photo has from then on */
function adopt({ views, scene, submaps }: Place, index: number, seen: SeenAslant, side: 0 | 1): Int32Array {
  const { view, places } = adopted(views[index], seen, side);
  if (view !== views[index]) {
    views[index] = view;
    for (const each of [scene, submaps]) each.placesAdded(index);
  }
  return places;
}

function keyOf({ a, b }: Tie): string {
  return `${a} ${b}`;
}
