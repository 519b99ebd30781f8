/**
 * Logs the ways of cameras that filmed (`path.extended`) for every space: a cursor over its log that adds what cameras
 * that were posed, and generations that were published, make of them.
 */
import type { EventType } from "@cairn/protocol";
import type { Space, Spaces } from "../space/spaces.ts";
import { pathEvents } from "./path-events.ts";

export type Paths = {
  /** Stops; what is not logged is after the next start. */
  close(): Promise<void>;
};

const LEADING: ReadonlySet<EventType> = new Set(["camera.posed", "generation.published"]);

export function startPaths(spaces: Spaces, onError: (context: string, error: unknown) => void): Paths {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();

  async function follow(space: Space): Promise<void> {
    const signal = AbortSignal.any([stopping.signal, space.signal]);
    const { log } = space;
    const told = (error: unknown) => {
      if (!signal.aborted) onError(`paths of ${space.id}`, error);
    };
    try {
      const { head } = log;
      // What a full disk does not take is made up for with the next.
      await extend(space).catch(told);
      for await (const events of log.follow(head, { signal })) {
        if (events.some(({ type }) => LEADING.has(type))) await extend(space).catch(told);
      }
    } catch (error) {
      told(error);
    }
  }

  spaces.onOpen((space) => {
    if (stopping.signal.aborted) return;
    const ended = follow(space).finally(() => running.delete(ended));
    running.add(ended);
  });

  return {
    async close() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

async function extend({ log }: Space): Promise<void> {
  const events = pathEvents(log.snapshot().state);
  if (events.length > 0) await log.append(events);
}
