/**
 * The mapper: photos and their matches in, a growing scene out. Nothing here waits or reads: the engine around it
 * brings features and matches, and may end any call by letting `stop` throw; the scene is then whole and merely
 * unfinished, and the next call goes on from there.
 */

import type { SparseModel } from "@cairn/formats";
import { cameraCentre, quaternionOfSimilarity } from "@cairn/geometry";
import type { Doubt, EngineReport, Hint, PoseSigma, Similarity } from "@cairn/protocol";
import type { FeltUpright, FocalReport, Photo, Progress, Rebuild, RebuildOptions, Step } from "../engine.ts";
import type { Features } from "../features/features.ts";
import { composeMotions } from "../generation/motion.ts";
import { turned, uprightFrom, uprightTurn } from "../generation/upright.ts";
import { Hints } from "../report/hints.ts";
import { ownSigma, sigmasOf } from "../report/pose-sigma.ts";
import { engineReport } from "../report/report.ts";
import { type OnStage, unwatched } from "../stages.ts";
import { adjust } from "./adjust.ts";
import { builtAfresh, type LastLook, worthAnotherLook } from "./afresh.ts";
import { questionAslant, type SeenAslant } from "./aslant.ts";
import { AslantTies } from "./aslant-ties.ts";
import { explainedMatches } from "./consistency.ts";
import type { FocalVote } from "./focal.ts";
import { type Doubted, missingAlong, trustAgain, trusted } from "./folds.ts";
import { layOnto } from "./frame.ts";
import { findGaps } from "./gaps.ts";
import { dropTornViews, type GrowOptions, growScene, type Refinement, refineScene, startPairs } from "./grow.ts";
import { Ledger } from "./ledger.ts";
import { LensTrust } from "./lens-trust.ts";
import { closeLoops } from "./loops.ts";
import { type Matched, type Pair, pairOf, questionOf, startScore } from "./pair.ts";
import { PairChecks } from "./pair-checks.ts";
import { type FreePrincipals, principalLenses } from "./principal.ts";
import { Printed } from "./printed.ts";
import { Retries } from "./retries.ts";
import { Scene } from "./scene.ts";
import { buildScene, byStrength, carryHanded, compatibleIn, joinPair, retrack } from "./scene-building.ts";
import { hangsByAThread, isLoose } from "./seams.ts";
import { readAgain } from "./second-reading.ts";
import { sparseModelOf } from "./sparse-model.ts";
import { type Standing, standingsOf } from "./standing.ts";
import { Submaps } from "./submaps.ts";
import { focalSigmas, isOpen } from "./sureness.ts";
import type { TwoViewAnswer, TwoViewQuestion } from "./two-view.ts";
import { FoldSearch, unfold } from "./unfold.ts";
import { type Tie, unsureTies } from "./unsure.ts";
import { upOfScene } from "./up.ts";
import { poorPicture, verdictOf } from "./verdict.ts";
import { Lenses, makeView, type View } from "./view.ts";
import { takePlace } from "./zoom.ts";
import { ZoomSearch } from "./zoom-search.ts";

type MapperOptions = { readonly seed: number };

/** Matches of a new photo with an earlier one: `[m, 2]`, the earlier photo's feature first. */
type Candidate = { readonly other: number; readonly matches: Int32Array };

/** A scene of so few photos begins again when another pair is this many times as good a start. */
const START_OVER_VIEWS = 4;
const BETTER_START = 2;
/** Focal lengths this near in the logarithm are one: nobody zooms by so little. */
const SAME_FOCAL = 0.03;
/** So often a refined scene may show that one more was zoomed. */
const ZOOM_ROUNDS = 5;
/** Up to this many photos a scene is cheap to build again. */
const YOUNG_VIEWS = 8;
/** Up to this many photos pairs are looked at anew as soon as something is seen to be printed on the photos. */
const FEW_VIEWS = 20;
/** Up to this many placed photos each step says what only a rebuild would. */
const MEASURED_LIVE_VIEWS = 12;
const MEASURING_ITERATIONS = 8;
/** What an unfolded scene loses may fold again; three rounds end it. */
const UNFOLD_ROUNDS = 3;

