/** From what witnesses say to which pixels are kept: enough agree, and few speak against. */
import type { DepthMap } from "./contract.ts";
import { Flood } from "./flood.ts";
import { BITS, type Judgement } from "./judge.ts";

export type KeepOptions = {
  /** Views that must see the surface, the view itself among them; default 3. */
  readonly minViews?: number;
};

/** Two views are enough where the photos match this well and nobody speaks against. */
export const SURE = 130;
/** A patch of kept pixels smaller than this part of the picture is taken for noise. */
const LEAST_PATCH = 1 / 8000;
/** Neighbours belong to one patch when their depths differ by at most this part. */
const ONE_SURFACE = 0.015;

/** `[heightPx, widthPx]` 1 where the depth is borne out. */
export function keepConsistent(depth: DepthMap, judgement: Judgement, { minViews = 3 }: KeepOptions = {}): Uint8Array {
  const { agree, against } = judgement;
  const kept = new Uint8Array(agree.length);
  for (let at = 0; at < kept.length; at++) {
    const agreeing = BITS[agree[at]];
    if (agreeing === 0 || against[at] >= agreeing) continue;
    if (agreeing + 1 >= minViews) kept[at] = 1;
    else if (against[at] === 0 && depth.confidences[at] >= SURE) kept[at] = 1;
  }
  dropSpeckles(depth, kept);
  return kept;
}

/** Takes out patches too small to be a surface. */
export function dropSpeckles({ depths, widthPx, heightPx }: DepthMap, kept: Uint8Array): void {
  const least = Math.max(4, Math.round(widthPx * heightPx * LEAST_PATCH));
  const flood = new Flood(widthPx, heightPx);
  const joins = (from: number, to: number): boolean =>
    kept[to] === 1 && Math.abs(depths[to] - depths[from]) <= ONE_SURFACE * depths[from];
  for (let start = 0; start < kept.length; start++) {
    if (!kept[start] || flood.isTaken(start)) continue;
    const size = flood.from(start, joins);
    if (size < least) for (let k = 0; k < size; k++) kept[flood.piece[k]] = 0;
  }
}
