import { join } from "node:path";
import { Readable } from "node:stream";
import {
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportOptions,
  exportFormat,
  exportName,
  type Space,
  startExport,
} from "@cairn/core";
import { CairnError, Id, shownGeneration } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { ServerContext } from "../context.ts";
import { fileAnswer, refusals, SpaceParams } from "../http/schemas.ts";

const FormatName = Type.String({ enum: Object.keys(EXPORT_FORMATS) });
const FormatParams = Type.Object({ space: Type.String(), format: Type.String() });
const FileParams = Type.Object({
  space: Type.String(),
  file: Type.Union([Type.Literal("cameras.txt"), Type.Literal("images.txt"), Type.Literal("points3D.txt")]),
});
/** For surfaces; `layer` for points as well. */
const Wish = {
  detail: Type.Optional(
    Type.Number({ minimum: 0.1, maximum: 10, description: "Surfaces: cells this much finer than the points ask for." }),
  ),
  voxel: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e12,
      description: "Surfaces: edge of a cell, in model units, instead.",
    }),
  ),
  faces: Type.Optional(
    Type.Integer({ minimum: 4, maximum: 2 ** 31 - 1, description: "Surfaces: at most so many triangles." }),
  ),
  layer: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, description: "Only this shown layer." })),
};
const ExportQuery = Type.Object(Wish);
type ExportQuery = Static<typeof ExportQuery>;
const ExportBody = Type.Object({ format: FormatName, ...Wish });
const Listing = Type.Object({
  formats: Type.Array(
    Type.Object({ format: FormatName, name: Type.String(), mediaType: Type.String(), description: Type.String() }),
  ),
});

/** What exports are made with. */
export type ExportHouse = Pick<ServerContext, "core" | "decoder" | "dataDir" | "tileEncoder">;

/** What a client says of how it wants the file. */
function wished({ layer, detail, voxel, faces }: ExportQuery): Pick<ExportOptions, "layer" | "mesh"> {
  return { layer, mesh: { detail, voxel, faces } };
}

/** What exports of this server read from. */
export function exportSources(
  { core, decoder, dataDir, tileEncoder }: ExportHouse,
  space: Space,
): Omit<ExportOptions, "signal" | "onProgress" | "onFacts"> {
  return {
    space,
    blobs: core.blobs,
    tables: core.layers.tables,
    undistort: decoder.undistort,
    scratchDir: join(dataDir, "scratch"),
    tileEncoder,
  };
}

/** Aborts when the answer has been sent, or its reader has gone. */
export function readerOf({ raw }: FastifyReply): AbortSignal {
  const stop = new AbortController();
  const end = () => stop.abort(new CairnError("operation.cancelled"));
  if (raw.destroyed) end();
  else raw.once("close", end);
  return stop.signal;
}

/** The model in other programs' words: at once as a stream, or as an operation that ends as a blob. */
export function exportRoutes(app: FastifyInstance, context: ServerContext): void {
  const { core, openExports } = context;
  const attached = (reply: FastifyReply, name: string) =>
    reply.header("content-disposition", `attachment; filename="${name}"`).header("cache-control", "no-store");

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/exports",
    { schema: { operationId: "listExports", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request): Promise<Static<typeof Listing>> => {
      const { id } = await core.spaces.open(request.params.space);
      const formats = Object.entries(EXPORT_FORMATS).map(([format, { mediaType, description }]) => {
        return { format, name: exportName(id, exportFormat(format)), mediaType, description };
      });
      return { formats };
    },
  );

  app.post<{ Params: SpaceParams; Body: Static<typeof ExportBody> }>(
    "/v1/spaces/:space/exports",
    {
      schema: {
        operationId: "startExport",
        description:
          "The operation's result names the blob: `digest`, `sizeBytes`, `name`, `mediaType`; of a surface also `vertices`, " +
          "`faces`, `voxel`, `area`, `watertight`, `boundaryEdges`.",
        params: SpaceParams,
        body: ExportBody,
        response: { 202: Type.Object({ operation: Id }), ...refusals },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      const format = exportFormat(request.body.format);
      const sources = { ...exportSources(context, space), ...wished(request.body) };
      const { operation } = await startExport(sources, format);
      return reply.code(202).send({ operation });
    },
  );

  async function send(
    spaceId: string,
    format: ExportFormat,
    reply: FastifyReply,
    wish: ExportQuery = {},
  ): Promise<FastifyReply> {
    const reader = readerOf(reply);
    const space = await core.spaces.open(spaceId);
    openExports.begin(space.id, reader);
    const { write, mediaType } = EXPORT_FORMATS[format];
    const signal = AbortSignal.any([reader, space.signal]);
    // A browser can then say how far it is, and everyone tell a whole file from one that was cut off.
    const onSize = (sizeBytes: number) => reply.header("content-length", sizeBytes);
    const pieces = write({ ...exportSources(context, space), ...wished(wish), signal, onSize });
    // What refuses does so before its first piece: the answer is then an error and not a file without content.
    const first = await pieces.next();
    attached(reply, exportName(space.id, format)).type(mediaType);
    return reply.send(Readable.from(whole(first, pieces), { objectMode: false }));
  }

  for (const name of Object.keys(EXPORT_FORMATS)) {
    const format = exportFormat(name);
    const { description, mediaType } = EXPORT_FORMATS[format];
    app.get<{ Params: SpaceParams; Querystring: ExportQuery }>(
      `/v1/spaces/:space/exports/${format}`,
      {
        schema: {
          operationId: `export-${format}`,
          description,
          params: SpaceParams,
          querystring: ExportQuery,
          response: fileAnswer(mediaType),
        },
      },
      (request, reply) => send(request.params.space, format, reply, request.query),
    );
  }

  app.get<{ Params: Static<typeof FormatParams> }>(
    "/v1/spaces/:space/exports/:format",
    { schema: { hide: true, params: FormatParams } },
    (request, reply) => send(request.params.space, exportFormat(request.params.format), reply),
  );

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/exports/points.ply",
    {
      schema: {
        operationId: "exportPlyFile",
        description: "As `ply`, for programs that go by the end of an address.",
        params: SpaceParams,
        response: fileAnswer(EXPORT_FORMATS.ply.mediaType),
      },
    },
    (request, reply) => send(request.params.space, "ply", reply),
  );

  app.get<{ Params: Static<typeof FileParams> }>(
    "/v1/spaces/:space/exports/colmap/:file",
    { schema: { operationId: "exportColmapFile", params: FileParams, response: fileAnswer("text/plain") } },
    async (request, reply) => {
      const { space, file } = request.params;
      const { state } = (await core.spaces.open(space)).log.snapshot();
      const { model } = shownGeneration(state)?.published ?? {};
      if (!model) throw new CairnError("export.empty");
      const digest = { "cameras.txt": model.cameras, "images.txt": model.images, "points3D.txt": model.points3D }[file];
      attached(reply, file);
      return reply.type("text/plain; charset=utf-8").send(Buffer.from(await core.blobs.get(digest)));
    },
  );
}

async function* whole(first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (!first.done) yield first.value;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}
