/** H.264 as containers hold it (ISO 14496-15): parameter sets in an `avcC` box, units behind their sizes. */
import { annexB } from "../h264/nal.ts";

export type AvcConfig = {
  /** Bytes of a unit's size: 1, 2 or 4. */
  readonly sizeBytes: number;
  /** SPS and PPS, without start codes. */
  readonly sets: readonly Uint8Array[];
};

/** @throws {RangeError} when the box is cut off */
export function readAvcConfig(box: Uint8Array): AvcConfig {
  if (box[0] !== 1 || box.length < 7) throw new RangeError("no avcC box");
  const sizeBytes = (box[4]! & 3) + 1;
  const sets: Uint8Array[] = [];
  let at = 5;
  for (const mask of [31, 255]) {
    for (let count = box[at++]! & mask; count > 0; count--) {
      const size = ((box[at] ?? 0) << 8) | (box[at + 1] ?? 0);
      const set = box.subarray(at + 2, at + 2 + size);
      if (size === 0 || set.length < size) throw new RangeError("an avcC box that is cut off");
      sets.push(set);
      at += 2 + size;
    }
  }
  return { sizeBytes, sets };
}

/** A container's picture with start codes; key pictures get the parameter sets. What a size leads beyond is cut. */
export function avcToAnnexB(data: Uint8Array, config: AvcConfig, key: boolean): Uint8Array {
  const units: Uint8Array[] = key ? [...config.sets] : [];
  for (let at = 0; at + config.sizeBytes < data.length; ) {
    let size = 0;
    for (let i = 0; i < config.sizeBytes; i++) size = size * 256 + data[at++]!;
    if (size > 0) units.push(data.subarray(at, at + size));
    at += size;
  }
  return annexB(units);
}
