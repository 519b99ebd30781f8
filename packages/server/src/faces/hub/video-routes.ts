/** What the hub says of itself by HTTP (HUB-84 to HUB-92). */
import type { FastifyInstance } from "fastify";
import type { HubHouse } from "./house.ts";

const CONSUME = "/ws/video/consume";

export function videoRoutes(app: FastifyInstance, house: HubHouse): void {
  const { video, viewers, outlets, videoConfigs } = house;

  app.get("/health/video", async ({ headers, protocol }, reply) => {
    reply.header("cache-control", "no-store");
    return {
      status: "healthy",
      video_url: `${protocol === "https" ? "wss" : "ws"}://${headers.host ?? ""}${CONSUME}`,
      active_consumers: video.consumers().connected,
      has_sps_pps: video.sources().some(({ parameterBytes }) => parameterBytes > 0),
    };
  });

  app.get("/video/status", async (_request, reply) => {
    const all = video.sources();
    const shown = all.find(({ source }) => source === "default") ?? all[0];
    const head = {
      websocket_consumers: video.consumers().connected,
      consumer_endpoint: CONSUME,
      has_sps_pps_cached: all.some(({ parameterBytes }) => parameterBytes > 0),
      sps_pps_size: shown?.parameterBytes ?? 0,
    };
    const sources = all.map(({ source, live, frames, bytes, mbps, lastPacketMs }) => {
      const bandwidth_mbps = Math.round(mbps * 1000) / 1000;
      const last_packet = lastPacketMs === undefined ? null : lastPacketMs / 1000;
      const known = JSON.stringify({ source, live, frames, bytes, bandwidth_mbps, last_packet });
      // As it came, digits and all.
      return `${known.slice(0, -1)},"video_config":${videoConfigs.get(source) ?? null}}`;
    });
    reply.header("cache-control", "no-store").type("application/json; charset=utf-8");
    return `${JSON.stringify(head).slice(0, -1)},"sources":[${sources.join(",")}]}`;
  });

  app.get("/api/", async () => ({ message: "Cairn hub" }));
  app.get("/api/test", async () => ({ status: "ok", message: "Server is running" }));

  app.post("/api/restart", async () => {
    viewers.tell({ type: "restart" });
    for (const outlet of outlets) outlet.restart?.();
    return { status: "success", message: "Restart was announced" };
  });
}
