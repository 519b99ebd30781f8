/** What the viewer needs to know of a space; a connection of `@cairn/client` has this shape, and so has a fake in a test. */
import type { Digest, HaveFrame, SpaceState, View } from "@cairn/protocol";

type Fetching = { signal?: AbortSignal };

export interface SpaceSource {
  /** The state as of now. It may be changed in place: read it anew at each change. */
  readonly state: SpaceState;
  /** Calls `listener` after each change of `state`; returns how to stop listening. */
  on(name: "state", listener: () => void): () => void;
  /** Bytes came without being asked for; `blob` is the beginning of its digest. `range` has them. */
  on(name: "range", listener: (blob: string, start: number, bytes: Uint8Array) => void): () => void;
  /** There is a connection to the server, or none any more. */
  on(name: "line", listener: (open: boolean) => void): () => void;
  /** The bytes of a blob, lent. */
  blob(digest: Digest, options?: Fetching): Promise<Uint8Array>;
  /** Bytes `start` up to `end` of a blob, lent. */
  range(digest: Digest, start: number, end: number, options?: Fetching): Promise<Uint8Array>;
  /** Says what is looked at, so that the server sends that first; as often as one likes. */
  view?(view: Omit<View, "type"> | undefined): void;
  /** Asked when the connection comes back: what is here already and need not be sent again. */
  held?: (() => Iterable<HaveFrame>) | undefined;
}
