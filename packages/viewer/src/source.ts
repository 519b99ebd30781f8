/** What the viewer needs to know of a space; a connection of `@cairn/client` has this shape, and so has a fake in a test. */
import type { Digest, SpaceState } from "@cairn/protocol";

export interface SpaceSource {
  /** The state as of now. It may be changed in place: read it anew at each change. */
  readonly state: SpaceState;
  /** Calls `listener` after each change of `state`; returns how to stop listening. */
  on(name: "state", listener: () => void): () => void;
  /** The bytes of a blob, lent. */
  blob(digest: Digest, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
}
