/** The log of one space. Rules: docs/spec/log.md. */
import type { CairnError, CairnEvent, EventDraft, Seq, SpaceState } from "@cairn/protocol";

export interface SpaceLog {
  /** Changes when seqs may have been handed out that this log does not know (restored, trimmed whole). */
  readonly epoch: string;
  /** Seq of the last durable event; 0 when empty. */
  readonly head: Seq;
  /** Oldest seq that can still be read; `head + 1` when none can. */
  readonly first: Seq;
  /** Why appends are refused until the log is opened again; a full disk is not such a reason. */
  readonly refusing: CairnError | undefined;

  /**
   * Appends all of `drafts` next to each other, or none. Resolves when they are on disk (fdatasync), and not before.
   * Appends that wait while another is being written share one write and one fdatasync.
   * @throws {CairnError} `store.full`, `store.failed`; nothing was acknowledged, reads go on
   */
  append(drafts: readonly EventDraft[]): Promise<CairnEvent[]>;

  /**
   * Up to `limit` events after `after`, in order, without gaps; empty at the head.
   * @throws {CairnError} `log.trimmed`, `log.ahead`, `log.corrupt` (the bad event is named and never served)
   */
  read(after: Seq, limit: number): Promise<CairnEvent[]>;

  /** Batches after `after`, for ever: what is there, then what comes. Ends when `signal` aborts or the log closes. */
  follow(after: Seq, options?: { signal?: AbortSignal; limit?: number }): AsyncIterable<CairnEvent[]>;

  /** The state as of `seq`. Borrowed and live: read it before the next `await`, or `structuredClone` it. */
  snapshot(): { seq: Seq; epoch: string; state: SpaceState };

  /** Lets go of events before `seq`; a snapshot of what they led to is durable first. */
  trim(seq: Seq): Promise<void>;

  close(): Promise<void>;
}
