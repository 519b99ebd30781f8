/**
 * The reconstruction of one space: takes each photo without a verdict, oldest first, and says what came of it in one
 * append. A crash therefore leaves a photo either done or not begun, and the log alone says which.
 */
import {
  CairnError,
  canBegin,
  type EventDraft,
  type EventType,
  type Id,
  type ImageState,
  lastGiven,
  type PosedCamera,
  type Preset,
  type Reason,
  type Seq,
  type SpaceState,
  shownGeneration,
} from "@cairn/protocol";
import { type Engine, layStep, type Photo, type Rebuild, type RebuildOptions, type Step } from "@cairn/reconstruct";
import { settleAnchors } from "../generation/anchors.ts";
import { findGeneration } from "../generation/history.ts";
import { restoreGeneration } from "../generation/restore.ts";
import type { Outcome, Running } from "../operation/operations.ts";
import { reportEvent, spaceReport } from "../report/space-report.ts";
import { Agenda } from "./agenda.ts";
import { feltModel, feltUpright } from "./felt-model.ts";
import { type PhotoSource, replay } from "./replay.ts";
import { type Places, rebuildEvents, stepEvents } from "./step-events.ts";
import { Bell } from "./turn.ts";

const RETRY_MS = 1000;
/** A disk that stays full is tried half as often each time, down to once in this. */
const MOST_RETRY_MS = 60_000;
/** What may be work: a removed copy leaves one that has no verdict any more. */
const RINGING: ReadonlySet<EventType> = new Set(["image.added", "image.removed", "space.configured"]);

/** Someone waits for an answer. */
type Asked<Answer> = {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
};
type Restore = Asked<number> & { readonly generation: number };

type SpaceWork = Places & {
  readonly openEngine: (preset: Preset) => Promise<Engine>;
  readonly photoOf: PhotoSource;
  /** Runs when no other space's engine is at work. */
  readonly turn: <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;
  readonly signal: AbortSignal;
  /** Quiet time after the last photo before everything is refined once more. */
  readonly settleMs: number;
  /** Quiet time after which the engine is let go. */
  readonly idleMs: number;
  /** Keyframes of a live stream do not wait for a rebuild that takes longer than this. */
  readonly followMs: number;
  readonly onError: (error: unknown, about: string) => void;
};

export class SpaceReconstructor {
  readonly #work: SpaceWork;
  readonly #agenda: Agenda;
  readonly #bell = new Bell();
  #engine: Engine | undefined;
  /** What the engine was opened with. */
  #preset: Preset | undefined;
  /** The engine's model is not what the log shows: the next rebuild is laid onto the log's cameras. */
  #differs = false;
  /** The engine, given the photos again, came to another model: only a thorough rebuild surely shows no less. */
  #strayed = false;
  /** A photo was removed since the engine was opened. */
  #stale = false;
  #requests: Asked<string>[] = [];
  #restores: Restore[] = [];
  /** The rebuild at work. */
  #rebuilding: Id | undefined;
  /** The engine has begun a rebuild, or has its result, that the log does not tell of. */
  #untold = false;
  /** The disk was full while a photo was taken: it keeps its turn. */
  #full: CairnError | undefined;
  /** Of the rebuild at work that began because no photo came: lets it go when one does. */
  #pause: AbortController | undefined;
  /** The photo that comes next, decoded while another is placed. */
  #ahead: { readonly image: Id; readonly photo: Promise<Photo> } | undefined;

  constructor(work: SpaceWork) {
    this.#work = work;
    this.#agenda = new Agenda(() => this.#state, work);
  }

