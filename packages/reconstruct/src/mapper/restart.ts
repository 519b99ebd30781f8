/** While a scene is young it begins again where one built from all that is known by now is better. */
import { explainedMatches } from "./consistency.ts";
import type { FocalVote } from "./focal.ts";
import { type GrowOptions, startPairs } from "./grow.ts";
import type { LensTrust } from "./lens-trust.ts";
import { type Pair, startScore } from "./pair.ts";
import type { PairChecks } from "./pair-checks.ts";
import type { Scene } from "./scene.ts";
import { buildScene } from "./scene-building.ts";

/** A scene of so few photos begins again when another pair is this many times as good a start. */
const START_OVER_VIEWS = 4;
const BETTER_START = 2;
/** Up to this many photos a scene is cheap to build again. */
const YOUNG_VIEWS = 8;

type Young = {
  readonly scene: Scene;
  /** All, doubted or not. */
  readonly pairs: readonly Pair[];
  readonly trust: LensTrust;
  readonly checks: PairChecks;
  /** What two-view geometry says by now of focal lengths that nobody told. */
  readonly votes: ReadonlyMap<number, FocalVote>;
};

/** @returns another scene of the same photos that explains more, and the pairs as they are with its lenses */
export function restarted(young: Young, options: GrowOptions): { scene: Scene; pairs: Pair[] } | undefined {
  const { scene, pairs, trust, votes } = young;
  let doubtful = false;
  for (const [lens, vote] of votes) if (trust.weigh(scene, lens, vote)) doubtful = true;
  const isDue = doubtful ? scene.posed.length <= YOUNG_VIEWS : hasBetterStart(scene, pairs);
  return isDue ? builtAnew(young, options) : undefined;
}

/** Whether a scene of a few photos would have begun much better with a pair that has come since. */
function hasBetterStart(scene: Scene, pairs: readonly Pair[]): boolean {
  if (scene.posed.length > START_OVER_VIEWS || scene.views.length <= scene.posed.length) return false;
  const within = pairs.filter(({ a, b }) => scene.isPosed(a) && scene.isPosed(b));
  const score = (some: readonly Pair[]) => Math.max(0, ...startPairs(some).slice(0, 1).map(startScore));
  return score(pairs) > BETTER_START * score(within);
}

function builtAnew({ scene, pairs, checks, votes }: Young, options: GrowOptions): ReturnType<typeof restarted> {
  const begun = scene.clone();
  for (const [lens, { part }] of votes) begun.setFocal(lens, part * options.lenses[lens].longSidePx);
  const checked = checks.again(begun, pairs, options.stop);
  const fresh = buildScene(scene.views, checked, begun.calibrations, options);
  if (!fresh || explainedMatches(fresh, checked) <= explainedMatches(scene, checked)) return undefined;
  return { scene: fresh, pairs: checked };
}
