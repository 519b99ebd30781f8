/** What messages of a recording are, for programs that did not write them: each schema under its well-known name. */
import { compressedVideoSchema } from "./protobuf.ts";

export type McapSchema = {
  readonly name: string;
  /** Of the schema, and of the messages: MCAP's well-known names. */
  readonly encoding: "protobuf" | "jsonschema";
  readonly messageEncoding: "protobuf" | "json";
  readonly data: Uint8Array;
};

const number = { type: "number" };
const text = { type: "string" };
const vector = object({ x: number, y: number, z: number });
const time = object({ sec: { type: "integer" }, nsec: { type: "integer" } });
const rotation = object({ x: number, y: number, z: number, w: number });

export const SCHEMAS = {
  video: {
    name: "foxglove.CompressedVideo",
    encoding: "protobuf",
    messageEncoding: "protobuf",
    data: compressedVideoSchema(),
  },
  imu: json("cairn.ImuSample", {
    timestamp: time,
    device_timestamp: { ...text, description: "As the device counts, every digit." },
    linear_acceleration: vector,
    angular_velocity: vector,
  }),
  signal: json("cairn.Signal", { from: text, data: {} }),
  event: json("cairn.Event", {
    seq: { type: "integer" },
    timeNs: text,
    type: text,
    cause: { type: "integer" },
    data: { type: "object" },
  }),
  pose: json("foxglove.PoseInFrame", {
    timestamp: time,
    frame_id: text,
    pose: object({ position: vector, orientation: rotation }),
  }),
} as const satisfies Record<string, McapSchema>;

export type SchemaName = keyof typeof SCHEMAS;

/** Foxglove's form of a time. */
export function timeJson(timeNs: bigint): { sec: number; nsec: number } {
  return { sec: Number(timeNs / 1_000_000_000n), nsec: Number(timeNs % 1_000_000_000n) };
}

function object(properties: Readonly<Record<string, object>>): object {
  return { type: "object", properties };
}

function json(title: string, properties: Readonly<Record<string, object>>): McapSchema {
  const schema = { title, ...object(properties) };
  return { name: title, encoding: "jsonschema", messageEncoding: "json", data: Buffer.from(JSON.stringify(schema)) };
}
