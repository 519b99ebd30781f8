/**
 * Refines everything at once: lenses, pairs, tracks, poses and points are judged anew, each by what is known better of the
 * others by then; what was torn or folded loses its place and is sought again.
 */
import type { Progress } from "../engine.ts";
import { builtAfresh, type LastLook, worthAnotherLook } from "./afresh.ts";
import { type Doubted, missingAlong, trustAgain, trusted } from "./folds.ts";
import { dropTornViews, dropUnborneViews, type GrowOptions, growScene, type Refinement, refineScene } from "./grow.ts";
import type { LensTrust } from "./lens-trust.ts";
import { closeLoops } from "./loops.ts";
import type { Pair } from "./pair.ts";
import type { PairChecks } from "./pair-checks.ts";
import { type FreePrincipals, principalLenses } from "./principal.ts";
import type { Scene } from "./scene.ts";
import { retrack } from "./scene-building.ts";
import { readAgain } from "./second-reading.ts";
import type { Submaps } from "./submaps.ts";
import { unfold } from "./unfold.ts";
import type { ZoomSearch } from "./zoom-search.ts";

/** What an unfolded scene loses may fold again; three rounds end it. */
const UNFOLD_ROUNDS = 3;
/** Rounds of the last refinement. */
const ROUNDS = 3;
/** As progress tells them: one to make the lenses good, those rounds, and what is asked of the result. */
export const REFINE_STEPS = ROUNDS + 2;

/** What a refinement begins with: copies that nobody else holds. */
export type Begun = {
  readonly scene: Scene;
  readonly submaps: Submaps;
  readonly pairs: readonly Pair[];
  readonly doubted: Doubted;
};

export type Rebuilt = Begun & {
  readonly pairs: Pair[];
  /** Pairs that are not doubted. */
  readonly known: readonly Pair[];
  readonly look: LastLook | undefined;
  readonly sureness: Refinement | undefined;
  /** Photos whose place another focal length explains better, and by how much they were zoomed. */
  readonly zoomed: ReadonlyMap<number, number>;
};

type Means = {
  readonly trust: LensTrust;
  readonly checks: PairChecks;
  readonly zooms: ZoomSearch;
  readonly lastLook: LastLook | undefined;
};

/** @param begun refined in place */
export function rebuilt(begun: Begun, means: Means, given: GrowOptions, progress: Progress): Rebuilt {
  const { submaps, doubted } = begun;
  let { scene } = begun;
  const { trust, checks, zooms, lastLook } = means;
  const options = { ...given, doubted };
  const { lenses, seed, stop, stage } = options;
  // Thousands of ties take seconds.
  const looking = (at: Scene) => (ties: readonly Pair[]) => missingAlong(at, ties, stop);
  progress("refine", 0, REFINE_STEPS);
  // The first adjustment makes the lenses good; pairs and tracks are then judged anew with them.
  let first = refineScene(scene, options, 1);
  stage("verification");
  const measured = first ? trust.measuredIn(scene, first) : new Set<number>();
  const rechecked = checks.again(scene, begun.pairs, stop, measured);
  stage("doubt");
  trustAgain(scene, rechecked, doubted);
  for (let round = 0; round < UNFOLD_ROUNDS; round++) {
    retrack(scene, trusted(rechecked, doubted), 4);
    scene = closeLoops(scene, rechecked, options);
    dropTornViews(scene, trusted(rechecked, doubted));
    scene = submaps.mergeInto(scene, trusted(rechecked, doubted), options);
    growScene(scene, trusted(rechecked, doubted), options);
    if (unfold(scene, rechecked, doubted, looking(scene)) === 0) break;
  }
  const { pairs, changed } = readAgain(scene, rechecked, seed, stop);
  const known = trusted(pairs, doubted);
  const look = worthAnotherLook(scene, known, changed ? undefined : lastLook);
  const other = look && builtAfresh(scene, known, options);
  if (other) {
    const rival = other.scene.clone();
    if (unfold(rival, pairs, new Set(doubted), looking(rival)) === 0) ({ scene, sureness: first } = other);
  }
  if (changed) retrack(scene, known, 4);
  progress("refine", 1, REFINE_STEPS);
  const principal: FreePrincipals = first ? principalLenses(scene, lenses, first) : new Map();
  const onRound = (done: number) => progress("refine", 1 + done, REFINE_STEPS);
  const sureness = refineScene(scene, { ...options, principal }, ROUNDS, onRound);
  dropUnborneViews(scene);
  stop();
  stage("doubt");
  const found = sureness ? trust.measuredIn(scene, sureness) : measured;
  const zoomed = zooms.misplacedWhenRefined(scene, known, stop, found);
  return { scene, submaps, pairs, doubted, known, look, sureness, zoomed };
}
