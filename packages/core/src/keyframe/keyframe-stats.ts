/** What a stream that builds a model has come to, and sums over streams. */
import type { ErrorBody } from "@cairn/protocol";

export type KeyframeStats = {
  readonly source: string;
  readonly space: string;
  /** Of the stream's photos. */
  readonly sequence: string;
  /** Pictures that were decoded. */
  readonly pictures: number;
  /** Pictures, or slices of them, that were not: decoding had fallen behind, or could not begin; or not in their turn. */
  readonly leftOut: number;
  /** Pictures that damage had spoilt; none of them became a keyframe. */
  readonly untrusted: number;
  /** Keyframes that became photos. */
  readonly keyframes: number;
  /** Keyframes that were chosen and let go, because the engine was behind or the space refused them. */
  readonly dropped: number;
  /** Keyframes and photos that wait for the engine. */
  readonly waiting: number;
  /** How much more than usual a keyframe must show because the engine is behind; 1: it keeps up. */
  readonly demand: number;
  readonly width: number;
  readonly height: number;
  /** Why nothing comes of the stream; left out: nothing is wrong. */
  readonly problem?: ErrorBody;
};

export type KeyframeSums = Record<"pictures" | "leftOut" | "keyframes" | "dropped", number>;

/** Adds up, in place. @returns `sum` */
export function addStats<Sum extends KeyframeSums>(sum: Sum, stats: Readonly<KeyframeSums>): Sum {
  sum.pictures += stats.pictures;
  sum.leftOut += stats.leftOut;
  sum.keyframes += stats.keyframes;
  sum.dropped += stats.dropped;
  return sum;
}

export const noSums = (): KeyframeSums => ({ pictures: 0, leftOut: 0, keyframes: 0, dropped: 0 });
