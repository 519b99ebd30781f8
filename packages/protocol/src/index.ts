export { ADVICE, adviceOfHint, DOUBTS } from "./advice.ts";
export { applyEvent } from "./apply-event.ts";
export { check } from "./check.ts";
export { answerClock, type ClockAnswer, type ClockQuestion, isClockQuestion } from "./clock-question.ts";
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
export { type ControlState, type DeviceState, definitionOf, MOST_DEVICES } from "./control-state.ts";
export { MeshMeasure } from "./design-events.ts";
export { CairnError, ERRORS, type ErrorBody, type ErrorCode, type ErrorFacts } from "./errors.ts";
export { type CairnEvent, EVENTS, type EventData, type EventDraft, type EventOf, type EventType } from "./events.ts";
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
export { Doubt, Georeference, PathPose, Scale, Upright } from "./generation-events.ts";
export { Hint, HintCode, HintStep } from "./hints.ts";
export { checkSpaceId, Digest, Id, Seq, type SpaceId, TimeNs, writableNs } from "./ids.ts";
export { Gps, Gravity, ImageChange, Reason, Verdict } from "./image-events.ts";
export { ClientMessage, ImageHead, type ImageReceipt, type Presence, type ServerMessage, View } from "./live.ts";
export { CLOSE, LIVE_VERSION, PRESENCE } from "./live-names.ts";
export { centreOf, poseBetween, STREAM } from "./paths.ts";
export { Intrinsics, Pose, PosedCamera, PoseSigma, Similarity } from "./pose.ts";
export {
  canBegin,
  lastGiven,
  owesFirstLook,
  photoNumbers,
  photosOf,
  processedPhotos,
  shownGeneration,
  shownLayers,
  shownVersion,
  wasGiven,
  wasProcessed,
} from "./read-state.ts";
export { RecordingEnd, RecordingFile, RecordingFormat } from "./recording-events.ts";
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
export { Labels, Preset, SpaceSettings } from "./space-events.ts";
export {
  type AnchorState,
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
  type RecordingState,
  type SpaceState,
  type SpaceSummary,
} from "./state.ts";
export { msToNs, nowNs, nsToMs } from "./time.ts";
export type { Vec3 } from "./vectors.ts";
export {
  BadPacket,
  readVideoPacket,
  VIDEO_FLAG,
  type VideoPacket,
  writeVideoPacket,
} from "./video-packet.ts";
