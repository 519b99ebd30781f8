import { CairnError } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { requestReaches } from "../http/access.ts";
import { checkFreeLabels } from "../http/own-labels.ts";
import { NewSpaceBody, refusals, SpaceChange, SpaceParams, Summary } from "../http/schemas.ts";

/** Create, list, look at, rename, configure, let expire, delete. */
export function spaceRoutes(app: FastifyInstance, { core }: Pick<ServerContext, "core">): void {
  const Listing = Type.Object({ spaces: Type.Array(Summary) });
  app.get(
    "/v1/spaces",
    { config: { place: "own" }, schema: { operationId: "listSpaces", response: { 200: Listing, ...refusals } } },
    async (request) => ({ spaces: (await core.spaces.list()).filter(({ id }) => requestReaches(request, id)) }),
  );

  app.post<{ Body: NewSpaceBody | undefined }>(
    "/v1/spaces",
    {
      config: { place: "own" },
      schema: { operationId: "createSpace", body: NewSpaceBody, response: { 201: Summary, ...refusals } },
    },
    async (request, reply) => {
      const { id, title, settings, expiresNs, labels } = request.body ?? {};
      // An id of its own choice is in nobody's list.
      if (request.pass?.spaces && !(id !== undefined && requestReaches(request, id))) {
        throw new CairnError("auth.forbidden");
      }
      checkFreeLabels(labels);
      const space = await core.spaces.create({
        ...(id === undefined ? {} : { id }),
        ...(title === undefined ? {} : { title }),
        ...(expiresNs === undefined ? {} : { expiresNs }),
        ...(settings === undefined ? {} : { settings }),
        ...(labels === undefined ? {} : { labels }),
      });
      reply.code(201).header("location", `/v1/spaces/${encodeURIComponent(space.id)}`);
      return space.summary();
    },
  );

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space",
    { schema: { operationId: "getSpace", params: SpaceParams, response: { 200: Summary, ...refusals } } },
    async (request) => (await core.spaces.open(request.params.space)).summary(),
  );

  app.patch<{ Params: SpaceParams; Body: SpaceChange }>(
    "/v1/spaces/:space",
    {
      config: { role: "operate" },
      schema: {
        operationId: "changeSpace",
        params: SpaceParams,
        body: SpaceChange,
        response: { 200: Summary, ...refusals },
      },
    },
    async (request) => {
      const space = await core.spaces.open(request.params.space);
      const { title, settings, expiresNs, labels } = request.body;
      checkFreeLabels(labels);
      if (title !== undefined) await space.rename(title);
      if (settings !== undefined) await space.configure(settings);
      if (expiresNs !== undefined) await space.expireAt(expiresNs ?? undefined);
      if (labels !== undefined) await space.label(labels);
      return space.summary();
    },
  );

  app.delete<{ Params: SpaceParams }>(
    "/v1/spaces/:space",
    {
      config: { role: "admin" },
      schema: { operationId: "deleteSpace", params: SpaceParams, response: { 204: Type.Null(), ...refusals } },
    },
    async (request, reply) => {
      await core.spaces.delete(request.params.space);
      return reply.code(204).send();
    },
  );
}
