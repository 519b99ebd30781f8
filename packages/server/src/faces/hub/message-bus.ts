/**
 * The hub on RabbitMQ: what devices send goes out, what other services make of it comes in and is told to viewers
 * (HUB-77 to HUB-83, HUB-38 to HUB-41). Publishing only lays a message down: it never delays a socket (HUB-80).
 */
import { randomUUID } from "node:crypto";
import type { Bus, Exchange, Incoming } from "@cairn/bus";
import { DEFAULT_SOURCE, isSourceName } from "@cairn/core";
import { imuText, readImu } from "@cairn/motion";
import { checkSpaceId } from "@cairn/protocol";
import type { HubHouse } from "./house.ts";
import { jpegSize } from "./jpeg-frames.ts";
import { memberText } from "./relay-text.ts";
import { INLINE_PLY_BYTES, plyUpdate, trajectoryUpdate } from "./viewer-messages.ts";

const JSON_TYPE = "application/json";
const JPEG_TYPE = "application/octet-stream";
const RESTART = '{"type":"restart"}';
/** A header says a name of ours, or nothing that counts. */
const FRAME_HEADERS = [
  "timestamp_ns",
  "frame_number",
  "processing_time_ms",
  "detection_count",
  "width",
  "height",
  "ntp_time",
  "ntp_offset",
  "class_summary",
];

type House = Pick<HubHouse, "context" | "video" | "frames" | "viewers" | "outlets" | "plyFiles">;

/** Joins the two. Returns how to part them. */
export function joinBus(house: House, bus: Bus): () => void {
  const parting = [publishVideo(house, bus), publishFrames(house, bus), publishMotion(house, bus)];
  const outlet = {
    analysisMode(source: string, text: string) {
      bus.publish("analysis_mode_exchange", text, { contentType: JSON_TYPE, headers: { source } });
    },
    restart: () => bus.publish("restart_exchange", RESTART, { contentType: JSON_TYPE }),
    trajectory: (text: string) => bus.publish("trajectory_data_exchange", text, { contentType: JSON_TYPE }),
    ply(name: string, bytes: Buffer) {
      const body = JSON.stringify({ ply_filename: name, ply_data_b64: bytes.toString("base64") });
      bus.publish("ply_fanout_exchange", body, { contentType: JSON_TYPE });
    },
  };
  house.outlets.add(outlet);
  hear(house, bus);
  return () => {
    house.outlets.delete(outlet);
    for (const part of parting) part();
  };
}

/** Server times of one message, as texts: a table of AMQP has no digits to lose in them. */
function times({ context: { core } }: House, receivedNs: bigint) {
  const { offsetNs } = core.clock.status();
  return {
    server_received: String(receivedNs),
    ntp_time: String(receivedNs),
    ntp_offset: String(Number(offsetNs) / 1e9),
  };
}

function publishVideo(house: House, bus: Bus): () => void {
  const ids = new WeakMap<object, string>();
  return house.video.onPacket((source, packet) => {
    const id = ids.get(source) ?? randomUUID();
    ids.set(source, id);
    const nowNs = house.context.core.clock.nowNs();
    bus.publish("video_stream_exchange", packet.data, {
      contentType: "video/h264",
      sheddable: true,
      headers: {
        timestamp_ns: String(nowNs),
        ...times(house, nowNs),
        websocket_id: id,
        stream_type: "h264",
        chunk_size: String(packet.data.length),
        packet_type: packet.type,
        packet_timestamp_us: String(packet.timeNs / 1000n),
        source: source.name,
      },
    });
  });
}

function publishFrames(house: House, bus: Bus): () => void {
  return house.frames.onFrame(({ source, jpeg, timeNs, width, height, receivedNs }) => {
    bus.publish("video_frames_exchange", jpeg, {
      contentType: JPEG_TYPE,
      sheddable: true,
      headers: {
        timestamp_ns: String(timeNs),
        ...times(house, receivedNs),
        width: String(width),
        height: String(height),
        source,
      },
    });
  });
}

function publishMotion(house: House, bus: Bus): () => void {
  return house.context.core.motion.onFlush((source, samples) => {
    for (const sample of samples) {
      bus.publish("imu_data_exchange", imuText(sample, source), { contentType: JSON_TYPE, headers: { source } });
    }
  });
}

/** What a handler throws is a message that cannot be read: counted and dropped (HUB-83). */
function hear(house: House, bus: Bus): void {
  const { viewers, plyFiles } = house;
  const handlers: Partial<Record<Exchange, (message: Incoming) => void>> = {
    imu_data_exchange({ body, headers }) {
      const text = body.toString();
      const source = sourceOf(headers, text);
      readImu(text);
      viewers.tell(`{"type":"imu_data","imu_data":${text.trim()},"source":${JSON.stringify(source)}}`, source);
    },
    processed_frames_exchange({ body, headers }) {
      jpegSize(body);
      const source = sourceOf(headers);
      const facts = FRAME_HEADERS.filter((name) => isPlain(headers[name])).map((name) => [name, headers[name]]);
      const frame = { type: "processed_frame", frame_data: body.toString("base64"), ...Object.fromEntries(facts) };
      viewers.tell(exactText({ ...frame, source }), source);
    },
    trajectory_data_exchange({ body, headers }) {
      const text = body.toString();
      const source = sourceOf(headers, text);
      viewers.tell(trajectoryUpdate(text, source), source);
    },
    ply_fanout_exchange({ body, headers }) {
      const { ply_filename = "output.ply", ply_data_b64 } = JSON.parse(body.toString()) as Record<string, unknown>;
      if (typeof ply_filename !== "string" || typeof ply_data_b64 !== "string") throw new Error("no cloud in it");
      checkSpaceId(ply_filename);
      const bytes = Buffer.from(ply_data_b64, "base64");
      if (bytes.subarray(0, 3).toString("latin1") !== "ply") throw new Error("no PLY");
      plyFiles.put(ply_filename, bytes);
      const source = sourceOf(headers);
      const timeNs = house.context.core.clock.nowNs();
      const inline = bytes.length <= INLINE_PLY_BYTES ? bytes : undefined;
      viewers.tell(plyUpdate({ name: ply_filename, sizeBytes: bytes.length, timeNs, source, inline }), source);
    },
    restart_exchange({ body }) {
      JSON.parse(body.toString());
      viewers.tell({ type: "restart" });
    },
  };
  for (const [exchange, handler] of Object.entries(handlers)) {
    bus.consume(exchange as Exchange, handler).catch((error: unknown) => {
      house.context.log.error({ err: error, exchange }, "message bus");
    });
  }
}

const isPlain = (value: unknown) => ["string", "number", "bigint"].includes(typeof value);

/** Of one level; integers with all their digits (GEN-39). */
function exactText(message: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(message).map(([name, value]) => {
    return `${JSON.stringify(name)}:${typeof value === "bigint" ? value : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

/** Whose it is: as a header says it, or the message itself. */
function sourceOf(headers: Incoming["headers"], text?: string): string {
  const said = headers.source ?? (text === undefined ? undefined : quoted(memberText(text, "source")));
  return typeof said === "string" && isSourceName(said) ? said : DEFAULT_SOURCE;
}

function quoted(text: string | undefined): unknown {
  return text?.startsWith('"') ? JSON.parse(text) : undefined;
}
