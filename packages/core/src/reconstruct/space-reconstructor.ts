/**
 * The reconstruction of one space: takes each photo without a verdict, oldest first, and says what came of it in one
 * append. A crash therefore leaves a photo either done or not begun, and the log alone says which.
 */
import {
  CairnError,
  type EventDraft,
  type ImageState,
  type Reason,
  type Seq,
  type SpaceState,
  shownGeneration,
} from "@cairn/protocol";
import type { Engine } from "@cairn/reconstruct";
import type { Outcome, Running } from "../operation/operations.ts";
import { type PhotoSource, replay, wasGiven } from "./replay.ts";
import { type Places, rebuildEvents, stepEvents } from "./step-events.ts";
import { Bell } from "./turn.ts";

const RETRY_MS = 1000;

type SpaceWork = Places & {
  readonly openEngine: () => Promise<Engine>;
  readonly photoOf: PhotoSource;
  /** Runs when no other space's engine is at work. */
  readonly turn: <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;
  readonly signal: AbortSignal;
  /** Quiet time after the last photo before everything is refined once more. */
  readonly settleMs: number;
  /** Quiet time after which the engine is let go. */
  readonly idleMs: number;
  readonly onError: (error: unknown, about: string) => void;
};

export class SpaceReconstructor {
  readonly #work: SpaceWork;
  readonly #bell = new Bell();
  #engine: Engine | undefined;
  /** The engine's model is not what the log shows: the next rebuild is laid onto the log's cameras. */
  #differs = false;
  /** Processed photos at the last rebuild that failed or was cancelled: not tried again before the next photo. */
  #gaveUpAt = -1;
  #advised = false;
  #requests: ((operation: string) => void)[] = [];
  #lastRebuildMs = 0;

  constructor(work: SpaceWork) {
    this.#work = work;
  }

  /** Asks for a rebuild now; resolves with its operation. @throws {CairnError} `export.empty` without a model */
  async rebuild(): Promise<string> {
    if (this.#state.generation === 0) throw new CairnError("export.empty");
    return new Promise((resolve) => {
      this.#requests.push(resolve);
      this.#bell.ring();
    });
  }

  /** Runs until the signal aborts. */
  async run(): Promise<void> {
    const { space, signal } = this.#work;
    const watching = this.#watch();
    while (!signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        if (signal.aborted) break;
        // A full disk, say: nothing was acknowledged, and it is tried again until it works.
        this.#work.onError(error, `reconstruction of ${space.id}`);
        await this.#closeEngine();
        await this.#bell.wait(signal, RETRY_MS).catch(() => {});
      }
    }
    await this.#closeEngine();
    await watching;
  }

  /** One photo, one rebuild, or one wait. */
  async #step(): Promise<void> {
    const { signal, settleMs, idleMs } = this.#work;
    if (this.#requests.length > 0 || this.#rebuildDue()) return this.#rebuild();
    const next = this.#nextPhoto();
    if (next) return this.#add(next);
    const unsettled = this.#unsettled();
    const rung = await this.#bell.wait(signal, unsettled ? Math.max(settleMs, 2 * this.#lastRebuildMs) : idleMs);
    if (rung) return;
    if (unsettled) return this.#rebuild();
    await this.#closeEngine();
    await this.#bell.wait(signal);
  }

