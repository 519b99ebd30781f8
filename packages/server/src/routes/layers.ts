import { CairnError, EVENTS, Id, shownLayers } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";
import { ImportQuery, pointsFacts } from "./points-facts.ts";

const LayerParams = Type.Object({ space: Type.String(), layer: Type.Integer({ minimum: 1 }) });
const started = EVENTS["layer.started"].properties;
const LayerShape = Type.Object({
  layer: started.layer,
  kind: started.kind,
  name: started.name,
  points: Type.Integer({ minimum: 0 }),
  shown: Type.Boolean({ description: "Whether it is on the screen now." }),
  generation: started.generation,
  transform: started.transform,
});
const Listing = Type.Object({ layers: Type.Array(LayerShape) });

/** Clouds of points from elsewhere: in as a layer, and out again. */
export function layerRoutes(app: FastifyInstance, { core, imports }: Pick<ServerContext, "core" | "imports">): void {
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/layers",
    {
      schema: {
        operationId: "listLayers",
        description: "Imported clouds, and what the generations that are kept are made of.",
        params: SpaceParams,
        response: { 200: Listing, ...refusals },
      },
    },
    async (request): Promise<Static<typeof Listing>> => {
      const { state } = (await core.spaces.open(request.params.space)).log.snapshot();
      const onScreen = new Set(shownLayers(state).map(({ layer }) => layer));
      const layers = Object.values(state.layers).map(({ layer, kind, name, points, generation, transform }) => {
        const shown = onScreen.has(layer);
        return { layer, kind, name, points, shown, ...(generation && { generation }), ...(transform && { transform }) };
      });
      return { layers };
    },
  );

  app.post<{ Params: SpaceParams; Querystring: Static<typeof ImportQuery> }>(
    "/v1/spaces/:space/layers",
    {
      schema: {
        operationId: "importLayer",
        description:
          "A PLY, LAS, LAZ, COPC or GLB file as the body, of any size. Answered when it is on disk and its header can be " +
          "believed; the operation `import` then fills the layer, and its result says `layer`, `points`, `merged` and `refused`.",
        consumes: ["application/octet-stream"],
        params: SpaceParams,
        querystring: ImportQuery,
        response: { 202: Type.Object({ operation: Id }), ...refusals },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      const { body } = request;
      if (!isByteStream(body)) throw new CairnError("import.invalid", { format: "unknown", problem: "an empty body" });
      const { operation } = await imports.take(space, {
        ...pointsFacts(request.query),
        bytes: body,
        sizeBytes: Number(request.headers["content-length"] ?? 0),
      });
      return reply.code(202).send({ operation });
    },
  );

  app.delete<{ Params: Static<typeof LayerParams> }>(
    "/v1/spaces/:space/layers/:layer",
    {
      schema: {
        operationId: "removeLayer",
        description: "An imported layer; those of the model belong to its generations.",
        params: LayerParams,
        response: { 204: Type.Null(), ...refusals },
      },
    },
    async (request, reply) => {
      const { space: id, layer } = request.params;
      const space = await core.spaces.open(id);
      if (space.log.snapshot().state.layers[layer]?.kind !== "import") throw new CairnError("layer.missing", { layer });
      await core.layers.remove(space, layer);
      return reply.code(204).send();
    },
  );
}

function isByteStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
