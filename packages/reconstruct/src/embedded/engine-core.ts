/**
 * The engine without its thread: brings features and matches to the mapper, one job at a time. A job that is cancelled
 * leaves what it had finished; the next one goes on from there. Only what was seen from the side goes with it: it may have
 * given photos a place of which nobody was told.
 */
import type { EngineReport } from "@cairn/protocol";
import type { EngineCache, Photo, Progress, Rebuild, RebuildOptions, Step, WorkOptions } from "../engine.ts";
import { decodeFeatures, encodeFeatures, type Features } from "../features/features.ts";
import type { FrontEnd } from "../features/front-end.ts";
import type { Grey } from "../features/grey.ts";
import { Mapper } from "../mapper/mapper.ts";
import { type OnStage, unwatched } from "../stages.ts";
import { withDense } from "./all-points.ts";
import type { DenseJob, DenseStage } from "./dense-stage.ts";
import { matchKept } from "./kept-matches.ts";
import { lookAslant } from "./look-aslant.ts";
import { Neighbours } from "./neighbours.ts";
import type { Shrunk } from "./pictures.ts";
import type { SlantedLooks } from "./slanted-looks.ts";

/** Fewer make poses worse where overlap is small; the cost of matching grows with the square. */
const EXTRACT = { maxFeatures: 4000 };

export type JobOptions = {
  /** Throws when the job is to end. */
  readonly stop: () => void;
  readonly progress: Progress;
  readonly stage?: OnStage;
  /** Aborts when `stop` would throw. */
  readonly signal?: AbortSignal;
  readonly points?: WorkOptions["points"];
};

/** What the engine needs of the feature kernels; tests put a synthetic one in their place. */
export type Kernels = Pick<FrontEnd, "extract" | "segments" | "matchMany" | "verifyMany" | "close">;

export type CoreParts = {
  /** Left out: sparse points only. */
  readonly dense?: DenseStage;
  /** Left out: photos are not looked at aslant. */
  readonly slants?: SlantedLooks;
  readonly cache?: EngineCache;
};

type Look = {
  readonly features: Promise<Features>;
  readonly segments: Promise<Float32Array>;
  readonly picture: Promise<Shrunk | undefined>;
  readonly grey: Promise<Grey | undefined>;
};

export class EngineCore {
  readonly #kernels: Kernels;
  readonly #dense: DenseStage | undefined;
  readonly #slants: SlantedLooks | undefined;
  readonly #cache: EngineCache | undefined;
  readonly #mapper: Mapper;
  readonly #neighbours: Neighbours;
  readonly #indexOf = new Map<string, number>();
  /** Views whose matches are still to be found: that of the photo in hand, and of any that was cancelled. */
  readonly #unlinked = new Set<number>();
  /** The photo that comes next, while it is looked at. */
  #foreseen: ({ readonly image: string } & Look) | undefined;

  constructor(kernels: Kernels, seed: number, { dense, slants, cache }: CoreParts = {}) {
    this.#kernels = kernels;
    this.#dense = dense;
    this.#slants = slants;
    this.#cache = cache;
    this.#mapper = new Mapper({ seed });
    this.#neighbours = new Neighbours(kernels, this.#mapper.views);
  }

  /** Begins with the photo that will be added next, beside what is under way. */
  foresee(photo: Photo): void {
    if (this.#indexOf.has(photo.image) || this.#foreseen?.image === photo.image) return;
    const look = this.#look(photo);
    // What goes wrong is told when it is added.
    Promise.all(Object.values(look)).catch(() => {});
    this.#foreseen = { image: photo.image, ...look };
  }

  /** @param known the photo's features, where they were kept; @returns them, too, where they were not */
  async add(
    photo: Photo,
    known: Uint8Array | undefined,
    job: JobOptions,
  ): Promise<{ step: Step; features?: Uint8Array }> {
    const { stage = unwatched } = job;
    job.progress("features", 0, 3);
    stage("features");
    let index = this.#indexOf.get(photo.image);
    let fresh: Features | undefined;
    if (index === undefined) {
      const kept = known && decodeFeatures(known);
      const foreseen = this.#foreseen?.image === photo.image ? this.#foreseen : undefined;
      this.#foreseen = undefined;
      const look = foreseen ?? this.#look(photo, kept);
      const { features: finding, segments: edges, picture: shrinking, grey: greying } = look;
      const [features, segments, picture, grey] = await Promise.all([finding, edges, shrinking, greying]);
      if (!kept) fresh = features;
      index = this.#mapper.addView(photo, features, segments).index;
      if (picture) this.#dense?.keep(index, photo, picture);
      if (grey) this.#slants?.keep(index, grey);
      this.#indexOf.set(photo.image, index);
      this.#unlinked.add(index);
    }
    job.progress("matches", 1, 3);
    await this.#linkAll(job);
    job.progress("placing", 2, 3);
    this.#mapper.settle(job.stop, stage);
    job.progress("placing", 3, 3);
    stage("depth");
    const dense = job.points === "later" ? undefined : await this.#dense?.add(this.#mapper.scene, index, denseJob(job));
    stage("handing out");
    const sparse = this.#mapper.step(index);
    const { views } = this.#mapper;
    const points = dense ? withDense(sparse.points, [dense], dense.source.length, views) : sparse.points;
    const step = { ...sparse, points };
    return fresh ? { step, features: encodeFeatures(fresh) } : { step };
  }

  /** What can be known of a photo alone. */
  #look(photo: Photo, kept?: Features): Look {
    const { rgb, widthPx, heightPx } = photo;
    return {
      features: kept ? Promise.resolve(kept) : this.#kernels.extract(rgb, widthPx, heightPx, EXTRACT),
      segments: this.#kernels.segments(rgb, widthPx, heightPx),
      picture: this.#dense?.shrink(photo) ?? Promise.resolve(undefined),
      grey: this.#slants?.grey(photo) ?? Promise.resolve(undefined),
    };
  }

