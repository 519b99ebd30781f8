import { readReport } from "@cairn/core";
import { Report } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";

/** How the model of a space came about. Rules RPT-1 to RPT-3. */
export function reportRoutes(app: FastifyInstance, { core }: Pick<ServerContext, "core">): void {
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/report",
    {
      schema: {
        operationId: "getReport",
        description: "The newest report; one is made after every rebuild. `404 report.missing` before the first.",
        params: SpaceParams,
        response: { 200: Report, ...refusals },
      },
    },
    async (request, reply) => {
      const bytes = await readReport(await core.spaces.open(request.params.space), core.blobs);
      // As it is stored: it was made from the schema, and may be megabytes.
      return reply
        .type("application/json; charset=utf-8")
        .header("cache-control", "no-store")
        .serializer((payload: string) => payload)
        .send(Buffer.from(bytes).toString("utf8"));
    },
  );
}
