/** Bytes as the answer to a request: whole, one range of them (RFC 9110 §14), or not again to who has them. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { parseRange } from "./byte-range.ts";
import { matchesEtag } from "./etag.ts";

/** Half open. */
export type Range = { readonly start: number; readonly end: number };

export type RangedAnswer = {
  readonly sizeBytes: number;
  /** Without quotes: names these bytes and no others. */
  readonly tag: string;
  readonly cacheControl: string;
  /** @param range left out: all of them */
  read(range: Range | undefined): Promise<{ body: Uint8Array | NodeJS.ReadableStream; mediaType: string }>;
};

/** Headers that the caller has set stay. */
export async function sendRanged(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { sizeBytes, tag, cacheControl, read }: RangedAnswer,
): Promise<FastifyReply> {
  const etag = `"${tag}"`;
  reply.header("etag", etag).header("accept-ranges", "bytes").header("cache-control", cacheControl);
  if (matchesEtag(headers["if-none-match"], etag)) return reply.code(304).send();
  const ifRange = headers["if-range"];
  const range = parseRange(ifRange === undefined || ifRange === etag ? headers.range : undefined, sizeBytes);
  if (range === "unsatisfiable") return reply.code(416).header("content-range", `bytes */${sizeBytes}`).send();
  const { body, mediaType } = await read(range);
  if (range) reply.code(206).header("content-range", `bytes ${range.start}-${range.end - 1}/${sizeBytes}`);
  reply.type(mediaType);
  if (!(body instanceof Uint8Array)) reply.header("content-length", range ? range.end - range.start : sizeBytes);
  return reply.send(body);
}
