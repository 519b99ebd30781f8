/**
 * Repeated structure folds a model: the back of a building is placed on its front, one door of a corridor on another,
 * every photo fits and nothing is torn. What gives it away is what should be seen and is not (`missing.ts`). A fold is
 * undone by doubting the pairs that made it; whoever loses its place finds the right one, or waits as a place of its
 * own.
 */
import { registerByPair, tellingPairs } from "./by-pair.ts";
import { consistentShare } from "./consistency.ts";
import { type Missing, missingIn, Seen } from "./missing.ts";
import type { Pair } from "./pair.ts";
import { MAX_ERROR_PX, type RegistrationRule, registerView } from "./register.ts";
import type { Scene } from "./scene.ts";
import { byStrength, compatibleIn, joinPair } from "./scene-building.ts";
import { observationErrorPx } from "./structure.ts";

/** Pairs taken for two things that look alike, by `pairKey`. */
export type Doubted = Set<number>;

/**
 * Of what a tie should show, the share that is missed. Pairs of the real sets that see a thing from within 20 degrees:
 * median 0.01, 95 % up to 0.07, at most 0.08. Equal façades with surroundings of their own: 0.04 to 0.5, and more than
 * 0.08 where the two lie on one another. Between parts of a scene many ties tell, and few must not decide.
 */
export const FOLDED = 0.05;
const FOLDED_SINGLE = 0.2;
const SUSPECT = 0.08;
const SOUND = 0.05;
const MIN_EXPECTED = 60;
/** A tie agrees with this share of its matches. */
const AGREES = 0.5;
/** With fewer of its matches torn a photo is in no conflict. */
const CONFLICT = 0.2;
/** A registered photo whose ties to the others are mostly torn by its pose is wrong. */
const MIN_STANDING = 0.5;
/** With two places that could be it, one must have so much more of its matches. */
const MIN_MAJORITY = 0.6;
/** Unless what the photo should see tells the two apart: then so much is enough. */
const MIN_MINORITY = 0.1;

export function pairKey({ a, b }: Pick<Pair, "a" | "b">): number {
  return b * 2 ** 20 + a;
}

export function trusted(pairs: readonly Pair[], doubted: Doubted): readonly Pair[] {
  return doubted.size === 0 ? pairs : pairs.filter((pair) => !doubted.has(pairKey(pair)));
}

/** Whether a trusted pair ties a photo to a placed one: that it sees points may come of tracks that doubted ones joined. */
export function isTied(scene: Scene, pairs: readonly Pair[], view: number, doubted: Doubted): boolean {
  return pairs.some((pair) => {
    const other = pair.a === view ? pair.b : pair.b === view ? pair.a : -1;
    return other >= 0 && scene.isPosed(other) && !doubted.has(pairKey(pair));
  });
}

/** Pairs that are heard of a photo that its points do not place. */
const TELLING_PAIRS = 3;

type PlaceOptions = { readonly seed: number; readonly rule: RegistrationRule; readonly doubted: Doubted };

/**
 * Gives a photo its pose, unless its ties speak against it. Where they contradict one another, both sides are heard,
 * and one that would have the photo miss what it should see is not believed.
 */
export function placeView(scene: Scene, pairs: readonly Pair[], view: number, options: PlaceOptions): boolean {
  const { seed, rule, doubted } = options;
  const own = trusted(pairs, doubted).filter(({ a, b }) => a === view || b === view);
  const first =
    hear(scene, own, view, () => registerView(scene, view, rule, seed)) ?? heardByPair(scene, own, view, rule);
  if (!first) return false;
  if (first.standing >= 1 - CONFLICT) return true;
  const others = new Set<number>();
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (track.point && !track.fits[track.views.indexOf(view)]) others.add(feature);
  }
  const second = hear(scene, own, view, () => registerView(scene, view, rule, seed, others));
  const [best, other] = second && better(second, first) ? [second, first] : [first, second];
  if (!isBelieved(best, other)) {
    scene.dropPose(view);
    return false;
  }
  if (other && WORTH[best.word] > WORTH[other.word]) {
    for (const { pair } of other.agreeing) doubted.add(pairKey(pair));
  }
  scene.setPose(view, best.pose);
  judgeObservations(scene, view);
  untie(scene, trusted(own, doubted), view);
  return true;
}

type Hypothesis = {
  readonly pose: Float64Array;
  readonly agreeing: readonly Tie[];
  /** Share of the photo's matches with placed ones that it bears out. */
  readonly standing: number;
  /** What it makes of what the photo should see. */
  readonly word: "folded" | "unknown" | "sound";
};

const WORTH = { folded: 0, unknown: 1, sound: 2 } as const;

function hear(scene: Scene, pairs: readonly Pair[], view: number, register: () => boolean): Hypothesis | undefined {
  if (!register()) return undefined;
  const ties = tiesOf(scene, pairs, view);
  const agreeing = ties.filter(({ share }) => share >= AGREES);
  const seen = sum(agreeing.map(({ other }) => missingIn(scene, other, view)));
  const word = isSound(seen) ? "sound" : seen.missed > SUSPECT * seen.expected ? "folded" : "unknown";
  return { pose: scene.pose(view).slice(), agreeing, standing: standing(ties), word };
}

