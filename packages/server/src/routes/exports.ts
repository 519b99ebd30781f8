import { Readable } from "node:stream";
import { type Part, positionsOf } from "@cairn/cloud";
import { decodeSegmentSync } from "@cairn/cloud/node";
import { type BlobStore, readPart } from "@cairn/core";
import { plyHeader, plyPoints } from "@cairn/formats";
import {
  CairnError,
  type Digest,
  type GenerationState,
  shownGeneration,
  shownLayers,
  type Vec3,
} from "@cairn/protocol";
import type { FastifyInstance, FastifyReply } from "fastify";
import Type, { type Static } from "typebox";
import type { ServerContext } from "../context.ts";
import { fileAnswer, SpaceParams } from "../http/schemas.ts";
import { zip } from "../http/zip.ts";

const FileParams = Type.Object({
  space: Type.String(),
  file: Type.Union([Type.Literal("cameras.txt"), Type.Literal("images.txt"), Type.Literal("points3D.txt")]),
});

/** The model in other programs' words: a PLY cloud, a COLMAP text model. */
export function exportRoutes(app: FastifyInstance, { core }: Pick<ServerContext, "core">): void {
  /** The generation that viewers see; before the first is published, the one being filled. */
  async function shown(spaceId: string): Promise<GenerationState> {
    const { state } = (await core.spaces.open(spaceId)).log.snapshot();
    const generation = shownGeneration(state) ?? Object.values(state.generations)[0];
    if (!generation) throw new CairnError("export.empty");
    return generation;
  }

  const attached = (reply: FastifyReply, name: string) =>
    reply.header("content-disposition", `attachment; filename="${name}"`).header("cache-control", "no-store");

  for (const path of ["ply", "points.ply"]) {
    app.get<{ Params: SpaceParams }>(
      `/v1/spaces/:space/exports/${path}`,
      {
        schema: {
          operationId: path === "ply" ? "exportPly" : "exportPlyFile",
          description: "Binary little-endian PLY: `float x y z`, `uchar red green blue`.",
          params: SpaceParams,
          response: fileAnswer("application/octet-stream"),
        },
      },
      async (request, reply) => {
        const space = await core.spaces.open(request.params.space);
        const parts: Placed[] = [];
        for (const { layer, origin } of shownLayers(space.log.snapshot().state)) {
          // Listed now: the layer may grow while it is sent, and the header has said how long it is.
          const { list } = await core.layers.tables.open(space, layer);
          for (const node of list) for (const part of node.parts) parts.push({ part, origin });
        }
        if (parts.length === 0) throw new CairnError("export.empty");
        attached(reply, "points.ply");
        return reply.type("application/octet-stream").send(Readable.from(plyPieces(core.blobs, parts)));
      },
    );
  }

  async function model(spaceId: string): Promise<{ cameras: Digest; images: Digest; points3D: Digest }> {
    const { published } = await shown(spaceId);
    if (!published?.model) throw new CairnError("export.empty");
    return published.model;
  }

  app.get<{ Params: Static<typeof FileParams> }>(
    "/v1/spaces/:space/exports/colmap/:file",
    {
      schema: {
        operationId: "exportColmapFile",
        params: FileParams,
        response: fileAnswer("text/plain"),
      },
    },
    async (request, reply) => {
      const { space, file } = request.params;
      const files = await model(space);
      const digest = { "cameras.txt": files.cameras, "images.txt": files.images, "points3D.txt": files.points3D }[file];
      attached(reply, file);
      return reply.type("text/plain; charset=utf-8").send(Buffer.from(await core.blobs.get(digest)));
    },
  );

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/exports/colmap",
    {
      schema: {
        operationId: "exportColmap",
        description: "`cameras.txt`, `images.txt` and `points3D.txt` as one zip.",
        params: SpaceParams,
        response: fileAnswer("application/zip"),
      },
    },
    async (request, reply) => {
      const files = await model(request.params.space);
      attached(reply, "colmap.zip");
      return reply.type("application/zip").send(
        await zip([
          { name: "cameras.txt", bytes: await core.blobs.get(files.cameras) },
          { name: "images.txt", bytes: await core.blobs.get(files.images) },
          { name: "points3D.txt", bytes: await core.blobs.get(files.points3D) },
        ]),
      );
    },
  );
}

type Placed = { readonly part: Part; readonly origin: Vec3 };

async function* plyPieces(blobs: BlobStore, parts: readonly Placed[]): AsyncGenerator<Uint8Array> {
  yield plyHeader(parts.reduce((sum, { part }) => sum + part.points, 0));
  for (const { part, origin } of parts) {
    const points = decodeSegmentSync(await readPart(blobs, part));
    yield* plyPoints(positionsOf(points, origin), points.colors);
  }
}
