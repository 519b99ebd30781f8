/** From a segment's bytes to what the GPU takes: 16 bytes a point. Runs in a worker where there are workers. */
import { decodeSegment, type NodePoints } from "@cairn/cloud";
import { pointSpacing } from "./point-spacing.ts";

/** `u16 x, y, z, slot · u8 red, green, blue, confidence · u32 photo | batch << 20` */
export const POINT_BYTES = 16;
/**
 * Points of a depth map lie as if on a lattice, those of many photos as if thrown at random. The first neighbour of a lattice's
 * point is twice as far as at random; with the fourth the two are alike to a tenth.
 */
const NEIGHBOUR = 4;
/** Photos are told apart up to this number. */
const MAX_PHOTO = 0xf_ffff;

export type PackedPoints = {
  readonly count: number;
  readonly bits: number;
  /** `[count]` of `POINT_BYTES`; slot and batch are 0. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Distance from a point to its fourth neighbour, as a part of the node's edge. */
  readonly spacing: number;
  /** `[8, 8]`: points in each octant of each octant of the node. */
  readonly octants: Uint32Array;
};

export async function decodePart(bytes: Uint8Array): Promise<PackedPoints> {
  return packPoints(decodeSegment(bytes));
}

function packPoints({ count, bits, coords, colors, photos, confidences }: NodePoints): PackedPoints {
  const buffer = new ArrayBuffer(count * POINT_BYTES);
  const halves = new Uint16Array(buffer);
  const bytes = new Uint8Array(buffer);
  const words = new Uint32Array(buffer);
  for (let i = 0; i < count; i++) {
    halves[i * 8] = coords[i * 3]!;
    halves[i * 8 + 1] = coords[i * 3 + 1]!;
    halves[i * 8 + 2] = coords[i * 3 + 2]!;
    bytes[i * 16 + 8] = colors[i * 3]!;
    bytes[i * 16 + 9] = colors[i * 3 + 1]!;
    bytes[i * 16 + 10] = colors[i * 3 + 2]!;
    bytes[i * 16 + 11] = confidences ? confidences[i]! : 255;
    words[i * 4 + 3] = Math.min(MAX_PHOTO, typeof photos === "number" ? photos : photos[i]!);
  }
  const octants = new Uint32Array(64);
  for (let i = 0; i < count; i++) octants[octantsOf(coords, i * 3, bits)]!++;
  const steps = 2 ** bits;
  const positions = Float32Array.from(coords, (value) => value / steps);
  return { count, bits, bytes, spacing: pointSpacing(positions, count, NEIGHBOUR), octants };
}

/** Of the point at x, y, z: its octant in its node · 8 + its octant in that. @param bits of its coordinates */
function octantsOf(coords: Uint16Array, at: number, bits: number): number {
  const x = (coords[at]! << 2) >> bits;
  const y = (coords[at + 1]! << 2) >> bits;
  const z = (coords[at + 2]! << 2) >> bits;
  return ((x >> 1) << 3) | ((y >> 1) << 4) | ((z >> 1) << 5) | (x & 1) | ((y & 1) << 1) | ((z & 1) << 2);
}
