/**
 * The hub face: drones and phones send video, pictures and samples, programs consume the video, a page watches and
 * steers. A thin translation: sources are those of `core.video`. Contract: HUB.
 */
import type { Space } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import { countHub } from "../../metrics/hub-metrics.ts";
import type { Face, Manner } from "../face.ts";
import { serveConsumer } from "./consumer-socket.ts";
import { servePhone, serveVideo } from "./device-sockets.ts";
import { Devices } from "./devices.ts";
import { HUB_LABEL, type HubHouse, type HubOutlet } from "./house.ts";
import { tellImu } from "./imu.ts";
import { JpegFrames } from "./jpeg-frames.ts";
import { joinBus } from "./message-bus.ts";
import { modelRoutes } from "./model-routes.ts";
import { Models } from "./models.ts";
import { OwnSpace } from "./own-space.ts";
import { PlyFiles } from "./ply-files.ts";
import { SteeredSources } from "./steered.ts";
import { uploadRoutes } from "./upload-routes.ts";
import { VideoConfigs } from "./video-configs.ts";
import { videoRoutes } from "./video-routes.ts";
import { serveViewer } from "./viewer-socket.ts";
import { Viewers } from "./viewers.ts";

const RATE = { perSecond: 5000, burst: 10_000 };

const MANNER: Manner = {
  error: (message, facts) => ({ type: "error", message, ...facts }),
  pong(said) {
    if (said === "ping") return "pong";
    return typeof said === "object" && said.type === "ping" ? { type: "pong" } : undefined;
  },
  notAnObject: () => "Invalid message: expected a JSON object",
  binary: "Binary messages are not accepted here",
  rate: RATE,
};

/** Consumers are told nothing but video; their libraries take every message for a part of it. */
const CONSUMER_MANNER: Manner = {
  error: () => undefined,
  pong: (said) => (said === "ping" ? "pong" : undefined),
  binary: "",
  rate: RATE,
};

/** @param ownSpaceId where devices record that name no space; left out, or without keyframes: nowhere */
export function openHub(context: ServerContext, ownSpaceId?: string): Face {
  const { core, log, bus } = context;
  const failed = (error: unknown) => log.error({ err: error, face: "hub" }, "live video");
  const devices = new Devices();
  const viewers = new Viewers();
  const outlets = new Set<HubOutlet>();
  const models = new Models({ context, viewers, outlets, onError: failed });
  const steered = new SteeredSources({
    devices,
    controlOf: (space) => core.control.of(space),
    nowNs: () => core.clock.nowNs(),
    onError: failed,
  });
  const join = (source: string, space: Space, signal: AbortSignal) => {
    models.follow(source, space, signal);
    steered.join(source, space, signal);
  };
  const ownSpace =
    ownSpaceId === undefined || !context.keyframes
      ? undefined
      : new OwnSpace({
          id: ownSpaceId,
          video: core.video,
          devices,
          open: openSpace,
          joined: ({ source, socket }, space) => join(source, space, socket.signal),
          onError: failed,
        });
  const house: HubHouse = {
    context,
    video: core.video,
    devices,
    steered,
    viewers,
    frames: new JpegFrames(failed),
    videoConfigs: new VideoConfigs(),
    outlets,
    plyFiles: new PlyFiles(),
    ...(ownSpace && { ownSpace }),
    record(source, id, signal) {
      openSpace(id)
        .then((space) => join(source, space, signal))
        .catch(failed);
    },
  };
  house.frames.onFrame(({ source, jpeg, timeNs, width, height }) => {
    viewers.frame(source, () => ({
      type: "processed_frame",
      frame_data: jpeg.toString("base64"),
      timestamp_ns: String(timeNs),
      width,
      height,
      source,
    }));
  });

  if (context.keyframes) {
    const { pictures } = context.keyframes;
    house.frames.onFrame(({ source, space, keyframes, timeNs, jpeg }) => {
      if (!keyframes || showsVideo(source)) return;
      if (space !== undefined) return pictures.add({ source, space, timeNs, jpeg });
      ownSpace?.look(source);
    });
  }

  /** A device that sends both shows the same twice. */
  function showsVideo(source: string): boolean {
    return core.video.source(source)?.live === true && (context.keyframes?.of(source)?.pictures ?? 0) > 0;
  }

  const stopImu = tellImu(house);
  const part = bus && joinBus(house, bus);

  async function openSpace(id: string): Promise<Space> {
    const labels = { [HUB_LABEL]: true };
    const space = await core.spaces.create({ id, title: id, labels }).catch((error: unknown) => {
      if (error instanceof CairnError && error.code === "space.exists") return core.spaces.open(id);
      throw error;
    });
    if (!space.log.snapshot().state.labels?.[HUB_LABEL]) await space.label(labels);
    return space;
  }

  const { motion, clock } = core;
  countHub(context.metrics.registry, { motion, clock, devices, viewers, bus });

  return {
    name: "hub",
    service: "hub",
    manner: MANNER,
    sockets: [
      { path: "/ws/video", role: "operate", open: (socket, arrival) => serveVideo(house, socket, arrival) },
      {
        path: "/ws/video/consume",
        manner: CONSUMER_MANNER,
        open: (socket, arrival) => serveConsumer(house, socket, arrival),
      },
      { path: "/ws/phone", role: "operate", open: (socket, arrival) => servePhone(house, socket, arrival) },
      { path: "/ws/viewer", open: (socket, arrival) => serveViewer(house, socket, arrival) },
    ],
    async routes(app) {
      videoRoutes(app, house);
      modelRoutes(app, house);
      await uploadRoutes(app, house);
    },
    health: () => ({ rabbitmq: bus ? (bus.connected ? "connected" : "disconnected") : "off" }),
    async close() {
      part?.();
      ownSpace?.close();
      stopImu();
      models.close();
    },
  };
}
