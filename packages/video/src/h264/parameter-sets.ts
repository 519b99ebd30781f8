/** What sequence and picture parameter sets say (H.264 7.3.2.1, 7.3.2.2), as far as it is needed to pick a decoder. */
import { BitReader } from "./bits.ts";
import { isPictureNal, NAL, nalUnits } from "./nal.ts";
import { NO_VUI, readVui, type Vui } from "./vui.ts";

/** Either side of a picture at most, as level 6.2 has it; what a parameter set claims beyond is refused. */
export const MAX_SIDE_PX = 8192;
/** `MaxFS` of level 6.2: macroblocks of a picture. */
const MAX_MACROBLOCKS = 139_264;
/** Encoders write some dozens of bytes. A set is kept, compared and given to decoders with every key picture. */
const MAX_SET_BYTES = 4096;

export type Sps = {
  readonly id: number;
  /** Of the picture as it is shown: what is cropped is left out. Pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the picture as it is coded: whole macroblocks. Pixels. */
  readonly codedWidth: number;
  readonly codedHeight: number;
  /** Where the shown picture begins in the coded one, pixels. */
  readonly cropLeft: number;
  readonly cropTop: number;
  readonly profileIdc: number;
  /** `constraint_set0_flag` … in the highest bits, as they stand in the unit. */
  readonly constraints: number;
  readonly levelIdc: number;
  /** As WebCodecs and RFC 6381 name it: `avc1.42E01F`. */
  readonly codec: string;
  readonly chromaFormatIdc: number;
  readonly bitDepth: number;
  readonly interlaced: boolean;
  readonly separateColourPlanes: boolean;
  readonly frameNumBits: number;
  /** `frame_num` may skip numbers though nothing is lost. */
  readonly frameNumGaps: boolean;
  readonly vui: Vui;
};

export type Pps = {
  readonly id: number;
  readonly spsId: number;
  /** CABAC: not for a decoder of the baseline profile. */
  readonly arithmeticCoding: boolean;
  readonly weightedPrediction: boolean;
};

const WITH_CHROMA_FORMAT = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** @param nal a unit of type 7 without start code. @throws {RangeError} when it is cut off, too large, or claims the impossible */
export function readSps(nal: Uint8Array): Sps {
  if (((nal[0] ?? 0) & 31) !== NAL.sps) throw new RangeError("not a sequence parameter set");
  checkSize(nal);
  const reader = new BitReader(nal);
  const profileIdc = reader.bits(8);
  const constraints = reader.bits(8);
  const levelIdc = reader.bits(8);
  const id = reader.upTo(31, "the parameter set's id");
  let chromaFormatIdc = 1;
  let bitDepth = 8;
  let separateColourPlanes = false;
  if (WITH_CHROMA_FORMAT.has(profileIdc)) {
    chromaFormatIdc = reader.upTo(3, "the chroma format");
    if (chromaFormatIdc === 3) separateColourPlanes = reader.flag();
    bitDepth = 8 + reader.upTo(6, "the bit depth");
    bitDepth = Math.max(bitDepth, 8 + reader.upTo(6, "the bit depth"));
    reader.flag(); // qpprime_y_zero_transform_bypass_flag
    if (reader.flag()) {
      const lists = chromaFormatIdc === 3 ? 12 : 8;
      for (let i = 0; i < lists; i++) if (reader.flag()) skipScalingList(reader, i < 6 ? 16 : 64);
    }
  }
  const frameNumBits = 4 + reader.upTo(12, "log2_max_frame_num");
  const orderType = reader.upTo(2, "pic_order_cnt_type");
  if (orderType === 0) reader.upTo(12, "log2_max_pic_order_cnt_lsb");
  else if (orderType === 1) {
    reader.flag();
    reader.signed();
    reader.signed();
    for (let left = reader.upTo(255, "num_ref_frames_in_pic_order_cnt_cycle"); left > 0; left--) reader.signed();
  }
  reader.upTo(16, "max_num_ref_frames");
  const frameNumGaps = reader.flag();
  const columns = reader.upTo(MAX_SIDE_PX / 16 - 1, "the width in macroblocks") + 1;
  const rowUnits = reader.upTo(MAX_SIDE_PX / 16 - 1, "the height in macroblocks") + 1;
  const framesOnly = reader.flag();
  const rows = rowUnits * (framesOnly ? 1 : 2);
  if (!framesOnly) reader.flag(); // mb_adaptive_frame_field_flag
  reader.flag(); // direct_8x8_inference_flag
  if (rows * 16 > MAX_SIDE_PX || columns * rows > MAX_MACROBLOCKS)
    throw new RangeError(`${columns * 16} x ${rows * 16} pixels are more than any level has`);

  const codedWidth = columns * 16;
  const codedHeight = rows * 16;
  const crop = { left: 0, right: 0, top: 0, bottom: 0 };
  if (reader.flag()) {
    // CropUnitX, CropUnitY: equations 7-19 to 7-22.
    const unitX = chromaFormatIdc === 1 || chromaFormatIdc === 2 ? 2 : 1;
    const unitY = (chromaFormatIdc === 1 ? 2 : 1) * (framesOnly ? 1 : 2);
    crop.left = unitX * reader.upTo(MAX_SIDE_PX, "the crop");
    crop.right = unitX * reader.upTo(MAX_SIDE_PX, "the crop");
    crop.top = unitY * reader.upTo(MAX_SIDE_PX, "the crop");
    crop.bottom = unitY * reader.upTo(MAX_SIDE_PX, "the crop");
  }
  const width = codedWidth - crop.left - crop.right;
  const height = codedHeight - crop.top - crop.bottom;
  if (width < 1 || height < 1) throw new RangeError("the crop leaves nothing of the picture");

  const vui = tail(reader) ? readVui(reader) : NO_VUI;

  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");
  return {
    id,
    width,
    height,
    codedWidth,
    codedHeight,
    cropLeft: crop.left,
    cropTop: crop.top,
    profileIdc,
    constraints,
    levelIdc,
    codec: `avc1.${hex(profileIdc)}${hex(constraints)}${hex(levelIdc)}`,
    chromaFormatIdc,
    bitDepth,
    interlaced: !framesOnly,
    separateColourPlanes,
    frameNumBits,
    frameNumGaps,
    vui,
  };
}

