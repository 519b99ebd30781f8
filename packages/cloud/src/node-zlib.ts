/** What the cloud needs of Node: deflate and digests, synchronous because it runs in workers. */
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { NodePoints } from "./points.ts";
import { decodeSegmentWith } from "./segment/decode.ts";

export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes);
}

/** First 8 bytes of the SHA-256, as 16 hex digits. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** @throws {CairnError} `request.invalid` */
export function decodeSegmentSync(bytes: Uint8Array): NodePoints {
  return decodeSegmentWith(bytes, inflate);
}

/** One piece of output, as large as it must be: by default zlib makes many of 16 KiB and joins them. */
function inflate(compressed: Uint8Array, sizeBytes: number): Uint8Array {
  return inflateRawSync(compressed, { chunkSize: Math.max(64, sizeBytes), maxOutputLength: Math.max(1, sizeBytes) });
}