/** A scene that was refined beside the one that is shown, before anything else happens to that. */
export type Refined = {
  readonly scene: Scene;
  /** Puts it in the place of the scene. */
  readonly take: () => Rebuild;
};

/** What a refinement begins with: copies that nobody else holds. */
type Begun = {
  readonly scene: Scene;
  readonly submaps: Submaps;
  readonly pairs: readonly Pair[];
  readonly doubted: Set<number>;
};

type RefinedScene = Begun & {
  readonly pairs: Pair[];
  /** Pairs that are not doubted. */
  readonly known: readonly Pair[];
  readonly look: LastLook | undefined;
  readonly sureness: Refinement | undefined;
  /** Photos whose place another focal length explains better, and by how much they were zoomed. */
  readonly zoomed: ReadonlyMap<number, number>;
};

export class Mapper {
  readonly views: View[] = [];
  readonly #seed: number;
  readonly #lenses = new Lenses();
  readonly #trust: LensTrust;
  readonly #checks: PairChecks;
  #pairs: Pair[] = [];
  #scene = new Scene(this.views);
  #ledger = new Ledger();
  /** Places that nothing connects to the scene yet. */
  #submaps = new Submaps();
  #lastLook: LastLook | undefined;
  /** Pairs that are taken for two things that look alike. */
  #doubted: Doubted = new Set();
  /** The first rebuild has said which way is up: from then on the frame does not turn. */
  #frameSettled = false;
  readonly #foldSearch = new FoldSearch();
  readonly #retries = new Retries();
  /** Per view, the earlier views it was compared with, and how many features look alike. */
  readonly #tried: Map<number, number>[] = [];
  readonly #aslantTies = new AslantTies();
  readonly #printed = new Printed();
  /** Something is printed on the photos that was not known when pairs were verified. */
  #printedSince = false;
  /** Per view, the one it looks most like. */
  readonly #nearest: { view: number; matches: number }[] = [];
  /** The last rebuild left a photo whose focal length may not be its own. */
  #torn = false;
  /** The same of a scene of few photos as it is now, or its focal length is open. */
  #youngTorn = false;
  /** The last rebuild left parts that hang together by too little. */
  #seamWeak = false;
  /** The last rebuild left a camera that may stand elsewhere. */
  #loose = false;
  readonly #hints = new Hints();
  readonly #zooms: ZoomSearch;
  /** How sure the last rebuild was of the poses. */
  #poseSigmas: ReadonlyMap<number, PoseSigma> = new Map();

  constructor({ seed }: MapperOptions) {
    this.#seed = seed;
    this.#trust = new LensTrust(this.#lenses, seed);
    this.#checks = new PairChecks({ views: this.views, trust: this.#trust, seed });
    this.#zooms = new ZoomSearch({ views: this.views, lenses: this.#lenses, trust: this.#trust, seed });
  }

