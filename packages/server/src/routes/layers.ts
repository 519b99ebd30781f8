import { CairnError, check, EVENTS, Id, Similarity, shownLayers } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import Type, { type Static } from "typebox";
import type { ServerContext } from "../context.ts";
import { parseJson } from "../http/json-body.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";

const LayerParams = Type.Object({ space: Type.String(), layer: Type.Integer({ minimum: 1 }) });
const ImportQuery = Type.Object({
  name: Type.Optional(Type.String({ maxLength: 1024, description: "The file's name; shown, never a path." })),
  spacing: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, description: "Points closer than this may merge, in the file's unit." }),
  ),
  transform: Type.Optional(
    Type.String({
      maxLength: 2000,
      description: "JSON: `scale`, `rotation` (quaternion, w first) and `translation` from the file to the model.",
    }),
  ),
});

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
      const { name = "points", spacing, transform } = request.query;
      const { body } = request;
      if (!isByteStream(body)) throw new CairnError("import.invalid", { format: "unknown", problem: "an empty body" });
      const { operation } = await imports.take(space, {
        name,
        bytes: body,
        sizeBytes: Number(request.headers["content-length"] ?? 0),
        ...(spacing !== undefined && { spacing }),
        ...(transform !== undefined && { transform: transformOf(transform) }),
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

/** Most and least by which a cloud may be scaled, and how far it may be moved: what doubles can still tell apart. */
const SCALES = [1e-9, 1e9] as const;
const MOST_UNITS = 1e12;

/** @throws {CairnError} `request.not_json`, `request.invalid` */
function transformOf(text: string): Similarity {
  const { scale, rotation, translation } = check(Similarity, parseJson(Buffer.from(text)));
  const refuse = (field: string) => new CairnError("request.invalid", { field: `transform.${field}` });
  if (scale < SCALES[0] || scale > SCALES[1]) throw refuse("scale");
  const length = Math.hypot(...rotation);
  // Written with a few digits it is not quite a unit.
  if (Math.abs(length - 1) > 1e-3) throw refuse("rotation");
  if (translation.some((units) => Math.abs(units) > MOST_UNITS)) throw refuse("translation");
  const [w, x, y, z] = rotation;
  return { scale, rotation: [w / length, x / length, y / length, z / length], translation };
}

function isByteStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
