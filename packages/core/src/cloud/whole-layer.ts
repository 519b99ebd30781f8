/**
 * Whether every blob of a layer is there and right, found without setting anything aside: of a pack that is wrong most
 * segments may be right, and are read as long as it stays where it is.
 */
import { createHash } from "node:crypto";
import type { Digest, LayerState } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import { isDamage } from "./layer-tables.ts";

const PIECE_BYTES = 2 ** 20;

export async function isWhole(blobs: BlobStore, layer: LayerState, signal: AbortSignal): Promise<boolean> {
  const { damaged, index, packs } = layer;
  // What was found damaged comes first: mostly it still is, and nothing else has to be read.
  const named = [...(damaged ? [damaged.blob] : []), ...(index ? [index.index, ...index.blobs] : [])];
  for (const blob of new Set([...named, ...packs.map((pack) => pack.blob)]))
    if (!(await isRight(blobs, blob, signal))) return false;
  return true;
}

async function isRight(blobs: BlobStore, digest: Digest, signal: AbortSignal): Promise<boolean> {
  const known = await blobs.stat(digest);
  if (!known) return false;
  const hash = createHash("sha256");
  const into = new Uint8Array(Math.min(PIECE_BYTES, known.sizeBytes));
  try {
    for (let at = 0; at < known.sizeBytes; at += PIECE_BYTES) {
      signal.throwIfAborted();
      hash.update(await blobs.range(digest, at, Math.min(known.sizeBytes, at + PIECE_BYTES), into));
    }
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
  return hash.digest("hex") === digest;
}
