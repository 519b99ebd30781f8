/** What the cloud needs of Node: deflate and digests, synchronous because it runs in workers. */
import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";

export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes);
}

/** First 8 bytes of the SHA-256, as 16 hex digits. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
