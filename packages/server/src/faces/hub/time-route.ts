/** `GET /api/time` (HUB-91): what time it is, and how the server knows. */
import type { FastifyInstance } from "fastify";
import type { HubHouse } from "./house.ts";

export function timeRoute(app: FastifyInstance, { context }: HubHouse): void {
  app.get("/api/time", async (_request, reply) => {
    const { clock } = context.core;
    const { offsetNs, synced, server, lastSyncNs } = clock.status();
    reply.header("cache-control", "no-store");
    return {
      timestamp_ns: String(clock.nowNs()),
      ntp_offset: Number(offsetNs) / 1e9,
      synced,
      server: server ?? null,
      last_sync: lastSyncNs === undefined ? null : Number(lastSyncNs / 1000n) / 1e6,
    };
  });
}
