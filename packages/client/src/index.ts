export {
  CairnApi,
  type ExportInfo,
  type LayerInfo,
  type ListedDevice,
  type PhotoFacts,
  type PointsFacts,
  type RecordingInfo,
  type RecordingWish,
  type SurfaceWish,
  type VideoSourceDetails,
  type VideoSourceInfo,
} from "./api.ts";
export { Backoff, type BackoffOptions } from "./backoff.ts";
export type { ApiOptions } from "./calls.ts";
export { type CloudUploadOptions, uploadCloud } from "./cloud-upload.ts";
export {
  type ConnectionEvents,
  type ConnectOptions,
  connect,
  SpaceConnection,
} from "./connection.ts";
export { HeldCommand, HeldDevice, holdDevice, stopDevices } from "./control/held-device.ts";
export { type DeviceCommand, type DeviceHandlers, ServedDevice, serveDevice } from "./control/served-device.ts";
export type { Status } from "./live-line.ts";
export { openSocket, type SocketConstructor, type SocketLike } from "./open-socket.ts";
export type { ByteSource } from "./tus.ts";
export type { PhotoSource, UploadOptions } from "./upload.ts";
export {
  type ProducedInto,
  type ReceivedPacket,
  type SentPacket,
  Video,
  type VideoConsumer,
  type VideoHead,
  type VideoProducer,
} from "./video.ts";
export type { VideoOptions, VideoStatus } from "./video-line.ts";