  /** Takes a photo in; it has no ties to others yet. */
  addView(photo: Photo, features: Features, segments?: Float32Array): View {
    const { lens, principal, calibration } = this.#lenses.add(photo);
    if (calibration) for (const each of [this.#scene, this.#submaps]) each.addLens(calibration);
    const view = makeView(this.views.length, photo, lens, principal, features, segments);
    this.views.push(view);
    this.#tried.push(new Map());
    for (const each of [this.#scene, this.#submaps]) each.addView(view);
    return view;
  }

  /** The candidates of a photo without what is printed on the photos, as far as it is known or they tell. */
  unprinted(view: number, candidates: readonly Candidate[]): Candidate[] {
    const pairs = candidates.map(({ other, matches }) => ({ a: other, b: view, matches }));
    for (const pair of pairs) if (this.#printed.learn(this.views, pair)) this.#printedSince = true;
    return pairs.map((pair) => ({ other: pair.a, matches: this.#printed.without(this.views, pair) }));
  }

  /** What two-view geometry is to be asked about a photo and each of its candidates before they are linked. */
  questions(view: number, candidates: readonly Candidate[]): (TwoViewQuestion | undefined)[] {
    return candidates.map((candidate) => questionOf(this.#scene, this.#matched(view, candidate), this.#seed));
  }

  /** Ties a photo to those earlier ones that geometry bears out. @param answers to `questions`, nothing having changed */
  link(view: number, candidates: readonly Candidate[], answers: readonly (TwoViewAnswer | undefined)[]): void {
    const fresh = candidates.flatMap(
      (candidate, k) => pairOf(this.#scene, this.#matched(view, candidate), answers[k]) ?? [],
    );
    for (const { other, matches } of candidates) {
      this.#tried[view].set(other, matches.length / 2);
      this.#noteLikeness(view, other, matches.length / 2);
      this.#noteLikeness(other, view, matches.length / 2);
    }
    this.#pairs.push(...fresh);
    for (const pair of byStrength(fresh)) joinPair(this.#scene.tracks, pair, compatibleIn(this.#scene));
  }

  /** Pairs that are worth a look from the side. */
  unsureTies(): Tie[] {
    const turned = new Set(this.#pairs.flatMap(({ kind, a, b }) => (kind === "rotation" ? [a, b] : [])));
    return unsureTies(this.#scene, {
      likeness: ({ a, b }) => this.#tried[b].get(a),
      kept: ({ a, b }) => (this.#pairs.find((pair) => pair.a === a && pair.b === b)?.kept.length ?? 0) / 2,
      asked: (tie) => this.#aslantTies.wasAsked(tie),
      usable: (view) => !poorPicture(this.views[view]) && (this.#scene.isPosed(view) || !turned.has(view)),
    });
  }

  /** Whether something that was seen aslant before can be linked now. */
  aslantDue(): boolean {
    return this.#aslantTies.isDue(this.#scene, this.#pairs);
  }

  /** What two-view geometry is to be asked before `linkAslant`. */
  questionsAslant(seen: readonly SeenAslant[]): TwoViewQuestion[] {
    const asked = this.#aslantTies.toAsk(seen);
    return asked.map((each) => questionAslant(this.#scene, each, this.#checks.errorPx(each), this.#seed));
  }

  /** Ties photos by what they share when they are also seen aslant. @param answers to `questionsAslant`, nothing having changed */
  linkAslant(seen: readonly SeenAslant[], answers: readonly (TwoViewAnswer | undefined)[]): void {
    const place = { views: this.views, scene: this.#scene, submaps: this.#submaps, checks: this.#checks };
    this.#pairs = this.#aslantTies.link(place, this.#pairs, seen, answers);
  }

  /** From here on all is done to copies. @returns has all as it was again, whatever was seen aslant and settled since */
  mark(): () => void {
    const [views, scene, submaps] = [[...this.views], this.#scene, this.#submaps];
    const [pairs, doubted, poseSigmas] = [this.#pairs, this.#doubted, this.#poseSigmas];
    const youngTorn = this.#youngTorn;
    const learned = [this.#lenses, this.#trust, this.#ledger, this.#aslantTies];
    const searches = [this.#foldSearch, this.#retries, this.#zooms];
    const goBack = [...learned, ...searches].map((each) => each.mark());
    this.#scene = scene.clone();
    this.#ledger.follow(this.#scene);
    this.#submaps = submaps.clone(pairs);
    this.#doubted = new Set(doubted);
    return () => {
      this.views.splice(0, views.length, ...views);
      [this.#scene, this.#submaps, this.#pairs] = [scene, submaps, pairs];
      [this.#doubted, this.#poseSigmas, this.#youngTorn] = [doubted, poseSigmas, youngTorn];
      for (const each of goBack) each();
    };
  }

  #matched(view: number, { other, matches }: Candidate): Matched {
    return { a: other, b: view, matches, errorPx: this.#checks.errorPx({ a: other, b: view }) };
  }

  /** Places what can be placed. */
  settle(stop: () => void, stage: OnStage = unwatched): void {
    this.#place(stop, stage);
    this.#youngTorn = this.#isYoungTorn(stop);
  }

  #place(stop: () => void, stage: OnStage): void {
    if (this.#printedSince && this.views.length <= FEW_VIEWS) this.#forgetPrinted(stop);
    stage("focal length");
    const votes = this.#voteFocals(stop);
    const options = this.#growOptions(stop, stage);
    if (this.#scene.posed.length === 0) {
      const built = buildScene(this.views, this.#pairs, this.#scene.calibrations, options);
      if (built) this.#scene = built;
      this.#turnUpright(this.#scene, false);
      return;
    }
    this.#splitZoomed(stop);
    const pairs = () => trusted(this.#pairs, this.#doubted);
    const passOver = (view: number) => this.#submaps.has(view);
    const grow = () => growScene(this.#scene, pairs(), { ...options, passOver, retries: this.#retries });
    this.#retries.next();
    grow();
    stage("doubt");
    if (this.#takeMisplaced(this.#zooms.misplaced(this.#scene, this.#pairs, stop), stop)) grow();
    this.#reconsider(votes, options);
    if (this.#unfold()) grow();
    this.#submaps.settle(this.#scene, this.views, this.#pairs, options);
    const merged = this.#submaps.mergeInto(this.#scene, pairs(), options);
    if (merged === this.#scene) return;
    this.#scene = merged;
    this.#ledger.follow(merged);
    grow();
  }

  /**
   * A narrow vote of a few pairs vouches for a focal length before anything has measured it; where a large thing moves
   * before the scene these pairs follow it, and agree with one another.
   */
  #isYoungTorn(stop: () => void): boolean {
    const scene = this.#scene;
    if (scene.posed.length < 3 || scene.posed.length > MEASURED_LIVE_VIEWS) return false;
    const known = trusted(this.#pairs, this.#doubted);
    if (scene.posed.some((view) => this.#zooms.isTorn(scene, known, view))) return true;
    const used = scene.posed.map((view) => this.views[view].lens);
    const estimated = used.filter((lens) => this.#lenses.list[lens].source === "estimated");
    if (estimated.length === 0) return false;
    const copy = scene.clone();
    const options = { iterations: MEASURING_ITERATIONS, lenses: this.#lenses.list, covariance: true, stop };
    const sureness = adjust(copy, options);
    const sigmas = sureness && focalSigmas(sureness, copy.calibrations);
    return estimated.some((lens) => !sigmas || isOpen(sigmas[lens]));
  }

  /** Takes what is printed on the photos out of what they were tied by before it was known. */
  #forgetPrinted(stop: () => void): void {
    const pairs = this.#unprintedPairs(stop);
    const isChanged = pairs.length < this.#pairs.length || pairs.some((pair, k) => pair.kept !== this.#pairs[k].kept);
    this.#pairs = pairs;
    this.#printedSince = false;
    if (!isChanged || this.#scene.posed.length === 0) return;
    retrack(this.#scene, trusted(pairs, this.#doubted), 4);
    this.#ledger.follow(this.#scene);
  }

  #unprintedPairs(stop: () => void): Pair[] {
    return this.#checks.unprinted(this.#scene, this.#pairs, this.#printed, stop);
  }

  /** Gives photos that were zoomed, and nobody said so, a lens of their own before they get a wrong place. */
  #splitZoomed(stop: () => void): void {
    for (const view of this.#zooms.waiting(this.#scene)) {
      stop();
      const factor = this.#zooms.factorOf(view.index, this.#scene, this.#pairs);
      if (factor !== undefined) this.#giveOwnLens(view, factor * this.#scene.focal(view.index), stop);
    }
  }

  /** @param copies other scenes that they take their place in */
  #takeMisplaced(
    factors: ReadonlyMap<number, number>,
    stop: () => void,
    copies: readonly [Scene, Submaps] | readonly [] = [],
  ): boolean {
    for (const [index, factor] of factors) {
      for (const scene of [this.#scene, copies[0]]) if (scene?.isPosed(index)) takePlace(scene, index);
      this.#giveOwnLens(this.views[index], factor * (copies[0] ?? this.#scene).focal(index), stop, copies);
    }
    return factors.size > 0;
  }

  #giveOwnLens(view: View, focalPx: number, stop: () => void, copies: readonly (Scene | Submaps)[] = []): void {
    const { index, lens } = view;
    const own = this.#lenses.zoomed(lens);
    for (const each of [this.#scene, this.#submaps, ...copies]) {
      each.addLens(Float64Array.of(focalPx, focalPx, 0, 0, 0, 0));
    }
    this.#changeLens(view, own, copies);
    const scene = copies[0] instanceof Scene ? copies[0] : this.#scene;
    this.#trust.splitOff(own, lens, scene);
    this.#retries.forget(index);
    this.#pairs = this.#checks.again(scene, this.#pairs, stop);
  }

  #changeLens(view: View, lens: number, copies: readonly (Scene | Submaps)[] = []): void {
    this.views[view.index] = { ...view, lens };
    for (const each of [this.#scene, this.#submaps, ...copies]) each.lensChanged(view.index);
  }

  /** @returns whether the scene had a fold */
  #unfold(): boolean {
    if (this.#foldSearch.goOn(this.#scene, this.#pairs, this.#doubted) === 0) return false;
    retrack(this.#scene, trusted(this.#pairs, this.#doubted), 4);
    this.#ledger.follow(this.#scene);
    return true;
  }

  /** @param seen whether somebody has seen the scene's frame */
  #turnUpright(scene: Scene, seen: boolean, carried?: FeltUpright): Similarity | undefined {
    const first = scene.posed[0];
    if (first === undefined) return undefined;
    const up = upOfScene(scene, this.#seed, carried);
    const turn = up && uprightTurn(up, cameraCentre(scene.poses, first * 12), seen);
    if (!turn) return undefined;
    scene.transform(turn);
    return quaternionOfSimilarity(turn);
  }

  #noteLikeness(view: number, other: number, matches: number): void {
    if (matches > (this.#nearest[view]?.matches ?? 0)) this.#nearest[view] = { view: other, matches };
  }

  step(view?: number, sigmas: ReadonlyMap<number, PoseSigma> = new Map()): Step {
    // The frame changes with a generation only: of two places the one with many more photos is shown by a rebuild.
    const rebuildAdvised = this.#ledger.stale(this.#scene) || this.#submaps.muchLargerThan(this.#scene) !== undefined;
    const hints = view === undefined ? [] : this.#hintsAfter(view);
    return {
      verdicts: this.#ledger.verdicts(this.#scene, this.#standings(), view),
      cameras: this.#ledger.cameras(this.#scene, (each) => sigmas.get(each) ?? ownSigma(this.#scene, each)),
      points: this.#ledger.points(this.#scene),
      rebuildAdvised,
      doubts: this.#doubts(),
      ...(hints.length > 0 && { hints }),
    };
  }

  #hintsAfter(view: number): Hint[] {
    const verdict = verdictOf(this.#scene, view, this.#standings().get(view));
    const hints = this.#hints.afterPhoto(this.#scene, this.#pairs, view, verdict);
    return hints.map((hint) => ({ ...hint, image: this.views[view].photo.image }));
  }

  /**
   * Refines a copy of everything. Nothing has changed before it is taken, nor when `stop` throws; but where a photo was
   * zoomed, as only the refined scene shows, it has a lens of its own from then on, and all is refined again.
   */
  refine(
    stop: () => void,
    progress: Progress,
    options: Pick<RebuildOptions, "frame" | "up"> = {},
    stage: OnStage = unwatched,
  ): Refined {
    let refined = this.#refined(this.#copied(stop), stop, progress, stage);
    for (let round = 0; round < ZOOM_ROUNDS; round++) {
      const { scene, submaps, zoomed } = refined;
      const rejoined = this.#rejoinLenses([scene, submaps]);
      if (zoomed.size === 0 && !rejoined) break;
      this.#takeMisplaced(zoomed, stop, [scene, submaps]);
      refined = this.#refined({ ...refined, pairs: this.#unprintedPairs(stop) }, stop, progress, stage);
    }
    return this.#handedOut(refined, stop, options, stage);
  }

  #copied(stop: () => void): Begun {
    const pairs = this.#unprintedPairs(stop);
    const submaps = this.#submaps.clone(pairs);
    const larger = submaps.muchLargerThan(this.#scene);
    if (larger) submaps.exchange(larger, this.#scene.clone(), trusted(pairs, this.#doubted));
    return { scene: larger ?? this.#scene.clone(), submaps, pairs, doubted: new Set(this.#doubted) };
  }

  /**
   * Photos that were taken for zoomed beside one that was, and are not, get the lens back that they share; and those
   * that have found no place with their own, or were asked before it was known where that lens looks, to be asked again.
   */
  #rejoinLenses(copies: readonly [Scene, Submaps]): boolean {
    const [scene] = copies;
    let rejoined = false;
    for (const [own, base] of this.#trust.splits) {
      const ratio = scene.calibration(own)[0] / scene.calibration(base)[0];
      const isPlaced = scene.posedWith(own) > 0;
      const isOther = isPlaced && Math.abs(Math.log(ratio)) > SAME_FOCAL;
      const isOutdated = this.#trust.isOutdated(scene, own);
      if (scene.posedWith(base) === 0 || (isOther && !isOutdated)) continue;
      for (const view of this.views) {
        if (view.lens !== own) continue;
        if (isOther && scene.isPosed(view.index)) takePlace(scene, view.index);
        this.#changeLens(view, base, copies);
      }
      this.#trust.rejoined(own);
      rejoined = true;
    }
    return rejoined;
  }

  /** @param begun refined in place */
  #refined(begun: Begun, stop: () => void, progress: Progress, stage: OnStage): RefinedScene {
    const { submaps, doubted } = begun;
    let { scene } = begun;
    const options = { ...this.#growOptions(stop, stage), doubted };
    const rounds = 4;
    // Thousands of ties take seconds.
    const looking = (at: Scene) => (ties: readonly Pair[]) => missingAlong(at, ties, stop);
    progress("refine", 0, rounds);
    // The first adjustment makes the lenses good; pairs and tracks are then judged anew with them.
    let first = refineScene(scene, options, 1);
    stage("verification");
    const measured = first ? this.#trust.measuredIn(scene, first) : new Set<number>();
    const rechecked = this.#checks.again(scene, begun.pairs, stop, measured);
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
    const { pairs, changed } = readAgain(scene, rechecked, this.#seed, stop);
    const known = trusted(pairs, doubted);
    const look = worthAnotherLook(scene, known, changed ? undefined : this.#lastLook);
    const other = look && builtAfresh(scene, known, options);
    if (other) {
      const rival = other.scene.clone();
      if (unfold(rival, pairs, new Set(doubted), looking(rival)) === 0) ({ scene, sureness: first } = other);
    }
    if (changed) retrack(scene, known, 4);
    progress("refine", 1, rounds);
    const principal: FreePrincipals = first ? principalLenses(scene, this.#lenses.list, first) : new Map();
    const sureness = refineScene(scene, { ...options, principal }, 3, (done) => progress("refine", 1 + done, rounds));
    stop();
    stage("doubt");
    const found = sureness ? this.#trust.measuredIn(scene, sureness) : measured;
    const zoomed = this.#zooms.misplacedWhenRefined(scene, known, stop, found);
    return { scene, submaps, pairs, doubted, known, look, sureness, zoomed };
  }

  #handedOut(
    { scene, submaps, pairs, doubted, known, look, sureness, zoomed }: RefinedScene,
    stop: () => void,
    { frame, up: carried }: Pick<RebuildOptions, "frame" | "up">,
    stage: OnStage,
  ): Refined {
    stage("handing out");
    const laid = layOnto(scene, this.#ledger, frame, this.#seed);
    stop();
    const settled = frame !== undefined || (this.#frameSettled && laid !== undefined);
    const turn = settled ? undefined : this.#turnUpright(scene, laid !== undefined, carried);
    const aligned = turn && laid?.alignment ? { ...laid, alignment: composeMotions(turn, laid.alignment) } : laid;
    submaps.refine(scene, { ...this.#growOptions(stop, stage), doubted });
    // What was felt is told in the frame before: the turn that made that upright is done.
    const up = upOfScene(scene, this.#seed, carried && turned(carried, turn));
    const take = (): Rebuild => {
      this.#pairs = pairs;
      this.#scene = scene;
      this.#submaps = submaps;
      this.#frameSettled = true;
      if (look) this.#lastLook = look;
      this.#doubted = doubted;
      this.#torn = zoomed.size > 0 || scene.posed.some((view) => this.#zooms.isTorn(scene, known, view));
      this.#ledger.restart(scene);
      if (sureness) this.#trust.learn(scene, sureness);
      this.#poseSigmas = scaled(sureness ? sigmasOf(sureness) : new Map(), aligned?.alignment?.scale ?? 1);
      this.#youngTorn = false;
      this.#seamWeak = hangsByAThread(scene);
      this.#loose = isLoose(scene, this.#poseSigmas);
      const { verdicts, cameras, points, doubts = [] } = this.step(undefined, this.#poseSigmas);
      const hints = this.#hints.afterRebuild(scene, pairs);
      return {
        verdicts,
        cameras,
        points,
        doubts,
        ...(hints.length > 0 && { hints }),
        ...aligned,
        ...(up && { upright: uprightFrom(up) }),
      };
    };
    return { scene, take };
  }

  /** As it is now; lent until the next call. */
  get scene(): Scene {
    return this.#scene;
  }

  /** Views that were never compared though they should see the same part of the scene, by the later of the two. */
  untried(): { view: number; others: number[] }[] {
    return findGaps(this.#scene, (view, other) => this.#tried[view].has(other));
  }

  model(): SparseModel {
    return sparseModelOf(this.#scene);
  }

  focal(): FocalReport | undefined {
    const [first] = this.#scene.posed;
    if (first === undefined) return undefined;
    return this.#trust.focalOf(this.#scene, this.views[first].lens);
  }

  /** What the model rests on and where it is weak. */
  report(): EngineReport {
    const scene = this.#scene;
    const standings = this.#standings();
    const sigmas = new Map<number, PoseSigma>();
    for (const view of scene.posed) {
      const sigma = this.#poseSigmas.get(view) ?? ownSigma(scene, view);
      if (sigma) sigmas.set(view, sigma);
    }
    return engineReport({
      scene,
      pairs: this.#pairs,
      verdictOf: (view) => verdictOf(scene, view, standings.get(view)),
      nearestOf: (view) => this.#nearest[view],
      sigmas,
      lenses: this.#lenses.list.map((_, index) => this.#trust.focalOf(scene, index)),
      doubts: this.#doubts(),
    });
  }

  #doubts(): Doubt[] {
    const doubtful = this.#scene.posed.some((view) => !this.#trust.isVouchedFor(this.#scene, this.views[view].lens));
    const focal = doubtful || this.#torn || this.#youngTorn;
    // An open focal length lets all cameras go; more photos where parts meet would not help.
    const seam = this.#seamWeak || (this.#loose && !focal);
    return [...(focal ? (["focal_uncertain"] as const) : []), ...(seam ? (["weak_seam"] as const) : [])];
  }

  /** Asks two-view geometry for the focal lengths that nobody told, and begins with what it says. */
  #voteFocals(stop: () => void): Map<number, FocalVote> {
    const votes = new Map<number, FocalVote>();
    for (const lens of this.#trust.open(this.#scene)) {
      stop();
      const vote = this.#trust.ask(this.#scene, this.#pairs, lens);
      if (!vote) continue;
      votes.set(lens, vote);
      if (this.#scene.posedWith(lens) > 0) continue;
      this.#scene.setFocal(lens, vote.part * this.#lenses.list[lens].longSidePx);
      this.#pairs = this.#checks.again(this.#scene, this.#pairs, stop);
    }
    return votes;
  }

  /** While a scene is young, sees whether one built from all that is known by now is better. */
  #reconsider(votes: ReadonlyMap<number, FocalVote>, options: GrowOptions): void {
    const scene = this.#scene;
    let doubtful = false;
    for (const [lens, vote] of votes) if (this.#trust.weigh(scene, lens, vote)) doubtful = true;
    const restart = doubtful ? scene.posed.length <= YOUNG_VIEWS : this.#betterStart(scene);
    if (restart) this.#startOver(votes, options);
  }

  /** Whether a scene of a few photos would have begun much better with a pair that has come since. */
  #betterStart(scene: Scene): boolean {
    if (scene.posed.length > START_OVER_VIEWS || this.views.length <= scene.posed.length) return false;
    const within = this.#pairs.filter(({ a, b }) => scene.isPosed(a) && scene.isPosed(b));
    const score = (pairs: readonly Pair[]) => Math.max(0, ...startPairs(pairs).slice(0, 1).map(startScore));
    return score(this.#pairs) > BETTER_START * score(within);
  }

  #startOver(votes: ReadonlyMap<number, FocalVote>, options: GrowOptions): void {
    const begun = this.#scene.clone();
    for (const [index, vote] of votes) begun.setFocal(index, vote.part * this.#lenses.list[index].longSidePx);
    const pairs = this.#checks.again(begun, this.#pairs, options.stop);
    const fresh = buildScene(this.views, pairs, begun.calibrations, options);
    if (!fresh || explainedMatches(fresh, pairs) <= explainedMatches(this.#scene, this.#pairs)) return;
    this.#pairs = pairs;
    this.#replaceScene(fresh);
  }

  #replaceScene(scene: Scene): void {
    carryHanded(this.#scene.tracks, scene.tracks);
    layOnto(scene, this.#ledger, undefined, this.#seed);
    this.#ledger.follow(scene);
    this.#scene = scene;
    this.#poseSigmas = new Map();
  }

  #growOptions(stop: () => void, stage: OnStage): GrowOptions {
    const certain = (lens: number) => this.#trust.isCertain(lens);
    const rule = (lens: number) => this.#trust.ruleOf(lens);
    return { lenses: this.#lenses.list, seed: this.#seed, certain, rule, doubted: this.#doubted, stop, stage };
  }

  #standings(): Map<number, Standing> {
    return standingsOf(this.#scene, this.#pairs, (view) => this.#submaps.sizeOf(view));
  }
}

function scaled(sigmas: ReadonlyMap<number, PoseSigma>, scale: number): Map<number, PoseSigma> {
  return new Map([...sigmas].map(([view, sigma]) => [view, { ...sigma, position: scale * sigma.position }]));
}