  get #state(): SpaceState {
    return this.#work.space.log.snapshot().state;
  }

  async #watch(): Promise<void> {
    const { space, signal } = this.#work;
    try {
      for await (const events of space.log.follow(space.log.head, { signal })) {
        if (events.some((event) => event.type === "image.added")) this.#bell.ring();
      }
    } catch (error) {
      if (!signal.aborted) this.#work.onError(error, `following the log of ${space.id} stopped`);
    }
  }

  #nextPhoto(): ImageState | undefined {
    for (const image of Object.values(this.#state.images)) if (!image.verdict) return image;
    return undefined;
  }

  #processed(): number {
    return Object.values(this.#state.images).filter((image) => wasGiven(image.verdict)).length;
  }

  #refined(): number {
    return shownGeneration(this.#state)?.published?.refined ?? 0;
  }

  /** Exactly after every `rebuildEvery`th photo, also when a crash came between the photo and its rebuild. */
  #rebuildDue(): boolean {
    const state = this.#state;
    const processed = this.#processed();
    if (state.generation === 0 || processed === this.#gaveUpAt) return false;
    const every = state.settings.rebuildEvery;
    return this.#advised || Math.floor(processed / every) > Math.floor(this.#refined() / every);
  }

  /** Photos came since everything was last refined together. */
  #unsettled(): boolean {
    const processed = this.#processed();
    return this.#state.generation > 0 && processed > this.#refined() && processed !== this.#gaveUpAt;
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
    let photo: Awaited<ReturnType<PhotoSource>>;
    try {
      photo = await photoOf(image, signal);
    } catch (error) {
      if (error instanceof CairnError && error.code.startsWith("image."))
        return { events: [rejected(image, "unreadable")] };
      throw error;
    }
    try {
      const step = await engine.add(photo, { signal, onProgress: (...at) => running.progress(...at) });
      this.#advised ||= step.rebuildAdvised;
      const events = await stepEvents(step, image, this.#work);
      return { events, result: { image: image.image, points: step.points.positions.length / 3 } };
    } catch (error) {
      if (!signal.aborted) this.#work.onError(error, `photo ${image.image} of ${space.id}`);
      throw error;
    }
  }

  async #rebuild(): Promise<void> {
    const { space, signal, turn } = this.#work;
    const waiting = this.#requests.splice(0);
    const cause = Object.values(this.#state.images).at(-1)?.seq ?? space.log.head;
    const { operation, ended } = await space.operations.start(
      "rebuild",
      (running) => turn(() => this.#rebuildNow(running, cause), signal),
      { cause },
    );
    for (const resolve of waiting) resolve(operation);
    this.#advised = false;
    const end = await ended;
    // A cancelled rebuild leaves the engine as it was; one that failed may have left it anywhere.
    if (end === "failed") await this.#closeEngine();
    this.#gaveUpAt = end === "completed" ? -1 : this.#processed();
  }

  async #rebuildNow(running: Running, cause: Seq): Promise<Outcome> {
    const { space } = this.#work;
    const signal = AbortSignal.any([running.signal, this.#work.signal]);
    const engine = await this.#openEngine(running, signal);
    const state = this.#state;
    const frame = this.#differs ? Object.values(shownGeneration(state)?.cameras ?? {}) : undefined;
    const startedMs = performance.now();
    try {
      const rebuild = await engine.rebuild({
        signal,
        onProgress: (...at) => running.progress(...at),
        ...(frame && { frame }),
      });
      const events = await rebuildEvents(rebuild, engine.model(), this.#processed(), cause, this.#work);
      this.#differs = false;
      this.#lastRebuildMs = performance.now() - startedMs;
      return {
        events,
        result: {
          generation: state.generation + 1,
          cameras: rebuild.cameras.length,
          points: rebuild.points.positions.length / 3,
        },
      };
    } catch (error) {
      if (!signal.aborted) this.#work.onError(error, `rebuild of ${space.id}`);
      throw error;
    }
  }

  async #openEngine(running: Running, signal: AbortSignal): Promise<Engine> {
    if (this.#engine) return this.#engine;
    const engine = await this.#work.openEngine();
    this.#engine = engine;
    const known = Object.values(this.#state.images).filter((image) => wasGiven(image.verdict)).length;
    if (known > 0) {
      const onProgress = (stage: string, done: number, total: number) => running.progress(stage, done, total);
      try {
        this.#differs = !(await replay(engine, this.#work.space.log, this.#work.photoOf, signal, onProgress));
        this.#advised ||= this.#differs;
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

function rejected(image: ImageState, reason: Reason): EventDraft {
  return { type: "image.judged", cause: image.seq, data: { image: image.image, verdict: "rejected", reason } };
}
