/** The queue of photos of an open space; what an earlier visit left is sent by itself. */
import type { SpaceConnection } from "@cairn/client";
import { useEffect, useState, useSyncExternalStore } from "react";
import { PhotoQueue, type QueuedPhoto } from "./photo-queue.ts";
import { openShelf } from "./photo-shelf.ts";

const NONE: readonly QueuedPhoto[] = [];

export function useQueue(connection: SpaceConnection | undefined): {
  queue?: PhotoQueue;
  items: readonly QueuedPhoto[];
  /** For the person who holds the phone. */
  problem?: string;
} {
  const [queue, setQueue] = useState<PhotoQueue>();
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    if (!connection) return;
    let made: PhotoQueue | undefined;
    let gone = false;
    void openShelf().then((shelf) => {
      if (gone) return;
      made = new PhotoQueue(connection, shelf);
      setQueue(made);
      made.start().catch(() => {
        if (!gone) setProblem("Photos of an earlier visit cannot be read just now. Reload the page to try again.");
      });
    });
    // Asked once, so that a phone short of room does not choose these to throw away.
    navigator.storage?.persist?.().catch(() => {});
    return () => {
      gone = true;
      made?.stop();
      setQueue(undefined);
      setProblem(undefined);
    };
  }, [connection]);

  const items = useSyncExternalStore(
    (changed) => queue?.subscribe(changed) ?? (() => {}),
    () => queue?.items ?? NONE,
  );
  return { ...(queue && { queue }), items, ...(problem && { problem }) };
}
