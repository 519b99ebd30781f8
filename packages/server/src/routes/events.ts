import { CairnError } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { EventsPage, EventsQuery, refusals, Snapshot, SpaceParams } from "../http/schemas.ts";

/** The log by polling: the same events with the same seqs as on the live socket. */
export function eventRoutes(app: FastifyInstance, { core }: Pick<ServerContext, "core">): void {
  app.get<{ Params: SpaceParams; Querystring: EventsQuery }>(
    "/v1/spaces/:space/events",
    {
      schema: {
        operationId: "readEvents",
        params: SpaceParams,
        querystring: EventsQuery,
        response: { 200: EventsPage, ...refusals },
      },
    },
    async (request, reply) => {
      const { after, limit, epoch } = request.query;
      const { log } = await core.spaces.open(request.params.space);
      if (epoch !== undefined && epoch !== log.epoch) throw new CairnError("log.trimmed", { first: log.first });
      reply.header("cache-control", "no-store");
      const events = await log.read(after, limit);
      return { epoch: log.epoch, first: log.first, head: log.head, events };
    },
  );

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/snapshot",
    { schema: { operationId: "getSnapshot", params: SpaceParams, response: { 200: Snapshot, ...refusals } } },
    async (request, reply) => {
      const { log } = await core.spaces.open(request.params.space);
      const { seq, epoch, state } = log.snapshot();
      // Borrowed state: text before anything else can run.
      const text = JSON.stringify({ epoch, seq, state });
      return reply.header("cache-control", "no-store").type("application/json; charset=utf-8").send(text);
    },
  );
}
