/**
 * Operations of one space, as events of its log. Each has exactly one end, and the end is durable before it is told.
 * Rules: OPS-1 to OPS-7 of docs/spec/log.md.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { CairnError, type EventData, type EventDraft, type Id, type OperationState, type Seq } from "@cairn/protocol";
import type { SpaceLog } from "../log/space-log.ts";
import type { Operations, Outcome, Plan, Running, StepDone } from "./operations.ts";

type Ending = "completed" | "failed" | "cancelled";

/** Work that does not stop when it is cancelled is let go after this long; what it says later is not heard. */
const STOP_MS = 1800;
/** At most one progress event in this time; the last value is always said. */
const PROGRESS_MS = 250;
const RETRY_MS = [100, 250, 500, 1000, 2000];

type Entry = { controller: AbortController; ended: Promise<Ending> };

export class SpaceOperations implements Operations {
  readonly #log: SpaceLog;
  readonly #onError: (error: unknown) => void;
  /** Those that run, and those whose end is being said. */
  readonly #running = new Map<Id, Entry>();
  readonly #closing = new AbortController();
  recovered: Promise<void> = Promise.resolve();

  /** @param onError told what no CairnError says: a bug in the work */
  constructor(log: SpaceLog, onError: (error: unknown) => void) {
    this.#log = log;
    this.#onError = onError;
    setMaxListeners(0, this.#closing.signal); // one for each end that waits is no leak
  }

  get #closed(): CairnError | undefined {
    return this.#closing.signal.reason;
  }

  /**
   * Says of each operation that a crash cut off that it has failed. Before anything is started.
   * @throws {CairnError} when the log does not take it; while that may pass it is tried on, until `recovered`
   */
  async recover(): Promise<void> {
    const cutOff = Object.values(this.#log.snapshot().state.operations).filter(
      ({ endedNs, plan }) => endedNs === undefined && !plan,
    );
    const error = new CairnError("server.stopping");
    const ends = cutOff.map(({ operation }) => failed(operation, error));
    try {
      await this.#log.append(ends);
    } catch (refusal) {
      const ended = this.#appendAtLast(ends).then((): Ending => "failed");
      const entries = cutOff.map(({ operation }) => this.#enter(operation, ended).ended);
      this.recovered = Promise.all(entries).then(() => undefined, this.#onError);
      throw refusal;
    }
  }

  async start(
    kind: string,
    work: (running: Running) => Promise<Outcome | undefined>,
    options: { cause?: Seq; plan?: Plan } = {},
  ): Promise<{ operation: Id; ended: Promise<Ending> }> {
    if (this.#closed) throw this.#closed;
    const operation = randomUUID();
    const cause = options.cause === undefined ? {} : { cause: options.cause };
    const queued = this.#log.append([
      { type: "operation.queued", ...cause, data: { operation, kind, ...(options.plan && { plan: options.plan }) } },
    ]);
    // Entered before anyone can hear of it: who cancels it then must find it.
    const begun = this.#begin(operation, kind, cause, work, queued);
    await queued;
    return begun;
  }

  async resume(
    operation: Id,
    work: (running: Running) => Promise<Outcome | undefined>,
  ): Promise<{ operation: Id; ended: Promise<Ending> }> {
    if (this.#closed) throw this.#closed;
    const { operations } = this.#log.snapshot().state;
    const known = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (!known) throw new CairnError("operation.missing", { operation });
    if (known.endedNs !== undefined) throw new CairnError("operation.finished", { operation });
    return this.#begin(operation, known.kind, {}, work, Promise.resolve());
  }

  #begin(
    operation: Id,
    kind: string,
    cause: { cause?: Seq },
    work: (running: Running) => Promise<Outcome | undefined>,
    queued: Promise<unknown>,
  ): { operation: Id; ended: Promise<Ending> } {
    const controller = new AbortController();
    const ended = queued.then(
      () => this.#run(operation, kind, cause, work, controller.signal),
      (): Ending => "failed", // It never was.
    );
    return { operation, ended: this.#enter(operation, ended, controller).ended };
  }

  /** Whoever cancels it, or closes, waits for `ended`. */
  #enter(operation: Id, ended: Promise<Ending>, controller = new AbortController()): Entry {
    const entry = { controller, ended: ended.finally(() => this.#running.delete(operation)) };
    this.#running.set(operation, entry);
    return entry;
  }

  /** Resolves when the end is durable: within 2 s, and whatever end it came to. */
  async cancel(operation: Id): Promise<void> {
    const entry = this.#running.get(operation) ?? this.#endIdle(operation);
    entry.controller.abort(new CairnError("operation.cancelled", { operation }));
    await entry.ended;
  }

  /** Nobody runs it: it waits to be gone on with, or the log did not take its end. */
  #endIdle(operation: Id): Entry {
    const { operations } = this.#log.snapshot().state;
    const known = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (!known) throw new CairnError("operation.missing", { operation });
    if (known.endedNs !== undefined || this.#closed) throw new CairnError("operation.finished", { operation });
    const said = this.#log.append([{ type: "operation.cancelled", data: { operation } }]);
    return this.#enter(
      operation,
      said.then(() => "cancelled"),
    );
  }

  /** Stops all of them; each is said to have failed with `reason`. Resolves when all have ended. */
  async close(reason: CairnError): Promise<void> {
    this.#closing.abort(reason);
    for (const { controller } of this.#running.values()) controller.abort(reason);
    await Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
  }

  async #run(
    operation: Id,
    kind: string,
    cause: { cause?: Seq },
    work: (running: Running) => Promise<Outcome | undefined>,
    signal: AbortSignal,
  ): Promise<Ending> {
    const progress = new Progress(this.#log, operation, cause);
    let drafts: EventDraft[];
    let ending: Ending;
    try {
      if (this.#state(operation)?.status !== "running") {
        await this.#log.append([{ type: "operation.started", ...cause, data: { operation, kind } }]);
      }
      signal.throwIfAborted();
      const running: Running = {
        operation,
        signal,
        progress: (stage, done, total, message) => progress.tell(stage, done, total, message),
        step: (events, done) => progress.step(events, done),
      };
      const outcome = await letGo(work(running), signal);
      const result = outcome?.result ? { result: outcome.result } : {};
      drafts = [...(outcome?.events ?? []), { type: "operation.completed", ...cause, data: { operation, ...result } }];
      ending = "completed";
    } catch (error) {
      [ending, drafts] = this.#endOf(operation, cause, error, signal);
    }
    const last = await progress.stop();
    // The next start goes on with it: it has no end yet.
    if (ending === "failed" && this.#closed?.code === "server.stopping" && this.#state(operation)?.plan) return ending;
    try {
      return (await this.#appendAtLast([...last, ...drafts])) ? ending : "failed";
    } catch (error) {
      // The work's own events do not fit their schema: a bug in it, and its failure.
      const [, instead] = this.#endOf(operation, cause, error, new AbortController().signal);
      await this.#appendAtLast(instead).catch(this.#onError);
      return "failed";
    }
  }

  #state(operation: Id): OperationState | undefined {
    return this.#log.snapshot().state.operations[operation];
  }

  #endOf(operation: Id, cause: { cause?: Seq }, error: unknown, signal: AbortSignal): [Ending, EventDraft[]] {
    const reason: unknown = signal.aborted ? signal.reason : undefined;
    if (reason instanceof CairnError && reason.code === "operation.cancelled") {
      return ["cancelled", [{ type: "operation.cancelled", ...cause, data: { operation } }]];
    }
    const known = reason instanceof CairnError ? reason : error;
    if (!(known instanceof CairnError)) this.#onError(known);
    const failure = known instanceof CairnError ? known : new CairnError("server.internal");
    return ["failed", [{ ...failed(operation, failure), ...cause }]];
  }

  /**
   * An end must be said. While the disk is full, or does not even open a file, it waits; false when the log takes
   * nothing more until the next start, which says it then, or when this closes.
   */
  async #appendAtLast(drafts: EventDraft[]): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#log.append(drafts);
        return true;
      } catch (error) {
        if (!(error instanceof CairnError) || error.code === "request.invalid" || error.code === "request.too_large") {
          throw error;
        }
        const mayPass = error.code === "store.full" || (error.code === "store.failed" && !this.#log.refusing);
        if (!mayPass || this.#closed) return false;
        const { signal } = this.#closing;
        await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)], undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function failed(operation: Id, error: CairnError): Extract<EventDraft, { type: "operation.failed" }> {
  const message = error.message.slice(0, 500);
  return { type: "operation.failed", data: { operation, code: error.code, message } };
}

/** The work's outcome; rejects when it has not stopped `STOP_MS` after it was told to. */
function letGo<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const aborted = () => {
      timer = setTimeout(() => reject(signal.reason), STOP_MS);
    };
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
    };
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted);
    work.then(resolve, reject).finally(done);
  });
}

