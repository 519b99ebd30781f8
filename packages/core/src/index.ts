export type { BlobStore, StoredBlob } from "./blob/blob-store.ts";
export type { Channels, Signal } from "./channel/channels.ts";
export type { Core } from "./core.ts";
export type { CursorItem, CursorOptions } from "./live/cursor.ts";
export type { SpaceLog } from "./log/space-log.ts";
export type { OperationResult, Operations, Outcome, Running } from "./operation/operations.ts";
export {
  type Decode,
  type Reconstructor,
  type ReconstructorOptions,
  startReconstructor,
} from "./reconstruct/reconstructor.ts";
export type { NewSpace, Space, SpaceSummary, Spaces } from "./space/spaces.ts";
