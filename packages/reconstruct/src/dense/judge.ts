/**
 * Geometric consistency: what other views say about each pixel of one. A witness agrees when it sees a surface at the
 * same place with a similar normal; it speaks against when it looks through that place at something clearly behind.
 * A witness that sees something nearer is in no position to tell, nor is one that found no depth there. The loop is in
 * `wasm/judge.as.ts`.
 */
import { Kernel } from "../features/kernel.ts";
import type { DenseView, PosedDepth } from "./contract.ts";
import { transferBetween } from "./transfer.ts";
import { MOST_WITNESSES } from "./witnesses.ts";

export type Judgement = {
  /** The views asked, as indices of what was given; bit k of `agree` is `witnesses[k]`. */
  readonly witnesses: readonly number[];
  /** `[heightPx, widthPx]` which witnesses agree. */
  readonly agree: Uint8Array;
  /** `[heightPx, widthPx]` how many speak against. */
  readonly against: Uint8Array;
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
const LEAST_SURE = 100;

type JudgeFunctions = {
  hear(
    width: number,
    height: number,
    depths: number,
    normals: number,
    seenWidth: number,
    seenHeight: number,
    seen: number,
    seenNormals: number,
    sure: number,
    params: number,
    bit: number,
    agree: number,
    against: number,
  ): void;
};

let kernel: Kernel<JudgeFunctions> | undefined;

/** @param witnesses indices into `depths`, at most {@link MOST_WITNESSES} */
export function judge(
  depths: readonly PosedDepth[],
  reference: number,
  witnesses: readonly number[],
  { depthTolerance = 0.01, reprojectionPx = 2 }: JudgeOptions = {},
): Judgement {
  if (witnesses.length > MOST_WITNESSES) throw new RangeError(`${witnesses.length} witnesses`);
  kernel ??= new Kernel<JudgeFunctions>("judge");
  const { widthPx, heightPx, depths: own, normals } = depths[reference].depth;
  const pixels = widthPx * heightPx;
  const most = Math.max(0, ...witnesses.map((witness) => depths[witness].depth.depths.length));
  kernel.reset();
  const at = {
    depths: kernel.take(pixels * 4),
    normals: kernel.take(pixels * 3),
    agree: kernel.take(pixels),
    against: kernel.take(pixels),
    seen: kernel.take(most * 4),
    seenNormals: kernel.take(most * 3),
    sure: kernel.take(most),
    params: kernel.take(PARAMS * 4),
  };
  kernel.f32(at.depths, pixels).set(own);
  kernel.bytes(at.normals, pixels * 3).set(bytesOf(normals));
  kernel.bytes(at.agree, pixels).fill(0);
  kernel.bytes(at.against, pixels).fill(0);
  for (const [bit, witness] of witnesses.entries()) {
    const { depth } = depths[witness];
    kernel.f32(at.seen, depth.depths.length).set(depth.depths);
    kernel.bytes(at.seenNormals, depth.normals.length).set(bytesOf(depth.normals));
    kernel.bytes(at.sure, depth.confidences.length).set(depth.confidences);
    const params = paramsOf(depths[reference].view, depths[witness].view, depthTolerance, reprojectionPx);
    kernel.f32(at.params, PARAMS).set(params);
    kernel.call.hear(
      widthPx,
      heightPx,
      at.depths,
      at.normals,
      depth.widthPx,
      depth.heightPx,
      at.seen,
      at.seenNormals,
      at.sure,
      at.params,
      1 << bit,
      at.agree,
      at.against,
    );
  }
  return {
    witnesses,
    agree: kernel.bytes(at.agree, pixels).slice(),
    against: kernel.bytes(at.against, pixels).slice(),
  };
}

function bytesOf({ buffer, byteOffset, length }: Int8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

const PARAMS = 44;

/** As the kernel wants them, in its order. */
function paramsOf(from: DenseView, to: DenseView, tolerance: number, reprojectionPx: number): number[] {
  const there = transferBetween(from, to);
  const back = transferBetween(to, from);
  const limits = [
    tolerance,
    reprojectionPx ** 2,
    (LEAST_ANGLE_RAD * to.pinhole[0]) ** 2,
    NORMAL_COS * 127 * 127,
    MOST_SLOPE,
    CLEARLY * tolerance,
    LEAST_SURE,
  ];
  return [...there.m, ...there.b, ...back.m, ...back.b, ...there.turn, ...to.pinhole, ...limits];
}

/** Bits set in a byte. */
export const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
