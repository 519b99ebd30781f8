import type { FastifyInstance } from "fastify";
import type { Metrics } from "./metrics.ts";

/** `GET /metrics`, and every answer counted. Rule GEN-12. */
export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get("/metrics", { config: { place: "any" }, schema: { hide: true } }, async (_request, reply) => {
    reply.header("cache-control", "no-store").type("text/plain; version=0.0.4; charset=utf-8");
    return metrics.registry.metrics();
  });
}

/** Counts what a listener answers. */
export function countRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook("onResponse", async (request, reply) => {
    const route = request.is404 ? "unknown" : (request.routeOptions.url ?? "unknown");
    metrics.request(route, request.method, reply.statusCode, reply.elapsedTime / 1000);
  });
}
