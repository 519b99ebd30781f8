/**
 * The embedded engine: structure from motion that needs nothing but this package. All work is done in a worker thread,
 * which has a pool of its own for the kernels; here is only what the caller holds.
 */
import { availableParallelism, tmpdir } from "node:os";
import { Worker } from "node:worker_threads";
import type { SparseModel } from "@cairn/formats";
import type { EngineReport, Preset } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import type {
  Engine,
  EngineCache,
  FocalReport,
  Photo,
  Progress,
  Rebuild,
  RebuildOptions,
  Step,
  WorkOptions,
} from "../engine.ts";
import { FEATURES_VERSION } from "../features/features.ts";
import type { Reply, Request, WorkerData } from "./contract.ts";
import { serveCache } from "./remote-cache.ts";

export type EmbeddedEngineOptions = {
  /** The same photos in the same order and the same seed give the same model, on any number of threads. */
  readonly seed?: number;
  /** How much is made of each photo; by default `balanced`. */
  readonly preset?: Preset;
  /** Threads for features and matching; by default one for each core, at most 8. */
  readonly threads?: number;
  readonly cache?: EngineCache;
  /** Where disk may stand in for memory; by default the system's folder for temporary files. */
  readonly scratchDir?: string;
};

const MAX_THREADS = 8;

/** @throws {CairnError} `engine.unavailable` */
export async function openEmbeddedEngine(options: EmbeddedEngineOptions = {}): Promise<Engine> {
  const { seed = 1, preset = "balanced", cache, scratchDir = tmpdir() } = options;
  const { threads = Math.min(MAX_THREADS, availableParallelism()) } = options;
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const workerData: WorkerData = { seed, preset, threads, cancelled, caches: cache !== undefined, scratchDir };
  const worker = new Worker(new URL("./engine.worker.js", import.meta.url), { workerData, name: "cairn-engine" });
  const engine = new EmbeddedEngine(worker, cancelled, cache);
  await engine.ready;
  return engine;
}

type Answer = Extract<Reply, { kind: "added" | "rebuilt" | "model" | "reported" | "closed" }>;
type Waiting = { resolve(answer: Answer): void; reject(error: Error): void; onProgress: Progress | undefined };

class EmbeddedEngine implements Engine {
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #cancelled: Int32Array;
  readonly #cache: EngineCache | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #jobs = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #focal: FocalReport | undefined;
  #dead: CairnError | undefined;
  #closing: Promise<void> | undefined;

  constructor(worker: Worker, cancelled: Int32Array, cache: EngineCache | undefined) {
    this.#worker = worker;
    this.#cancelled = cancelled;
    this.#cache = cache;
    this.ready = new Promise((resolve, reject) => {
      worker.on("message", (reply: Reply) => {
        if (reply.kind === "ready") resolve();
        else if (reply.kind === "cache") void serveCache(cache, reply.call, (answer) => worker.postMessage(answer));
        else this.#take(reply);
      });
      worker.on("error", (error) => this.#die(error));
      worker.on("exit", () => {
        this.#die(new Error("the engine's thread has ended"));
        reject(new CairnError("engine.unavailable", {}, this.#dead?.cause));
      });
    });
  }

  async add(photo: Photo, options: WorkOptions = {}): Promise<Step> {
    return this.#inTurn(options, async () => {
      const key = featuresKey(photo);
      const features = await this.#cache?.get(key);
      const answer = await this.#ask(
        (job) => ({ job, kind: "add", photo, features, points: options.points ?? true }),
        options,
      );
      if (answer.kind !== "added") throw new CairnError("engine.failed");
      this.#focal = answer.focal;
      if (answer.features) await this.#cache?.put(key, answer.features);
      return answer.step;
    });
  }

  foresee(photo: Photo): void {
    const unknown = this.#cache?.get(featuresKey(photo)) ?? Promise.resolve(undefined);
    const begin = (features: Uint8Array | undefined) => {
      if (features || this.#dead || this.#closing) return;
      this.#worker.postMessage({ job: 0, kind: "foresee", photo } satisfies Request);
    };
    // A cache that fails says so when the photo is added.
    unknown.then(begin, () => {});
  }

  async rebuild({ frame, up, thorough = false, ...options }: RebuildOptions = {}): Promise<Rebuild> {
    return this.#inTurn(options, async () => {
      const points = options.points ?? true;
      const answer = await this.#ask(
        (job) => ({ job, kind: "rebuild", points, thorough, ...(frame && { frame }), ...(up && { up }) }),
        options,
      );
      if (answer.kind !== "rebuilt") throw new CairnError("engine.failed");
      this.#focal = answer.focal;
      return answer.rebuild;
    });
  }

  model(): Promise<SparseModel> {
    return this.#inTurn({}, async () => {
      const answer = await this.#ask((job) => ({ job, kind: "model" }), {});
      if (answer.kind !== "model") throw new CairnError("engine.failed");
      return answer.model;
    });
  }

  focal(): FocalReport | undefined {
    return this.#focal && { ...this.#focal };
  }

  async report(options: Pick<WorkOptions, "signal"> = {}): Promise<EngineReport> {
    return this.#inTurn(options, async () => {
      const answer = await this.#ask((job) => ({ job, kind: "report" }), options);
      if (answer.kind !== "reported") throw new CairnError("engine.failed");
      return answer.report;
    });
  }

  /** What is under way ends as cancelled. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#dead) {
      Atomics.store(this.#cancelled, 0, this.#jobs);
      await this.#ask((job) => ({ job, kind: "close" }), {}).catch(() => undefined);
    }
    await this.#worker.terminate();
  }

  /** One job at a time: a photo's place in the order of arrival is part of the result. */
  #inTurn<T>({ signal }: WorkOptions, work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => {
      if (this.#closing) throw new CairnError("engine.unavailable");
      if (signal?.aborted) throw new CairnError("operation.cancelled");
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #ask(request: (job: number) => Request, { signal, onProgress }: WorkOptions): Promise<Answer> {
    if (this.#dead) return Promise.reject(this.#dead);
    // One that came while the cache was asked is not told again.
    if (signal?.aborted) return Promise.reject(new CairnError("operation.cancelled"));
    const job = ++this.#jobs;
    // The worker may be deep in a loop and deaf to messages; it looks at this number at every step.
    const cancel = () => Atomics.store(this.#cancelled, 0, job);
    signal?.addEventListener("abort", cancel, { once: true });
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(job, { resolve, reject, onProgress });
      this.#worker.postMessage(request(job));
    });
    return answer.finally(() => signal?.removeEventListener("abort", cancel));
  }

  #take(reply: Exclude<Reply, { kind: "ready" | "cache" }>): void {
    const waiting = this.#waiting.get(reply.job);
    if (!waiting) return;
    if (reply.kind === "progress") {
      waiting.onProgress?.(reply.stage, reply.done, reply.total);
      return;
    }
    this.#waiting.delete(reply.job);
    if (reply.kind === "failed") waiting.reject(new CairnError(reply.code, reply.facts, reply.cause));
    else waiting.resolve(reply);
  }

  #die(cause: Error): void {
    this.#dead ??= new CairnError("engine.failed", {}, cause);
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

function featuresKey({ widthPx, heightPx, digest }: Photo): string {
  return `features-${FEATURES_VERSION}-${widthPx}x${heightPx}-${digest}`;
}
