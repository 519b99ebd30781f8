/** JSON that devices send, by type. A part of the face that knows further types adds them here. */
import { decodeBase64 } from "../base64.ts";
import { shownType } from "../face-socket.ts";
import { Seldom } from "../seldom.ts";
import type { Device } from "./devices.ts";
import type { HubHouse } from "./house.ts";
import { takeImu } from "./imu.ts";
import { BadFrame, jpegSize } from "./jpeg-frames.ts";
import { memberText, withSource } from "./relay-text.ts";
import { takeUpload } from "./uploads.ts";

export type DeviceMessage = {
  readonly fields: Readonly<Record<string, unknown>>;
  /** As it came: numbers above 2^53 have lost digits in `fields` (GEN-39). */
  readonly text: string;
};

type TakeMessage = (house: HubHouse, device: Device, message: DeviceMessage) => void | Promise<void>;

/** Told to viewers as they are (HUB-33). */
const RELAYED = [
  "status_message",
  "error_message",
  "log",
  "battery_status",
  "h264_stream_status",
  "video_file_stream_status",
  "resolution_change",
  "recording_status",
  "button_event",
  "velocity_data",
  "attitude_data",
  "location_data",
];

const UPLOADS = ["file_upload", "file_upload_start", "file_upload_chunk", "file_upload_complete"];

const DEVICE_MESSAGES: ReadonlyMap<string, TakeMessage> = new Map<string, TakeMessage>([
  ...RELAYED.map((type): [string, TakeMessage] => [type, relay]),
  ["video_config", takeVideoConfig],
  ["video_frame", takeVideoFrame],
  ["analysis_mode", takeAnalysisMode],
  ["imu_data", takeImu],
  ...UPLOADS.map((type): [string, TakeMessage] => [type, takeUpload]),
]);

export function takeDeviceMessage(house: HubHouse, device: Device, message: DeviceMessage): void | Promise<void> {
  const take = typeof message.fields.type === "string" ? DEVICE_MESSAGES.get(message.fields.type) : undefined;
  if (take) return take(house, device, message);
  device.socket.error(`Unknown message type: ${shownType(message.fields.type)}`);
}

function relay({ viewers }: HubHouse, { source }: Device, { text }: DeviceMessage): void {
  if (viewers.count > 0) viewers.tell(withSource(text, source), source);
}

function takeVideoConfig(house: HubHouse, device: Device, message: DeviceMessage): void {
  house.videoConfigs.set(device.source, message.text.trim());
  relay(house, device, message);
}

/** HUB-32. */
function takeAnalysisMode({ outlets }: HubHouse, { source }: Device, { text }: DeviceMessage): void {
  for (const outlet of outlets) outlet.analysisMode?.(source, text);
}

const badFrames = new WeakMap<Device, Seldom>();

/** A JPEG frame that cannot be read is said at most once a second (HUB-28). */
export function refuseFrame(device: Device, error: unknown): void {
  if (!(error instanceof BadFrame)) throw error;
  const seldom = badFrames.get(device) ?? new Seldom();
  badFrames.set(device, seldom);
  seldom.say(() => device.socket.error(`Invalid video frame: ${error.message}`));
}

/** HUB-35: the same picture as text, with its time in milliseconds. */
function takeVideoFrame({ frames, context }: HubHouse, device: Device, { fields, text }: DeviceMessage): void {
  try {
    const jpeg = typeof fields.data === "string" ? decodeBase64(fields.data) : undefined;
    if (!jpeg) throw new BadFrame("no base64");
    const receivedNs = context.core.clock.nowNs();
    const digits = memberText(text, "timestamp") ?? "";
    const timeNs = /^\d{1,16}$/.test(digits) ? BigInt(digits) * 1_000_000n : receivedNs;
    const { source, space, keyframes } = device;
    frames.add({ source, space, keyframes, timeNs, jpeg, ...jpegSize(jpeg), receivedNs });
  } catch (error) {
    refuseFrame(device, error);
  }
}
