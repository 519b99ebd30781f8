export { type ApiOptions, CairnApi, type LayerInfo, type PhotoFacts } from "./api.ts";
export { Backoff, type BackoffOptions } from "./backoff.ts";
export {
  type ConnectionEvents,
  type ConnectOptions,
  connect,
  type SocketConstructor,
  type SocketLike,
  SpaceConnection,
  type Status,
} from "./connection.ts";
export type { PhotoSource, UploadOptions } from "./upload.ts";
