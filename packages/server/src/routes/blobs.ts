import { type BlobStore, SpaceBlobs } from "@cairn/core";
import { recognise } from "@cairn/images";
import { CairnError, type Digest } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import type { Pass } from "../http/access.ts";
import { fileAnswer } from "../http/schemas.ts";
import { sendBlob } from "../http/send-blob.ts";

const BlobParams = Type.Object({ digest: Type.String() });

/** So long what was verified is read in ranges without reading the whole again. */
const VERIFIED_MS = 600_000;
const VERIFIED_BLOBS = 4096;

/** Bytes by their digest: they never change, so a cache may keep them for ever. */
export function blobRoutes(app: FastifyInstance, { core, access }: Pick<ServerContext, "core" | "access">): void {
  const verified = new VerifiedBlobs(core.blobs);
  const named = new SpaceBlobs();
  app.get<{ Params: Static<typeof BlobParams> }>(
    "/v1/blobs/:digest",
    {
      config: { place: "own" },
      schema: {
        operationId: "getBlob",
        params: BlobParams,
        response: fileAnswer("application/octet-stream", "image/*"),
      },
    },
    async (request, reply) => {
      const { digest } = request.params;
      // What another space names is not there at all, whatever there is of it.
      if (!(await mayKnow(request.pass, digest))) throw new CairnError("blob.missing", { digest: digest.slice(0, 64) });
      const stored = /^[0-9a-f]{64}$/.test(digest) ? await core.blobs.stat(digest) : undefined;
      // A layer may need it, and have something to make it again from.
      if (!stored) core.layers.lost(digest);
      if (!stored) throw new CairnError("blob.missing", { digest: digest.slice(0, 64) });
      // A photo may end in a page: opened by itself it runs nothing.
      reply.header("content-security-policy", "default-src 'none'; sandbox");
      return sendBlob(request, reply, {
        blobs: core.blobs,
        digest,
        mediaType: "application/octet-stream",
        cacheControl: `${access.tokenRequired ? "private" : "public"}, max-age=31536000, immutable`,
        lost: () => core.layers.lost(digest),
        async read(range) {
          const reading = range ? verified.range(digest, range.start, range.end) : verified.whole(digest);
          return reading.catch((error: unknown) => {
            if (error instanceof CairnError && error.code.startsWith("blob.")) core.layers.lost(digest);
            throw error;
          });
        },
      });
    },
  );

  /** Who may be everywhere may know every digest; who may be in some spaces, those that one of these names. */
  async function mayKnow(pass: Pass | null, digest: Digest): Promise<boolean> {
    if (!pass) return false;
    if (!pass.spaces) return true;
    for (const id of pass.spaces) {
      // A token may be for a space that is not there yet, or no more.
      const space = await core.spaces.open(id).catch((error: unknown) => {
        if (error instanceof CairnError && error.code.startsWith("space.")) return undefined;
        throw error;
      });
      if (space && (await named.has(space, digest))) return true;
    }
    return false;
  }
}

/** Many ask for many ranges of one pack: it is held against its digest once in a while, not for each. */
class VerifiedBlobs {
  readonly #blobs: BlobStore;
  readonly #known = new Map<Digest, { mediaType: string; untilMs: number }>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** @throws {CairnError} `blob.missing`, `blob.corrupt` */
  async whole(digest: Digest): Promise<{ mediaType: string; bytes: Uint8Array }> {
    this.#known.delete(digest);
    const bytes = await this.#blobs.get(digest);
    const mediaType = recognise(bytes) ?? "application/octet-stream";
    this.#known.set(digest, { mediaType, untilMs: performance.now() + VERIFIED_MS });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= VERIFIED_BLOBS) break;
      this.#known.delete(oldest);
    }
    return { mediaType, bytes };
  }

  /** @throws {CairnError} `blob.missing`, `blob.corrupt` */
  async range(digest: Digest, start: number, end: number): Promise<{ mediaType: string; bytes: Uint8Array }> {
    const known = this.#known.get(digest);
    if (known && performance.now() < known.untilMs) {
      return { mediaType: known.mediaType, bytes: await this.#blobs.range(digest, start, end) };
    }
    const { mediaType, bytes } = await this.whole(digest);
    return { mediaType, bytes: bytes.subarray(start, end) };
  }
}
