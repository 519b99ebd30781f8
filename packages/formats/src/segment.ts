/**
 * A segment: coloured points as one blob, the form in which they travel to viewers.
 *
 * ```
 * 0   4  "CSG1"
 * 4   4  u32 LE  number of points n
 * 8  24  f64 LE  origin x, y, z (model frame)
 * 32 12n f32 LE  x, y, z of each point, relative to the origin
 * …  3n  u8      r, g, b of each point, sRGB
 * ```
 */
import { CairnError, type Vec3 } from "@cairn/protocol";

const MAGIC = 0x31475343; // "CSG1", little endian
const HEADER_BYTES = 32;
const POINT_BYTES = 15;

export type SegmentPoints = {
  origin: Vec3;
  /** `[n, 3]` relative to `origin`. */
  positions: Float32Array;
  /** `[n, 3]` sRGB. */
  colors: Uint8Array;
};

/** @param positions `[n, 3]` model frame @param colors `[n, 3]` sRGB */
export function encodeSegment(positions: Float32Array, colors: Uint8Array): Uint8Array {
  const n = positions.length / 3;
  if (!Number.isInteger(n) || colors.length !== n * 3) {
    throw new RangeError(`positions holds ${positions.length} numbers, colors ${colors.length}`);
  }
  const { min, max } = bounds(positions);
  const origin = [(min[0] + max[0]) / 2, (min[1] + max[1]) / 2, (min[2] + max[2]) / 2];
  const bytes = new Uint8Array(HEADER_BYTES + n * POINT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, n, true);
  for (let axis = 0; axis < 3; axis++) view.setFloat64(8 + axis * 8, origin[axis]!, true);
  for (let i = 0; i < n * 3; i++) view.setFloat32(HEADER_BYTES + i * 4, positions[i]! - origin[i % 3]!, true);
  bytes.set(colors, HEADER_BYTES + n * 12);
  return bytes;
}

/** Copies. @throws {CairnError} `request.invalid` when the bytes are not a whole segment */
export function decodeSegment(bytes: Uint8Array): SegmentPoints {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = bytes.length >= HEADER_BYTES && view.getUint32(0, true) === MAGIC ? view.getUint32(4, true) : -1;
  if (n < 0 || bytes.length !== HEADER_BYTES + n * POINT_BYTES) {
    throw new CairnError("request.invalid", { field: "segment", sizeBytes: bytes.length });
  }
  const positions = new Float32Array(n * 3);
  for (let i = 0; i < n * 3; i++) positions[i] = view.getFloat32(HEADER_BYTES + i * 4, true);
  return {
    origin: [view.getFloat64(8, true), view.getFloat64(16, true), view.getFloat64(24, true)],
    positions,
    colors: bytes.slice(HEADER_BYTES + n * 12),
  };
}

/** Axis-aligned box of `[n, 3]` positions; zeros when there are none. */
export function bounds(positions: Float32Array): { min: Vec3; max: Vec3 } {
  if (positions.length === 0) return { min: [0, 0, 0], max: [0, 0, 0] };
  const min: Vec3 = [Infinity, Infinity, Infinity];
  const max: Vec3 = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i++) {
    const axis = i % 3;
    const value = positions[i]!;
    if (value < min[axis]!) min[axis] = value;
    if (value > max[axis]!) max[axis] = value;
  }
  return { min, max };
}
