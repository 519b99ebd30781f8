/** What the result says of itself that may be wrong with it, though every photo fits. */
import type { Doubt, PoseSigma } from "@cairn/protocol";
import { adjust } from "./adjust.ts";
import type { LensTrust } from "./lens-trust.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import { hangsByAThread, isLoose } from "./seams.ts";
import { focalSigmas, isOpen } from "./sureness.ts";
import type { Lenses, View } from "./view.ts";
import type { ZoomSearch } from "./zoom-search.ts";

/** Up to this many placed photos each step says what only a rebuild would. */
const MEASURED_LIVE_VIEWS = 12;
const MEASURING_ITERATIONS = 8;
/** In the order in which they are told. */
const DOUBTED: readonly Doubt[] = ["calibration_denied", "pixels_not_square", "focal_uncertain", "weak_seam"];

type DoubtsOptions = {
  readonly views: readonly View[];
  readonly lenses: Lenses;
  readonly trust: Pick<LensTrust, "isVouchedFor" | "denialsIn">;
  readonly zooms: Pick<ZoomSearch, "isTorn">;
};

type Rebuilt = {
  /** Pairs that are not doubted. */
  readonly known: readonly Pair[];
  /** Photos that were zoomed, and by how much, which had no lens of their own when the scene was refined. */
  readonly zoomed: ReadonlyMap<number, number>;
  readonly sigmas: ReadonlyMap<number, PoseSigma>;
};

export class Doubts {
  readonly #views: readonly View[];
  readonly #lenses: Lenses;
  readonly #trust: DoubtsOptions["trust"];
  readonly #zooms: DoubtsOptions["zooms"];
  /** The last rebuild left a photo whose focal length may not be its own. */
  #torn = false;
  /** The same of a scene of few photos as it is now, or its focal length is open. */
  #youngTorn = false;
  /** The last rebuild left parts that hang together by too little. */
  #seamWeak = false;
  /** The last rebuild left a camera that may stand elsewhere. */
  #loose = false;

  constructor({ views, lenses, trust, zooms }: DoubtsOptions) {
    this.#views = views;
    this.#lenses = lenses;
    this.#trust = trust;
    this.#zooms = zooms;
  }

  /** Looks at a scene after a photo has come. @param known pairs that are not doubted */
  afterPhoto(scene: Scene, known: readonly Pair[], stop: () => void): void {
    this.#youngTorn = this.#isYoungTorn(scene, known, stop);
  }

  afterRebuild(scene: Scene, { known, zoomed, sigmas }: Rebuilt): void {
    this.#torn = zoomed.size > 0 || scene.posed.some((view) => this.#zooms.isTorn(scene, known, view));
    this.#youngTorn = false;
    this.#seamWeak = hangsByAThread(scene);
    this.#loose = isLoose(scene, sigmas);
  }

  of(scene: Scene): Doubt[] {
    const doubtful = scene.posed.some((view) => !this.#trust.isVouchedFor(scene, this.#views[view].lens));
    const focal = doubtful || this.#torn || this.#youngTorn;
    // An open focal length lets all cameras go; more photos where parts meet would not help.
    const seam = this.#seamWeak || (this.#loose && !focal);
    const doubts = { focal_uncertain: focal, weak_seam: seam, ...this.#trust.denialsIn(scene) };
    return DOUBTED.filter((doubt) => doubts[doubt]);
  }

  /** @returns has what photos have told since as it was; what a rebuild tells is told when nothing can go wrong any more */
  mark(): () => void {
    const youngTorn = this.#youngTorn;
    return () => {
      this.#youngTorn = youngTorn;
    };
  }

  /**
   * A narrow vote of a few pairs vouches for a focal length before anything has measured it; where a large thing moves
   * before the scene these pairs follow it, and agree with one another.
   */
  #isYoungTorn(scene: Scene, known: readonly Pair[], stop: () => void): boolean {
    if (scene.posed.length < 3 || scene.posed.length > MEASURED_LIVE_VIEWS) return false;
    if (scene.posed.some((view) => this.#zooms.isTorn(scene, known, view))) return true;
    const used = scene.posed.map((view) => this.#views[view].lens);
    const estimated = used.filter((lens) => this.#lenses.list[lens].source === "estimated");
    if (estimated.length === 0) return false;
    const copy = scene.clone();
    const options = { iterations: MEASURING_ITERATIONS, lenses: this.#lenses.list, covariance: true, stop };
    const sureness = adjust(copy, options);
    const sigmas = sureness && focalSigmas(sureness, copy.calibrations);
    return estimated.some((lens) => !sigmas || isOpen(sigmas[lens]));
  }
}
