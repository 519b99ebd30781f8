/**
 * NAL units of an H.264 byte stream (ITU-T H.264 annex B). Nothing is copied: what is yielded are views of the input,
 * and what surrounds them (start codes of 3 or 4 bytes, zeros at the end) is left out.
 */

/** Types of NAL units that matter here (H.264 table 7-1). */
export const NAL = { slice: 1, partitionA: 2, keySlice: 5, sei: 6, sps: 7, pps: 8, delimiter: 9 } as const;

/** After this many units the rest of a message is not looked at: a picture has a few, a hostile message millions. */
export const MAX_NAL_UNITS = 4096;

export type NalUnit = {
  /** `nal_unit_type`, 0 to 31. */
  readonly type: number;
  /** `nal_ref_idc`, 0 to 3; 0: no other picture needs this one. */
  readonly refIdc: number;
  /** From the header byte on, without start code; a view of the input. */
  readonly bytes: Uint8Array;
};

/** The units of one message, the first `most` of them; what comes before the first start code is not read. */
export function* nalUnits(bytes: Uint8Array, most = MAX_NAL_UNITS): Generator<NalUnit, void, undefined> {
  let start = nextStartCode(bytes, 0);
  for (let count = 0; start < bytes.length && count < most; ) {
    const begin = start + 3;
    start = nextStartCode(bytes, begin);
    let end = start;
    while (end > begin && bytes[end - 1] === 0) end--; // zero_byte of the next start code, trailing_zero_8bits
    if (end === begin) continue;
    count++;
    yield nalUnit(bytes.subarray(begin, end));
  }
}

/** Their types alone, each as soon as it is found: who stops at the first slice has not read the picture. */
export function* nalTypes(bytes: Uint8Array): Generator<number, void, undefined> {
  let at = nextStartCode(bytes, 0) + 3;
  for (let count = 0; at < bytes.length && count < MAX_NAL_UNITS; count++) {
    yield bytes[at]! & 31;
    at = nextStartCode(bytes, at) + 3;
  }
}

/** @param bytes a unit without start code, not empty */
function nalUnit(bytes: Uint8Array): NalUnit {
  const header = bytes[0] ?? 0;
  return { type: header & 31, refIdc: (header >> 5) & 3, bytes };
}

/** Whether a message begins with `00 00 01` or `00 00 00 01` at `offset`. */
export function startsWithStartCode(bytes: Uint8Array, offset = 0): boolean {
  if (bytes[offset] !== 0 || bytes[offset + 1] !== 0) return false;
  return bytes[offset + 2] === 1 || (bytes[offset + 2] === 0 && bytes[offset + 3] === 1);
}

/** Units with start codes of four bytes, as one message. */
export function annexB(units: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(units.reduce((sum, unit) => sum + 4 + unit.length, 0));
  let offset = 0;
  for (const unit of units) {
    whole[offset + 3] = 1;
    whole.set(unit, offset + 4);
    offset += 4 + unit.length;
  }
  return whole;
}

/** Whether a unit of this type is part of a picture. */
export function isPictureNal(type: number): boolean {
  return type >= NAL.slice && type <= NAL.keySlice;
}

/** Where the next `00 00 01` begins, or the length. Looks at every third byte where it can: there are few zeros. */
function nextStartCode(bytes: Uint8Array, from: number): number {
  const last = bytes.length - 3;
  for (let i = from; i <= last; ) {
    const third = bytes[i + 2]!;
    if (third > 1) i += 3;
    else if (third === 0) i++;
    else if (bytes[i] === 0 && bytes[i + 1] === 0) return i;
    else i += 3;
  }
  return bytes.length;
}
