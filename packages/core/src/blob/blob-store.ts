/** Bytes named by their own SHA-256. A blob never changes, so any copy may be cached for ever. */
import type { Digest } from "@cairn/protocol";

export interface BlobStore {
  /** Stores the bytes (once, however often they are put). Durable when it resolves: temp file, fsync, rename, fsync. */
  put(bytes: Uint8Array | AsyncIterable<Uint8Array>, options?: { signal?: AbortSignal }): Promise<StoredBlob>;
  /** Takes over a file on the same disk, without copying where that can be. Nobody may write to it afterwards. */
  adopt(path: string, options?: { signal?: AbortSignal }): Promise<StoredBlob>;
  /** Whole and checked against its digest. @throws {CairnError} `blob.missing`, `blob.corrupt` */
  get(digest: Digest): Promise<Uint8Array>;
  /**
   * Holds the whole against its digest, a piece at a time; not again for some minutes while its file is the same one.
   * @throws {CairnError} `blob.missing`, `blob.corrupt`
   */
  verify(digest: Digest): Promise<void>;
  /**
   * The whole, held against its digest on the way: the stream fails with `blob.corrupt` before its last byte. Of a range,
   * `start`…`end` (exclusive), nothing is checked: `verify` does that. @throws {CairnError} `blob.missing`
   */
  stream(digest: Digest, range?: { start: number; end: number }): Promise<NodeJS.ReadableStream>;
  /**
   * Bytes `start`…`end` (exclusive). Not held against the digest, which takes the whole: whoever knows what a range
   * must be checks it. @throws {CairnError} `blob.missing`; `blob.corrupt` when the blob ends before `end`
   * @param into where they go, from its beginning on; what comes back is then a view of it
   */
  range(digest: Digest, start: number, end: number, into?: Uint8Array): Promise<Uint8Array>;
  /**
   * The same of a blob that was put a moment ago, while it is still in memory: for those who hear of it at once. Says
   * nothing of what has become of it on disk.
   */
  recent(digest: Digest, start: number, end: number): Uint8Array | undefined;
  stat(digest: Digest): Promise<StoredBlob | undefined>;
  /** Removes every blob that `named` does not name and that is older than `graceMs`. Returns how many went. */
  collect(named: (digest: Digest) => boolean, graceMs: number): Promise<{ removed: number; freedBytes: number }>;
}

export type StoredBlob = { digest: Digest; sizeBytes: number };
