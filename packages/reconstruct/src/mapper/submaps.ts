/**
 * Photos that show another place than the scene's, or another side of it that nothing connects yet: each such group
 * is a scene of its own, kept beside the main one until a photo ties the two together.
 */

import { pairKey, trusted } from "./folds.ts";
import { type Group, waitingGroups } from "./groups.ts";
import { type GrowOptions, growScene, refineScene } from "./grow.ts";
import { mergeScenes } from "./merge.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import { buildScene, compatibleIn, joinPair, retrack } from "./scene-building.ts";
import { FoldSearch } from "./unfold.ts";
import type { View } from "./view.ts";

/** A place needs a third photo that agrees with the first two. */
const MIN_VIEWS = 3;
/** A merge that was refused is tried again when there is so much more to go by. */
const MORE_EVIDENCE = 1.3;
/** Up to so many photos a group is tried again with each that comes to it: that is cheap. */
const SMALL_GROUP = 6;
/** The other place is shown instead of the main one when it has so many times as many photos. */
const MUCH_LARGER = 1.5;

type Submap = {
  scene: Scene;
  /** Pairs that its tracks know. */
  readonly joined: WeakSet<Pair>;
  /** Features of one that saw the other when a merge with another scene was last refused. */
  readonly refused: WeakMap<Scene, number>;
  readonly foldSearch: FoldSearch;
};

export class Submaps {
  #list: Submap[] = [];
  /** Views and pairs of the groups that did not make a scene, by the first view. */
  readonly #failed = new Map<number, { readonly views: number; readonly pairs: number }>();
  #refusedByMain = new WeakMap<Submap, number>();

