/**
 * The sockets of `/v1/video` and `/v1/video/{source}`: live video in Cairn's own layout, in and out. Rules:
 * docs/spec/video-live.md.
 */
import type { Producer, StreamPacket } from "@cairn/core";
import {
  BadPacket,
  CairnError,
  CLOSE,
  checkSpaceId,
  type ErrorCode,
  type ErrorFacts,
  readVideoPacket,
  VIDEO_FLAG,
} from "@cairn/protocol";
import { HUB_PACKET, nalUnits, readHubPacket, readSps, startsWithStartCode } from "@cairn/video";
import type { ServerContext } from "../context.ts";
import type { Manner } from "../faces/face.ts";
import type { FaceSocket } from "../faces/face-socket.ts";
import { keepSockets } from "../faces/faces.ts";
import { Seldom } from "../faces/seldom.ts";
import type { Arrival, SocketRoute } from "../http/upgrades.ts";
import { serveClock } from "./device-clock.ts";
import { LAYOUTS, packetSink } from "./packet-sink.ts";

export type VideoDoor = {
  readonly routes: readonly SocketRoute[];
  /** Open sockets. */
  readonly connections: number;
  /** Closes every socket with 1001. */
  close(): void;
};

const MANNER: Manner = {
  // Wrong packets are told with their code by `refuse`; what comes here is of the socket itself.
  error: (message, facts) => errorMessage("request.invalid", { problem: message }, facts),
  pong: (said) => (typeof said === "object" && said.type === "ping" ? { type: "pong" } : undefined),
  notAnObject: () => "not a JSON object",
  binary: "binary messages are not accepted here",
  rate: { perSecond: 5000, burst: 10_000 },
};

export function openVideoDoor(context: ServerContext, rate: Manner["rate"]): VideoDoor {
  const { core } = context;
  const kept = keepSockets<"live">({ ...context, ...(rate && { rate }) });
  const serve = async (socket: FaceSocket, arrival: Arrival) => {
    const role = arrival.query.get("role") ?? "consume";
    try {
      if (role === "produce") await produce(context, socket, arrival);
      else if (role === "consume") consume(context, socket, arrival);
      else throw new CairnError("request.invalid", { field: "role" });
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      if (error.code === "auth.forbidden") return forbid(socket);
      refuse(socket, error.code, error.facts);
      socket.close(error.code === "space.missing" ? CLOSE.missing : CLOSE.notAllowedId, error.code);
    }
  };
  return {
    routes: ["/v1/video", "/v1/video/:source"].map((path) =>
      kept.route("live", {
        path,
        manner: MANNER,
        role: (arrival) => (produces(arrival) ? "operate" : "view"),
        place: (arrival) =>
          (produces(arrival) ? arrival.query.get("space") : core.video.source(arrival.params.source ?? "")?.space) ??
          undefined,
        open: serve,
      }),
    ),
    get connections() {
      return kept.count("live");
    },
    close: () => kept.close(),
  };
}

function isLayout(name: string): name is keyof typeof LAYOUTS {
  return Object.hasOwn(LAYOUTS, name);
}

function produces({ query }: Arrival): boolean {
  return query.get("role") === "produce";
}

/** STR-1 to STR-5, STR-12. */
function consume({ core, videoMetrics }: ServerContext, socket: FaceSocket, { params, query }: Arrival): void {
  const name = query.get("layout") ?? "native";
  if (!isLayout(name)) throw new CairnError("request.invalid", { field: "layout" });
  let source = "";
  let told: string | undefined;
  /** What a decoder must know goes before the first packet of a source, and before any with other parameter sets. */
  const head = ({ sets }: StreamPacket) => {
    const text = sets || told === undefined ? JSON.stringify({ type: "video", source, ...codecOf(sets) }) : told;
    if (text === told) return;
    told = text;
    socket.reply(text);
  };
  const sink = packetSink(socket, LAYOUTS[name], (seconds) => videoMetrics.latency.observe(seconds), {
    onSource(next) {
      source = next;
      told = undefined;
    },
    // Who came in by the source's space does not stay when it goes on in another.
    onSpace(space) {
      if (!socket.reaches(space)) forbid(socket);
    },
    onPacket: head,
  });
  const consumer = core.video.consume({ source: params.source, gop: query.get("gop") !== "0" }, sink);
  socket.onRoom(() => consumer.drain());
  socket.signal.addEventListener("abort", () => consumer.close(), { once: true });
  if (socket.signal.aborted) consumer.close();
  socket.listen(() => refuse(socket, "request.invalid", { field: "/type" }));
}

