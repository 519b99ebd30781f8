/**
 * Dense points: depth of each photo from those around it, and what of it the others bear out. What is sought, and from
 * what, follows from the scene alone; when it is worked out, and whether it was kept from before, changes no point.
 */
import type { Gain } from "../dense/exposure.ts";
import type { FusedPart } from "../dense/fusion-jobs.ts";
import { chooseSources } from "../dense/sources.ts";
import type { EngineCache, Photo, Progress } from "../engine.ts";
import type { Scene } from "../mapper/scene.ts";
import { allPlans, type DepthPlan, type PresetPlan, rebuildPlan } from "../presets.ts";
import type { DenseKernels } from "./dense-kernels.ts";
import { DepthLibrary } from "./depth-library.ts";
import { FusedParts } from "./fused-parts.ts";
import { type Part, partsOf } from "./parts.ts";
import { Pictures, type Shrunk } from "./pictures.ts";
import type { Shelf } from "./shelf.ts";
import { movedSince, type SoughtDepth, sameSources, seekDepth } from "./sought-depth.ts";

/** Depth maps that one new photo may cost: its own, and that of another, which two cores do at the same time. */
const LIVE_DEPTHS = 2;
/** Depth from fewer photos is sought again when there are more. */
const FEW_SOURCES = 2;
/** Photos whose depth is asked about a new one's. */
const WITNESSES = 10;
/** So many would do, where not all photos are in memory: any ten of them. */
const CANDIDATES = 24;
/** Poses that are off by more, pixels of the depth map, spoil it. */
const SPOILT_PX = 1;
/** A rebuild keeps depth that is off by no more. */
const UNCHANGED_PX = 0.25;
/**
 * Depth maps that are fused as one part, with what fusion notes of them: those of about 40 photos at 640 pixels. Twice that
 * took 4.4 GiB for 500 photos.
 */
const FUSED_BYTES = 256 * 2 ** 20;
/** Parts in memory: while one is read, or has few points left to give, the other keeps a thread busy. */
const PARTS_AT_ONCE = 2;

export type DenseJob = {
  readonly stop: () => void;
  readonly progress: Progress;
  /** Aborts when `stop` would throw: what runs elsewhere hears of it. */
  readonly signal?: AbortSignal;
  /** Whether anyone wants the points; they are the same the next time. */
  readonly wanted: boolean;
};

export type DenseRebuild = {
  /** None when nobody wants them; to be had until the next rebuild. */
  readonly points: FusedParts;
  readonly take: () => void;
};

type DenseStageOptions = {
  readonly plan: PresetPlan;
  readonly kernels: DenseKernels;
  readonly shelf: Shelf;
  readonly cache: EngineCache | undefined;
  /** Depth maps that are sought at the same time in a rebuild. */
  readonly threads: number;
  readonly fusedBytes?: number;
};

export class DenseStage {
  readonly #plan: PresetPlan;
  readonly #kernels: DenseKernels;
  readonly #pictures: Pictures;
  readonly #library: DepthLibrary;
  readonly #threads: number;
  readonly #fusedBytes: number;
  readonly #fused: FusedParts;
  /** Per view, the depth that holds. */
  #depths = new Map<number, SoughtDepth>();
  /** Per view, the depth that a rebuild sought last which was not taken: the next one may go on with it. */
  readonly #begun = new Map<number, SoughtDepth>();
  /** Views that have depth and whose points have not been handed out in this generation. */
  readonly #owed = new Set<number>();

  constructor({ plan, kernels, shelf, cache, threads, fusedBytes = FUSED_BYTES }: DenseStageOptions) {
    this.#fusedBytes = fusedBytes;
    this.#plan = plan;
    this.#kernels = kernels;
    this.#threads = threads;
    this.#fused = new FusedParts(shelf);
    this.#pictures = new Pictures(kernels, shelf, allPlans(plan));
    this.#library = new DepthLibrary(kernels, this.#pictures, shelf, cache);
  }

  /** What is needed of a photo's picture. */
  shrink(photo: Photo): Promise<Shrunk> {
    return this.#pictures.shrink(photo);
  }

  /** Keeps it. */
  keep(view: number, photo: Photo, picture: Shrunk): void {
    this.#pictures.put(view, picture, photo);
  }

