/**
 * Depth of each pixel of a view from up to six others, in the calling thread; the pixel work is in `wasm/depth.as.ts`.
 *
 * At 100 to 240 pixels a sweep of planes with semi-global matching finds the surfaces. From there on, at each doubling
 * of the size, each pixel tries the planes found at the size before, there and nearby, and moves the best along its
 * line of sight.
 */
import { Kernel } from "../../features/kernel.ts";
import type { DenseView, DepthMap, DepthRange } from "../contract.ts";
import { fieldAt, fieldBytes, fitPlanes, planeOf } from "./field.ts";
import { finishDepth } from "./finish.ts";
import type { DepthFunctions } from "./functions.ts";
import { type DepthOptions, type DepthSettings, depthSettings } from "./options.ts";
import { readView, takeDesk, takeLevels } from "./pyramid.ts";
import { refine, setImages, takeTools } from "./refine.ts";
import { sweep } from "./sweep.ts";
import { motionOf, warpBetween } from "./warp.ts";

export interface DepthEstimator {
  /**
   * @param sources one to six other views
   * @throws {RangeError} when a view's bytes do not fit its size, or there are too many sources or none
   */
  estimate(reference: DenseView, sources: readonly DenseView[], range: DepthRange, options?: DepthOptions): DepthMap;
  /** The same in steps of some 20 ms, so that it can be given up in between. One at a time: they share memory. */
  steps(
    reference: DenseView,
    sources: readonly DenseView[],
    range: DepthRange,
    options?: DepthOptions,
  ): Generator<void, DepthMap>;
}

const MOST_SOURCES = 6;
const MOST_PIXELS = 1 << 22;
/** The sweep works on images with a long side of at most so many pixels. */
const SWEEP_SIDE_PX = 240;
/** Rounds at the size of the sweep: cheap there, and what is wrong there is hard to put right later. */
const SWEEP_ROUNDS = 4;
const SWEEP_FITS = 3;
/** Variance of brightness that a camera and JPEG give a wall of one colour. */
const NOISE = 1;

export function openDepthEstimator(): DepthEstimator {
  const kernel = new Kernel<DepthFunctions>("depth");
  const steps: DepthEstimator["steps"] = (reference, sources, range, options) => {
    check(reference, sources, range);
    return estimateInSteps(kernel, reference, sources, range, depthSettings(options));
  };
  return {
    steps,
    estimate(reference, sources, range, options) {
      const work = steps(reference, sources, range, options);
      for (;;) {
        const { done, value } = work.next();
        if (done) return value;
      }
    },
  };
}

function check(reference: DenseView, sources: readonly DenseView[], { near, far }: DepthRange): void {
  if (sources.length < 1 || sources.length > MOST_SOURCES) throw new RangeError(`${sources.length} sources`);
  if (!(near > 0 && far > near && Number.isFinite(far))) throw new RangeError(`depths from ${near} to ${far}`);
  for (const { rgb, widthPx, heightPx } of [reference, ...sources]) {
    if (rgb.length !== widthPx * heightPx * 3 || rgb.length === 0) {
      throw new RangeError(`rgb holds ${rgb.length} bytes, not ${widthPx} × ${heightPx} × 3`);
    }
    if (widthPx * heightPx > MOST_PIXELS) throw new RangeError(`${widthPx} × ${heightPx} pixels are too many`);
  }
}

function* estimateInSteps(
  kernel: Kernel<DepthFunctions>,
  reference: DenseView,
  sources: readonly DenseView[],
  range: DepthRange,
  { planes, windowRadiusPx, rounds }: DepthSettings,
): Generator<void, DepthMap> {
  // All memory first: taking more makes earlier views of it useless. The reference is read last: its coarsest image
  // is left on the desk for the sweep.
  kernel.reset();
  const halvings = halvingsOf(reference);
  const views = [...sources, reference];
  const pyramids = views.map((view) => takeLevels(kernel, view, halvings));
  const photos = pyramids[sources.length];
  const desk = takeDesk(kernel, views);
  const tools = takeTools(kernel, windowRadiusPx, sources.length);
  const turns = [kernel.take(fieldBytes(photos[0])), kernel.take(fieldBytes(photos[0]))];
  let floats = 0;
  for (const [index, view] of views.entries()) {
    floats = readView(kernel, view, pyramids[index], desk);
    yield;
  }

  const best = Math.ceil(sources.length / 2);
  let field = fieldAt(turns[0], photos[halvings]);
  let pixel = 0;
  for (let level = halvings; level >= 0; level--) {
    const photo = photos[level];
    const shown = sources.map((_, s) => pyramids[s][level]);
    const warps = sources.map((source) => warpBetween(reference, source, level));
    const motions = warps.map((warp) => motionOf(warp, photo.width, photo.height, range));
    pixel = 1 / meanOfLargest(motions, best);
    if (level === halvings) {
      const all = { floats, photo, sources: shown, warps, range, mostPlanes: planes, best, noise: NOISE };
      yield* sweep(kernel, all, field);
      // Surfaces that lean much are found step by step: each time neighbours are looked for along the slope so far.
      for (let fit = 0; fit < SWEEP_FITS; fit++) fitPlanes(kernel, field, pixel);
    }
    setImages(kernel, tools, { photo, sources: shown, warps }, best, NOISE);
    const times = level === halvings ? Math.max(rounds, SWEEP_ROUNDS) : rounds;
    for (let round = 0; round < times; round++) {
      const made = fieldAt(field.at === turns[0] ? turns[1] : turns[0], photo);
      const first = round === 0;
      const how = { photo, sources: shown, warps, range, pixel, first, swept: first && level === halvings };
      yield* refine(kernel, tools, how, field, made);
      fitPlanes(kernel, made, pixel);
      yield;
      field = made;
    }
  }
  const [inverse, across, down, scores] = (["inverse", "across", "down", "score"] as const).map((name) =>
    planeOf(kernel, field, name),
  );
  return finishDepth({ ...field, inverse, across, down, scores }, reference.pinhole, pixel);
}

/** How often a view is halved before the sweep. */
function halvingsOf({ widthPx, heightPx }: DenseView): number {
  let count = 0;
  for (let side = Math.max(widthPx, heightPx); side > SWEEP_SIDE_PX; side = (side + 1) >> 1) count++;
  return count;
}

/** Never 0: sources at the same place as the reference tell nothing, whatever the depth. */
function meanOfLargest(motions: readonly number[], count: number): number {
  const largest = [...motions].sort((a, b) => b - a).slice(0, count);
  return Math.max(1e-9, largest.reduce((sum, each) => sum + each, 0) / count);
}
