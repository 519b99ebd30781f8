/**
 * Which photos are asked whether they were zoomed, and how often: asking costs some twenty resections. What follows from
 * the answer is the mapper's; nothing changes here but the count.
 */
import { CLOSE_ERROR_PX, standingOf } from "./consistency.ts";
import type { LensTrust } from "./lens-trust.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import type { Lenses, View } from "./view.ts";
import { closelySeen, zoomOf } from "./zoom.ts";

/** A lens that so many posed photos share says how another one of it should look; asked so often of each. */
const ZOOM_VIEWS = 3;
const ZOOM_TRIES = 3;
/** One that has a wrong place is asked more often: what surrounds it may be as wrong at first. */
const MISPLACED_TRIES = 8;
/** Under a focal length not its own a photo sees fewer points where others do: 0.4 to 0.8 of them; most others 0.9 and more. */
const ZOOM_SEEN = 0.85;
/** With less of it in the end the result says that it is not sure. */
const TORN_STANDING = 0.6;
/** Photos that are asked after one has come. */
const ZOOM_ASKED = 2;
/** Up to so many placed photos all of them are looked at. */
const ZOOM_ALL = 20;

type ZoomSearchOptions = {
  readonly views: readonly View[];
  readonly lenses: Lenses;
  readonly trust: LensTrust;
  readonly seed: number;
};

export class ZoomSearch {
  readonly #views: readonly View[];
  readonly #lenses: Lenses;
  readonly #trust: LensTrust;
  readonly #seed: number;
  /** Per view, how often it was asked. */
  #tries: number[] = [];

  constructor({ views, lenses, trust, seed }: ZoomSearchOptions) {
    this.#views = views;
    this.#lenses = lenses;
    this.#trust = trust;
    this.#seed = seed;
  }

  /** @returns forgets who was asked since */
  mark(): () => void {
    const tries = [...this.#tries];
    return () => {
      this.#tries = tries;
    };
  }

  /** Views without a place that may be asked now, the latest first; each counts as asked. */
  *waiting(scene: Scene): Generator<View, void, void> {
    let left = ZOOM_ASKED;
    for (const view of [...this.#views].reverse()) {
      const { index, lens } = view;
      if (left === 0) return;
      if (scene.isPosed(index) || this.#triesOf(index) >= ZOOM_TRIES) continue;
      if (this.#lenses.list[lens].source === "given" || scene.posedWith(lens) < ZOOM_VIEWS) continue;
      this.#tries[index] = this.#triesOf(index) + 1;
      left--;
      yield view;
    }
  }

  /**
   * Views that were zoomed and have a place already, from before there was enough to tell: a wrong one, which tears what
   * ties them. In a large scene only those that the latest photo is tied to are asked.
   */
  misplaced(scene: Scene, pairs: readonly Pair[], stop: () => void): Map<number, number> {
    const latest = this.#views.length - 1;
    const tied = new Set(scene.posed.length <= ZOOM_ALL ? scene.posed : [latest]);
    for (const { a, b } of pairs) if (b === latest) tied.add(a);
    const views = [...tied].filter((view) => this.#triesOf(view) < MISPLACED_TRIES);
    const asked = this.#seemMisplaced(scene, pairs, views).slice(0, ZOOM_ASKED);
    for (const view of asked) this.#tries[view] = this.#triesOf(view) + 1;
    return this.#factorsOf(asked, scene, pairs, stop);
  }

  /** The same of all views of a refined scene, which does not count as asking. */
  misplacedWhenRefined(
    scene: Scene,
    pairs: readonly Pair[],
    stop: () => void,
    measured: ReadonlySet<number>,
  ): Map<number, number> {
    return this.#factorsOf(this.#seemMisplaced(scene, pairs, scene.posed), scene, pairs, stop, measured);
  }

  /** @returns by how much a view was zoomed; undefined when it was not @param measured of a refined scene */
  factorOf(view: number, scene: Scene, pairs: readonly Pair[], measured?: ReadonlySet<number>): number | undefined {
    const known = this.#trust.isCertain(this.#views[view].lens, measured);
    return zoomOf(scene, pairs, view, { known, refined: measured !== undefined, seed: this.#seed });
  }

  /** Whether so little of what ties a view to others fits that its focal length may not be its own. */
  isTorn(scene: Scene, pairs: readonly Pair[], view: number): boolean {
    const { source } = this.#lenses.list[this.#views[view].lens];
    return source !== "given" && standingOf(scene, pairs, view, CLOSE_ERROR_PX) < TORN_STANDING;
  }

  /** Placed views that do not see enough of what others do where it is, least first. */
  #seemMisplaced(scene: Scene, pairs: readonly Pair[], views: readonly number[]): number[] {
    const seen = new Map<number, number>();
    for (const index of views) {
      const { lens } = this.#views[index];
      if (!scene.isPosed(index) || this.#lenses.list[lens].source === "given") continue;
      if (scene.posedWith(lens) > ZOOM_VIEWS) seen.set(index, closelySeen(scene, pairs, index));
    }
    const few = [...seen].filter(([, share]) => share < ZOOM_SEEN);
    return few.sort((p, q) => p[1] - q[1] || p[0] - q[0]).map(([index]) => index);
  }

  /** Of these views those that were zoomed, and by how much. */
  #factorsOf(
    asked: readonly number[],
    scene: Scene,
    pairs: readonly Pair[],
    stop: () => void,
    measured?: ReadonlySet<number>,
  ): Map<number, number> {
    const found = new Map<number, number>();
    for (const view of asked) {
      stop();
      const factor = this.factorOf(view, scene, pairs, measured);
      if (factor !== undefined) found.set(view, factor);
    }
    return found;
  }

  #triesOf(view: number): number {
    return this.#tries[view] ?? 0;
  }
}
