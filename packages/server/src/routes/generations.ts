import { CairnError, EVENTS, Seq, TimeNs } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";

const published = EVENTS["generation.published"].properties;
const GenerationShape = Type.Object({
  generation: published.generation,
  seq: Seq,
  timeNs: TimeNs,
  cameras: published.cameras,
  points: published.points,
  residual: published.residual,
  doubts: published.doubts,
  restores: published.restores,
  layers: Type.Array(Type.Integer({ minimum: 1 })),
});
const Listing = Type.Object({
  shown: Type.Integer({ minimum: 0, description: "The generation on the screen; 0 before the first." }),
  generations: Type.Array(GenerationShape, { description: "Those that are kept, oldest first." }),
});
const GenerationParams = Type.Object({ space: Type.String(), generation: Type.Integer({ minimum: 1 }) });
const Restored = Type.Object({ generation: Type.Integer({ minimum: 1, description: "Its new number." }) });

/** What was published, and going back to it. Rules GENR-1 to GENR-5. */
export function generationRoutes(
  app: FastifyInstance,
  { core, restore }: Pick<ServerContext, "core" | "restore">,
): void {
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/generations",
    { schema: { operationId: "listGenerations", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request): Promise<Static<typeof Listing>> => {
      const { state } = (await core.spaces.open(request.params.space)).log.snapshot();
      // A transform of a layer is told by its events; what is listed here is for people.
      return { shown: state.generation, generations: state.history.map(({ transforms: _, ...each }) => each) };
    },
  );

  app.post<{ Params: Static<typeof GenerationParams> }>(
    "/v1/spaces/:space/generations/:generation/restore",
    {
      config: { role: "operate" },
      schema: {
        operationId: "restoreGeneration",
        description: "Shows an earlier generation again, under a new number. No point is sent again.",
        params: GenerationParams,
        response: { 201: Restored, ...refusals },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      if (space.log.snapshot().state.closed) throw new CairnError("space.closed");
      return reply.code(201).send({ generation: await restore(space, request.params.generation) });
    },
  );
}
