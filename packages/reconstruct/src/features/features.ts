/**
 * What a photo looks like to the engine: points with a scale, a direction and a description.
 * All arrays of one `Features` lie in one shared buffer, laid out as it is stored (little-endian): threads read the
 * same bytes, and storing is one copy.
 */

export type Features = {
  readonly count: number;
  /** Pixels of the decoded photo; the centre of the first pixel is at 0.5 (COLMAP). */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Sigma of the blur at which the feature stands out, pixels. Largest first: the first few hundred serve retrieval. */
  readonly scale: Float32Array;
  /** Radians, 0 to 2π, from x towards y. */
  readonly angle: Float32Array;
  /** `[count, 128]` RootSIFT; each row's sum of squares is about 512². */
  readonly descriptors: Uint8Array;
  /** Fine detail against coarse; see `quality.ts`. */
  readonly sharpness: number;
  /** Mean luma, 0 to 1. */
  readonly brightness: number;
};

/** Changes whenever the same photo would give other bytes: part of the key under which features are kept. */
export const FEATURES_VERSION = 1;

const MAGIC = 0x54464e43; // "CNFT"
const HEADER_BYTES = 32;
const FEATURE_BYTES = 4 * 4 + 128;
const MOST_FEATURES = 1_000_000;

/** Arrays for `count` features, all zero. */
export function allocateFeatures(count: number, sharpness: number, brightness: number): Features {
  const buffer = new SharedArrayBuffer(HEADER_BYTES + count * FEATURE_BYTES);
  const header = new DataView(buffer);
  header.setUint32(0, MAGIC, true);
  header.setUint32(4, FEATURES_VERSION, true);
  header.setUint32(8, count, true);
  header.setFloat64(16, sharpness, true);
  header.setFloat64(24, brightness, true);
  return viewFeatures(buffer);
}

function viewFeatures(buffer: SharedArrayBuffer): Features {
  const header = new DataView(buffer);
  const count = header.getUint32(8, true);
  const floats = (index: number): Float32Array => new Float32Array(buffer, HEADER_BYTES + index * count * 4, count);
  return {
    count,
    x: floats(0),
    y: floats(1),
    scale: floats(2),
    angle: floats(3),
    descriptors: new Uint8Array(buffer, HEADER_BYTES + 16 * count, 128 * count),
    sharpness: header.getFloat64(16, true),
    brightness: header.getFloat64(24, true),
  };
}

/** A copy to keep. `features` must come from `extract` or `decodeFeatures`. */
export function encodeFeatures(features: Features): Uint8Array {
  return new Uint8Array(features.descriptors.buffer).slice();
}

/** What was encoded; undefined where the bytes are cut off or of another version: extract again. */
export function decodeFeatures(bytes: Uint8Array): Features | undefined {
  if (bytes.byteLength < HEADER_BYTES) return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (header.getUint32(0, true) !== MAGIC || header.getUint32(4, true) !== FEATURES_VERSION) return undefined;
  const count = header.getUint32(8, true);
  if (count > MOST_FEATURES || bytes.byteLength !== HEADER_BYTES + count * FEATURE_BYTES) return undefined;
  const buffer = new SharedArrayBuffer(bytes.byteLength);
  new Uint8Array(buffer).set(bytes);
  return viewFeatures(buffer);
}
