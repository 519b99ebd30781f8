import { placeAnchor, removeAnchor } from "@cairn/core";
import { check, EVENTS, Id } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";

const placed = EVENTS["anchor.placed"].properties;
const AnchorShape = Type.Object({ ...placed, placedIn: Type.Integer({ minimum: 1 }) });
const AnchorBody = Type.Object({
  point: placed.point,
  label: placed.label,
  generation: Type.Optional(
    Type.Integer({ minimum: 1, description: "In which `point` was seen; left out: the one that is shown." }),
  ),
});
const AnchorParams = Type.Object({ space: Type.String(), anchor: Type.String() });

/** Points that keep their place from generation to generation. Rules GENR-10 to GENR-12. */
export function anchorRoutes(app: FastifyInstance, { core }: Pick<ServerContext, "core">): void {
  const Listing = Type.Object({ anchors: Type.Array(AnchorShape) });
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/anchors",
    { schema: { operationId: "listAnchors", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request): Promise<Static<typeof Listing>> => {
      const space = await core.spaces.open(request.params.space);
      return { anchors: Object.values(space.log.snapshot().state.anchors) };
    },
  );

  app.put<{ Params: Static<typeof AnchorParams>; Body: Static<typeof AnchorBody> }>(
    "/v1/spaces/:space/anchors/:anchor",
    {
      schema: {
        operationId: "placeAnchor",
        description: "`anchor` is a UUID of yours, version 4; the same again moves it.",
        params: AnchorParams,
        body: AnchorBody,
        response: { 200: AnchorShape, ...refusals },
      },
    },
    async (request) => {
      const space = await core.spaces.open(request.params.space);
      return placeAnchor(space, check(Id, request.params.anchor), request.body);
    },
  );

  app.delete<{ Params: Static<typeof AnchorParams> }>(
    "/v1/spaces/:space/anchors/:anchor",
    {
      schema: { operationId: "removeAnchor", params: AnchorParams, response: { 204: Type.Null(), ...refusals } },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      await removeAnchor(space, request.params.anchor);
      return reply.code(204).send();
    },
  );
}
