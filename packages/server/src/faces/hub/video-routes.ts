/** What the hub says of itself by HTTP (HUB-84 to HUB-92). */
import { describeDecoder } from "@cairn/video";
import type { FastifyInstance } from "fastify";
import type { HubHouse } from "./house.ts";

const CONSUME = "/ws/video/consume";

export function videoRoutes(app: FastifyInstance, house: HubHouse): void {
  const { video, viewers, outlets, videoConfigs } = house;

  app.get("/health/video", async ({ host, protocol }, reply) => {
    reply.header("cache-control", "no-store");
    return {
      status: "healthy",
      video_url: `${protocol === "https" ? "wss" : "ws"}://${host ?? ""}${CONSUME}`,
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

  app.get("/h264/test", async (_request, reply) => {
    reply.header("cache-control", "no-store");
    try {
      const found = await describeDecoder();
      if (!found) throw new Error("no decoder");
      const { version, codecName, codecLongName, threads, backend } = found;
      const thread_type = threads;
      const name = { codec_name: codecName, codec_long_name: codecLongName, thread_type };
      return { status: "ok", av_version: version, ...name, backend };
    } catch {
      const suggestion = "Install ffmpeg, or @napi-rs/webcodecs beside Cairn";
      return { status: "error", error: "No decoder of H.264 is at hand", suggestion };
    }
  });

  app.get("/api/", async () => ({ message: "Cairn hub" }));
  app.get("/api/test", async () => ({ status: "ok", message: "Server is running" }));

  app.get("/api/time", async (_request, reply) => {
    const { clock } = house.context.core;
    const { offsetNs, synced, server, lastSyncNs } = clock.status();
    reply.header("cache-control", "no-store");
    return {
      timestamp_ns: String(clock.nowNs()),
      ntp_offset: Number(offsetNs) / 1e9,
      synced,
      server: server ?? null,
      last_sync: lastSyncNs === undefined ? null : Number(lastSyncNs) / 1e9,
    };
  });

  app.post("/api/restart", { config: { role: "operate" } }, async () => {
    viewers.tell({ type: "restart" });
    for (const outlet of outlets) outlet.restart?.();
    return { status: "success", message: "Restart was announced" };
  });
}
