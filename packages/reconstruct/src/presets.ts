/** What each preset stands for: the one place where detail is traded for time. */
import type { Preset } from "@cairn/protocol";
import type { DepthOptions } from "./dense/depth/options.ts";

/** How depth is sought in one photo. */
export type DepthPlan = {
  /** Long side at which depth is sought, pixels. */
  readonly sidePx: number;
  /** Photos that each is compared with, at most. */
  readonly sources: number;
  /** Photos that must agree on a point, itself included. */
  readonly minViews: number;
  readonly quality: DepthOptions;
};

export type PresetPlan = {
  /** As a photo comes: its points are on the screen with its verdict. */
  readonly live: DepthPlan;
  /** In a rebuild, where all photos are known. */
  readonly rebuild: DepthPlan;
};

/** `undefined`: no depth, the sparse points are shown. */
export const PRESETS: Readonly<Record<Preset, PresetPlan | undefined>> = {
  sparse: undefined,
  fast: {
    live: { sidePx: 320, sources: 3, minViews: 3, quality: {} },
    rebuild: { sidePx: 480, sources: 4, minViews: 3, quality: {} },
  },
  balanced: {
    live: { sidePx: 480, sources: 3, minViews: 3, quality: {} },
    rebuild: { sidePx: 640, sources: 4, minViews: 3, quality: {} },
  },
  fine: {
    live: { sidePx: 640, sources: 4, minViews: 3, quality: {} },
    rebuild: { sidePx: 1280, sources: 5, minViews: 3, quality: {} },
  },
};
