/**
 * A depth map as it is kept: 5 bytes a pixel instead of 8, and deflated on disk. Depth is logarithmic, so that a step
 * is the same part of the depth everywhere (0.01 % where far is 500 times near). Every depth map goes through this
 * form, also one that was just made: a result never depends on what was kept.
 */
import { promisify } from "node:util";
import { deflate, inflate } from "node:zlib";
import type { DepthMap, DepthRange } from "../dense/contract.ts";

/** Changes whenever the same bytes would mean something else. */
const VERSION = 1;
const HEADER_BYTES = 32;
const PIXEL_BYTES = 5;
/** 0 is no depth. */
const STEPS = 65_534;
const FAST = 1;

const deflated = promisify<Uint8Array, { level: number }, Buffer>(deflate);
const inflated = promisify<Uint8Array, Buffer>(inflate);

/** Depths outside the range are put at its ends. */
export function packDepth(map: DepthMap, { near, far }: DepthRange): Uint8Array {
  const { widthPx, heightPx, depths, normals, confidences } = map;
  const n = widthPx * heightPx;
  const bytes = new Uint8Array(HEADER_BYTES + PIXEL_BYTES * n);
  const header = new DataView(bytes.buffer);
  header.setUint32(0, VERSION, true);
  header.setUint32(4, widthPx, true);
  header.setUint32(8, heightPx, true);
  header.setFloat64(16, near, true);
  header.setFloat64(24, far, true);
  const { high, low, normalX, normalY, confidence } = planesOf(bytes, n);
  const scale = STEPS / Math.log(far / near);
  for (let i = 0; i < n; i++) {
    if (!(depths[i] > 0)) continue;
    const step = Math.round(Math.log(depths[i] / near) * scale);
    const code = 1 + Math.min(STEPS, Math.max(0, step));
    high[i] = code >> 8;
    low[i] = code & 255;
    normalX[i] = normals[3 * i];
    normalY[i] = normals[3 * i + 1];
    confidence[i] = confidences[i];
  }
  return bytes;
}

/** @param scale what lengths of the model have grown by since */
export function unpackDepth(bytes: Uint8Array, scale = 1): DepthMap {
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const widthPx = header.getUint32(4, true);
  const heightPx = header.getUint32(8, true);
  const near = header.getFloat64(16, true) * scale;
  const far = header.getFloat64(24, true) * scale;
  const n = widthPx * heightPx;
  const { high, low, normalX, normalY, confidence } = planesOf(bytes, n);
  const step = Math.log(far / near) / STEPS;
  const coarse = Float64Array.from({ length: 256 }, (_, i) => near * Math.exp((256 * i - 1) * step));
  const fine = Float64Array.from({ length: 256 }, (_, i) => Math.exp(i * step));
  const depths = new Float32Array(n);
  const normals = new Int8Array(3 * n);
  const confidences = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    if ((high[i] | low[i]) === 0) continue;
    depths[i] = coarse[high[i]] * fine[low[i]];
    const [x, y] = [normalX[i], normalY[i]];
    normals[3 * i] = x;
    normals[3 * i + 1] = y;
    normals[3 * i + 2] = -Math.round(Math.sqrt(Math.max(0, 127 * 127 - x * x - y * y)));
    confidences[i] = confidence[i];
  }
  return { widthPx, heightPx, depths, normals, confidences };
}

/** For the cache. */
export function deflateDepth(bytes: Uint8Array): Promise<Uint8Array> {
  return deflated(new Uint8Array(bytes), { level: FAST });
}

/** `undefined` where the bytes are not what was packed: seek the depth again. */
export async function inflateDepth(kept: Uint8Array): Promise<Uint8Array | undefined> {
  const bytes = await inflated(kept).catch(() => undefined);
  if (!bytes || bytes.byteLength < HEADER_BYTES) return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const n = header.getUint32(4, true) * header.getUint32(8, true);
  if (header.getUint32(0, true) !== VERSION || bytes.byteLength !== HEADER_BYTES + PIXEL_BYTES * n) return undefined;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function planesOf(bytes: Uint8Array, n: number) {
  const plane = (index: number) => bytes.subarray(HEADER_BYTES + index * n, HEADER_BYTES + (index + 1) * n);
  const signed = (index: number) => new Int8Array(bytes.buffer, bytes.byteOffset + HEADER_BYTES + index * n, n);
  return { high: plane(0), low: plane(1), normalX: signed(2), normalY: signed(3), confidence: plane(4) };
}
