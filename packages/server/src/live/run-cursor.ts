/** A cursor over one space's log: reads from its place, then follows; a snapshot where events are missing. */
import type { CursorOptions } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import { canResume } from "./resume.ts";

/** Ends when `signal` aborts or the log closes. @throws {CairnError} `log.corrupt` */
export async function runCursor(options: CursorOptions): Promise<void> {
  const { log, signal, deliver, batch = 512 } = options;
  let { after } = options;
  let resumed = canResume(log, after, options.epoch);
  while (!signal.aborted) {
    if (!resumed || after === undefined) {
      const snapshot = log.snapshot();
      after = snapshot.seq;
      await deliver({ kind: "snapshot", ...snapshot });
      resumed = true;
    }
    try {
      for await (const events of log.follow(after, { signal, limit: batch })) {
        await deliver({ kind: "events", events });
        after = events[events.length - 1]!.seq;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      // Trimmed while the reader was slow: what it missed is in the snapshot.
      if (!(error instanceof CairnError) || error.code !== "log.trimmed") throw error;
      resumed = false;
    }
  }
}
