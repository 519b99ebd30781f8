/** `GET /v1/video` and `GET /v1/video/{source}`: what is live, what was, and how it flows to each consumer (STR-10). */
import type { KeyframeStats, SourceStats } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { requestReaches } from "../http/access.ts";
import { refusals } from "../http/schemas.ts";
import { codecOf } from "./video-door.ts";

const StreamKeyframes = Type.Object({
  sequence: Type.Optional(Type.String({ description: "Of the stream's photos; none before it has begun." })),
  pictures: Type.Integer({ description: "Decoded." }),
  leftOut: Type.Integer({ description: "Not decoded: decoding was behind, or could not begin." }),
  untrusted: Type.Integer({ description: "Spoilt by damage: none of them became a keyframe." }),
  keyframes: Type.Integer({ description: "Became photos." }),
  dropped: Type.Integer({ description: "Chosen and let go: the engine was behind, or the space refused them." }),
  waiting: Type.Integer({ description: "Wait for the engine." }),
  demand: Type.Number({ description: "How much more than usual a keyframe must show; 1: the engine keeps up." }),
  problem: Type.Optional(
    Type.Object({ code: Type.String(), detail: Type.String() }, { description: "Why nothing comes of the stream." }),
  ),
});

const Source = Type.Object({
  source: Type.String(),
  live: Type.Boolean(),
  space: Type.Optional(Type.String({ description: "Where its pictures are recorded and reconstructed." })),
  codec: Type.Optional(Type.String({ description: "As WebCodecs names it: `avc1.42E01F`." })),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  consumers: Type.Integer(),
  frames: Type.Integer({ description: "Pictures, or slices of them, that came in." }),
  bytes: Type.Integer(),
  mbps: Type.Number({ description: "Mbit/s over the last 5 s." }),
  picturesPerS: Type.Number({ description: "Over the last 5 s." }),
  lost: Type.Integer({ description: "Packets that the sender counted and that never came." }),
  lastPacketMs: Type.Optional(Type.Number({ description: "Milliseconds since 1970." })),
  keyframes: Type.Optional(StreamKeyframes),
});
const PictureStream = Type.Object({
  source: Type.String(),
  space: Type.String(),
  live: Type.Boolean({ description: "False: none came for a while." }),
  width: Type.Integer(),
  height: Type.Integer(),
  keyframes: StreamKeyframes,
});
const Sources = Type.Object({
  sources: Type.Array(Source),
  pictures: Type.Array(PictureStream, { description: "Streams of single pictures that build a model." }),
});
const Consumer = Type.Object({
  packets: Type.Integer({ description: "Messages that it was sent." }),
  bytes: Type.Integer(),
  dropped: Type.Integer({ description: "Pictures that it was too slow for." }),
  waitingBytes: Type.Integer({ description: "What it has not taken yet." }),
  latencyMs: Type.Optional(Type.Number({ description: "From a packet's arrival until it is sent on, lately." })),
});
const SourceWithConsumers = Type.Intersect([
  Type.Omit(Source, ["consumers"]),
  Type.Object({ consumers: Type.Array(Consumer) }),
]);

export function videoRoutes(
  app: FastifyInstance,
  { core, keyframes }: Pick<ServerContext, "core" | "keyframes">,
): void {
  app.get(
    "/v1/video",
    {
      config: { place: "own" },
      schema: {
        operationId: "listVideo",
        description: "Sources of live video. Their sockets are at `/v1/video/{source}`: see `/asyncapi.json`.",
        response: { 200: Sources, ...refusals },
      },
    },
    async (request, reply): Promise<Static<typeof Sources>> => {
      reply.header("cache-control", "no-store");
      const pictures = (keyframes?.pictures.all() ?? []).filter(({ space }) => requestReaches(request, space));
      return {
        // Those in no space are for who may be everywhere.
        sources: core.video
          .sources()
          .filter(({ space }) => requestReaches(request, space))
          .map((stats) => ({ ...shown(stats), consumers: stats.consumers })),
        pictures: pictures.map((stats) => {
          const { source, space, live, width, height } = stats;
          return { source, space, live, width, height, keyframes: keyframesOf(stats) };
        }),
      };
    },
  );

  app.get<{ Params: { source: string } }>(
    "/v1/video/:source",
    {
      config: { place: "own" },
      schema: {
        operationId: "getVideo",
        description: "One source of live video, and what flows to each of its consumers.",
        params: Type.Object({ source: Type.String({ pattern: "^[A-Za-z0-9._-]{1,64}$" }) }),
        response: { 200: SourceWithConsumers, ...refusals },
      },
    },
    async (request, reply): Promise<Static<typeof SourceWithConsumers>> => {
      const { params } = request;
      const stats = core.video.sources().find(({ source }) => source === params.source);
      if (!stats || !requestReaches(request, stats.space)) throw new CairnError("request.not_found");
      reply.header("cache-control", "no-store");
      const consumers = [...(core.video.source(params.source)?.consumers ?? [])].map(({ stats }) => {
        const { packets, bytes, dropped, waitingBytes, latencyMs } = stats;
        return { packets, bytes, dropped, waitingBytes, ...(latencyMs !== undefined && { latencyMs }) };
      });
      return { ...shown(stats), consumers };
    },
  );

  function shown({ space, lastPacketMs, parameterBytes, consumers: _, ...stats }: SourceStats) {
    const built = keyframes?.of(stats.source);
    return {
      ...stats,
      ...(parameterBytes > 0 && codecOf(core.video.source(stats.source)?.parameters?.data)),
      ...(space !== undefined && { space }),
      ...(lastPacketMs !== undefined && { lastPacketMs }),
      ...(built && { keyframes: keyframesOf(built) }),
    };
  }
}

/** What becomes of a source's pictures, where they are to build a model (KEY-6). */
function keyframesOf(stats: KeyframeStats): Static<typeof StreamKeyframes> {
  const { pictures, leftOut, untrusted, keyframes, dropped, waiting, demand, sequence, problem } = stats;
  return {
    ...(sequence !== "" && { sequence }),
    ...{ pictures, leftOut, untrusted, keyframes, dropped, waiting, demand },
    ...(problem && { problem: { code: problem.code, detail: problem.detail } }),
  };
}