/** STR-6 to STR-9, STR-12. */
async function produce(
  { core, videoMetrics }: ServerContext,
  socket: FaceSocket,
  { params, query, address }: Arrival,
): Promise<void> {
  const layout = query.get("layout") ?? "native";
  if (layout !== "native" && layout !== "hub") throw new CairnError("request.invalid", { field: "layout" });
  const space = query.get("space") ?? undefined;
  if (space !== undefined) await core.spaces.open(checkSpaceId(space));
  if (socket.signal.aborted) return;
  const producer = core.video.open({
    source: params.source,
    space,
    keyframes: query.get("keyframes") !== "off",
    address,
    onReplaced: () => socket.close(CLOSE.replaced, "Replaced by a newer producer"),
    mayJoin: (where) => socket.reaches(where),
  });
  socket.signal.addEventListener("abort", () => producer.end(), { once: true });
  socket.reply({ type: "welcome", source: producer.name });
  const isClock = serveClock(core, socket, producer.name, query);
  const seldom = new Seldom();
  const publish = layout === "hub" ? publishHub : publishNative;
  socket.listen(
    (fields) => {
      if (!isClock(fields)) refuse(socket, "request.invalid", { field: "/type" });
    },
    (bytes) => {
      const arrivedMs = performance.now();
      try {
        publish(producer, bytes, arrivedMs);
      } catch (error) {
        if (!(error instanceof BadPacket)) throw error;
        videoMetrics.rejected.inc();
        seldom.say(() => refuse(socket, "video.packet", { problem: error.cause }));
      }
    },
  );
}

function publishNative(producer: Producer, bytes: Buffer, arrivedMs: number): void {
  const { flags, number, timeNs, data } = readVideoPacket(bytes);
  if (data.length > 0 && !startsWithStartCode(data)) throw new BadPacket("no start code before the data");
  const { key, frame, configuration } = HUB_PACKET;
  const type = flags & VIDEO_FLAG.configuration ? configuration : flags & VIDEO_FLAG.key ? key : frame;
  producer.publish({ type, flags, number, timeNs, data, arrivedMs });
}

function publishHub(producer: Producer, hub: Buffer, arrivedMs: number): void {
  const { type, timestampUs, flags, data } = readHubPacket(hub);
  producer.publish({ type, timeNs: timestampUs * 1000n, flags, data, hub, arrivedMs });
}

/** What decoders are set up with; nothing where it cannot be read. */
export function codecOf(sets: Uint8Array | undefined): { codec: string; width: number; height: number } | undefined {
  if (!sets) return undefined;
  try {
    for (const { type, bytes } of nalUnits(sets)) {
      if (type !== 7) continue;
      const { codec, width, height } = readSps(bytes);
      return { codec, width, height };
    }
  } catch {
    // A parameter set that makes no sense is relayed all the same: the decoder is the one to say.
  }
  return undefined;
}

function errorMessage(code: ErrorCode, facts: ErrorFacts, more: object = {}): object {
  return { type: "error", error: new CairnError(code, facts).toJSON(), ...more };
}

/** As at the handshake: nothing is said but the code. */
function forbid(socket: FaceSocket): void {
  socket.close(CLOSE.forbidden, "Not allowed");
}

function refuse(socket: FaceSocket, code: ErrorCode, facts: ErrorFacts): void {
  socket.reply(errorMessage(code, facts));
}
