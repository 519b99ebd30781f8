/** Long work as events: queued, started, progress, then exactly one end. Rules: docs/spec/log.md. */
import type { EventDraft, Id, Seq } from "@cairn/protocol";

export type OperationResult = Record<string, string | number | boolean>;

/** What the work came to. `events` become durable in one append with `operation.completed`: both or neither. */
export type Outcome = { result?: OperationResult; events?: readonly EventDraft[] };

/** What the work itself sees. */
export interface Running {
  readonly operation: Id;
  /** Aborts on cancel; the work then stops within 2 s and keeps what is already good. */
  readonly signal: AbortSignal;
  /** Told at most a few times a second; the last value always gets through. */
  progress(stage: string, done: number, total: number, message?: string): void;
}

export interface Operations {
  /**
   * Says `queued`, then `started`, runs `work`, then says `completed`, `failed` (with the error's code) or `cancelled`.
   * Resolves with the id when it is queued; `ended` settles when its last event is durable and never rejects.
   */
  start(
    kind: string,
    work: (running: Running) => Promise<Outcome | undefined>,
    options?: { cause?: Seq },
  ): Promise<{ operation: Id; ended: Promise<"completed" | "failed" | "cancelled"> }>;
  /** @throws {CairnError} `operation.missing`, `operation.finished` */
  cancel(operation: Id): Promise<void>;
  /** Operations that a crash cut off are said to have failed (`server.stopping`), once, when the space opens. */
}
