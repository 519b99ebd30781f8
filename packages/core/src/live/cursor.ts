/**
 * Everyone live is a cursor: it reads the log from its seq, then follows. Viewers, the reconstructor, faces and
 * publishers are all this. Rules: docs/spec/live.md.
 */
import type { CairnEvent, Seq, SpaceState } from "@cairn/protocol";
import type { SpaceLog } from "../log/space-log.ts";

/** What a cursor hands over, in order. `snapshot` comes first when events are missing: never a silent gap. */
export type CursorItem =
  | { kind: "events"; events: CairnEvent[] }
  | { kind: "snapshot"; epoch: string; seq: Seq; state: SpaceState };

export type CursorOptions = {
  log: SpaceLog;
  /** Last seq the reader has, with its epoch; left out: start with a snapshot. */
  after?: Seq;
  epoch?: string;
  signal: AbortSignal;
  /**
   * Takes one item; the next is read when it resolves, so the reader sets the pace. While it is pending the cursor
   * keeps a seq and nothing else. Behind by more than `conflateAfter` events, superseded ones are left out.
   */
  deliver(item: CursorItem): Promise<void> | void;
  /** Most events in one item. */
  batch?: number;
  /** Events of the same key replace each other when the reader is behind; `null`: never left out. */
  conflateKey?: (event: CairnEvent) => string | null;
  conflateAfter?: number;
};
