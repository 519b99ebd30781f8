/** What is streamed into a space just now. Looked up now and then: a stream is not an event of the space's log. */
import type { CairnApi, VideoSourceInfo } from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { useEffect, useState } from "react";

const LOOK_EVERY_MS = 2000;
const NONE: readonly string[] = [];

/** Names of live sources, those first that have been there longest. */
export function useVideoSources(api: CairnApi, space: string): readonly string[] {
  const [sources, setSources] = useState(NONE);
  useEffect(() => {
    const stop = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      if (document.visibilityState === "visible") {
        try {
          const found = liveIn(await api.videoSources(stop), space);
          setSources((old) => (old.join() === found.join() ? old : found));
        } catch (error) {
          // Who may not see the list is not told again and again; a server that is away comes back.
          if (error instanceof CairnError && error.code === "auth.forbidden") return;
        }
      }
      if (!stop.signal.aborted) again = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(again);
    };
  }, [api, space]);
  return sources;
}

function liveIn(sources: readonly VideoSourceInfo[], space: string): readonly string[] {
  return sources.filter((each) => each.live && each.space === space && each.frames > 0).map(({ source }) => source);
}
