/**
 * The caller's side: a fixed number of worker threads and a queue of jobs, typed by the workers' own interface.
 * Workers start when there is work for them. Each does one job at a time. A worker that crashes fails the job it was
 * at and nothing else; another takes its place.
 */
import { type Transferable, Worker } from "node:worker_threads";
import { CairnError } from "@cairn/protocol/errors";
import { type FromWorker, fromWire, type JobInput, type JobMap, type JobResult, type ToWorker } from "./contract.ts";

type RunOptions = {
  /** Moved to the worker: cannot be read here any more. */
  readonly move?: readonly Transferable[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
};

export interface Pool<Jobs extends JobMap<Jobs>> {
  readonly threads: number;
  /**
   * Runs a job on the next free worker.
   * @throws what the job throws (a `CairnError` or `RangeError` arrives as one); the signal's reason, at once, when it
   *   aborts; {@link CairnError} `engine.failed` when the worker dies, `engine.unavailable` when the pool is closed
   */
  run<Name extends keyof Jobs>(
    name: Name,
    input: JobInput<Jobs, Name>,
    options?: RunOptions,
  ): Promise<JobResult<Jobs, Name>>;
  /** Stops all workers, whatever they do; jobs that have not ended are refused. */
  close(): Promise<void>;
}

type Job = {
  readonly id: number;
  readonly name: PropertyKey;
  readonly input: unknown;
  readonly options: RunOptions;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly forget: () => void;
};

type Seat = { worker: Worker | undefined; job: Job | undefined };

/**
 * @param file the worker as it is built: `new URL("./x.worker.js", import.meta.url)`
 * @param youngMiB what each worker's new objects take at most before it looks which are still in use: half of V8's own
 *   48 is idle for work that makes few of them
 */
export function workers<Jobs extends JobMap<Jobs>>(file: URL, threads: number, youngMiB?: number): Pool<Jobs> {
  if (!Number.isInteger(threads) || threads < 1) throw new RangeError(`${threads} threads`);
  const seats: Seat[] = Array.from({ length: threads }, () => ({ worker: undefined, job: undefined }));
  const queue: Job[] = [];
  let nextId = 1;
  let closed = false;

  const hire = (seat: Seat): Worker => {
    const worker = new Worker(file, youngMiB ? { resourceLimits: { maxYoungGenerationSizeMb: youngMiB } } : {});
    worker.on("message", (message: FromWorker) => receive(seat, message));
    worker.on("error", (error) => lose(seat, worker, error));
    worker.on("messageerror", (error) => lose(seat, worker, error));
    worker.on("exit", (code) => lose(seat, worker, new Error(`the worker ended with ${code}`)));
    return worker;
  };

  /** The worker is gone: its job fails, its seat is free. Also called for the end that follows an error. */
  const lose = (seat: Seat, worker: Worker, cause: unknown): void => {
    if (seat.worker !== worker) return;
    const { job } = seat;
    seat.worker = undefined;
    seat.job = undefined;
    void worker.terminate();
    if (job) {
      job.forget();
      job.reject(new CairnError("engine.failed", { job: String(job.name) }, cause));
    }
    startNext();
  };

  const receive = (seat: Seat, message: FromWorker): void => {
    const { job } = seat;
    if (!job || job.id !== message.id) return;
    if (message.type === "progress") {
      if (!job.options.signal?.aborted) job.options.onProgress?.(message.done, message.total);
      return;
    }
    seat.job = undefined;
    job.forget();
    if (message.type === "done") job.resolve(message.result);
    else job.reject(fromWire(message.error));
    startNext();
  };

  const startNext = (): void => {
    while (queue.length > 0 && !closed) {
      const seat = seats.find((candidate) => candidate.worker && !candidate.job) ?? seats.find((free) => !free.job);
      if (!seat) return;
      const job = queue.shift()!;
      try {
        seat.worker ??= hire(seat);
        const message: ToWorker = { type: "run", id: job.id, name: job.name, input: job.input };
        seat.worker.postMessage(message, job.options.move ?? []);
        seat.job = job;
      } catch (error) {
        job.forget();
        job.reject(error); // the input cannot be cloned
      }
    }
  };

  /** A job that waits is dropped; one that runs is told, and its caller need not wait for it. */
  const abort = (job: Job): void => {
    const waiting = queue.indexOf(job);
    if (waiting >= 0) queue.splice(waiting, 1);
    const seat = seats.find((candidate) => candidate.job === job);
    const message: ToWorker = { type: "cancel", id: job.id };
    seat?.worker?.postMessage(message);
    job.forget();
    job.reject(job.options.signal?.reason);
  };

  return {
    threads,
    run<Name extends keyof Jobs>(name: Name, input: JobInput<Jobs, Name>, options: RunOptions = {}) {
      if (closed) return Promise.reject(new CairnError("engine.unavailable"));
      const { signal } = options;
      if (signal?.aborted) return Promise.reject(signal.reason);
      return new Promise<JobResult<Jobs, Name>>((resolve, reject) => {
        const onAbort = (): void => abort(job);
        const job: Job = {
          id: nextId++,
          name,
          input,
          options,
          resolve: (result) => resolve(result as JobResult<Jobs, Name>),
          reject,
          forget: () => signal?.removeEventListener("abort", onAbort),
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        queue.push(job);
        startNext();
      });
    },
    async close() {
      closed = true;
      const unfinished = [...queue.splice(0), ...seats.flatMap((seat) => seat.job ?? [])];
      const hired = seats.flatMap((seat) => seat.worker ?? []);
      for (const seat of seats) seat.worker = seat.job = undefined;
      for (const job of unfinished) {
        job.forget();
        job.reject(new CairnError("engine.unavailable"));
      }
      await Promise.all(hired.map((worker) => worker.terminate()));
    },
  };
}
