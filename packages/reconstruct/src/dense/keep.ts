/** From what witnesses say to which pixels are kept: enough agree, and few speak against. */
import type { DepthMap } from "./contract.ts";
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
  const done = new Uint8Array(kept.length);
  const patch = new Int32Array(kept.length);
  for (let start = 0; start < kept.length; start++) {
    if (!kept[start] || done[start]) continue;
    let size = 0;
    patch[size++] = start;
    done[start] = 1;
    for (let next = 0; next < size; next++) {
      const at = patch[next];
      const x = at % widthPx;
      const reach = ONE_SURFACE * depths[at];
      for (let side = 0; side < 4; side++) {
        if ((side === 0 && x === 0) || (side === 1 && x === widthPx - 1)) continue;
        const beside = at + (side === 0 ? -1 : side === 1 ? 1 : side === 2 ? -widthPx : widthPx);
        if (beside < 0 || beside >= kept.length || !kept[beside] || done[beside]) continue;
        if (Math.abs(depths[beside] - depths[at]) > reach) continue;
        done[beside] = 1;
        patch[size++] = beside;
      }
    }
    if (size < least) for (let k = 0; k < size; k++) kept[patch[k]] = 0;
  }
}
