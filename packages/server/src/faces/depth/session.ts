/**
 * One depth session: a space with parameters, the requests that wait for it, and the sockets that hear of it. What must
 * outlive the process (parameters, results, unfinished requests) is in the space's labels and log.
 */
import { openShownPoints, type Space } from "@cairn/core";
import { CairnError, CLOSE, type ImageState, type Labels, nsToMs, shownGeneration } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import { exportSources } from "../../routes/exports.ts";
import { type FaceSocket, textOf } from "../face-socket.ts";
import { causeOf } from "../refusal.ts";
import { paramsOf, type SessionParams } from "./params.ts";
import { makeResult } from "./session-glb.ts";

export type Status = "active" | "processing" | "completed" | "error";

/** Something that a client asked for. */
export type Request = {
  readonly kind: "generate" | "finalize";
  readonly incremental: boolean;
  readonly glb: "inline" | "url";
  readonly auto?: boolean;
};

export type SessionHouse = {
  readonly context: ServerContext;
  /** Longest run, ms. */
  readonly runMs: number;
};

/** Requests that wait behind the one at work. */
const MOST_WAITING = 4;
/** A socket for which so much waits is not told what passes. */
const MOST_BEHIND_BYTES = 8 * 2 ** 20;
const DELTA_EVERY_MS = 1000;
const PROGRESS_EVERY_MS = 100;

const LABEL = {
  status: "depth.status",
  error: "depth.error",
  /** JSON of the requests, the one at work first, so that a restart begins it again and goes on with the others. */
  requests: "depth.requests",
  glb: "depth.result.glb",
  metadata: "depth.result.metadata",
  images: "depth.result.images",
} as const;

export class Session {
  readonly space: Space;
  readonly params: SessionParams;
  readonly sockets = new Set<FaceSocket>();
  activeMs: number;
  readonly #house: SessionHouse;
  /** The first is at work, or is being noted as done. */
  readonly #requests: Request[] = [];
  #firstIsDone = false;
  #working = false;

  constructor(house: SessionHouse, space: Space) {
    const params = paramsOf(space.log.snapshot().state.labels);
    if (!params) throw new RangeError(`${space.id} is no session`);
    this.#house = house;
    this.space = space;
    this.params = params;
    this.activeMs = Date.now();
    const cutOff = this.#labels[LABEL.requests];
    if (typeof cutOff === "string" && cutOff) this.#requests.push(...(JSON.parse(cutOff) as Request[]));
    if (this.#requests.length > 0) void this.#work();
  }

  get #labels(): Labels {
    return this.space.log.snapshot().state.labels ?? {};
  }

  get createdS(): number {
    return nsToMs(this.space.log.snapshot().state.createdNs) / 1000;
  }

