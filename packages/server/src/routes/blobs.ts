import { recognise } from "@cairn/images";
import { CairnError } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import Type, { type Static } from "typebox";
import type { ServerContext } from "../context.ts";
import { parseRange } from "../http/byte-range.ts";
import { matchesEtag } from "../http/etag.ts";
import { fileAnswer } from "../http/schemas.ts";

const BlobParams = Type.Object({ digest: Type.String() });

/** Up to this size a blob is read whole and held against its digest before a byte of it goes out. */
const VERIFIED_BYTES = 16 * 2 ** 20;

/** Bytes by their digest: they never change, so a cache may keep them for ever. */
export function blobRoutes(app: FastifyInstance, { core, access }: Pick<ServerContext, "core" | "access">): void {
  app.get<{ Params: Static<typeof BlobParams> }>(
    "/v1/blobs/:digest",
    {
      schema: {
        operationId: "getBlob",
        params: BlobParams,
        response: fileAnswer("application/octet-stream", "image/*"),
      },
    },
    async (request, reply) => {
      const { digest } = request.params;
      const stored = /^[0-9a-f]{64}$/.test(digest) ? await core.blobs.stat(digest) : undefined;
      if (!stored) throw new CairnError("blob.missing", { digest: digest.slice(0, 64) });
      const etag = `"${digest}"`;
      reply
        .header("etag", etag)
        .header("accept-ranges", "bytes")
        .header("cache-control", `${access.tokenRequired ? "private" : "public"}, max-age=31536000, immutable`)
        // A photo may end in a page: opened by itself it runs nothing.
        .header("content-security-policy", "default-src 'none'; sandbox");
      if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();

      const ifRange = request.headers["if-range"];
      const range = parseRange(
        ifRange === undefined || ifRange === etag ? request.headers.range : undefined,
        stored.sizeBytes,
      );
      if (range === "unsatisfiable") {
        return reply.code(416).header("content-range", `bytes */${stored.sizeBytes}`).send();
      }
      const { start, end } = range ?? { start: 0, end: stored.sizeBytes };
      if (range) reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${stored.sizeBytes}`);
      if (stored.sizeBytes <= VERIFIED_BYTES) {
        const bytes = await core.blobs.get(digest);
        return reply.type(recognise(bytes) ?? "application/octet-stream").send(bytes.subarray(start, end));
      }
      reply.type("application/octet-stream").header("content-length", end - start);
      return reply.send(await core.blobs.stream(digest, { start, end }));
    },
  );
}
