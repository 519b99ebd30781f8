/** The parameter sets that the head of a file of ours has. */
import { readAvcConfig, readSps } from "@cairn/video";
import type { TrackSets } from "./movie.ts";

/** @param moov the box. @returns undefined where they cannot be read: a crash may leave any sector out */
export function avcSetsOf(moov: Buffer): TrackSets | undefined {
  const at = moov.indexOf("avcC", 0, "latin1");
  if (at < 4) return undefined;
  const isSps = (set: Uint8Array) => (set[0]! & 31) === 7;
  try {
    const { sets } = readAvcConfig(moov.subarray(at + 4, at - 4 + moov.readUInt32BE(at - 4)));
    const sps = sets.filter(isSps);
    readSps(sps[0]!);
    return { sps, pps: sets.filter((set) => !isSps(set)) };
  } catch {
    return undefined;
  }
}
