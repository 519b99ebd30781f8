export { BadPacket } from "@cairn/protocol/video-packet";
export type { DecoderDescription } from "./decode/backend.ts";
export { type DecoderChoice, describeDecoder } from "./decode/choose.ts";
export {
  type FrameColors,
  type GrayPicture,
  grayOf,
  i420Bytes,
  jpegOf,
  type Rotation,
  rgbOf,
  type VideoFrame,
} from "./decode/frame.ts";
export { type DecoderStats, openVideoDecoder, type VideoDecoder, type VideoDecoderOptions } from "./decode/open.ts";
export { type AvcConfig, avcToAnnexB, readAvcConfig } from "./file/avc.ts";
export { type FileDecodeOptions, isVideoHead, openVideoFile, type VideoFacts, type VideoFile } from "./file/open.ts";
export {
  type AccessUnit,
  AccessUnitAssembler,
  MAX_ACCESS_UNIT_BYTES,
  type PushHint,
} from "./h264/access-unit.ts";
export {
  annexB,
  isPictureNal,
  MAX_NAL_UNITS,
  NAL,
  type NalUnit,
  nalTypes,
  nalUnits,
  startsWithStartCode,
} from "./h264/nal.ts";
export {
  beyondBaseline,
  hasKeyPicture,
  hasPicture,
  MAX_SIDE_PX,
  type Pps,
  parameterSets,
  profileName,
  readPps,
  readSps,
  type Sps,
} from "./h264/parameter-sets.ts";
export { readSliceHead, type SliceHead } from "./h264/slice.ts";
export {
  type Keyframe,
  KeyframeChooser,
  type KeyframeOptions,
  type Offered,
  type PosePrior,
} from "./keyframe/choose.ts";
export { type FinderOptions, KeyframeFinder, type VideoKeyframe } from "./keyframe/finder.ts";
export { type KeyframesEnd, type KeyframesOptions, keyframesOf } from "./keyframe/of-file.ts";
export {
  StreamKeyframes,
  type StreamKeyframesOptions,
  type StreamMessage,
  type StreamTake,
} from "./keyframe/of-stream.ts";
export { sharpnessOf } from "./keyframe/sharpness.ts";
export {
  HUB_FLAG,
  HUB_PACKET,
  type HubPacket,
  type HubPacketType,
  readHubPacket,
  writeHubPacket,
} from "./packet/hub.ts";