function checkSize({ length }: Uint8Array): void {
  if (length > MAX_SET_BYTES)
    throw new RangeError(`a parameter set of ${length} bytes, at most ${MAX_SET_BYTES} are read`);
}

/** `vui_parameters_present_flag`; some encoders end the set before it. */
function tail(reader: BitReader): boolean {
  try {
    return reader.flag();
  } catch {
    return false;
  }
}

/** @param nal a unit of type 8 without start code. @throws {RangeError} when it is cut off, too large, or claims the impossible */
export function readPps(nal: Uint8Array): Pps {
  if (((nal[0] ?? 0) & 31) !== NAL.pps) throw new RangeError("not a picture parameter set");
  checkSize(nal);
  const reader = new BitReader(nal);
  const id = reader.upTo(255, "the parameter set's id");
  const spsId = reader.upTo(31, "the sequence parameter set's id");
  const arithmeticCoding = reader.flag();
  reader.flag(); // bottom_field_pic_order_in_frame_present_flag
  // Slice groups (flexible order of macroblocks) stand between: their length depends on their kind.
  const groups = reader.upTo(7, "the number of slice groups") + 1;
  if (groups > 1) return { id, spsId, arithmeticCoding, weightedPrediction: false };
  reader.upTo(31, "num_ref_idx_l0");
  reader.upTo(31, "num_ref_idx_l1");
  const weighted = reader.flag();
  return { id, spsId, arithmeticCoding, weightedPrediction: weighted || reader.bits(2) > 0 };
}

/** The last SPS and PPS of a message: views of it, without start codes. */
export function parameterSets(bytes: Uint8Array): { readonly sps?: Uint8Array; readonly pps?: Uint8Array } {
  let sps: Uint8Array | undefined;
  let pps: Uint8Array | undefined;
  for (const unit of nalUnits(bytes)) {
    if (unit.type === NAL.sps) sps = unit.bytes;
    else if (unit.type === NAL.pps) pps = unit.bytes;
  }
  return { ...(sps && { sps }), ...(pps && { pps }) };
}

/** Whether a message holds (a part of) a picture that needs no other: one a decoder may start at. */
export function hasKeyPicture(bytes: Uint8Array): boolean {
  for (const { type } of nalUnits(bytes)) if (type === NAL.keySlice) return true;
  return false;
}

/** Whether a message holds (a part of) any picture. */
export function hasPicture(bytes: Uint8Array): boolean {
  for (const { type } of nalUnits(bytes)) if (isPictureNal(type)) return true;
  return false;
}

/**
 * What stands in a decoder of the baseline profile's way, or nothing. Main and extended streams that keep to the
 * constraints of baseline (`constraint_set0_flag`) are baseline as well.
 */
export function beyondBaseline(sps: Sps, pps: readonly Pps[]): string | undefined {
  if (sps.profileIdc !== 66 && !(sps.constraints & 0x80)) return `profile ${profileName(sps)}`;
  if (sps.interlaced) return "interlaced pictures";
  if (sps.chromaFormatIdc !== 1 || sps.bitDepth !== 8) return "other than 8 bits of 4:2:0";
  if (pps.some((set) => set.arithmeticCoding)) return "arithmetic coding (CABAC)";
  if (pps.some((set) => set.weightedPrediction)) return "weighted prediction";
  return undefined;
}

/** For people: `baseline`, `high`, … */
export function profileName(sps: Pick<Sps, "profileIdc">): string {
  const names: Record<number, string> = { 66: "baseline", 77: "main", 88: "extended", 100: "high", 110: "high 10" };
  return names[sps.profileIdc] ?? `${sps.profileIdc}`;
}

/** `scaling_list` (7.3.2.1.1.1): only its length matters. */
function skipScalingList(reader: BitReader, size: number): void {
  let last = 8;
  let next = 8;
  for (let i = 0; i < size; i++) {
    if (next !== 0) next = (last + reader.signed() + 256) & 255;
    if (next !== 0) last = next;
  }
}
