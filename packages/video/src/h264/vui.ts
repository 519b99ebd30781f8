/** What a sequence parameter set says of colours and order (H.264 annex E.1), when it says anything. */
import type { BitReader } from "./bits.ts";

export type Vui = {
  /** Luma from 0 to 255 instead of 16 to 235. */
  readonly fullRange: boolean;
  /** `matrix_coefficients` (table E-5): 1 BT.709, 5 and 6 BT.601; `undefined`: not said. */
  readonly matrix: number | undefined;
  /** Pictures that may come before one that is shown earlier; `undefined`: not said. */
  readonly reorderFrames: number | undefined;
  /** The stream's own rate, where it claims one between 1 and 1000. */
  readonly framesPerS: number | undefined;
};

export const NO_VUI: Vui = { fullRange: false, matrix: undefined, reorderFrames: undefined, framesPerS: undefined };

/** A table that is cut off says nothing: encoders exist that write such, and everybody plays them. */
export function readVui(reader: BitReader): Vui {
  let { fullRange, matrix, framesPerS } = NO_VUI;
  try {
    if (reader.flag() && reader.bits(8) === 255) reader.bits(32); // sample aspect ratio
    if (reader.flag()) reader.flag(); // overscan
    if (reader.flag()) {
      reader.bits(3);
      fullRange = reader.flag();
      if (reader.flag()) {
        reader.bits(16);
        const named = reader.bits(8);
        matrix = named === 2 ? undefined : named;
      }
    }
    if (reader.flag()) {
      reader.unsigned();
      reader.unsigned();
    }
    if (reader.flag()) {
      const unitsInTick = reader.bits(32);
      const rate = reader.bits(32) / unitsInTick / 2; // a tick is a field
      framesPerS = rate >= 1 && rate <= 1000 ? rate : undefined;
      reader.flag();
    }
    const nalHrd = reader.flag();
    if (nalHrd) skipHrd(reader);
    const vclHrd = reader.flag();
    if (vclHrd) skipHrd(reader);
    if (nalHrd || vclHrd) reader.flag();
    reader.flag(); // pic_struct_present_flag
    if (!reader.flag()) return { fullRange, matrix, reorderFrames: undefined, framesPerS };
    reader.flag();
    for (let i = 0; i < 4; i++) reader.unsigned();
    return { fullRange, matrix, reorderFrames: reader.upTo(16, "max_num_reorder_frames"), framesPerS };
  } catch {
    return { fullRange, matrix, reorderFrames: undefined, framesPerS };
  }
}

/** `hrd_parameters` (E.1.2). */
function skipHrd(reader: BitReader): void {
  const count = reader.upTo(31, "cpb_cnt") + 1;
  reader.bits(8);
  for (let i = 0; i < count; i++) {
    reader.unsigned();
    reader.unsigned();
    reader.flag();
  }
  reader.bits(20);
}