  /** Asks for a rebuild now; resolves with its operation. @throws {CairnError} `export.empty` with nothing to begin with, `store.…` */
  async rebuild(): Promise<string> {
    this.#work.signal.throwIfAborted();
    if (this.#state.generation === 0 && !canBegin(this.#state)) throw new CairnError("export.empty");
    return new Promise((resolve, reject) => {
      this.#requests.push({ resolve, reject });
      this.#bell.ring();
    });
  }

  /**
   * Shows an earlier generation again, between two photos; a rebuild at work is cancelled, for what it refines is left.
   * @returns the number under which it is shown @throws {CairnError} `generation.missing`, `generation.gone`
   */
  async restore(generation: number): Promise<number> {
    this.#work.signal.throwIfAborted();
    findGeneration(this.#state, generation);
    const restored = new Promise<number>((resolve, reject) => {
      this.#restores.push({ generation, resolve, reject });
      this.#bell.ring();
    });
    // A rebuild that ends just now publishes first, and is then gone back on.
    if (this.#rebuilding) await this.#work.space.operations.cancel(this.#rebuilding).catch(() => {});
    return restored;
  }

  /** Runs until the signal aborts. */
  async run(): Promise<void> {
    const { space, signal } = this.#work;
    const watching = this.#watch();
    await settleAnchors(space).catch((error: unknown) => {
      if (!signal.aborted) this.#work.onError(error, `anchors of ${space.id}`);
    });
    let retryMs = RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#step();
        retryMs = RETRY_MS;
      } catch (error) {
        if (signal.aborted) break;
        // A full disk, say: nothing was acknowledged, and it is tried again until it works.
        this.#work.onError(error, `reconstruction of ${space.id}`);
        await this.#closeEngine();
        await this.#bell.wait(signal, retryMs).catch(() => {});
        retryMs = Math.min(2 * retryMs, MOST_RETRY_MS);
      }
    }
    for (const { reject } of [...this.#restores.splice(0), ...this.#requests.splice(0)]) reject(signal.reason);
    await this.#closeEngine();
    await watching;
  }

  /** One photo, one rebuild, or one wait. */
  async #step(): Promise<void> {
    const { signal, idleMs } = this.#work;
    if (this.#stale) {
      this.#stale = false;
      await this.#closeEngine();
    }
    const back = this.#restores.shift();
    if (back) return this.#restore(back);
    const due = this.#agenda.rebuildDue();
    if (this.#requests.length > 0 || (due && !this.#agenda.follows())) return this.#rebuild();
    const next = this.#agenda.nextPhoto();
    if (next) return this.#add(next);
    const unsettled = due || this.#agenda.unsettled();
    const rung = await this.#bell.wait(signal, unsettled ? this.#agenda.quietMs : idleMs);
    if (rung) return;
    if (unsettled) return this.#rebuildWhileIdle();
    await this.#closeEngine();
    await this.#bell.wait(signal);
  }

  /** A photo that comes does not wait for it: it goes on, with the depth it has found, when photos stop again. */
  async #rebuildWhileIdle(): Promise<void> {
    this.#pause = new AbortController();
    try {
      if (!this.#agenda.nextPhoto()) await this.#rebuild();
    } finally {
      this.#pause = undefined;
    }
  }

  get #state(): SpaceState {
    return this.#work.space.log.snapshot().state;
  }

  async #watch(): Promise<void> {
    const { space, signal } = this.#work;
    try {
      for await (const events of space.log.follow(space.log.head, { signal })) {
        // The engine may hold it: the next work finds a fresh one, replayed without it.
        if (events.some(({ type }) => type === "image.removed")) this.#stale = true;
        if (events.some(({ type }) => RINGING.has(type))) this.#bell.ring();
        if (this.#pause && this.#agenda.nextPhoto()) this.#pause.abort();
      }
    } catch (error) {
      if (!signal.aborted) this.#work.onError(error, `following the log of ${space.id} stopped`);
    }
  }

  #shownCameras(): PosedCamera[] {
    return Object.values(shownGeneration(this.#state)?.cameras ?? {});
  }

  async #restore({ generation, resolve, reject }: Restore): Promise<void> {
    const before = this.#state.generation;
    try {
      const shown = await restoreGeneration(this.#work.space, generation);
      if (shown !== before) {
        this.#differs = true;
        this.#agenda.wentBack();
      }
      resolve(shown);
    } catch (error) {
      reject(error);
    }
  }

  async #add(image: ImageState): Promise<void> {
    const { space, signal, turn } = this.#work;
    const { ended } = await space.operations.start(
      "reconstruct",
      (running) => turn(() => this.#addNow(image, running), signal),
      { cause: image.seq },
    );
    const end = await ended;
    if (end === "completed") return;
    // The engine may hold a photo that the log knows nothing of: the next one finds a fresh engine, replayed.
    await this.#closeEngine();
    const full = this.#full;
    this.#full = undefined;
    if (full && end === "failed") throw full;
    // The operation has said that it failed or was cancelled; the photo still needs its one verdict.
    if (!signal.aborted && !this.#state.images[image.image]?.verdict) {
      const reason: Reason = end === "cancelled" ? "cancelled" : "failed";
      await space.log.append([rejected(image, reason)]);
    }
  }

  async #addNow(image: ImageState, running: Running): Promise<Outcome> {
    const { space, photoOf } = this.#work;
    const signal = AbortSignal.any([running.signal, this.#work.signal]);
    const engine = await this.#openEngine(running, signal);
    let photo: Photo;
    try {
      const ahead = this.#ahead;
      this.#ahead = undefined;
      photo = await (ahead?.image === image.image ? ahead.photo : photoOf(image, signal));
    } catch (error) {
      if (error instanceof CairnError && error.code.startsWith("image."))
        return { events: [rejected(image, "unreadable")] };
      throw error;
    }
    const isBehind = this.#agenda.isBehind(image);
    try {
      const startedMs = performance.now();
      const adding = engine.add(photo, {
        signal,
        onProgress: (...at) => running.progress(...at),
        rebuildFollows: this.#agenda.rebuildFollows(),
        ...(isBehind && { points: "later" }),
      });
      this.#lookAhead(engine, image);
      const own = await adding;
      this.#agenda.placed(performance.now() - startedMs, {
        isBehind,
        dense: this.#preset !== "sparse",
        advised: own.rebuildAdvised,
      });
      const step = this.#differs ? layStep(own, await posedBy(engine), this.#shownCameras()) : own;
      const events = await stepEvents(step, image, this.#work, signal);
      return { events, result: { image: image.image, points: step.points.positions.length / 3, ...doubtsIn(step) } };
    } catch (error) {
      if (error instanceof CairnError && error.code === "store.full") this.#full = error;
      else if (!signal.aborted) this.#work.onError(error, `photo ${image.image} of ${space.id}`);
      throw error;
    }
  }

  /** Decodes the photo that waits behind this one, and lets the engine begin with it. */
  #lookAhead(engine: Engine, inHand: ImageState): void {
    const { photoOf, signal } = this.#work;
    const next = this.#agenda.photoAfter(inHand);
    if (!next) return;
    const photo = photoOf(next, signal);
    this.#ahead = { image: next.image, photo };
    // What is wrong with it is told in its turn.
    photo.then((ready) => engine === this.#engine && engine.foresee?.(ready)).catch(() => {});
  }

  async #rebuild(): Promise<void> {
    const { space, signal, turn } = this.#work;
    const waiting = this.#requests.splice(0);
    // Somebody asked for all that can be had, or nobody waits.
    const patient = waiting.length > 0 || this.#pause !== undefined;
    const cause = Object.values(this.#state.images).at(-1)?.seq ?? space.log.head;
    const started = space.operations.start(
      "rebuild",
      (running) => turn(() => this.#rebuildNow(running, cause, patient), signal),
      { cause },
    );
    for (const { resolve, reject } of waiting) started.then(({ operation }) => resolve(operation), reject);
    const { operation, ended } = await started;
    this.#agenda.began();
    this.#rebuilding = operation;
    const end = await ended;
    this.#rebuilding = undefined;
    await settleAnchors(space);
    // One that the engine itself let go leaves it as it was; after any other it may hold what the log does not tell of.
    if (end === "failed" || (end === "cancelled" && this.#untold)) await this.#closeEngine();
    this.#untold = false;
    this.#agenda.ended(end === "completed");
  }

  async #rebuildNow(running: Running, cause: Seq, patient: boolean): Promise<Outcome> {
    const { space } = this.#work;
    const signal = AbortSignal.any([running.signal, this.#work.signal]);
    const engine = await this.#openEngine(running, signal);
    const thorough = patient || this.#strayed;
    const state = this.#state;
    const frame = this.#differs ? this.#shownCameras() : undefined;
    const startedMs = performance.now();
    const pause = this.#pause?.signal;
    try {
      pause?.throwIfAborted();
      const up = feltUpright(await feltModel(this.#shownCameras(), this.#work));
      const rebuild = await this.#rebuilt(engine, {
        signal: pause ? AbortSignal.any([signal, pause]) : signal,
        onProgress: (...at) => running.progress(...at),
        thorough,
        ...(frame && { frame }),
        ...(up && { up }),
      });
      if (state.generation === 0 && rebuild.cameras.length === 0) {
        // No model begins with these photos: there is nothing to publish, and the next one may change that.
        this.#agenda.rebuilt(performance.now() - startedMs, false);
        return { result: { generation: 0, cameras: 0, points: 0, upTo: lastGiven(this.#state) } };
      }
      const events = await rebuildEvents(
        rebuild,
        await engine.model(),
        this.#agenda.processed(),
        cause,
        this.#work,
        signal,
      );
      const report = spaceReport(await engine.report({ signal }), this.#state, state.generation + 1);
      events.push(await reportEvent(report, this.#work.blobs, cause));
      // Cancelled, and maybe let go already: what follows is for one that is told.
      signal.throwIfAborted();
      this.#differs = false;
      const { images } = this.#state;
      const outdated = rebuild.cameras.some(({ image }) => !images[image]);
      this.#agenda.rebuilt(
        performance.now() - startedMs,
        outdated || (!thorough && (rebuild.thoroughAdvised ?? false)),
      );
      this.#strayed = false;
      return {
        events,
        result: {
          generation: state.generation + 1,
          cameras: rebuild.cameras.length,
          points: rebuild.points.positions.length / 3,
          ...doubtsIn(rebuild),
        },
      };
    } catch (error) {
      if (pause?.aborted && !signal.aborted && !this.#untold) {
        this.#agenda.paused(performance.now() - startedMs);
        return { result: { paused: true } };
      }
      if (!signal.aborted) this.#work.onError(error, `rebuild of ${space.id}`);
      throw error;
    }
  }

  async #rebuilt(engine: Engine, options: RebuildOptions): Promise<Rebuild> {
    this.#untold = true;
    try {
      return await engine.rebuild(options);
    } catch (error) {
      if (options.signal?.aborted) this.#untold = false;
      throw error;
    }
  }

  async #openEngine(running: Running, signal: AbortSignal): Promise<Engine> {
    const { preset } = this.#state.settings;
    if (this.#engine && this.#preset === preset) return this.#engine;
    // Another preset works on other pictures: a fresh engine is given the photos again.
    await this.#closeEngine();
    const engine = await this.#work.openEngine(preset);
    this.#engine = engine;
    this.#preset = preset;
    if (this.#agenda.processed() > 0) {
      const onProgress = (stage: string, done: number, total: number) => running.progress(stage, done, total);
      try {
        const { log } = this.#work.space;
        const { same, restored } = await replay(engine, log, this.#work.photoOf, signal, onProgress);
        this.#differs = !same || restored;
        this.#strayed = !same;
        if (!same) this.#agenda.advise();
      } catch (error) {
        await this.#closeEngine();
        throw error;
      }
    }
    return engine;
  }

  async #closeEngine(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
  }
}

async function posedBy(engine: Engine): Promise<PosedCamera[]> {
  return (await engine.model()).images.map(({ camera }) => camera);
}

/** As an operation's result has it: `focal_uncertain: true`. */
function doubtsIn({ doubts = [] }: Pick<Step, "doubts">): Record<string, boolean> {
  return Object.fromEntries(doubts.map((doubt) => [doubt, true]));
}

function rejected(image: ImageState, reason: Reason): EventDraft {
  return { type: "image.judged", cause: image.seq, data: { image: image.image, verdict: "rejected", reason } };
}
