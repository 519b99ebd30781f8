export { ADVICE, adviceOfHint, DOUBTS, directionInWords } from "./advice.ts";
export { check } from "./check.ts";
export {
  Action,
  Command,
  CommandData,
  CommandKind,
  CommandState,
  DeviceAnswer,
  DeviceDefinition,
  type DeviceMessage,
  DeviceName,
  HeartbeatMs,
  type LeaseGrant,
  LeaseKey,
  LeaseWish,
  MemberRule,
  MISSED_HEARTBEATS,
  OrderNumber,
  Outcome,
  PersonName,
} from "./control.ts";
export { type ControlMessage, Until } from "./control-messages.ts";
export { type ControlState, type DeviceState, definitionOf, KEPT_COMMANDS, MOST_DEVICES } from "./control-state.ts";
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
  Gravity,
  ImageChange,
  Intrinsics,
  Labels,
  MeshMeasure,
  PathPose,
  Pose,
  PosedCamera,
  PoseSigma,
  Preset,
  Reason,
  RecordingEnd,
  RecordingFile,
  RecordingFormat,
  Scale,
  Similarity,
  SpaceSettings,
  Upright,
  Verdict,
} from "./events.ts";
export { frameInWords, placeInWords, scaleInWords, uprightInWords } from "./frame-words.ts";
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
export { Hint, HintCode, HintStep } from "./hints.ts";
export { checkSpaceId, Digest, Id, Seq, type SpaceId, TimeNs } from "./ids.ts";
export { ClientMessage, ImageHead, type ImageReceipt, type Presence, type ServerMessage, View } from "./live.ts";
export { CLOSE, LIVE_VERSION, PRESENCE } from "./live-names.ts";
export { centreOf, poseBetween, STREAM } from "./paths.ts";
export {
  EngineReport,
  Histogram,
  MatchEdge,
  Patch,
  Report,
  ReportLens,
  ReportPhoto,
  WeakLink,
} from "./report.ts";
export {
  type AnchorState,
  applyEvent,
  type CameraState,
  canonicalState,
  DEFAULT_SETTINGS,
  type DesignState,
  designKey,
  emptyState,
  type GenerationState,
  type HintState,
  type ImageState,
  type ImageVersion,
  type LayerState,
  type OperationState,
  type PackState,
  type PathState,
  type PublishedGeneration,
  photoNumbers,
  processedPhotos,
  type RecordingState,
  type SpaceState,
  type SpaceSummary,
  shownGeneration,
  shownLayers,
  shownVersion,
  wasGiven,
  wasProcessed,
} from "./state.ts";
export { msToNs, nowNs, nsToMs } from "./time.ts";
export type { Vec3 } from "./vectors.ts";
export {
  BadPacket,
  readVideoPacket,
  VIDEO_FLAG,
  VIDEO_PACKET_HEADER_BYTES,
  type VideoPacket,
  writeVideoPacket,
} from "./video-packet.ts";
