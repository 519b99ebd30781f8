/**
 * The course of one request of a session: waits until the engine has dealt with its photos, tells how far it is, and makes
 * the result. Rules DEP-26 to DEP-36.
 */
import { createHash } from "node:crypto";
import { openShownPoints } from "@cairn/core";
import { CairnError, canBegin, type ImageState, shownGeneration } from "@cairn/protocol";
import { exportSources } from "../../routes/exports.ts";
import type { Request, Session, SessionHouse } from "./session.ts";
import { makeResult } from "./session-glb.ts";

const DELTA_EVERY_MS = 1000;
const PROGRESS_EVERY_MS = 100;
const NOT_JOINED = "not enough overlapping images";

/** `of`: which photos it is of, as `whatOf` says it. */
export type Done = { fresh: boolean; glb: string; metadata: string; images: number; of: string };

/** Thrown for what a user is told in these words. */
class RunFailed extends Error {}

export class Run {
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
    const of = whatOf(images);
    if (kind === "finalize" && result?.of === of) return { fresh: false, ...result };
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
    return { fresh: true, glb: glb.digest, metadata: metadata.digest, images: wanted.length, of };
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
      // One that somebody removed meanwhile gets no verdict any more.
      return wanted.filter((image) => !images[image] || images[image].verdict).length;
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
    if (!start || (state.generation === 0 && !canBegin(state))) return;
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
      dense: context.engineName === "embedded" && state.settings.preset !== "sparse",
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

/** These photos, as they are shown: one that is edited, or another in the place of one, makes another result. */
export function whatOf(images: readonly ImageState[]): string {
  const hash = createHash("sha256");
  for (const { image, version = 0 } of images) hash.update(`${image} ${version}\n`);
  return hash.digest("hex");
}
