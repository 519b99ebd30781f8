/** The beginning of a slice header (H.264 7.3.3): enough to know which picture the slice belongs to. */
import { BitReader } from "./bits.ts";
import { NAL, type NalUnit } from "./nal.ts";

export type SliceHead = {
  /** 0 in the first slice of a picture (unless slices come in any order). */
  readonly firstMacroblock: number;
  /** 0 P, 1 B, 2 I, 3 SP, 4 SI. */
  readonly kind: number;
  readonly ppsId: number;
  /** Lowest bits of `frame_num`: as many as the SPS says, else not known. */
  readonly frameNum: number | undefined;
};

/**
 * @param frameNumBits of the active SPS, when it is known
 * @throws {RangeError} when the header is cut off or impossible
 */
export function readSliceHead(unit: NalUnit, frameNumBits?: number): SliceHead {
  if (unit.type !== NAL.slice && unit.type !== NAL.keySlice && unit.type !== NAL.partitionA)
    throw new RangeError(`NAL type ${unit.type} has no slice header`);
  const reader = new BitReader(unit.bytes.subarray(0, 32));
  const firstMacroblock = reader.upTo(139_263, "first_mb_in_slice");
  const kind = reader.upTo(9, "slice_type") % 5;
  if (unit.type === NAL.keySlice && kind !== 2 && kind !== 4) throw new RangeError("a key picture that needs others");
  const ppsId = reader.upTo(255, "pic_parameter_set_id");
  return { firstMacroblock, kind, ppsId, frameNum: frameNumBits === undefined ? undefined : reader.bits(frameNumBits) };
}
