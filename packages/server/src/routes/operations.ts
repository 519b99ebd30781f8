import { CairnError, Id } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { OperationShape, refusals, SpaceParams } from "../http/schemas.ts";

const OperationParams = Type.Object({ space: Type.String(), operation: Type.String() });
const StartBody = Type.Object({ kind: Type.String({ maxLength: 64 }) });

/** Long work: what runs and ran, start, cancel. */
export function operationRoutes(
  app: FastifyInstance,
  { core, operationKinds }: Pick<ServerContext, "core" | "operationKinds">,
): void {
  const Listing = Type.Object({ operations: Type.Array(OperationShape) });
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/operations",
    { schema: { operationId: "listOperations", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request) => {
      const space = await core.spaces.open(request.params.space);
      return { operations: Object.values(space.log.snapshot().state.operations) };
    },
  );

  app.post<{ Params: SpaceParams; Body: Static<typeof StartBody> }>(
    "/v1/spaces/:space/operations",
    {
      config: { role: "operate" },
      schema: {
        operationId: "startOperation",
        params: SpaceParams,
        body: StartBody,
        response: { 202: Type.Object({ operation: Id }), ...refusals },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      const { kind } = request.body;
      const start = operationKinds.get(kind);
      if (!start) throw new CairnError("operation.unknown_kind", { kind });
      return reply.code(202).send(await start(space));
    },
  );

  app.delete<{ Params: Static<typeof OperationParams> }>(
    "/v1/spaces/:space/operations/:operation",
    {
      config: { role: "operate" },
      schema: {
        operationId: "cancelOperation",
        params: OperationParams,
        response: { 202: Type.Null(), ...refusals },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      await space.operations.cancel(request.params.operation);
      return reply.code(202).send();
    },
  );
}