  async rebuild(
    job: JobOptions,
    { thorough, ...options }: Pick<RebuildOptions, "frame" | "up" | "thorough"> = {},
  ): Promise<Rebuild> {
    await this.#linkAll(job);
    await this.#closeGaps(job);
    const goBack = this.#mapper.mark();
    try {
      const looked = thorough && (await this.#lookAslant(job));
      const rebuild = await this.#refine(job, options);
      if (looked) return { ...rebuild, thorough: true };
      return !thorough && this.#isWorthALookAslant() ? { ...rebuild, thoroughAdvised: true } : rebuild;
    } catch (error) {
      // Nobody was told of what a look from the side has placed, or whose lens is whose.
      goBack();
      throw error;
    }
  }

  async #refine(job: JobOptions, options: Pick<RebuildOptions, "frame" | "up">): Promise<Rebuild> {
    const { scene, take } = this.#mapper.refine(job.stop, job.progress, options, job.stage);
    job.stage?.("depth");
    const dense = await this.#dense?.rebuild(scene, denseJob(job));
    job.stop();
    const rebuild = take();
    dense?.take();
    if (!dense) return rebuild;
    return { ...rebuild, points: withDense(rebuild.points, dense.points, dense.points.count, this.#mapper.views) };
  }

  model() {
    return this.#mapper.model();
  }

  focal() {
    return this.#mapper.focal();
  }

  report(): EngineReport {
    return this.#mapper.report();
  }

  async close(): Promise<void> {
    await Promise.all([this.#kernels.close(), this.#dense?.close()]);
  }

  async #linkAll(job: JobOptions): Promise<void> {
    for (const view of this.#unlinked) {
      job.stop();
      job.stage?.("candidates");
      const others = await this.#neighbours.of(view);
      job.stop();
      await this.#match(view, others, job);
      this.#unlinked.delete(view);
    }
  }

  /** Views that see each other's part of the scene but were never compared: loops close here. */
  async #closeGaps(job: JobOptions): Promise<void> {
    const gaps = this.#mapper.untried();
    for (const [done, { view, others }] of gaps.entries()) {
      job.stop();
      job.progress("matches", done, gaps.length);
      await this.#match(view, others, job);
    }
  }

  /** Photos that nothing has placed may be those that see the scene from far aside. @returns as `lookAslant` */
  async #lookAslant(job: JobOptions): Promise<boolean> {
    const [mapper, slants, kernels] = [this.#mapper, this.#slants, this.#kernels];
    return slants !== undefined && lookAslant({ mapper, slants, kernels }, job);
  }

  #isWorthALookAslant(): boolean {
    return this.#slants !== undefined && (this.#mapper.unsureTies().length > 0 || this.#mapper.aslantDue());
  }

  async #match(view: number, others: readonly number[], job: JobOptions): Promise<void> {
    const { stop, stage = unwatched, signal } = job;
    stage("matches");
    const { views } = this.#mapper;
    const looked = others.map((other) => views[other]);
    const matches = await matchKept(this.#kernels, this.#cache, views[view], looked, this.#neighbours);
    stop();
    const found = others.map((other, k) => ({ other, matches: earlierFirst(matches[k]) }));
    const candidates = this.#mapper.unprinted(view, found);
    stage("verification");
    const questions = this.#mapper.questions(view, candidates);
    const answers = await this.#kernels.verifyMany(questions, signal ? { signal } : {});
    stop();
    this.#mapper.link(view, candidates, answers);
  }
}

function denseJob({ stop, progress, signal, points = true }: JobOptions): DenseJob {
  return { stop, progress, wanted: points === true, ...(signal && { signal }) };
}

/** `[m, 2]` with the two sides of each match exchanged. */
function earlierFirst(matches: Uint32Array): Int32Array {
  const turned = new Int32Array(matches.length);
  for (let k = 0; k < matches.length; k += 2) {
    turned[k] = matches[k + 1];
    turned[k + 1] = matches[k];
  }
  return turned;
}
