/**
 * Which focal lengths are relied on: those that somebody told, and those that two-view geometry and bundle adjustment
 * have found alike. What is relied on holds photos to less when they are placed, and to more when pairs are checked;
 * what the result claims is what is vouched for here.
 */
import { CALIBRATION_SIZE } from "@cairn/geometry";
import type { FocalReport } from "../engine.ts";
import { lensSound, type SceneCovariance } from "./adjust.ts";
import { type FocalVote, FocalVotes } from "./focal.ts";
import type { Refinement } from "./grow.ts";
import type { Denials } from "./lens-check.ts";
import type { Pair } from "./pair.ts";
import type { RegistrationRule } from "./register.ts";
import type { Scene } from "./scene.ts";
import { bearsOut, focalSigmas, isMeasured, isOpen } from "./sureness.ts";
import type { Lenses } from "./view.ts";

/** A focal length this far, in the logarithm, from what two-view geometry says is doubted. */
const FOCAL_DOUBT = 0.15;
/** Two-view geometry that leaves less than this factor open counts as a witness. */
const NARROW_VOTE = 1.6;
/** How far off, as a part, a focal length may be before a rebuild has measured it. */
const UNMEASURED_SIGMA = { given: 0, exif: 0.07, estimated: 0.15 } as const;
/** So many placed photos of a lens must bear its focal length out. */
const SURE_VIEWS = 4;

/** A principal point that has moved by more, as a part of the long side, is another. */
const SAME_PRINCIPAL = 0.015;

type Split = { readonly base: number; readonly principalPx: readonly [number, number] };

export class LensTrust {
  readonly #lenses: Lenses;
  readonly #focalVotes: FocalVotes;
  /** What two-view geometry said last about each lens. */
  #votes = new Map<number, FocalVote>();
  /** Lenses whose estimated focal length has been borne out. */
  #sure = new Set<number>();
  /** Of lenses that were split off: which they were taken for, and where that looked straight ahead. */
  #zoomedFrom = new Map<number, Split>();
  /** `[lenses]` one standard deviation as a part, as the last rebuild found it. */
  #sigmas: Float64Array = new Float64Array(0);
  /** Lenses that look straight ahead elsewhere than in the middle, as the last rebuild found, and nobody knows where. */
  #offCentre: ReadonlySet<number> = new Set();

  /** What the photos of the last rebuild deny of each lens. */
  #denials: Denials = new Map();

  constructor(lenses: Lenses, seed: number) {
    this.#lenses = lenses;
    this.#focalVotes = new FocalVotes(seed);
  }

