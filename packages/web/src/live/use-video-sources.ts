/** What is streamed into a space just now. Looked up now and then: a stream is not an event of the space's log. */
import type { CairnApi, SpaceConnection, VideoSourceInfo } from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { useEffect, useState } from "react";

/** While there is some, or something happens; else ever more seldom. */
const [SOON_MS, LATE_MS, LATER] = [2000, 12_000, 1.5];
const NONE: readonly string[] = [];

/** Names of live sources, those first that have been there longest. @param awake someone looks, and the server answers */
export function useVideoSources(api: CairnApi, connection: SpaceConnection, awake: boolean): readonly string[] {
  const [sources, setSources] = useState(NONE);
  useEffect(() => {
    if (!awake) return;
    const stop = new AbortController();
    let [waitMs, wake]: [number, () => void] = [SOON_MS, () => {}];
    const follow = async () => {
      while (!stop.signal.aborted) {
        try {
          const found = liveIn(await api.videoSources(stop), connection.space);
          setSources((old) => (old.join() === found.join() ? old : found));
          waitMs = found.length > 0 ? SOON_MS : Math.min(LATE_MS, waitMs * LATER);
        } catch (error) {
          // Who may not see the list is not told again and again; a server that is away comes back.
          if (error instanceof CairnError && error.code === "auth.forbidden") return;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, waitMs);
        });
      }
    };
    void follow();
    // What begins to stream soon shows in the log: a device, or the first photo of it.
    const off = connection.on("event", () => {
      if (waitMs <= SOON_MS) return;
      waitMs = SOON_MS;
      wake();
    });
    return () => {
      off();
      stop.abort();
      wake();
    };
  }, [api, connection, awake]);
  return sources;
}

function liveIn(sources: readonly VideoSourceInfo[], space: string): readonly string[] {
  return sources.filter((each) => each.live && each.space === space && each.frames > 0).map(({ source }) => source);
}
