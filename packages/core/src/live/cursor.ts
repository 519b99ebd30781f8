/**
 * Everyone live is a cursor: it reads the log from its seq, then follows. Viewers, the reconstructor, faces and
 * publishers are all this. Rules: docs/spec/cursor.md.
 */
import { CairnError, type CairnEvent, type Seq, type SpaceState } from "@cairn/protocol";
import type { SpaceLog } from "../log/space-log.ts";

/** What a cursor hands over, in order. `snapshot` comes first when events are missing: never a silent gap. */
export type CursorItem =
  | { kind: "events"; events: CairnEvent[] }
  /** `state` is a copy that other cursors may share: read it as long as you like, change nothing. */
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
  /** Asked after each item with the seq it led to: true ends the cursor there, for the reader goes on by other means. */
  caughtUp?(position: Seq): boolean;
  /** Most events in one item. */
  batch?: number;
  /** Events of the same key replace each other when the reader is behind; `null`: never left out. */
  conflateKey?: (event: CairnEvent) => string | null;
  conflateAfter?: number;
};

/** Events that the newest of the same key replaces: the state they lead to is the same without the older ones. */
export function supersededKey(event: CairnEvent): string | null {
  switch (event.type) {
    case "camera.posed":
      return `posed ${event.data.generation} ${event.data.image}`;
    case "image.judged":
      return `judged ${event.data.image}`;
    case "operation.progressed":
      return `progressed ${event.data.operation}`;
    default:
      return null;
  }
}

/**
 * Delivers until `signal` aborts or the log closes; then it resolves, also while an item is pending.
 * @throws {CairnError} `log.corrupt` when the log cannot be read and no snapshot leads past the damage
 * @throws whatever `deliver` throws
 */
export async function runCursor(options: CursorOptions): Promise<void> {
  const { log, signal, batch = 512, conflateKey, conflateAfter = 4 * batch } = options;
  const { epoch } = options;
  let position = options.after;
  if (epoch !== undefined && epoch !== log.epoch) position = undefined;
  while (!signal.aborted) {
    const item = position === undefined ? copySnapshot(log) : await next(position);
    if (!item) return;
    const delivered = item.kind === "snapshot" ? item.seq : item.events.at(-1)?.seq;
    if (!(await settled(options.deliver(item), signal))) return;
    position = delivered;
    if (position !== undefined && options.caughtUp?.(position)) return;
  }

  async function next(after: Seq): Promise<CursorItem | undefined> {
    try {
      const behind = log.head - after;
      // The window is read again after each item, so that while one is pending only a seq is kept.
      if (conflateKey && behind > conflateAfter) {
        const window = await log.read(after, 4 * batch);
        if (window.length > 0) return { kind: "events", events: conflate(window, conflateKey).slice(0, batch) };
      }
      for await (const events of log.follow(after, { signal, limit: batch })) return { kind: "events", events };
      return undefined;
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      if (error.code === "log.trimmed" || error.code === "log.ahead") return copySnapshot(log);
      // The state is known past the damage: the reader loses the steps to it, not the state, and is told so.
      if (error.code === "log.corrupt" && log.head > Number(error.facts.seq)) return copySnapshot(log);
      if (error.code === "server.stopping" || error.code === "space.closed") return undefined;
      throw error;
    }
  }
}

/** Leaves out each event that a later one of the same key in `events` replaces; the order stays. */
export function conflate(events: readonly CairnEvent[], key: (event: CairnEvent) => string | null): CairnEvent[] {
  const keys = events.map(key);
  const newest = new Map<string, number>();
  for (const [index, each] of keys.entries()) if (each !== null) newest.set(each, index);
  return events.filter((_, index) => {
    const each = keys[index];
    return each === null || each === undefined || newest.get(each) === index;
  });
}

/** The last copy of each log's state: many who join at the same seq share one, and memory may take it back. */
const copies = new WeakMap<SpaceLog, { seq: Seq; epoch: string; copy: WeakRef<SpaceState> }>();

function copySnapshot(log: SpaceLog): CursorItem {
  const { seq, epoch, state } = log.snapshot();
  const known = copies.get(log);
  const shared = known?.seq === seq && known.epoch === epoch ? known.copy.deref() : undefined;
  const copy = shared ?? structuredClone(state);
  if (!shared) copies.set(log, { seq, epoch, copy: new WeakRef(copy) });
  return { kind: "snapshot", epoch, seq, state: copy };
}

/** False when `signal` aborted first. Rejects as `pending` does. */
async function settled(pending: Promise<void> | void, signal: AbortSignal): Promise<boolean> {
  if (!pending) return !signal.aborted;
  let stop = () => {};
  const aborted = new Promise<false>((resolve) => {
    stop = () => resolve(false);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([pending.then(() => true), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
