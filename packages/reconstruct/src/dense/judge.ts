/**
 * Geometric consistency: what other views say about each pixel of one. A witness agrees when it sees a surface at the
 * same place with a similar normal; it speaks against when it looks through that place at something clearly behind.
 * A witness that sees something nearer is in no position to tell, nor is one that found no depth there.
 */
import type { PosedDepth } from "./contract.ts";
import { transferBetween } from "./transfer.ts";
import { MOST_WITNESSES } from "./witnesses.ts";

export type Judgement = {
  /** The views asked, as indices of what was given; bit k of `agree` is `witnesses[k]`. */
  readonly witnesses: readonly number[];
  /** `[heightPx, widthPx]` which witnesses agree. */
  readonly agree: Uint8Array;
  /** `[heightPx, widthPx]` how many speak against. */
  readonly against: Uint8Array;
  /** `[heightPx, widthPx]` into the pictures of how many the place falls. */
  readonly inside: Uint8Array;
};

export type JudgeOptions = {
  /** Two depths of one surface differ by at most this part; default 0.01. */
  readonly depthTolerance?: number;
  /** The witness's surface, seen from here, is at most so far off; default 2. */
  readonly reprojectionPx?: number;
};

/** Normals of one surface differ by less. Estimated normals are rough, so this only tells front from side. */
const NORMAL_COS = Math.cos((70 * Math.PI) / 180);
/** A witness that sees a place under a smaller angle cannot tell how far it is: whatever is far agrees with it. */
const LEAST_ANGLE_RAD = (1.2 * Math.PI) / 180;
/** A witness speaks against only what it sees this many tolerances in front of its own surface. */
const CLEARLY = 3;
/** The slope of the witness's surface within a pixel changes its depth by no more than this part. */
const MOST_SLOPE = 0.02;
/** A witness less sure than this keeps silent about empty space. */
const SURE = 100;

/** @param witnesses indices into `depths`, at most {@link MOST_WITNESSES} */
export function judge(
  depths: readonly PosedDepth[],
  reference: number,
  witnesses: readonly number[],
  { depthTolerance = 0.01, reprojectionPx = 2 }: JudgeOptions = {},
): Judgement {
  if (witnesses.length > MOST_WITNESSES) throw new RangeError(`${witnesses.length} witnesses`);
  const { widthPx, heightPx } = depths[reference].depth;
  const pixels = widthPx * heightPx;
  const judgement = {
    witnesses,
    agree: new Uint8Array(pixels),
    against: new Uint8Array(pixels),
    inside: new Uint8Array(pixels),
  };
  for (const [bit, witness] of witnesses.entries()) {
    hear(depths[reference], depths[witness], 1 << bit, judgement, depthTolerance, reprojectionPx ** 2);
  }
  return judgement;
}

function hear(
  reference: PosedDepth,
  witness: PosedDepth,
  bit: number,
  { agree, against, inside }: Judgement,
  tolerance: number,
  reprojectionSquare: number,
): void {
  const { m, b, turn } = transferBetween(reference.view, witness.view);
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = m;
  const [b0, b1, b2] = b;
  const back = transferBetween(witness.view, reference.view);
  const [k0, k1, k2, k3, k4, k5, k6, k7, k8] = back.m;
  const [c0, c1, c2] = back.b;
  const [t0, t1, t2, t3, t4, t5, t6, t7, t8] = turn;
  const [fx, fy, cx, cy] = witness.view.pinhole;
  const { depths, normals } = reference.depth;
  const { widthPx, heightPx } = reference.depth;
  const { depths: seen, normals: seenNormals, confidences, widthPx: seenWidth, heightPx: seenHeight } = witness.depth;
  const leastDot = NORMAL_COS * 127 * 127;
  const [ix, iy] = [1 / fx, 1 / fy];
  const leastMotion = (LEAST_ANGLE_RAD * fx) ** 2;

  let at = -1;
  for (let row = 0; row < heightPx; row++) {
    const y = row + 0.5;
    const p = m1 * y + m2;
    const q = m4 * y + m5;
    const r = m7 * y + m8;
    for (let column = 0; column < widthPx; column++) {
      at++;
      const z = depths[at];
      if (z === 0) continue;
      const x = column + 0.5;
      const w = (m6 * x + r) * z + b2;
      if (w <= 0) continue;
      const u = ((m0 * x + p) * z + b0) / w;
      const v = ((m3 * x + q) * z + b1) / w;
      if (!(u >= 0 && v >= 0 && u < seenWidth && v < seenHeight)) continue;
      inside[at]++;
      const seenX = u | 0;
      const seenY = v | 0;
      const hit = seenY * seenWidth + seenX;
      let d = seen[hit];
      if (d === 0) continue;
      // The depth of the witness's surface at the very place, not at the middle of its pixel.
      const n = hit * 3;
      const nx = seenNormals[n];
      const ny = seenNormals[n + 1];
      const nz = seenNormals[n + 2];
      const facing = nx * (seenX + 0.5 - cx) * ix + ny * (seenY + 0.5 - cy) * iy + nz;
      const facingHere = facing + nx * (u - seenX - 0.5) * ix + ny * (v - seenY - 0.5) * iy;
      const slope = facing / facingHere;
      if (slope > 1 - MOST_SLOPE && slope < 1 + MOST_SLOPE) d *= slope;
      const off = d - w;
      if (off > tolerance * w) {
        if (off > CLEARLY * tolerance * w && confidences[hit] >= SURE) {
          if (isOpen(seen, hit, seenX, seenY, seenWidth, seenHeight, w * (1 + tolerance))) against[at]++;
        }
        continue;
      }
      if (off < -tolerance * w) continue;
      // Pixels that the place would move in the witness if it were twice as far, to first order.
      const motionX = (u * b2 - b0) / w;
      const motionY = (v * b2 - b1) / w;
      if (motionX * motionX + motionY * motionY < leastMotion) continue;
      // The witness's surface point, seen from here.
      const s = (k6 * u + k7 * v + k8) * d + c2;
      const ex = ((k0 * u + k1 * v + k2) * d + c0) / s - x;
      const ey = ((k3 * u + k4 * v + k5) * d + c1) / s - y;
      if (!(ex * ex + ey * ey <= reprojectionSquare)) continue;
      const o = at * 3;
      const ox = normals[o];
      const oy = normals[o + 1];
      const oz = normals[o + 2];
      const dot =
        nx * (t0 * ox + t1 * oy + t2 * oz) + ny * (t3 * ox + t4 * oy + t5 * oz) + nz * (t6 * ox + t7 * oy + t8 * oz);
      if (dot < leastDot) continue;
      agree[at] |= bit;
    }
  }
}

/** Whether the witness sees nothing nearer than `near` around a pixel either: at an edge a pixel beside it may. */
function isOpen(
  seen: Float32Array,
  hit: number,
  x: number,
  y: number,
  widthPx: number,
  heightPx: number,
  near: number,
): boolean {
  if (x > 0 && covers(seen[hit - 1], near)) return false;
  if (x < widthPx - 1 && covers(seen[hit + 1], near)) return false;
  if (y > 0 && covers(seen[hit - widthPx], near)) return false;
  return !(y < heightPx - 1 && covers(seen[hit + widthPx], near));
}

function covers(depth: number, near: number): boolean {
  return depth > 0 && depth <= near;
}

/** Bits set in a byte. */
export const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
