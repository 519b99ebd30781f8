/** A blob as the answer to a request. */
import type { BlobStore } from "@cairn/core";
import { CairnError, type Digest } from "@cairn/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Range, sendRanged } from "./send-ranged.ts";

/**
 * Up to this size a blob is read whole and held against its digest before a byte of it goes out. A longer one is held
 * against it on its way, so that a wrong one breaks off; a range of it before, for nothing in a range tells.
 */
const VERIFIED_BYTES = 16 * 2 ** 20;

type Bytes = { readonly bytes: Uint8Array; readonly mediaType: string };

export type BlobAnswer = {
  readonly blobs: BlobStore;
  readonly digest: Digest;
  /** Of one that is too large to be looked into. */
  readonly mediaType: string;
  readonly cacheControl: string;
  /** Told when the bytes of a large one turn out to be missing or wrong. */
  readonly lost?: () => void;
  /** Reads a small one; left out: whole, each time. */
  readonly read?: (range: Range | undefined) => Promise<Bytes>;
};

/** Headers that the caller has set stay. @throws {CairnError} `blob.missing`, `blob.corrupt` */
export async function sendBlob(
  request: FastifyRequest,
  reply: FastifyReply,
  { blobs, digest, mediaType, cacheControl, lost, read }: BlobAnswer,
): Promise<FastifyReply> {
  const stored = await blobs.stat(digest);
  if (!stored) throw new CairnError("blob.missing", { digest });
  const { sizeBytes } = stored;
  return sendRanged(request, reply, {
    sizeBytes,
    tag: digest,
    cacheControl,
    async read(range) {
      if (sizeBytes > VERIFIED_BYTES) {
        const body = await large(range);
        return { body, mediaType };
      }
      const small = await (read ?? whole)(range);
      return { body: small.bytes, mediaType: small.mediaType };
    },
  });

  async function large(part: Range | undefined): Promise<NodeJS.ReadableStream> {
    try {
      if (part) await blobs.verify(digest);
      return (await blobs.stream(digest, part)).once("error", () => lost?.());
    } catch (error) {
      lost?.();
      throw error;
    }
  }

  async function whole(part: Range | undefined): Promise<Bytes> {
    const bytes = await blobs.get(digest);
    return { bytes: part ? bytes.subarray(part.start, part.end) : bytes, mediaType };
  }
}
