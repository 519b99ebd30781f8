/**
 * The mapper: photos and their matches in, a growing scene out. Nothing here waits or reads: the engine around it
 * brings features and matches, and may end any call by letting `stop` throw; the scene is then whole and merely
 * unfinished, and the next call goes on from there.
 */

import type { SparseModel } from "@cairn/formats";
import type { EngineReport, Hint, PoseSigma } from "@cairn/protocol";
import type { FocalReport, Photo, Progress, Rebuild, RebuildOptions, Step } from "../engine.ts";
import type { Features } from "../features/features.ts";
import { composeMotions } from "../generation/motion.ts";
import { turned, uprightFrom } from "../generation/upright.ts";
import { Hints } from "../report/hints.ts";
import { ownSigma, scaledSigmas, sigmasOf } from "../report/pose-sigma.ts";
import { engineReport } from "../report/report.ts";
import { type OnStage, unwatched } from "../stages.ts";
import type { LastLook } from "./afresh.ts";
import { questionAslant, type SeenAslant } from "./aslant.ts";
import { AslantTies } from "./aslant-ties.ts";
import { Compared } from "./compared.ts";
import { Doubts } from "./doubts.ts";
import type { FocalVote } from "./focal.ts";
import { type Doubted, trusted } from "./folds.ts";
import { layOnto } from "./frame.ts";
import { findGaps } from "./gaps.ts";
import { type GrowOptions, growScene } from "./grow.ts";
import { Ledger } from "./ledger.ts";
import { deniedLenses } from "./lens-check.ts";
import { LensTrust } from "./lens-trust.ts";
import { OwnLenses } from "./own-lenses.ts";
import { type Matched, type Pair, pairOf, questionOf } from "./pair.ts";
import { PairChecks } from "./pair-checks.ts";
import { type Begun, REFINE_STEPS, type Rebuilt, rebuilt } from "./rebuilt.ts";
import { restarted } from "./restart.ts";
import { Retries } from "./retries.ts";
import { Scene } from "./scene.ts";
import { buildScene, byStrength, carryHanded, compatibleIn, joinPair, retrack } from "./scene-building.ts";
import { sparseModelOf } from "./sparse-model.ts";
import { type Standing, standingsOf } from "./standing.ts";
import { Submaps } from "./submaps.ts";
import type { TwoViewAnswer, TwoViewQuestion } from "./two-view.ts";
import { FoldSearch } from "./unfold.ts";
import { type Candidate, Unprinted } from "./unprinted.ts";
import { type Tie, unsureTies } from "./unsure.ts";
import { turnUpright, upOfScene } from "./up.ts";
import { poorPicture, verdictOf } from "./verdict.ts";
import { Lenses, makeView, type View } from "./view.ts";
import { takePlace } from "./zoom.ts";
import { ZoomSearch } from "./zoom-search.ts";

type MapperOptions = { readonly seed: number };

/** So often a refined scene may show that one more was zoomed, or that lenses are one. */
const REFINE_ROUNDS = 5;

