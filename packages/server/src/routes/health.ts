import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import type { Face } from "../faces/face.ts";
import { tokenOf } from "../http/access.ts";

const Health = Type.Object({
  status: Type.Union([Type.Literal("healthy"), Type.Literal("unhealthy")]),
  service: Type.String(),
  server: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  timestamp: Type.Optional(Type.Number({ description: "Seconds since 1970." })),
  uptime_s: Type.Optional(Type.Number()),
  active_projects: Type.Optional(Type.Integer()),
  total_connections: Type.Optional(Type.Integer()),
  connections: Type.Optional(Type.Record(Type.String(), Type.Integer())),
  live_waiting_bytes: Type.Optional(Type.Integer({ description: "Most bytes that wait for one live socket." })),
  problems: Type.Optional(Type.Array(Type.String())),
});

/** Whether it can serve and write: GEN-9, GEN-10, GEN-36. */
export function healthRoutes(app: FastifyInstance, context: ServerContext): void {
  for (const path of ["/health", "/ready"]) {
    app.get(
      path,
      { schema: { operationId: path.slice(1), response: { 200: Health, 503: Health } } },
      async (request, reply) => {
        const { status, problems } = healthOf(context);
        // The name that the one face which fixes a text expects; `server` names the product.
        const service = "heritage-reconstruction-websocket";
        reply.code(status === "healthy" ? 200 : 503).header("cache-control", "no-store");
        if (!context.access.pass(tokenOf(request))) return { status, service };
        const connections = context.connections();
        return {
          ...common(context),
          status,
          service,
          total_connections: connections.heritage,
          ...(await context.faceHealth("heritage")),
          connections,
          live_waiting_bytes: context.liveWaitingBytes(),
          ...(problems && { problems }),
        };
      },
    );
  }
}

/** A face's own health, at its prefix or on its own listener: GEN-11. */
export function faceHealthRoute(app: FastifyInstance, context: ServerContext, face: Face): void {
  app.get("/health", { schema: { hide: true } }, async (request, reply) => {
    const { status, problems } = healthOf(context);
    const { service, name } = face;
    reply.code(status === "healthy" ? 200 : 503).header("cache-control", "no-store");
    if (!context.access.pass(tokenOf(request))) return { status, service };
    return {
      ...common(context),
      status,
      service,
      total_connections: context.connections()[name],
      ...(await face.health?.()),
      ...(problems && { problems }),
    };
  });
}

function healthOf({ stopping, core, notices }: ServerContext): {
  status: "healthy" | "unhealthy";
  problems?: string[];
} {
  const grave = stopping.aborted ? ["shutting down"] : core.problems();
  const problems = [...grave, ...notices()];
  return { status: grave.length > 0 ? "unhealthy" : "healthy", ...(problems.length > 0 && { problems }) };
}

function common({ version, startedMs }: ServerContext) {
  return { server: "cairn", version, timestamp: Date.now() / 1000, uptime_s: (performance.now() - startedMs) / 1000 };
}
