/** Where in the app we are, after the `#`: any file server can serve the page, and a link holds everything. */
import { useSyncExternalStore } from "react";

/** The space of `#/s/ID`, or `undefined` on the start screen. */
function spaceOf(hash: string): string | undefined {
  const match = /^#\/s\/([^/]+)\/?$/.exec(hash);
  try {
    return match?.[1] === undefined ? undefined : decodeURIComponent(match[1]);
  } catch {
    return undefined; // a % that encodes nothing
  }
}

export function spaceHash(id: string): string {
  return `#/s/${encodeURIComponent(id)}`;
}

export function useSpaceRoute(): string | undefined {
  return useSyncExternalStore(
    (changed) => {
      addEventListener("hashchange", changed);
      return () => removeEventListener("hashchange", changed);
    },
    () => spaceOf(location.hash),
  );
}