/** A scene that was refined beside the one that is shown, before anything else happens to that. */
export type Refined = {
  readonly scene: Scene;
  /** Puts it in the place of the scene. */
  readonly take: () => Rebuild;
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
  readonly #compared = new Compared();
  readonly #aslantTies = new AslantTies();
  readonly #unprinted: Unprinted;
  readonly #doubts: Doubts;
  readonly #hints = new Hints();
  readonly #zooms: ZoomSearch;
  readonly #ownLenses: OwnLenses;
  /** How sure the last rebuild was of the poses. */
  #poseSigmas: ReadonlyMap<number, PoseSigma> = new Map();

  constructor({ seed }: MapperOptions) {
    this.#seed = seed;
    const [views, lenses] = [this.views, this.#lenses];
    const trust = new LensTrust(lenses, seed);
    this.#trust = trust;
    this.#checks = new PairChecks({ views, trust, seed });
    this.#zooms = new ZoomSearch({ views, lenses, trust, seed });
    this.#unprinted = new Unprinted({ views, checks: this.#checks });
    this.#doubts = new Doubts({ views, lenses, trust, zooms: this.#zooms });
    this.#ownLenses = new OwnLenses({ views, lenses, trust });
  }

  /** Takes a photo in; it has no ties to others yet. */
  addView(photo: Photo, features: Features, segments?: Float32Array): View {
    const { lens, principal, calibration } = this.#lenses.add(photo);
    if (calibration) for (const each of [this.#scene, this.#submaps]) each.addLens(calibration);
    const view = makeView(this.views.length, photo, lens, principal, features, segments);
    this.views.push(view);
    this.#compared.addView();
    for (const each of [this.#scene, this.#submaps]) each.addView(view);
    return view;
  }

  /** The candidates of a photo without what is printed on the photos, as far as it is known or they tell. */
  unprinted(view: number, candidates: readonly Candidate[]): Candidate[] {
    return this.#unprinted.candidatesOf(view, candidates);
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
    for (const { other, matches } of candidates) this.#compared.note(view, other, matches.length / 2);
    this.#pairs.push(...fresh);
    for (const pair of byStrength(fresh)) joinPair(this.#scene.tracks, pair, compatibleIn(this.#scene));
  }

  /** Pairs that are worth a look from the side. */
  unsureTies(): Tie[] {
    const turned = new Set(this.#pairs.flatMap(({ kind, a, b }) => (kind === "rotation" ? [a, b] : [])));
    return unsureTies(this.#scene, {
      likeness: (tie) => this.#compared.likenessOf(tie),
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
    const [frameSettled, lastLook] = [this.#frameSettled, this.#lastLook];
    const learned = [this.#lenses, this.#trust, this.#ledger, this.#aslantTies, this.#unprinted];
    const searches = [this.#foldSearch, this.#retries, this.#zooms, this.#doubts];
    const goBack = [...learned, ...searches].map((each) => each.mark());
    this.#scene = scene.clone();
    this.#ledger.follow(this.#scene);
    this.#submaps = submaps.clone(pairs);
    this.#doubted = new Set(doubted);
    return () => {
      this.views.splice(0, views.length, ...views);
      [this.#scene, this.#submaps, this.#pairs] = [scene, submaps, pairs];
      [this.#doubted, this.#poseSigmas] = [doubted, poseSigmas];
      [this.#frameSettled, this.#lastLook] = [frameSettled, lastLook];
      for (const each of goBack) each();
    };
  }

  #matched(view: number, { other, matches }: Candidate): Matched {
    return { a: other, b: view, matches, errorPx: this.#checks.errorPx({ a: other, b: view }) };
  }

  /** Places what can be placed. */
  settle(stop: () => void, stage: OnStage = unwatched): void {
    this.#place(stop, stage);
    this.#doubts.afterPhoto(this.#scene, trusted(this.#pairs, this.#doubted), stop);
  }

  #place(stop: () => void, stage: OnStage): void {
    if (this.#unprinted.isDue()) this.#forgetPrinted(stop);
    stage("focal length");
    const votes = this.#voteFocals(stop);
    const options = this.#growOptions(stop, stage);
    if (this.#scene.posed.length === 0) {
      const built = buildScene(this.views, this.#pairs, this.#scene.calibrations, options);
      if (built) this.#scene = built;
      turnUpright(this.#scene, this.#seed, { seen: false });
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

  /** Takes what is printed on the photos out of what they were tied by before it was known. */
  #forgetPrinted(stop: () => void): void {
    const { pairs, isChanged } = this.#unprinted.settle(this.#scene, this.#pairs, stop);
    this.#pairs = pairs;
    if (isChanged && this.#scene.posed.length > 0) this.#retrack();
  }

  /** Makes the tracks of the scene anew of the pairs as they are. */
  #retrack(): void {
    retrack(this.#scene, trusted(this.#pairs, this.#doubted), 4);
    this.#ledger.follow(this.#scene);
  }

  /** Gives photos that were zoomed, and nobody said so, a lens of their own before they get a wrong place. */
  #splitZoomed(stop: () => void): void {
    for (const view of this.#zooms.waiting(this.#scene)) {
      stop();
      const factor = this.#zooms.factorOf(view.index, this.#scene, this.#pairs);
      if (factor !== undefined) this.#giveOwnLens(view.index, factor * this.#scene.focal(view.index), stop);
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
      this.#giveOwnLens(index, factor * (copies[0] ?? this.#scene).focal(index), stop, copies);
    }
    return factors.size > 0;
  }

  #giveOwnLens(
    view: number,
    focalPx: number,
    stop: () => void,
    copies: readonly [Scene, Submaps] | readonly [] = [],
  ): void {
    const scene = copies[0] ?? this.#scene;
    this.#ownLenses.split(view, focalPx, scene, [this.#scene, this.#submaps, ...copies]);
    this.#retries.forget(view);
    this.#pairs = this.#checks.again(scene, this.#pairs, stop);
  }

  /** @returns whether the scene had a fold */
  #unfold(): boolean {
    if (this.#foldSearch.goOn(this.#scene, this.#pairs, this.#doubted) === 0) return false;
    this.#retrack();
    return true;
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
      doubts: this.#doubts.of(this.#scene),
      ...(hints.length > 0 && { hints }),
    };
  }

  #hintsAfter(view: number): Hint[] {
    const verdict = verdictOf(this.#scene, view, this.#standings().get(view));
    const hints = this.#hints.afterPhoto(this.#scene, this.#pairs, view, verdict);
    return hints.map((hint) => ({ ...hint, image: this.views[view].photo.image }));
  }

  /**
   * Refines a copy of everything, which is to be taken. Where a photo was zoomed, or lenses are one, as only the refined
   * scene shows, that holds from then on, and all is refined again: what is not taken in the end needs a `mark` before.
   */
  refine(
    stop: () => void,
    progress: Progress,
    options: Pick<RebuildOptions, "frame" | "up"> = {},
    stage: OnStage = unwatched,
  ): Refined {
    const refinedOf = (begun: Begun) =>
      rebuilt(
        begun,
        { trust: this.#trust, checks: this.#checks, zooms: this.#zooms, lastLook: this.#lastLook },
        this.#growOptions(stop, stage),
        progress,
      );
    let refined = refinedOf(this.#copied(stop));
    for (let round = 0; round < REFINE_ROUNDS; round++) {
      const { scene, submaps, zoomed } = refined;
      const all = [this.#scene, this.#submaps, scene, submaps];
      const joined = this.#ownLenses.join(refined, all, stop);
      const rejoined = this.#ownLenses.rejoin(scene, all) || joined;
      if (zoomed.size === 0 && !rejoined) break;
      this.#takeMisplaced(zoomed, stop, [scene, submaps]);
      refined = refinedOf({ ...refined, pairs: this.#unprinted.of(this.#scene, this.#pairs, stop) });
    }
    return this.#handedOut(refined, stop, progress, options, stage);
  }

  #copied(stop: () => void): Begun {
    const pairs = this.#unprinted.of(this.#scene, this.#pairs, stop);
    const submaps = this.#submaps.clone(pairs);
    const larger = submaps.muchLargerThan(this.#scene);
    if (larger) submaps.exchange(larger, this.#scene.clone(), trusted(pairs, this.#doubted));
    return { scene: larger ?? this.#scene.clone(), submaps, pairs, doubted: new Set(this.#doubted) };
  }

  #handedOut(
    { scene, submaps, pairs, doubted, known, look, sureness, zoomed }: Rebuilt,
    stop: () => void,
    progress: Progress,
    { frame, up: carried }: Pick<RebuildOptions, "frame" | "up">,
    stage: OnStage,
  ): Refined {
    stage("lens check");
    const denied = deniedLenses(scene, this.#lenses.list, stop);
    progress("refine", REFINE_STEPS, REFINE_STEPS);
    stage("handing out");
    const laid = layOnto(scene, this.#ledger, frame, this.#seed);
    stop();
    const settled = frame !== undefined || (this.#frameSettled && laid !== undefined);
    const turn = settled ? undefined : turnUpright(scene, this.#seed, { seen: laid !== undefined, carried });
    const aligned = turn && laid?.alignment ? { ...laid, alignment: composeMotions(turn, laid.alignment) } : laid;
    submaps.refine(scene, { ...this.#growOptions(stop, stage), doubted });
    // What was felt is told in the frame before: the turn that made that upright is done.
    const up = upOfScene(scene, this.#seed, carried && turned(carried, turn));
    const take = (): Rebuild => {
      this.#pairs = pairs;
      this.#scene = scene;
      this.#submaps = submaps;
      // A look that places nothing has laid nothing anywhere.
      if (scene.posed.length > 0) this.#frameSettled = true;
      if (look) this.#lastLook = look;
      this.#doubted = doubted;
      this.#ledger.restart(scene);
      if (sureness) this.#trust.learn(scene, sureness);
      this.#trust.deny(denied);
      this.#poseSigmas = scaledSigmas(sureness ? sigmasOf(sureness, scene) : new Map(), aligned?.alignment?.scale ?? 1);
      this.#doubts.afterRebuild(scene, { known, zoomed, sigmas: this.#poseSigmas });
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
    return findGaps(this.#scene, (view, other) => this.#compared.has(view, other));
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
      nearestOf: (view) => this.#compared.nearestOf(view),
      sigmas,
      lenses: this.#lenses.list.map((_, index) => this.#trust.focalOf(scene, index)),
      doubts: this.#doubts.of(scene),
    });
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
    const young = { scene: this.#scene, pairs: this.#pairs, trust: this.#trust, checks: this.#checks, votes };
    const better = restarted(young, options);
    if (!better) return;
    this.#pairs = better.pairs;
    const { scene } = better;
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