  addView(view: View): void {
    for (const { scene } of this.#list) scene.addView(view);
  }

  addLens(calibration: Float64Array): void {
    for (const { scene } of this.#list) scene.addLens(calibration);
  }

  lensChanged(view: number): void {
    for (const { scene } of this.#list) scene.lensChanged(view);
  }

  placesAdded(view: number): void {
    for (const { scene } of this.#list) scene.placesAdded(view);
  }

  /** Whether a view has its place in one of them. */
  has(view: number): boolean {
    return this.#list.some(({ scene }) => scene.isPosed(view));
  }

  /** How many photos the place of a view has; 0 for a view without one. */
  sizeOf(view: number): number {
    return this.#list.find(({ scene }) => scene.isPosed(view))?.scene.posed.length ?? 0;
  }

  /** A place that has so many more photos than the scene that it should be the one that is shown. */
  muchLargerThan(main: Scene): Scene | undefined {
    const [largest] = [...this.#list].sort((p, q) => q.scene.posed.length - p.scene.posed.length);
    return largest && largest.scene.posed.length >= MUCH_LARGER * main.posed.length ? largest.scene : undefined;
  }

  /** Takes the place of one scene out and puts another in. @param known pairs that the tracks of that one know */
  exchange(out: Scene, into: Scene, known: readonly Pair[]): void {
    this.#list = this.#list.filter(({ scene }) => scene !== out);
    this.#list.push({ scene: into, joined: new WeakSet(known), refused: new WeakMap(), foldSearch: new FoldSearch() });
  }

  /**
   * Copies that share nothing with these, for work that may be given up. What the main scene refused is not among what they
   * know: it is refined before it is asked again.
   * @param pairs all there are
   */
  clone(pairs: readonly Pair[]): Submaps {
    const copy = new Submaps();
    const sceneOf = new Map(this.#list.map(({ scene }) => [scene, scene.clone()]));
    copy.#list = this.#list.map(({ scene, joined, refused }) => ({
      scene: sceneOf.get(scene)!,
      // Joined once more, they would tie again what was taken out of its track since.
      joined: new WeakSet(pairs.filter((pair) => joined.has(pair))),
      refused: new WeakMap(
        [...sceneOf].flatMap(([other, copied]) => (refused.has(other) ? [[copied, refused.get(other)!]] : [])),
      ),
      foldSearch: new FoldSearch(),
    }));
    for (const [view, tried] of this.#failed) copy.#failed.set(view, tried);
    return copy;
  }

  /** Builds and grows the places of photos that the scene does not hold. @param pairs all, doubted or not */
  settle(main: Scene, views: readonly View[], pairs: readonly Pair[], options: GrowOptions): void {
    this.#dropThoseIn(main);
    for (const group of waitingGroups(main, trusted(pairs, options.doubted))) {
      options.stop();
      const own = this.#list.filter(({ scene }) => group.views.some((view) => scene.isPosed(view)));
      for (const submap of own) this.#growOne(submap, group, pairs, options);
      if (own.length > 1) this.#mergeAmong(own, group.pairs, options);
      if (own.length === 0) this.#begin(main, views, group, options);
    }
  }

  /** Puts what fits into the scene. @returns the scene with all that has come into it */
  mergeInto(main: Scene, pairs: readonly Pair[], options: GrowOptions): Scene {
    let scene = main;
    for (const submap of [...this.#list].sort((p, q) => q.scene.posed.length - p.scene.posed.length)) {
      const before = this.#refusedByMain.get(submap) ?? 0;
      const merge = mergeScenes(scene, submap.scene, pairs, options, (n) => n > MORE_EVIDENCE * before);
      if (merge.scene) {
        scene = merge.scene;
        this.#list = this.#list.filter((each) => each !== submap);
      } else if (merge.sightings > MORE_EVIDENCE * before) this.#refusedByMain.set(submap, merge.sightings);
    }
    return scene;
  }

  /** Once more with better lenses: those that the scene has refined; one that it has no photo of stays. */
  refine(main: Scene, options: GrowOptions): void {
    this.#dropThoseIn(main);
    for (const { scene } of this.#list) {
      scene.takeLenses(main, { own: true });
      refineScene(scene, options, 1);
    }
  }

  #dropThoseIn(main: Scene): void {
    for (const { scene } of this.#list)
      for (const view of [...scene.posed]) if (main.isPosed(view)) scene.dropPose(view);
    this.#list = this.#list.filter(({ scene }) => scene.posed.length >= MIN_VIEWS);
  }

  #growOne({ scene, joined, foldSearch }: Submap, { pairs }: Group, all: readonly Pair[], options: GrowOptions): void {
    const { doubted } = options;
    const compatible = compatibleIn(scene);
    for (const pair of pairs) {
      if (joined.has(pair)) continue;
      joined.add(pair);
      joinPair(scene.tracks, pair, compatible);
    }
    growScene(scene, pairs, { ...options, passOver: (view) => this.has(view) || (options.passOver?.(view) ?? false) });
    if (foldSearch.goOn(scene, all, doubted) === 0) return;
    for (const pair of all) if (doubted.has(pairKey(pair))) joined.delete(pair);
    const known = all.filter((pair) => joined.has(pair));
    retrack(scene, known, 4);
  }

  #begin(main: Scene, views: readonly View[], group: Group, options: GrowOptions): void {
    if (group.views.length < MIN_VIEWS) return;
    const tried = { views: group.views.length, pairs: group.pairs.length };
    const last = this.#failed.get(group.views[0]);
    const growth = tried.views > SMALL_GROUP ? MORE_EVIDENCE : 1;
    if (last && tried.views <= growth * last.views && tried.pairs <= growth * last.pairs) return;
    this.#failed.set(group.views[0], tried);
    const scene = buildScene(views, group.pairs, main.calibrations, options);
    if (!scene || scene.posed.length < MIN_VIEWS) return;
    const joined = new WeakSet<Pair>(group.pairs);
    this.#list.push({ scene, joined, refused: new WeakMap(), foldSearch: new FoldSearch() });
  }

  #mergeAmong(own: readonly Submap[], pairs: readonly Pair[], options: GrowOptions): void {
    const [first, ...others] = [...own].sort((p, q) => q.scene.posed.length - p.scene.posed.length);
    for (const other of others) {
      const before = first.refused.get(other.scene) ?? 0;
      const merge = mergeScenes(first.scene, other.scene, pairs, options, (n) => n > MORE_EVIDENCE * before);
      if (merge.scene) {
        first.scene = merge.scene;
        this.#list = this.#list.filter((each) => each !== other);
      } else if (merge.sightings > MORE_EVIDENCE * before) first.refused.set(other.scene, merge.sightings);
    }
  }
}
