/**
 * Builds a scene from pairs: a start from two photos, then one photo after the other, the best seen first, each
 * followed by new points and an adjustment of what is near.
 */
import { identityPose } from "@cairn/geometry";
import type { OnStage } from "../stages.ts";
import { adjust, type SceneCovariance } from "./adjust.ts";
import { MIN_POINTS } from "./by-pair.ts";
import { standingOf } from "./consistency.ts";
import { type Doubted, isTied, placeView } from "./folds.ts";
import { support } from "./ledger.ts";
import type { Lens } from "./lens.ts";
import { lossOfScene } from "./noise.ts";
import { judgeOffCentre } from "./off-centre.ts";
import { type Pair, startScore } from "./pair.ts";
import { believablePrincipals, type FreePrincipals, heldPrincipals, putBack, putUnsoughtBack } from "./principal.ts";
import type { RegistrationRule } from "./register.ts";
import type { Retries } from "./retries.ts";
import type { Scene } from "./scene.ts";
import { filterPoints, triangulateTracks } from "./structure.ts";
import { takePlace } from "./zoom.ts";

export type GrowOptions = {
  readonly lenses: readonly Lens[];
  readonly seed: number;
  /** Whether the focal length of a lens can be relied on. */
  readonly certain: (lens: number) => boolean;
  /** What a photo taken with a lens must show to be registered. */
  readonly rule: (lens: number) => RegistrationRule;
  /** Lenses whose principal point may change. */
  readonly principal?: FreePrincipals;
  /** Views that are not to be registered though they could be: another scene holds them. */
  readonly passOver?: (view: number) => boolean;
  /** Which of those that were refused before are tried again; all when left out. */
  readonly retries?: Retries;
  /** Pairs that are taken for two things that look alike; grows with the scene. */
  readonly doubted: Doubted;
  /** Throws when the work is to end. */
  readonly stop: () => void;
  readonly stage: OnStage;
};

const START_MIN_INLIERS = 60;
const START_MIN_ANGLE_RAD = (2 * Math.PI) / 180;
const START_MIN_POINTS = 40;
/** Up to here every adjustment moves everything: it is cheap, and a young scene bends as a whole. */
const GLOBAL_VIEWS = 12;
/** Beyond, everything is adjusted when the scene has grown by this factor. */
const GLOBAL_GROWTH = 1.2;
const NEIGHBOURS = 6;
/** While poses are still off, residuals are wide; at the end the loss follows from what they are. */
const REFINE_LOSS_PX = [1, 0.5];
/** A registered photo whose ties to the others are mostly torn by its pose is wrong. */
const MIN_STANDING = 0.5;

/** Pairs that could start a scene, best first. */
export function startPairs(pairs: readonly Pair[]): Pair[] {
  return pairs
    .filter((pair) => pair.kept.length / 2 >= START_MIN_INLIERS && pair.angleRad >= START_MIN_ANGLE_RAD)
    .filter((pair) => startScore(pair) > 0)
    .sort((p, q) => startScore(q) - startScore(p) || p.a - q.a || p.b - q.b);
}

/** Poses two photos and makes their points; false, with the scene as it was, when too few points come of it. */
export function startScene(scene: Scene, pair: Pair, { lenses, certain, stop, stage }: GrowOptions): boolean {
  stage("global adjustment");
  scene.setPose(pair.a, identityPose());
  scene.setPose(pair.b, pair.pose);
  const sure = certain(scene.views[pair.a].lens) && certain(scene.views[pair.b].lens);
  triangulateTracks(scene, sure ? 6 : 12);
  adjust(scene, { iterations: 10, lenses, stop });
  filterPoints(scene, sure ? 4 : 6);
  if (pointCount(scene) >= START_MIN_POINTS) return true;
  for (const track of scene.tracks.all()) track.point = undefined;
  scene.dropPose(pair.a);
  scene.dropPose(pair.b);
  return false;
}

function pointCount(scene: Scene): number {
  let count = 0;
  for (const track of scene.tracks.all()) if (track.point) count++;
  return count;
}

/** Registers whatever can be registered. @returns the views that got a pose */
export function growScene(scene: Scene, pairs: readonly Pair[], options: GrowOptions): number[] {
  const { lenses, seed, rule, retries, doubted, stop, stage } = options;
  const gained: number[] = [];
  let refused = new Set<number>();
  const ruleOf = (view: number) => rule(scene.views[view].lens);
  const isTried = (view: number, points: number) =>
    !refused.has(view) && !options.passOver?.(view) && (retries?.isDue(view, points, ruleOf(view)) ?? true);
  for (;;) {
    stop();
    stage("registration");
    const next = bestSeen(scene, isTried);
    if (next === undefined) return gained;
    if (!isTied(scene, pairs, next, doubted)) {
      refused.add(next);
      continue;
    }
    if (!placeView(scene, pairs, next, { seed, rule: ruleOf(next), doubted })) {
      refused.add(next);
      retries?.refused(next, scene.tracks.countPoints(next), ruleOf(next));
      continue;
    }
    retries?.forget(next);
    gained.push(next);
    refused = new Set();
    stage("points");
    triangulateTracks(scene, 6, next);
    if (scene.posed.length <= GLOBAL_VIEWS || scene.posed.length >= scene.adjustedAt * GLOBAL_GROWTH) {
      stage("global adjustment");
      adjust(scene, { iterations: scene.posed.length <= GLOBAL_VIEWS ? 4 : 6, lenses, stop });
      stage("points");
      filterPoints(scene, 4);
    } else {
      stage("local adjustment");
      const free = neighbourhood(scene, next);
      adjust(scene, { iterations: 5, free, stop });
      stage("points");
      filterPoints(scene, 4, free);
    }
    triangulateTracks(scene, 4, next);
  }
}

