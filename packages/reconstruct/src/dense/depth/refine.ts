/**
 * From one map of planes to the next, at the same size or twice it: each pixel tries the planes known there and nearby
 * and moves the best along its line of sight until the photos agree most.
 */
import type { Kernel } from "../../features/kernel.ts";
import type { DepthRange } from "../contract.ts";
import type { Field } from "./field.ts";
import type { DepthFunctions } from "./functions.ts";
import type { Level } from "./pyramid.ts";
import type { Warp } from "./warp.ts";
import { windowSamples } from "./window.ts";

/** Variance of brightness from which on a window has texture. */
const TEXTURE = 1.5;
/** Difference in brightness, of 255, by which a pixel of a window counts a quarter of one like the middle. */
const ALIKE_BRIGHTNESS = 40;
/** Candidates nearer than this move no source's pixel by more, pixels. */
const ALIKE_PX = 0.4;
/** Half the width of the parabola by which depth is found between pixels: in the first round, in the later ones. */
const FIRST_STEP_PX = 0.7;
const LATER_STEP_PX = 0.4;
/** What it costs in correlation to be a pixel of motion away from the plane of what is around. */
const TRUST = 0.01;
/** Less where the planes are those of semi-global matching, which likes them to be among those of the sweep. */
const SWEEP_TRUST = 0.002;
/** A pixel that is no further off the plane of what is around, pixels of motion, needs no further round. */
const SETTLED_PX = 0.1;
/**
 * What the photos agreed on at half the size, in a window that is twice as large on the surface, counts so much where
 * they agree less at the full size. Only where there is texture: else sky beside a roof would have the roof's depth.
 */
const INHERIT = 0.9;
/** Where else to look for a plane, right and down: an edge is off by the sweep's window, four pixels of its image. */
const NEAR_BY = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [2, 2],
  [-2, -2],
  [2, -2],
  [-2, 2],
] as const;
const FARTHER_AT_HALF = 4;
const FARTHER = 3;
/** About 10 ms of work. */
const PIXELS_A_STEP = 16_000;
const SOURCE_BYTES = 16 * 4;

export type Refining = {
  readonly photo: Level;
  readonly sources: readonly Level[];
  readonly warps: readonly Warp[];
  readonly range: DepthRange;
  /** Inverse depth that moves a source's pixel by one, at this size. */
  readonly pixel: number;
  /** The first round at this size. */
  readonly first: boolean;
  /** The map before is the sweep's. */
  readonly swept: boolean;
};

/** What a kernel needs to hold besides images and maps. */
export type Tools = {
  readonly radiusPx: number;
  readonly samples: number;
  readonly window: number;
  readonly patch: number;
  readonly sources: number;
  readonly around: number;
};

export function takeTools(kernel: Kernel<DepthFunctions>, radiusPx: number, sources: number): Tools {
  const { count, table } = windowSamples(radiusPx, 0);
  return {
    radiusPx,
    samples: count,
    window: kernel.take(table.byteLength),
    patch: kernel.take(table.byteLength),
    sources: kernel.take(sources * SOURCE_BYTES),
    around: kernel.take((NEAR_BY.length + 4) * 8),
  };
}

/** Tells the kernel what it looks at: once for each size. */
export function setImages(
  kernel: Kernel<DepthFunctions>,
  tools: Tools,
  { photo, sources, warps }: Pick<Refining, "photo" | "sources" | "warps">,
  best: number,
  noise: number,
): void {
  const { radiusPx, samples, window, patch } = tools;
  const { quads, width, height, stride } = photo;
  const { table } = windowSamples(radiusPx, stride);
  kernel.f32(window, table.length).set(table);
  kernel.call.setPatch(quads, width, height, stride, radiusPx, samples, window, ALIKE_BRIGHTNESS, noise, patch);
  for (const [s, source] of sources.entries()) {
    const at = tools.sources + s * SOURCE_BYTES;
    kernel.i32(at, 4).set([source.quads, source.width, source.height, source.stride]);
    kernel.f32(at + 16, 12).set([...warps[s].turn, ...warps[s].shift]);
  }
  kernel.call.setSources(tools.sources, sources.length, best);
}

/** @param known of the same size as `made` or half of it */
export function* refine(
  kernel: Kernel<DepthFunctions>,
  tools: Tools,
  { sources, range, pixel, first, swept }: Refining,
  known: Field,
  made: Field,
): Generator<void, void> {
  const half = known.width < made.width;
  const far = half ? FARTHER_AT_HALF : FARTHER;
  const around = [...NEAR_BY, [far, 0], [-far, 0], [0, far], [0, -far]].flat();
  kernel.i32(tools.around, around.length).set(around);
  kernel.call.setCandidates(
    known.at,
    known.width,
    known.height,
    known.stride,
    half ? 1 : 0,
    tools.around,
    around.length / 2,
    made.at,
    made.width,
    made.height,
    made.stride,
  );
  // After the first time a plane is shown to those sources only that agreed on it before: half of the work.
  const asked = swept ? (1 << sources.length) - 1 : 0;
  const stepPx = first ? FIRST_STEP_PX : LATER_STEP_PX;
  const rows = Math.max(4, Math.floor(PIXELS_A_STEP / made.width));
  for (let y = 0; y < made.height; y += rows) {
    kernel.call.refineRows(
      y,
      Math.min(made.height, y + rows),
      asked,
      1 / range.far,
      1 / range.near,
      ALIKE_PX * pixel,
      stepPx * pixel,
      stepPx,
      swept ? SWEEP_TRUST : TRUST,
      TEXTURE,
      first ? 0 : SETTLED_PX * pixel,
      INHERIT,
    );
    yield;
  }
}