  /**
   * Whether a lens can be relied on: told by someone, or found by two-view geometry and bundle adjustment alike.
   * @param measured lenses that a refined scene has measured, which nothing was learned from yet
   */
  isCertain(lens: number, measured?: ReadonlySet<number>): boolean {
    if (this.#lenses.list[lens].source !== "estimated") return true;
    if (this.#sure.has(lens) || measured?.has(lens)) return true;
    // The points of the scene bear the focal length of a zoomed photo out as far as they are right themselves.
    const base = this.#zoomedFrom.get(lens)?.base;
    return base !== undefined && this.isCertain(base, measured);
  }

  /** Whether the result may claim a lens: what EXIF says is good to begin with, but may be left far behind. */
  isVouchedFor(scene: Scene, lens: number): boolean {
    if (this.#offCentre.has(lens)) return false;
    const each = this.#lenses.list[lens];
    if (each.source !== "exif") return this.isCertain(lens);
    return bearsOut(each, scene.calibration(lens)[0], this.#sigmas[lens]);
  }

  /** What a photo of a lens must show to be registered. */
  ruleOf(lens: number): RegistrationRule {
    const vote = this.#votes.get(lens);
    if (this.isCertain(lens)) return "lax";
    return vote && isNarrow(vote) ? "careful" : "strict";
  }

  focalOf(scene: Scene, lens: number): FocalReport {
    const { source, fullScale } = this.#lenses.list[lens];
    const at = lens * CALIBRATION_SIZE;
    const focalPx = ((scene.calibrations[at] + scene.calibrations[at + 1]) / 2) * fullScale;
    const sigmaPx = (this.#sigmas[lens] || UNMEASURED_SIGMA[source]) * focalPx;
    const denial = this.#denials.get(lens);
    return {
      source,
      focalPx,
      sigmaPx,
      certain: this.isVouchedFor(scene, lens) && !denial,
      ...(denial?.toldPx !== undefined && { toldPx: denial.toldPx * fullScale }),
    };
  }

  /** Learns what the photos of a rebuild deny. */
  deny(denials: Denials): void {
    this.#denials = denials;
  }

  /** What the photos deny of the lenses that a scene rests on. */
  denialsIn(scene: Scene): { readonly calibration_denied: boolean; readonly pixels_not_square: boolean } {
    const denied = new Set([...this.#denials].flatMap(([lens, { of }]) => (scene.posedWith(lens) > 0 ? [of] : [])));
    return { calibration_denied: denied.has("calibration"), pixels_not_square: denied.has("square") };
  }

  /** Lenses on which two-view geometry has a say: nobody told them, or EXIF did and no photo of them is placed yet. */
  *open(scene: Scene): Generator<number, void, void> {
    for (const [lens, { source }] of this.#lenses.list.entries()) {
      if (source === "exif" ? scene.posedWith(lens) === 0 : !this.isCertain(lens)) yield lens;
    }
  }

  /** Asks two-view geometry for a focal length. What EXIF tells and is denied is estimated from then on. */
  ask(scene: Scene, pairs: readonly Pair[], lens: number): FocalVote | undefined {
    const each = this.#lenses.list[lens];
    const vote = this.#focalVotes.of(scene, pairs, lens, each);
    if (!vote) return undefined;
    if (each.source === "exif") {
      if (!denies(vote, each.priorPx / each.longSidePx)) return undefined;
      this.#lenses.distrust(lens);
    }
    this.#votes.set(lens, vote);
    return vote;
  }

  /** Holds a vote against what a scene says: where they agree, the lens is relied on. @returns whether they do not */
  weigh(scene: Scene, lens: number, vote: FocalVote): boolean {
    if (!scene.posedWith(lens) || !isNarrow(vote)) return false;
    const part = scene.calibration(lens)[0] / this.#lenses.list[lens].longSidePx;
    if (Math.abs(Math.log(part / vote.part)) > FOCAL_DOUBT) return true;
    if (!isOpen(this.#sigmas[lens]) && this.#isSound(scene, lens, SURE_VIEWS)) this.#sure.add(lens);
    return false;
  }

  /** What a rebuild measures, and two-view geometry does not deny, is relied on until one finds it open. */
  learn(scene: Scene, sureness: Refinement): void {
    this.#offCentre = sureness.offCentre;
    this.#sigmas = focalSigmas(sureness, scene.calibrations);
    const measured = this.measuredIn(scene, sureness);
    for (const [lens, sigma] of this.#sigmas.entries()) {
      if (measured.has(lens)) this.#sure.add(lens);
      else if (isOpen(sigma)) this.#sure.delete(lens);
    }
  }

  /**
   * Lenses whose focal length an adjustment has measured and two-view geometry does not deny. Beside one that is known a
   * single photo will do: the points that it sees are where the others place them.
   */
  measuredIn(scene: Scene, sureness: SceneCovariance): Set<number> {
    const sigmas = focalSigmas(sureness, scene.calibrations);
    const told = this.#lenses.list.flatMap(({ longSidePx }, lens) => {
      const vote = this.#votes.get(lens);
      const denied = vote && denies(vote, scene.calibration(lens)[0] / longSidePx);
      return isMeasured(sigmas[lens]) && !denied ? [lens] : [];
    });
    const found = told.filter((lens) => this.#isSound(scene, lens, SURE_VIEWS));
    return new Set(found.length === 0 ? found : told.filter((lens) => this.#isSound(scene, lens, 1)));
  }

  /** @returns forgets what was learned since */
  mark(): () => void {
    const [votes, sure, zoomedFrom] = [[...this.#votes], [...this.#sure], [...this.#zoomedFrom]];
    const [sigmas, offCentre, denials] = [this.#sigmas, this.#offCentre, this.#denials];
    return () => {
      this.#votes = new Map(votes);
      this.#sure = new Set(sure);
      this.#zoomedFrom = new Map(zoomedFrom);
      this.#sigmas = sigmas;
      this.#offCentre = offCentre;
      this.#denials = denials;
    };
  }

  /** Notes that photos with the lens `own` were taken for such of the lens `base`. */
  splitOff(own: number, base: number, scene: Scene): void {
    this.#zoomedFrom.set(own, { base, principalPx: principalOf(scene, base) });
  }

  /** The lenses that were split off, and of which. */
  get splits(): readonly (readonly [own: number, base: number])[] {
    return [...this.#zoomedFrom].map(([own, { base }]) => [own, base] as const);
  }

  /**
   * Whether a lens was split off while the one it was taken for was believed to look straight ahead elsewhere: a photo
   * that was cut off-centre passes for a zoomed one then.
   */
  isOutdated(scene: Scene, own: number): boolean {
    const split = this.#zoomedFrom.get(own);
    if (!split) return false;
    const [x, y] = principalOf(scene, split.base);
    const [cx, cy] = split.principalPx;
    return Math.hypot(x - cx, y - cy) > SAME_PRINCIPAL * this.#lenses.list[split.base].longSidePx;
  }

  /** What was taken for zoomed beside the lens `own` is judged beside `base`, which has its photos now. */
  joined(own: number, base: number): void {
    for (const [lens, split] of this.#zoomedFrom) {
      if (split.base === own) this.#zoomedFrom.set(lens, { ...split, base });
    }
  }

  rejoined(own: number): void {
    this.#zoomedFrom.delete(own);
  }

  #isSound(scene: Scene, lens: number, views: number): boolean {
    return scene.posedWith(lens) >= views && lensSound(this.#lenses.list[lens], scene.calibration(lens));
  }
}

function principalOf(scene: Scene, lens: number): readonly [number, number] {
  const [, , cx, cy] = scene.calibration(lens);
  return [cx, cy];
}

const isNarrow = ({ low, high }: FocalVote) => high / low <= NARROW_VOTE;

/** Whether two-view geometry rules a focal length, as a part of the long side, out. */
function denies({ low, high }: FocalVote, part: number): boolean {
  return part < 0.9 * low || part > 1.1 * high;
}