/** Where points alone do not tell a pose, the strongest pairs are heard; not before the focal length is certain. */
function heardByPair(scene: Scene, own: readonly Pair[], view: number, rule: RegistrationRule): Hypothesis | undefined {
  if (rule !== "lax") return undefined;
  let best: Hypothesis | undefined;
  for (const pair of tellingPairs(scene, own, view).slice(0, TELLING_PAIRS)) {
    const heard = hear(scene, own, view, () => registerByPair(scene, pair, view));
    if (heard && (!best || better(heard, best))) best = heard;
    scene.dropPose(view);
  }
  if (!best) return undefined;
  scene.setPose(view, best.pose);
  judgeObservations(scene, view);
  return best;
}

function better(a: Hypothesis, b: Hypothesis): boolean {
  return a.word === b.word ? a.standing > b.standing : WORTH[a.word] > WORTH[b.word];
}

function isBelieved(best: Hypothesis, other: Hypothesis | undefined): boolean {
  if (!other) return best.standing >= MIN_STANDING;
  return best.standing >= (WORTH[best.word] > WORTH[other.word] ? MIN_MINORITY : MIN_MAJORITY);
}

/** Says of each feature of a placed photo whether it sees its point. */
function judgeObservations(scene: Scene, view: number): void {
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
    track.fits[track.views.indexOf(view)] = observationErrorPx(scene, track.point, view, feature) <= MAX_ERROR_PX;
  }
}

type Tie = { readonly pair: Pair; readonly other: number; readonly share: number };

function tiesOf(scene: Scene, pairs: readonly Pair[], view: number): Tie[] {
  const ties: Tie[] = [];
  for (const pair of pairs) {
    const other = pair.a === view ? pair.b : pair.b === view ? pair.a : -1;
    if (other >= 0 && scene.isPosed(other)) ties.push({ pair, other, share: consistentShare(scene, pair) });
  }
  return ties;
}

/** Share of a photo's ties, by their matches, that its pose bears out. */
function standing(ties: readonly Tie[]): number {
  let agreeing = 0;
  let all = 0;
  for (const { pair, share } of ties) {
    agreeing += share * pair.kept.length;
    all += pair.kept.length;
  }
  return all === 0 ? 1 : agreeing / all;
}

/** What several ties miss together. */
export type Missed = Missing & { readonly ties: number };

export function sum(each: readonly Missing[]): Missed {
  const heard = each.filter(({ expected }) => expected >= MIN_EXPECTED);
  return {
    expected: heard.reduce((total, { expected }) => total + expected, 0),
    missed: heard.reduce((total, { missed }) => total + missed, 0),
    ties: heard.length,
  };
}

/** The more ties say so, the less is enough. */
export function isFolded({ expected, missed, ties }: Missed): boolean {
  return ties > 0 && missed > (FOLDED + FOLDED_SINGLE / ties) * expected;
}

const isSound = ({ expected, missed }: Missing) => expected > 0 && missed < SOUND * expected;

/**
 * Takes a placed photo out of the tracks whose points it does not see, since they belong to what looks alike, and ties
 * these features anew by pairs that its pose does not contradict.
 */
function untie(scene: Scene, pairs: readonly Pair[], view: number): void {
  const loose = new Set<number>();
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (track.point && !track.fits[track.views.indexOf(view)]) loose.add(feature);
  }
  for (const feature of loose) scene.tracks.remove(view, feature);
  const compatible = compatibleIn(scene);
  for (const pair of byStrength(pairs)) {
    const placed = scene.isPosed(pair.a) && scene.isPosed(pair.b);
    if (placed && consistentShare(scene, pair) < AGREES) continue;
    joinPair(scene.tracks, pair, compatible, pair.a === view ? loose : undefined, pair.b === view ? loose : undefined);
  }
}

/** What two placed photos that are tied miss of each other; nothing where only one of them can tell. */
export function missingBetween(scene: Scene, tie: Pick<Pair, "a" | "b">): Missing {
  return missingAlong(scene, [tie])[0];
}

/** The same of many ties. Those that one photo has are looked at together: what it sees is gathered once. */
export function missingAlong(
  scene: Scene,
  ties: readonly Pick<Pair, "a" | "b">[],
  stop: () => void = () => {},
): Missing[] {
  const asked = new Map<number, { readonly to: number; readonly of: Missing[] }[]>();
  const both = ties.map(({ a, b }) => {
    const of: Missing[] = [];
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      const others = asked.get(from);
      if (others) others.push({ to, of });
      else asked.set(from, [{ to, of }]);
    }
    return of;
  });
  for (const [from, others] of asked) {
    const seen = new Seen(scene, from);
    for (const { to, of } of others) {
      stop();
      of.push(seen.missingIn(to));
    }
  }
  return both.map((of) => {
    const ways = of.filter(({ expected }) => expected >= MIN_EXPECTED);
    if (ways.length < 2) return { expected: 0, missed: 0 };
    const { expected, missed } = sum(ways);
    return { expected, missed };
  });
}

/** Doubted pairs that the places found since bear out are doubted no more. */
export function trustAgain(scene: Scene, pairs: readonly Pair[], doubted: Doubted): void {
  if (doubted.size === 0) return;
  for (const pair of pairs) {
    if (!doubted.has(pairKey(pair)) || !scene.isPosed(pair.a) || !scene.isPosed(pair.b)) continue;
    if (consistentShare(scene, pair) >= AGREES && isSound(missingBetween(scene, pair))) doubted.delete(pairKey(pair));
  }
}

/** Whether the ties across a seam miss what they should show. */
export function isFoldedAlong(scene: Scene, ties: readonly Pair[]): boolean {
  return isFolded(sum(missingAlong(scene, ties)));
}
