import type { Part } from "@cairn/cloud";
import { partsOf, revisionOf } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import { negotiate } from "@fastify/accept-negotiator";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ServerContext } from "../context.ts";
import { addressTokenOf } from "../http/access.ts";
import { matchesEtag } from "../http/etag.ts";
import { fileAnswer, refusals, SpaceParams } from "../http/schemas.ts";
import { carryToken } from "../tiles/carry-token.ts";
import { type JsonDocument, TilesetDocuments } from "../tiles/tileset-documents.ts";

const Layer = Type.Integer({ minimum: 1, description: "Number of a layer in its space." });
const Node = Type.String({ description: "A node of the layer's octree: `e_x_y_z`, edge `2^e`." });
const BranchParams = Type.Object({ space: Type.String(), layer: Layer, node: Node });
const TileParams = Type.Object({
  space: Type.String(),
  layer: Layer,
  node: Node,
  file: Type.String({ description: "`REVISION.glb`, as the tileset says it." }),
});
const TilesetShape = Type.Object(
  {
    asset: Type.Object({ version: Type.Literal("1.1") }),
    geometricError: Type.Number({ minimum: 0 }),
    root: Type.Record(Type.String(), Type.Unknown()),
  },
  { description: "OGC 3D Tiles 1.1 (22-025r4)." },
);

/** The model for every client that reads 3D Tiles. Rules: docs/spec/tiles.md. */
export function tileRoutes(
  app: FastifyInstance,
  { core, access, tiles, tilesPerJson }: Pick<ServerContext, "core" | "access" | "tiles" | "tilesPerJson">,
): void {
  const documents = new TilesetDocuments(core, tilesPerJson);
  /** The token that lets in who asks, where it is part of the address. */
  const tokenIn = (request: FastifyRequest) => (access.tokenRequired ? addressTokenOf(request) : undefined);
  /** Shared by all who ask, but for those whose address has the token. */
  const send = (request: FastifyRequest, reply: FastifyReply, document: JsonDocument) => {
    const token = tokenIn(request);
    if (token === undefined) return sendJson(request, reply, document);
    return sendPacked(request, reply.header("cache-control", "no-store"), carryToken(document, token));
  };
  /** How long a tile is kept: a cache keeps its address, too, so one with a token not for longer than it is looked at. */
  const keeping = (request: FastifyRequest) => {
    if (tokenIn(request) !== undefined) return "private, max-age=3600";
    return `${access.tokenRequired ? "private" : "public"}, max-age=31536000, immutable`;
  };

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/tileset.json",
    {
      schema: {
        operationId: "getTileset",
        description: "The shown model, in its own frame, or the earth's (ECEF) when its place is known.",
        params: SpaceParams,
        response: { 200: TilesetShape, ...refusals },
      },
    },
    async (request, reply) => send(request, reply, await documents.root(await core.spaces.open(request.params.space))),
  );

  app.get<{ Params: Static<typeof BranchParams> }>(
    "/v1/spaces/:space/tiles/:layer/:node/tileset.json",
    {
      schema: {
        operationId: "getTilesetBranch",
        description: "The tiles from one node down, where a tileset has many.",
        params: BranchParams,
        response: { 200: TilesetShape, ...refusals },
      },
    },
    async (request, reply) => {
      const { space, layer, node } = request.params;
      return send(request, reply, await documents.branch(await core.spaces.open(space), layer, node));
    },
  );

  app.get<{ Params: Static<typeof TileParams> }>(
    "/v1/spaces/:space/tiles/:layer/:node/:file",
    {
      schema: {
        operationId: "getTile",
        description: "The points of one node. What a revision holds never changes.",
        params: TileParams,
        response: fileAnswer("model/gltf-binary"),
      },
    },
    async (request, reply) => {
      const { space, layer, node: key, file } = request.params;
      const asked = /^([0-9a-f]{16})\.glb$/.exec(file)?.[1];
      const opened = await core.spaces.open(space);
      const { grid, nodes } = await core.layers.tables.open(opened, layer);
      const node = nodes.get(key);
      const newest = node && revisionOf(grid, node);
      if (!asked || !newest) throw new CairnError("tile.gone", { layer });
      const known = partsOf(grid, node, asked);
      // Its parts were made one since: what the node holds now has all of its points.
      const [revision, parts] = known ? [asked, known] : [newest, [...node.parts]];
      const etag = `"${revision}"`;
      reply.header("etag", etag);
      reply.header("cache-control", known ? keeping(request) : "no-cache");
      if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
      const read = (part: Part) => core.layers.parts.read(opened, layer, part);
      const glb = await tiles.make({ revision, grid, node, parts, read }, whileOpen(reply));
      return reply.type("model/gltf-binary").send(Buffer.from(glb.buffer, glb.byteOffset, glb.byteLength));
    },
  );
}

/** The address stays and what it says changes: a client asks each time and is mostly told that it has it. */
async function sendJson(request: FastifyRequest, reply: FastifyReply, document: JsonDocument): Promise<FastifyReply> {
  reply.header("etag", document.etag).header("cache-control", "no-cache").header("vary", "Accept-Encoding");
  if (matchesEtag(request.headers["if-none-match"], document.etag)) return reply.code(304).send();
  return sendPacked(request, reply, document);
}

async function sendPacked(request: FastifyRequest, reply: FastifyReply, document: JsonDocument): Promise<FastifyReply> {
  reply.type("application/json; charset=utf-8");
  // The negotiator knows what is acceptable by its weight, and its names in lower case only.
  const wanted = String(request.headers["accept-encoding"] ?? "").toLowerCase();
  if (negotiate(wanted, ["gzip"]) === null) return reply.send(document.text);
  return reply.header("content-encoding", "gzip").send(await document.gzipped());
}

/** Aborts when the client goes before it has its answer. */
function whileOpen(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  return gone.signal;
}
