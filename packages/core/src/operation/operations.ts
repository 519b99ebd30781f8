/** Long work as events: queued, started, progress, then exactly one end. Rules: docs/spec/log.md. */
import type { EventData, EventDraft, Id, Seq } from "@cairn/protocol";

export type OperationResult = Record<string, string | number | boolean>;

/** What is to be done, as the log keeps it. */
export type Plan = NonNullable<EventData<"operation.queued">["plan"]>;

/** What the work came to. `events` become durable in one append with `operation.completed`: both or neither. */
export type Outcome = { result?: OperationResult; events?: readonly EventDraft[] };

export type StepDone = Omit<EventData<"operation.progressed">, "operation" | "etaMs">;

type Ended = { operation: Id; ended: Promise<"completed" | "failed" | "cancelled"> };

/** What the work itself sees. */
export interface Running {
  readonly operation: Id;
  /** Aborts on cancel; the work then stops within 2 s and keeps what is already good. */
  readonly signal: AbortSignal;
  /** Told at most a few times a second; the last value always gets through. */
  progress(stage: string, done: number, total: number, message?: string): void;
  /**
   * What a step led to and that it is done, in one append: both or neither, and never left out.
   * @throws when the operation was let go: then nothing of the step is durable
   */
  step(events: readonly EventDraft[], done: StepDone): Promise<void>;
}

export interface Operations {
  /**
   * Says `queued`, then `started`, runs `work`, then says `completed`, `failed` (with the error's code) or `cancelled`.
   * Resolves with the id when it is queued; `ended` settles when its last event is durable and never rejects.
   */
  start(
    kind: string,
    work: (running: Running) => Promise<Outcome | undefined>,
    options?: { cause?: Seq; plan?: Plan },
  ): Promise<Ended>;
  /**
   * Goes on with an operation that has a plan and that a stop or a crash cut off.
   * @throws {CairnError} `operation.missing`, `operation.finished`
   */
  resume(operation: Id, work: (running: Running) => Promise<Outcome | undefined>): Promise<Ended>;
  /** @throws {CairnError} `operation.missing`, `operation.finished` */
  cancel(operation: Id): Promise<void>;
  /**
   * Operations without a plan that a crash cut off are said to have failed (`server.stopping`), once, when the space
   * opens; the others wait for `resume`. Resolves when that is durable, or will not be before the next start; never
   * rejects.
   */
  readonly recovered: Promise<void>;
}
