/** What each preset stands for: the one place where detail is traded for time. */
import type { Preset } from "@cairn/protocol";
import type { DepthOptions } from "./dense/depth/options.ts";

/** How depth is sought in one photo. */
export type DepthPlan = {
  /** Long side at which depth is sought, pixels. */
  readonly sidePx: number;
  /** Long side of the picture whose pixels become points; left out: those at which depth is sought. */
  readonly pictureSidePx?: number;
  /** Photos that each is compared with, at most. */
  readonly sources: number;
  /** Photos that must agree on a point, itself included. */
  readonly minViews: number;
  readonly quality: DepthOptions;
};

export type PresetPlan = {
  /** As a photo comes: its points are on the screen with its verdict. */
  readonly live: DepthPlan;
  /** In a rebuild, where all photos are known: what holds for spaces of up to so many photos. */
  readonly rebuild: readonly { readonly photos: number; readonly plan: DepthPlan }[];
};

const MORE = Number.POSITIVE_INFINITY;
const LIVE = { sources: 3, minViews: 3, quality: {} };
const ALL = { sources: 4, minViews: 3, quality: {} };

/**
 * `undefined`: no depth, the sparse points are shown. CPU time goes with the square of the side: a rebuild takes about
 * 0.9 s a photo at 640 pixels. Where there are many photos each shows less that the others do not: so that points fit
 * into memory, they come from smaller pictures.
 */
export const PRESETS: Readonly<Record<Preset, PresetPlan | undefined>> = {
  sparse: undefined,
  fast: {
    live: { ...LIVE, sidePx: 320 },
    rebuild: [{ photos: MORE, plan: { ...ALL, sidePx: 480 } }],
  },
  balanced: {
    live: { ...LIVE, sidePx: 480 },
    rebuild: [
      { photos: 100, plan: { ...ALL, sidePx: 640, pictureSidePx: 1280 } },
      { photos: 300, plan: { ...ALL, sidePx: 640 } },
      { photos: MORE, plan: { ...ALL, sidePx: 480 } },
    ],
  },
  fine: {
    live: { ...LIVE, sidePx: 640 },
    rebuild: [
      { photos: 50, plan: { ...ALL, sidePx: 1280 } },
      { photos: 150, plan: { ...ALL, sidePx: 960 } },
      { photos: MORE, plan: { ...ALL, sidePx: 640 } },
    ],
  },
};

/** @param photos that have a place in the model */
export function rebuildPlan({ rebuild }: PresetPlan, photos: number): DepthPlan {
  return (rebuild.find((each) => photos <= each.photos) ?? rebuild[rebuild.length - 1]).plan;
}

export function allPlans({ live, rebuild }: PresetPlan): DepthPlan[] {
  return [live, ...rebuild.map(({ plan }) => plan)];
}