/** Takes the pose of every view whose ties are mostly torn by it, the most torn first: the others may then be sound. */
export function dropTornViews(scene: Scene, pairs: readonly Pair[]): void {
  for (;;) {
    let worst: number | undefined;
    let least = MIN_STANDING;
    for (const view of scene.posed) {
      const standing = standingOf(scene, pairs, view);
      if (standing >= least) continue;
      least = standing;
      worst = view;
    }
    if (worst === undefined || scene.posed.length <= 2) return;
    scene.dropPose(worst);
  }
}

/**
 * Takes the pose of every view that sees fewer points where it is than a pose can rest on, the least first, with the
 * points that it alone bears out beside another one. Nothing tears such a view: what had tied it may be gone.
 */
export function dropUnborneViews(scene: Scene): void {
  for (;;) {
    let worst: number | undefined;
    let least = MIN_POINTS;
    for (const view of scene.posed) {
      const { matches } = support(scene, view);
      if (matches >= least) continue;
      least = matches;
      worst = view;
    }
    if (worst === undefined) return;
    takePlace(scene, worst);
  }
}

/** The view without a pose that sees most points of the scene. */
function bestSeen(scene: Scene, isTried: (view: number, points: number) => boolean): number | undefined {
  let best: number | undefined;
  let most = MIN_POINTS - 1; // fewer can never be accepted
  for (const { index } of scene.views) {
    if (scene.isPosed(index)) continue;
    const count = scene.tracks.countPoints(index);
    if (count <= most || !isTried(index, count)) continue;
    most = count;
    best = index;
  }
  return best;
}

/** The view and those that share most points with it. */
function neighbourhood(scene: Scene, view: number): Set<number> {
  const shared = new Map<number, number>();
  for (const [, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
    for (const other of track.views) if (scene.isPosed(other)) shared.set(other, (shared.get(other) ?? 0) + 1);
  }
  shared.delete(view);
  // The first camera holds the frame.
  shared.delete(scene.posed[0]);
  const nearest = [...shared].sort((p, q) => q[1] - p[1] || p[0] - q[0]).slice(0, NEIGHBOURS);
  return new Set([view, ...nearest.map(([other]) => other)]);
}

/** How sure a refinement is, and the lenses whose principal point is not in the middle, but was found nowhere else. */
export type Refinement = SceneCovariance & { readonly offCentre: ReadonlySet<number> };

/** Refines everything: poses, points, lenses; and takes out what does not fit. @returns how sure the last round was */
export function refineScene(
  scene: Scene,
  { lenses, principal, stop, stage }: GrowOptions,
  rounds: number,
  onRound: (done: number) => void = () => {},
): Refinement | undefined {
  let sureness: SceneCovariance | undefined;
  let free = principal;
  let offCentre: readonly number[] = [];
  // Before anything is adjusted: points are judged by where it is, and would all be wrong.
  if (free) putUnsoughtBack(scene, lenses, free);
  for (let round = 0; round < rounds; round++) {
    stop();
    stage("points");
    triangulateTracks(scene, round === 0 ? 4 : 3);
    stage("global adjustment");
    const lossPx = REFINE_LOSS_PX[round] ?? lossOfScene(scene);
    const common = { iterations: 20, lenses, lossPx, fine: round > 0, stop };
    const adjusted = () =>
      adjust(scene, { ...common, ...(free && { principal: free }), covariance: round === rounds - 1 });
    const judge = (lens: number) => {
      const middle = scene.clone();
      putBack(middle, lens);
      adjust(middle, { ...common, principal: new Map([...free!].filter(([each]) => each !== lens)) });
      return judgeOffCentre(scene, middle, lens, lenses[lens], lossPx);
    };
    sureness = adjusted();
    if (free) {
      const { kept, denied } = believablePrincipals(scene, lenses, free, judge);
      const changed = [...free].some(([lens, belief]) => kept.get(lens) !== belief);
      free = kept;
      offCentre = [...offCentre, ...denied];
      // Poses and points fit where it was found, and not where it is now; what was believed of it pulled at it.
      if (changed) sureness = adjusted();
    }
    // How much the photos tell is known in the last round.
    const held = free && sureness && heldPrincipals(free, sureness);
    if (held) {
      free = held;
      sureness = adjusted();
    }
    stage("points");
    filterPoints(scene, round === 0 ? 3 : 2);
    onRound(round + 1);
  }
  return sureness && { ...sureness, offCentre: new Set(offCentre) };
}
