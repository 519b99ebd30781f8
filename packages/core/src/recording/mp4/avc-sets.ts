/** The parameter sets that the head of a file of ours has. */
import { readAvcConfig } from "@cairn/video";
import type { TrackSets } from "./movie.ts";

/** @param moov the box. @throws {RangeError} when it has no `avcC` box */
export function avcSetsOf(moov: Buffer): TrackSets {
  const at = moov.indexOf("avcC", 0, "latin1");
  if (at < 4) throw new RangeError("no avcC box");
  const { sets } = readAvcConfig(moov.subarray(at + 4, at - 4 + moov.readUInt32BE(at - 4)));
  const isSps = (set: Uint8Array) => (set[0]! & 31) === 7;
  return { sps: sets.filter(isSps), pps: sets.filter((set) => !isSps(set)) };
}