/** Says progress now and then: the first value at once, the last one always, those between when there is time. */
class Progress {
  readonly #log: SpaceLog;
  readonly #operation: Id;
  readonly #cause: { cause?: Seq };
  #latest: EventData<"operation.progressed"> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(log: SpaceLog, operation: Id, cause: { cause?: Seq }) {
    this.#log = log;
    this.#operation = operation;
    this.#cause = cause;
  }

  tell(stage: string, done: number, total: number, message?: string): void {
    if (this.#stopped) return;
    this.#latest = {
      operation: this.#operation,
      stage: stage.slice(0, 64),
      done: atLeastZero(done),
      total: atLeastZero(total),
      ...(message === undefined ? {} : { message: message.slice(0, 500) }),
    };
    if (!this.#timer) this.#say();
  }

  async step(events: readonly EventDraft[], done: StepDone): Promise<void> {
    if (this.#stopped) throw new CairnError("operation.finished", { operation: this.#operation });
    this.#latest = undefined;
    const data = { ...done, operation: this.#operation };
    const written = this.#log.append([...events, { type: "operation.progressed", ...this.#cause, data }]);
    const before = this.#writing;
    const both = Promise.all([before, written.catch(() => {})]).then(() => {
      if (this.#writing === both) this.#writing = undefined;
    });
    this.#writing = both;
    await written;
  }

  /** What has not been said yet, to be said together with the end. */
  async stop(): Promise<EventDraft[]> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#writing;
    return this.#take();
  }

  #say(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#latest && !this.#writing) this.#say();
    }, PROGRESS_MS);
    const drafts = this.#take();
    // Progress that the disk does not take is not worth failing for; the end will be said.
    this.#writing = this.#log.append(drafts).then(
      () => this.#said(),
      () => this.#said(),
    );
  }

  #said(): void {
    this.#writing = undefined;
    if (this.#latest && !this.#timer && !this.#stopped) this.#say();
  }

  #take(): EventDraft[] {
    const latest = this.#latest;
    this.#latest = undefined;
    return latest ? [{ type: "operation.progressed", ...this.#cause, data: latest }] : [];
  }
}

/** A value that is no number must not cost the operation its end. */
function atLeastZero(value: number): number {
  return value > 0 && Number.isFinite(value) ? value : 0;
}
