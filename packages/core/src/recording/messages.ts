/** What comes through the channels of a recording, as messages of its MCAP file. */
import type { ImuSample } from "@cairn/motion";
import { type CairnEvent, centreOf, type EventData, type Pose } from "@cairn/protocol";
import type { Signal } from "../channel/channels.ts";
import type { ServerClock } from "../clock/server-clock.ts";
import type { PoseSignal } from "../keyframe/stream-poses.ts";
import type { McapMessage } from "./mcap/chunks.ts";
import { compressedVideo } from "./mcap/protobuf.ts";
import { timeJson } from "./mcap/schemas.ts";
import type { RecordedPicture } from "./video-track.ts";

export function pictureMessage(source: string, { unit, timeNs }: RecordedPicture): McapMessage {
  const data = compressedVideo({ timeNs, frameId: source, data: unit.data });
  return { topic: `/video/${source}`, schema: "video", logNs: timeNs, data };
}

/** Each with its time by the device and, where its clock is known, by the server. */
export function sampleMessages(source: string, samples: readonly ImuSample[], clock: ServerClock): McapMessage[] {
  const logNs = clock.nowNs();
  return samples.map(({ timestamp, accelerometer, gyroscope }) => {
    const measured = clock.devices.timeOf(source, timestamp)?.timeNs;
    return json(
      { topic: `/imu/${source}`, schema: "imu", logNs, ...(measured !== undefined && { publishNs: measured }) },
      {
        timestamp: timeJson(measured ?? logNs),
        device_timestamp: String(timestamp),
        linear_acceleration: vector(accelerometer),
        angular_velocity: vector(gyroscope),
      },
    );
  });
}

/** Where the camera of a stream was. */
export function streamPoseMessages(source: string, { poses }: PoseSignal, logNs: bigint): McapMessage[] {
  return poses.map(({ timeNs, ...pose }) => poseMessage(`/poses/${source}`, logNs, BigInt(timeNs), pose));
}

/** @param capturedNs when the photo was taken, where that is known */
export function cameraMessage({ pose }: EventData<"camera.posed">, capturedNs: bigint | undefined, logNs: bigint) {
  return poseMessage("/poses/cameras", logNs, capturedNs ?? logNs, pose);
}

export function signalMessage({ channel, from, data }: Signal, logNs: bigint): McapMessage {
  return json({ topic: `/signals/${channel}`, schema: "signal", logNs }, { from, data });
}

export function eventMessage(event: CairnEvent, topic: "/events" | "/control"): McapMessage {
  return json({ topic, schema: "event", logNs: BigInt(event.timeNs) }, event);
}

function poseMessage(topic: string, logNs: bigint, publishNs: bigint, pose: Pose): McapMessage {
  const inFrame = { timestamp: timeJson(publishNs), frame_id: "model", pose: placeOf(pose) };
  return json({ topic, schema: "pose", logNs, publishNs }, inFrame);
}

function json(head: Omit<McapMessage, "data">, value: unknown): McapMessage {
  return { ...head, data: Buffer.from(JSON.stringify(value)) };
}

function vector([x, y, z]: readonly [number, number, number]) {
  return { x, y, z };
}

/** Where a camera is and how it is turned, of world→camera: the other way around. */
function placeOf(pose: Pose) {
  const [w, x, y, z] = pose.rotation;
  return { position: vector(centreOf(pose)), orientation: { x: -x, y: -y, z: -z, w } };
}
