/** A blob as the answer to a request: whole, one range of it (RFC 9110 §14), or not again to who has it. */
import type { BlobStore } from "@cairn/core";
import { CairnError, type Digest } from "@cairn/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { parseRange } from "./byte-range.ts";
import { matchesEtag } from "./etag.ts";

/** Up to this size a blob is read whole and held against its digest before a byte of it goes out. */
const VERIFIED_BYTES = 16 * 2 ** 20;

type Range = { readonly start: number; readonly end: number };
type Bytes = { readonly bytes: Uint8Array; readonly mediaType: string };

export type BlobAnswer = {
  readonly blobs: BlobStore;
  readonly digest: Digest;
  /** Of one that is too large to be looked into. */
  readonly mediaType: string;
  readonly cacheControl: string;
  /** Reads a small one; left out: whole, each time. */
  readonly read?: (range: Range | undefined) => Promise<Bytes>;
};

/** Headers that the caller has set stay. @throws {CairnError} `blob.missing`, `blob.corrupt` */
export async function sendBlob(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { blobs, digest, mediaType, cacheControl, read }: BlobAnswer,
): Promise<FastifyReply> {
  const stored = await blobs.stat(digest);
  if (!stored) throw new CairnError("blob.missing", { digest });
  const { sizeBytes } = stored;
  const etag = `"${digest}"`;
  reply.header("etag", etag).header("accept-ranges", "bytes").header("cache-control", cacheControl);
  if (matchesEtag(headers["if-none-match"], etag)) return reply.code(304).send();
  const ifRange = headers["if-range"];
  const range = parseRange(ifRange === undefined || ifRange === etag ? headers.range : undefined, sizeBytes);
  if (range === "unsatisfiable") return reply.code(416).header("content-range", `bytes */${sizeBytes}`).send();
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  const small = sizeBytes <= VERIFIED_BYTES ? await (read ?? whole)(range) : undefined;
  if (range) reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${sizeBytes}`);
  if (small) return reply.type(small.mediaType).send(small.bytes);
  reply.type(mediaType).header("content-length", end - start);
  return reply.send(await blobs.stream(digest, { start, end }));

  async function whole(part: Range | undefined): Promise<Bytes> {
    const bytes = await blobs.get(digest);
    return { bytes: part ? bytes.subarray(part.start, part.end) : bytes, mediaType };
  }
}
