export { ADVICE, DOUBTS } from "./advice.ts";
export { check } from "./check.ts";
export { CairnError, ERRORS, type ErrorBody, type ErrorCode, type ErrorFacts } from "./errors.ts";
export {
  type CairnEvent,
  Doubt,
  EVENTS,
  type EventData,
  type EventDraft,
  type EventOf,
  type EventType,
  Georeference,
  Gps,
  Intrinsics,
  Pose,
  PosedCamera,
  Preset,
  Reason,
  Similarity,
  SpaceSettings,
  type Vec3,
  Verdict,
} from "./events.ts";
export {
  decodeHaveFrame,
  decodeImageFrame,
  decodeRangeFrame,
  encodeHaveFrame,
  encodeImageFrame,
  encodeRangeFrame,
  type HaveFrame,
  MAX_MESSAGE_BYTES,
  type RangeFrame,
} from "./frames.ts";
export { checkSpaceId, Digest, Id, Seq, type SpaceId, TimeNs } from "./ids.ts";
export { ClientMessage, ImageHead, type ImageReceipt, type Presence, type ServerMessage, View } from "./live.ts";
export { CLOSE, LIVE_VERSION, PRESENCE } from "./live-names.ts";
export {
  type AnchorState,
  applyEvent,
  type CameraState,
  canonicalState,
  DEFAULT_SETTINGS,
  emptyState,
  type GenerationState,
  type ImageState,
  type LayerState,
  type OperationState,
  type PackState,
  type PublishedGeneration,
  processedPhotos,
  type SpaceState,
  type SpaceSummary,
  shownGeneration,
  shownLayers,
  wasGiven,
} from "./state.ts";
export { msToNs, nowNs, nsToMs } from "./time.ts";
