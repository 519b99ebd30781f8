/** The nouns wired together: one data directory, one process that owns it. */
import type { BlobStore } from "./blob/blob-store.ts";
import type { Spaces } from "./space/spaces.ts";

export interface Core {
  readonly spaces: Spaces;
  readonly blobs: BlobStore;
  /** Empty when it can serve and write; else what is wrong, for `/health`. */
  problems(): string[];
  /** Lets running writes finish, closes everything and frees the lock. */
  close(): Promise<void>;
}
