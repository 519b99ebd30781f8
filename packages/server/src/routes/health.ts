import type { FastifyInstance } from "fastify";
import Type from "typebox";
import type { ServerContext } from "../context.ts";
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
  const startedMs = performance.now();
  for (const path of ["/health", "/ready"]) {
    app.get(
      path,
      { schema: { operationId: path.slice(1), response: { 200: Health, 503: Health } } },
      async (request, reply) => {
        const problems = context.stopping.aborted ? ["shutting down"] : context.core.problems();
        const status = problems.length ? "unhealthy" : "healthy";
        // The name that the one face which fixes a text expects; `server` names the product.
        const service = "heritage-reconstruction-websocket";
        reply.code(problems.length ? 503 : 200).header("cache-control", "no-store");
        if (!context.access.allowsToken(tokenOf(request))) return { status, service };
        const connections = context.connections();
        return {
          status,
          service,
          server: "cairn",
          version: context.version,
          timestamp: Date.now() / 1000,
          uptime_s: (performance.now() - startedMs) / 1000,
          active_projects: (await context.core.spaces.list()).length,
          total_connections: connections.heritage,
          connections,
          live_waiting_bytes: context.liveWaitingBytes(),
          ...(problems.length ? { problems } : {}),
        };
      },
    );
  }
}