  get status(): Status {
    if (this.#requests.length > 0) return "processing";
    return (this.#labels[LABEL.status] as Status | undefined) || "active";
  }

  get errorMessage(): string | null {
    return (this.status === "error" && (this.#labels[LABEL.error] as string)) || null;
  }

  /** In the order of upload. */
  get images(): ImageState[] {
    return Object.values(this.space.log.snapshot().state.images);
  }

  get result(): { glb: string; metadata: string; images: number } | undefined {
    const { [LABEL.glb]: glb, [LABEL.metadata]: metadata, [LABEL.images]: images } = this.#labels;
    return glb ? { glb: String(glb), metadata: String(metadata), images: Number(images) } : undefined;
  }

  touch(): void {
    this.activeMs = Date.now();
  }

  /** A new image reopens a session that had ended. */
  async imageCame(): Promise<void> {
    const { status } = this;
    if (status === "completed" || status === "error") await this.space.label({ [LABEL.status]: "active" });
  }

  /** False when too many wait. */
  ask(request: Request): boolean {
    if (this.#requests.length > MOST_WAITING) return false;
    this.#requests.push(request);
    if (!this.#working) void this.#work();
    // What cannot be written down is done all the same, unless the server ends first.
    else this.space.label(this.#pending()).catch(() => undefined);
    return true;
  }

  /**
   * To all sockets of the session. @param passing something newer replaces it soon: one that is behind is not told, so
   * that what waits for it stays bounded (GEN-22); what ends a run everybody is told.
   */
  tell(message: object, { passing = false } = {}): void {
    const text = textOf(message);
    for (const socket of this.sockets) {
      if (!passing || socket.waitingBytes < MOST_BEHIND_BYTES) void socket.send(text);
    }
  }

  /** Says why, and closes every socket. */
  end(message: string, code: number): void {
    for (const socket of this.sockets) {
      socket.error(message);
      socket.close(code, code === CLOSE.normal ? "" : message);
    }
  }

  /** What a restart goes on with. */
  #pending(): Labels {
    const pending = this.#firstIsDone ? this.#requests.slice(1) : this.#requests;
    return { [LABEL.requests]: pending.length > 0 ? JSON.stringify(pending) : "" };
  }

  /** One after the other, as long as there are any. */
  async #work(): Promise<void> {
    this.#working = true;
    for (let next = this.#requests[0]; next && !this.space.signal.aborted; next = this.#requests[0]) {
      await this.#serve(next);
    }
    this.#working = false;
  }

  async #serve(request: Request): Promise<void> {
    const { log } = this.#house.context;
    const run = new Run(this.#house, this, request);
    try {
      await this.space.label(this.#pending());
      const done = await run.work();
      const labels: Labels = { [LABEL.status]: request.kind === "finalize" ? "completed" : "active" };
      if (done.fresh) {
        labels[LABEL.glb] = done.glb;
        labels[LABEL.metadata] = done.metadata;
        labels[LABEL.images] = done.images;
      }
      await this.#end(labels);
      await run.complete(done);
    } catch (error) {
      // What a stop of the server cuts off begins again after the next start.
      if (this.space.signal.aborted) return;
      const verb = request.kind === "finalize" ? "finalize" : "generate point cloud";
      const message = `Failed to ${verb}: ${run.cause(error) ?? causeOf(error, log)}`;
      if (this.#requests[0] === request) {
        await this.#end({ [LABEL.status]: "error", [LABEL.error]: message.slice(0, 1000) }).catch(() => undefined);
      }
      // Also where it cannot be written down: those behind it are not to wait for ever.
      if (this.#requests[0] === request) this.#requests.shift();
      this.tell({ type: "error", message });
    }
  }

  /** The state that a client may ask for next is the one after the run. */
  async #end(labels: Labels): Promise<void> {
    this.#firstIsDone = true;
    try {
      await this.space.label({ ...labels, ...this.#pending() });
      this.#requests.shift();
    } finally {
      this.#firstIsDone = false;
    }
  }
}

type Done = { fresh: boolean; glb: string; metadata: string; images: number };

/** Thrown for what a user is told in these words. */
class RunFailed extends Error {}

/** The course of one request. */
class Run {
  readonly #house: SessionHouse;
  readonly #session: Session;
  readonly #request: Request;
  readonly #startedMs = performance.now();
  readonly #signal: AbortSignal;
  #progress = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #deltas = 0;
  #points = 0;

  constructor(house: SessionHouse, session: Session, request: Request) {
    this.#house = house;
    this.#session = session;
    this.#request = request;
    this.#signal = AbortSignal.any([session.space.signal, AbortSignal.timeout(house.runMs)]);
  }

  async work(): Promise<Done> {
    const { result, images } = this.#session;
    const { kind, incremental } = this.#request;
    if (kind === "finalize") this.#tell("finalizing", 0.1, "Finalizing...");
    const known = result && result.images === images.length;
    if (kind === "finalize" && known) return { fresh: false, ...result };
    this.#tell("loading_model", 0.1, "Loading model...");
    this.#tell("inference", 0.3, `Processing ${images.length} images...`);
    const wanted = images.map(({ image }) => image);
    await this.#allJudged(wanted);
    if (!incremental) await this.#refine();
    this.#tell("exporting", 0.7, "Exporting...");
    const made = await this.#make(wanted);
    if (incremental && this.#deltas === 0) this.#delta(made);
    const { blobs } = this.#house.context.core;
    const glb = await blobs.put(made.glb);
    const metadata = await blobs.put(Buffer.from(JSON.stringify(made.metadata)));
    return { fresh: true, glb: glb.digest, metadata: metadata.digest, images: wanted.length };
  }

  async complete({ glb, metadata, images }: Done): Promise<void> {
    const { blobs } = this.#house.context.core;
    const url = `/ws/session/${this.#session.space.id}/result.glb`;
    const inline = this.#request.glb === "inline";
    const facts = JSON.parse(Buffer.from(await blobs.get(metadata)).toString()) as object;
    this.#session.tell({
      type: "complete",
      image_count: images,
      glb_base64: inline ? Buffer.from(await blobs.get(glb)).toString("base64") : "",
      metadata: { ...facts, ...(this.#request.auto && { auto_generated: true }) },
      glb_url: url,
    });
  }

  /** The words for what ended it; `undefined` when nobody foresaw it. */
  cause(error: unknown): string | undefined {
    if (error instanceof RunFailed) return error.message;
    if (this.#signal.aborted && this.#signal.reason instanceof DOMException) return "more than 30 minutes";
    if (error instanceof RangeError && /array|buffer|string length/i.test(error.message)) return "out of memory";
    return error instanceof CairnError && error.code === "export.empty" ? NOT_JOINED : undefined;
  }

  /** Waits until the engine has dealt with these photos; tells partial results meanwhile where they are wanted. */
  async #allJudged(wanted: readonly string[]): Promise<void> {
    const { log } = this.#session.space;
    let deltaMs = performance.now();
    let placed = 0;
    const done = () => {
      const { images } = log.snapshot().state;
      return wanted.filter((image) => images[image]?.verdict).length;
    };
    if (done() === wanted.length) return;
    for await (const _ of log.follow(log.head, { signal: this.#signal })) {
      const count = done();
      this.#tell("inference", 0.3 + (0.35 * count) / wanted.length, `Processing ${wanted.length} images...`, true);
      if (count === wanted.length) return;
      const cameras = Object.keys(shownGeneration(log.snapshot().state)?.cameras ?? {}).length;
      if (!this.#request.incremental || cameras === placed || performance.now() - deltaMs < DELTA_EVERY_MS) continue;
      placed = cameras;
      deltaMs = performance.now();
      const made = await this.#make(wanted).catch(() => undefined);
      if (made) this.#delta(made);
    }
    this.#signal.throwIfAborted();
  }

  /** Everything together, where photos came since it was done last. */
  async #refine(): Promise<void> {
    const start = this.#house.context.operationKinds.get("rebuild");
    const { space } = this.#session;
    const { state } = space.log.snapshot();
    if (!start || state.generation === 0) return;
    const { operation } = await start(space);
    const ended = () => space.log.snapshot().state.operations[operation]?.endedNs !== undefined;
    if (ended()) return;
    for await (const _ of space.log.follow(space.log.head, { signal: this.#signal })) if (ended()) return;
    this.#signal.throwIfAborted();
  }

  async #make(wanted: readonly string[]): Promise<Awaited<ReturnType<typeof makeResult>>> {
    const { context } = this.#house;
    const { space, params } = this.#session;
    const sources = exportSources(context, space);
    const points = await openShownPoints({ ...sources, signal: this.#signal });
    const { state } = space.log.snapshot();
    const made = await makeResult({
      sessionId: space.id,
      params,
      points,
      images: wanted.flatMap((image) => state.images[image] ?? []),
      cameras: shownGeneration(state)?.cameras ?? {},
      engine: context.engineName,
      startedMs: this.#startedMs,
      signal: this.#signal,
    });
    if (made.points === 0) throw new RunFailed(NOT_JOINED);
    return made;
  }

  #delta({ glb, metadata, points }: Awaited<ReturnType<typeof makeResult>>): void {
    const points_added = points - this.#points;
    this.#points = points;
    // The first of a run is promised; those after it replace each other.
    const passing = this.#deltas > 0;
    const told = {
      type: "delta",
      image_count: this.#session.images.length,
      glb_base64: glb.toString("base64"),
      metadata: { ...metadata, ...(this.#request.auto && { auto_generated: true }) },
      delta_index: this.#deltas++,
      points_added,
      total_points: points,
    };
    this.#session.tell(told, { passing });
  }

  /** @param often may be left out when the last one was just now */
  #tell(stage: string, progress: number, message: string, often = false): void {
    const nowMs = performance.now();
    if (often && nowMs - this.#toldMs < PROGRESS_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#progress = Math.max(this.#progress, progress);
    this.#session.tell({ type: "progress", stage, progress: this.#progress, message }, { passing: often });
  }
}

const NOT_JOINED = "not enough overlapping images";