  /** The points of photos that have their first depth now, the new one's before others. */
  async add(scene: Scene, view: number, job: DenseJob): Promise<FusedPart | undefined> {
    for (const each of this.#due(scene, view)) {
      job.stop();
      this.#seekLive(scene, each);
    }
    const emit = new Set([...this.#owed].filter((each) => scene.isPosed(each)));
    const points = job.wanted && emit.size > 0 ? await this.#fuseLive(scene, emit, job) : undefined;
    this.#owed.clear();
    return points;
  }

  /** Depth of every photo, from all there are; nothing has changed before it is taken. */
  async rebuild(scene: Scene, job: DenseJob): Promise<DenseRebuild> {
    const plan = rebuildPlan(this.#plan, scene.posed.length);
    const depths = new Map<number, SoughtDepth>();
    const views = [...scene.posed].sort((a, b) => a - b);
    let done = 0;
    if (job.wanted) job.progress("depth", done, views.length);
    // What is sought is told here, one after the other, while other threads are at what was told before.
    await inParallel(views, job.wanted ? this.#threads + 1 : 1, async (view) => {
      job.stop();
      const sought = this.#seek(scene, view, plan, (old, sources) => {
        if (old.sidePx !== plan.sidePx || !sameSources(old.sources, sources)) return false;
        return (movedSince(old, scene)?.errorPx ?? Number.POSITIVE_INFINITY) <= UNCHANGED_PX;
      });
      if (sought) {
        depths.set(view, sought);
        this.#begin(sought);
      }
      if (!job.wanted) return;
      if (sought) await this.#library.fetch(sought, job.signal);
      job.progress("depth", ++done, views.length);
    });
    job.stop();
    for (const [view, begun] of this.#begun) if (!depths.has(view)) this.#giveUp(begun);
    this.#fused.clear();
    if (job.wanted) await this.#fuseParts(this.#parts(scene, depths, plan, job), scene, depths, plan, job);
    const take = () => {
      const held = new Set([...depths.values()].map(({ key }) => key));
      for (const old of this.#depths.values()) if (!held.has(old.key)) this.#library.forget(old);
      this.#depths = depths;
      this.#begun.clear();
      this.#owed.clear();
    };
    return { points: this.#fused, take };
  }

  close(): Promise<void> {
    return this.#kernels.close();
  }

  /** Whose depth is sought with a new photo: its own, then any that has none, then those that have become bad. */
  #due(scene: Scene, view: number): number[] {
    const around = this.#choose(scene, view, this.#plan.live)?.sources ?? [];
    // Of those that were passed over, the ones that can bear out what the new one sees.
    const rank = (each: number) => (each === view ? 0 : around.includes(each) ? 1 : 2);
    const due = [...scene.posed].filter((each) => !this.#depths.has(each)).sort((p, q) => rank(p) - rank(q) || p - q);
    const able = due.filter((each) => this.#choose(scene, each, this.#plan.live) !== undefined).slice(0, LIVE_DEPTHS);
    if (able.length === LIVE_DEPTHS) return able;
    return able.concat(around.filter((each) => this.#isBad(scene, each))).slice(0, LIVE_DEPTHS);
  }

  #isBad(scene: Scene, view: number): boolean {
    const depth = this.#depths.get(view);
    if (!depth) return false;
    const more = this.#choose(scene, view, this.#plan.live)?.sources.length ?? 0;
    if (depth.sources.length < FEW_SOURCES && more > depth.sources.length) return true;
    return (movedSince(depth, scene)?.errorPx ?? Number.POSITIVE_INFINITY) > SPOILT_PX;
  }

  #seekLive(scene: Scene, view: number): void {
    const old = this.#depths.get(view);
    const sought = this.#seek(scene, view, this.#plan.live, () => false);
    if (!sought) return;
    if (old) this.#library.forget(old);
    else this.#owed.add(view);
    this.#depths.set(view, sought);
  }

  #seek(
    scene: Scene,
    view: number,
    plan: DepthPlan,
    holds: (old: SoughtDepth, sources: readonly number[]) => boolean,
  ): SoughtDepth | undefined {
    const choice = this.#choose(scene, view, plan);
    if (!choice) return undefined;
    const old = this.#depths.get(view);
    if (old && holds(old, choice.sources)) return old;
    const { sidePx, quality } = plan;
    return seekDepth(scene, { view, ...choice, sidePx, quality, pictureSidePx: this.#pictures.sidePx });
  }

  /** What an earlier rebuild sought for the view and this one does not, nobody will ask for again: poses have changed. */
  #begin(sought: SoughtDepth): void {
    const { view } = sought.reference;
    const before = this.#begun.get(view);
    if (before && before.key !== sought.key) this.#giveUp(before);
    this.#begun.set(view, sought);
  }

  #giveUp(begun: SoughtDepth): void {
    const { view } = begun.reference;
    this.#begun.delete(view);
    if (this.#depths.get(view)?.key !== begun.key) this.#library.forget(begun);
  }

  #choose(scene: Scene, view: number, { sidePx, sources }: Pick<DepthPlan, "sidePx" | "sources">) {
    return chooseSources(scene, view, { sidePx, most: sources });
  }

  async #fuseLive(scene: Scene, emit: ReadonlySet<number>, job: DenseJob): Promise<FusedPart> {
    const { signal } = job;
    const { sidePx, pictureSidePx, minViews } = this.#plan.live;
    const asked = new Set(emit);
    for (const view of emit) {
      for (const other of this.#choose(scene, view, { sidePx, sources: WITNESSES })?.sources ?? []) asked.add(other);
    }
    const sought = [...asked].sort((a, b) => a - b).flatMap((view) => this.#holding(scene, view) ?? []);
    job.progress("depth", 0, emit.size);
    const posed = await Promise.all(
      sought.map(({ depth, scale }) => this.#library.posed(depth, scene, scale, pictureSidePx, signal)),
    );
    job.stop();
    job.progress("fusion", 0, 1);
    const fused = await this.#kernels.fuse(posed, { emit, minViews, giveAway: true, ...(signal && { signal }) });
    job.stop();
    return fused;
  }

  /** The depth of a view, when its cameras are still where they were. */
  #holding(scene: Scene, view: number): { depth: SoughtDepth; scale: number } | undefined {
    const depth = this.#depths.get(view);
    const moved = depth && movedSince(depth, scene);
    return moved && moved.errorPx <= SPOILT_PX ? { depth, scale: moved.scale } : undefined;
  }

  /** Some parts at the same time; gains are handed on from each to the next, so that it is as if they came one by one. */
  async #fuseParts(
    parts: readonly Part[],
    scene: Scene,
    depths: ReadonlyMap<number, SoughtDepth>,
    plan: DepthPlan,
    job: DenseJob,
  ): Promise<void> {
    const { signal } = job;
    const gains = new Map<number, Gain>();
    let turn: Promise<void> = Promise.resolve();
    let fusedViews = 0;
    job.progress("fusion", fusedViews, depths.size);
    await inParallel([...parts.entries()], Math.min(PARTS_AT_ONCE, this.#threads), async ([at, { emit, asked }]) => {
      const before = turn;
      const own = deferred();
      turn = own.promise;
      try {
        const posed: Awaited<ReturnType<DepthLibrary["posed"]>>[] = [];
        for (const view of asked) {
          job.stop();
          const sought = depths.get(view)!;
          const scale = movedSince(sought, scene)?.scale ?? 1;
          posed.push(await this.#library.posed(sought, scene, scale, plan.pictureSidePx, signal));
        }
        job.stop();
        const fused = await this.#kernels.fuse(posed, {
          emit,
          beside: new Set(asked.filter((view) => !emit.has(view))),
          gains: before.then(() => gains),
          onGains(found) {
            for (const view of emit) gains.set(view, found.get(view)!);
            own.resolve();
          },
          minViews: plan.minViews,
          giveAway: true,
          ...(signal && { signal }),
        });
        this.#fused.put(at, fused);
      } catch (error) {
        own.reject(error);
        throw error;
      }
      fusedViews += emit.size;
      job.progress("fusion", fusedViews, depths.size);
    });
  }

  #parts(scene: Scene, depths: ReadonlyMap<number, SoughtDepth>, plan: DepthPlan, { stop }: DenseJob): Part[] {
    const views = [...depths.values()].map(({ reference }) => {
      stop();
      const { view } = reference;
      const around = this.#choose(scene, view, { ...plan, sources: CANDIDATES })?.sources ?? [];
      return { view, sizeBytes: this.#pictures.denseBytes(reference, plan), around };
    });
    return partsOf(views, { witnesses: WITNESSES, maxBytes: this.#fusedBytes });
  }
}

/** At most so many at a time. The first failure stops what has not begun, and is thrown when all at work have ended. */
async function inParallel<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      try {
        await work(items[next++]);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

type Deferred = { readonly promise: Promise<void>; resolve(): void; reject(error: unknown): void };

/** A promise that others settle. Whether anyone waits for it is not known: a failure that nobody hears is none. */
function deferred(): Deferred {
  let settle!: Omit<Deferred, "promise">;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => {});
  return { promise, ...settle };
}
