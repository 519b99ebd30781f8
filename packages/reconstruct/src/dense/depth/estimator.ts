/**
 * Depth of each pixel of a view from up to six others, in the calling thread; the pixel work is in `wasm/depth.as.ts`.
 *
 * At 100 to 240 pixels a sweep of planes with semi-global matching finds the surfaces. From there on, at each doubling
 * of the size, each pixel tries the planes found at the size before, there and nearby, and moves the best along its
 * line of sight.
 */

import { Kernel } from "../../features/kernel.ts";
import type { DenseView, DepthMap, DepthRange } from "../contract.ts";
import { finishDepth } from "./finish.ts";
import type { DepthFunctions } from "./functions.ts";
import { type DepthOptions, type DepthSettings, depthSettings } from "./options.ts";
import { motionOf, type Warp, warpBetween } from "./warp.ts";
import { windowSamples } from "./window.ts";

export interface DepthEstimator {
  /**
   * @param sources one to six other views
   * @throws {RangeError} when a view's bytes do not fit its size, or there are too many sources or none
   */
  estimate(reference: DenseView, sources: readonly DenseView[], range: DepthRange, options?: DepthOptions): DepthMap;
  /** The same in steps of some 20 ms, so that it can be given up in between. */
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
const SWEEP_RADIUS_PX = 2;
/** Pixels that the fastest source moves from one plane of the sweep to the next. */
const SWEEP_STEP_PX = 0.75;
/** What semi-global matching pays for a step to the next plane and for a jump, of costs up to 255. */
const SMALL_STEP = 12;
const LARGE_STEP = 90;
/** Variance of brightness that a camera and JPEG give a wall of one colour, and that of a window with texture. */
const NOISE = 1;
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
/** Where else in the coarser map to look for a plane: an edge there is off by the sweep's window. */
const FROM_COARSER = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [2, 2],
  [-2, -2],
  [2, -2],
  [-2, 2],
  [4, 0],
  [-4, 0],
  [0, 4],
  [0, -4],
].flat();
const FROM_SAME = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [3, 0],
  [-3, 0],
  [0, 3],
  [0, -3],
  [2, 2],
  [-2, -2],
  [2, -2],
  [-2, 2],
].flat();
const ROWS_PIXELS = 16_000;
/** A row of a table of sources: whole numbers, then the warp. */
const SOURCE_WORDS = 16;
const PLANE_WORDS = 13;

/** One size of a view. */
type Level = { readonly width: number; readonly height: number; readonly stride: number; readonly quads: number };

/** A map being made: planes of inverse depths, slopes across and down, sources, scores, bends, smooth inverse depths. */
type Field = Omit<Level, "quads"> & { readonly planes: number };

const FIELD_PLANES = 7;

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
  settings: DepthSettings,
): Generator<void, DepthMap> {
  kernel.reset();
  const views = [reference, ...sources];
  const depth = levelsOf(reference);
  const pyramids = views.map((view) => layOut(kernel, view, depth));
  const best = Math.max(1, Math.ceil(sources.length / 2));
  const tables = {
    sources: kernel.take(sources.length * SOURCE_WORDS * 4),
    around: kernel.take(Math.max(FROM_COARSER.length, FROM_SAME.length) * 4),
    window: kernel.take(0),
  };
  const radius = settings.windowRadiusPx;
  const samples = windowSamples(radius, 0).count;
  const window = kernel.take(samples * 3 * 4);
  const patch = kernel.take(samples * 3 * 4);

  for (const [index, view] of views.entries()) {
    readImages(kernel, view, pyramids[index]);
    yield;
  }
  const warpsAt = (level: number): Warp[] => sources.map((source) => warpBetween(reference, source, level));
  const levelsFor = (level: number): Level[] => pyramids.slice(1).map((pyramid) => pyramid.levels[level]);

  // The sweep.
  const coarsest = pyramids[0].levels[depth];
  let field = fieldLike(kernel, coarsest);
  yield* sweep(kernel, pyramids[0], levelsFor(depth), warpsAt(depth), range, best, settings.planes, field);

  for (let level = depth; level >= 0; level--) {
    const image = pyramids[0].levels[level];
    const warps = warpsAt(level);
    const motions = warps.map((warp) => motionOf(warp, image.width, image.height, range));
    const pixel = 1 / Math.max(1e-12, meanOfBest(motions, best)); // inverse depth for one pixel of motion
    const { table } = windowSamples(radius, image.stride);
    kernel.f32(window, table.length).set(table);
    kernel.call.setPatch(
      image.quads,
      image.width,
      image.height,
      image.stride,
      radius,
      samples,
      window,
      ALIKE_BRIGHTNESS,
      NOISE,
      patch,
    );
    writeSources(kernel, tables.sources, levelsFor(level), warps, SOURCE_WORDS);
    kernel.call.setSources(tables.sources, sources.length, best);
    if (level === depth) fitPlanes(kernel, field, pixel);
    for (let round = 0; round < settings.rounds; round++) {
      const half = round === 0 && level < depth ? 1 : 0;
      const around = half ? FROM_COARSER : FROM_SAME;
      kernel.i32(tables.around, around.length).set(around);
      const next = fieldLike(kernel, image);
      kernel.call.setCandidates(
        field.planes,
        field.width,
        field.height,
        field.stride,
        half,
        tables.around,
        around.length / 2,
        next.planes,
        next.width,
        next.height,
        next.stride,
      );
      // After the first round a plane is shown to those sources only that agreed on it before: half of the work.
      const asked = round === 0 && level === depth ? (1 << sources.length) - 1 : 0;
      const stepPx = round === 0 ? FIRST_STEP_PX : LATER_STEP_PX;
      const rows = Math.max(4, Math.floor(ROWS_PIXELS / image.width));
      for (let y = 0; y < image.height; y += rows) {
        kernel.call.refineRows(
          y,
          Math.min(image.height, y + rows),
          asked,
          1 / range.far,
          1 / range.near,
          ALIKE_PX * pixel,
          stepPx * pixel,
          stepPx,
          level === depth ? SWEEP_TRUST : TRUST,
          TEXTURE,
          round === 0 ? 0 : SETTLED_PX * pixel,
          INHERIT,
        );
        yield;
      }
      field = next;
      fitPlanes(kernel, field, pixel);
      yield;
      if (level === 0 && round === settings.rounds - 1) {
        const count = field.stride * field.height;
        const plane = (k: number) => kernel.f32(field.planes + k * count * 4, count);
        return finishDepth(
          { ...field, inverse: plane(0), across: plane(1), down: plane(2), scores: plane(4) },
          reference.pinhole,
          pixel,
        );
      }
    }
  }
  throw new Error("unreachable: the last level returns");
}

function meanOfBest(motions: readonly number[], best: number): number {
  const sorted = [...motions].sort((a, b) => b - a).slice(0, best);
  return sorted.reduce((sum, each) => sum + each, 0) / best;
}

/** How often a view is halved before the sweep. */
function levelsOf({ widthPx, heightPx }: DenseView): number {
  let count = 0;
  for (let side = Math.max(widthPx, heightPx); side > SWEEP_SIDE_PX; side /= 2) count++;
  return count;
}

type Pyramid = {
  readonly levels: readonly Level[];
  readonly rgb: number;
  /** Floats of the first size and of the second; the coarsest ends in one of them. */
  readonly floats: readonly [number, number];
};

const strideOf = (width: number): number => Math.ceil(width / 4) * 4;

function layOut(kernel: Kernel<DepthFunctions>, { widthPx, heightPx }: DenseView, depth: number): Pyramid {
  const levels: Level[] = [];
  for (let level = 0, width = widthPx, height = heightPx; level <= depth; level++) {
    const stride = strideOf(width);
    levels.push({ width, height, stride, quads: kernel.take(stride * height * 4) });
    width = (width + 1) >> 1;
    height = (height + 1) >> 1;
  }
  const [first] = levels;
  const size = first.stride * first.height * 4;
  return { levels, rgb: kernel.take(widthPx * heightPx * 3), floats: [kernel.take(size), kernel.take(size)] };
}

/** Leaves the coarsest image as floats in `floats[0]`. */
function readImages(kernel: Kernel<DepthFunctions>, { rgb }: DenseView, pyramid: Pyramid): void {
  let [from, to] = pyramid.floats;
  const [first] = pyramid.levels;
  kernel.bytes(pyramid.rgb, rgb.length).set(rgb);
  kernel.call.grey(pyramid.rgb, from, first.width, first.height, first.stride);
  for (const [index, level] of pyramid.levels.entries()) {
    kernel.call.packQuads(from, level.width, level.height, level.stride, level.quads);
    const next = pyramid.levels[index + 1];
    if (!next) break;
    kernel.call.halve(from, level.width, level.height, level.stride, to, next.stride);
    [from, to] = [to, from];
  }
}

function fieldLike(kernel: Kernel<DepthFunctions>, { width, height, stride }: Level): Field {
  return { width, height, stride, planes: kernel.take(FIELD_PLANES * stride * height * 4) };
}

function fitPlanes(kernel: Kernel<DepthFunctions>, { width, height, stride, planes }: Field, pixel: number): void {
  kernel.call.fitPlanes(planes, width, height, stride, 1 / pixel);
}

function writeSources(
  kernel: Kernel<DepthFunctions>,
  to: number,
  levels: readonly Level[],
  warps: readonly Warp[],
  words: number,
): void {
  for (const [s, { quads, width, height, stride }] of levels.entries()) {
    kernel.i32(to + s * words * 4, 4).set([quads, width, height, stride]);
    const { turn, shift } = warps[s];
    kernel.f32(to + s * words * 4 + 16, 12).set([...turn, ...shift]);
  }
}

function* sweep(
  kernel: Kernel<DepthFunctions>,
  photo: Pyramid,
  levels: readonly Level[],
  warps: readonly Warp[],
  range: DepthRange,
  best: number,
  mostPlanes: number,
  field: Field,
): Generator<void, void> {
  const { width, height, stride, quads } = photo.levels[photo.levels.length - 1];
  const floats = photo.floats[(photo.levels.length - 1) % 2];
  const far = 1 / range.far;
  const near = 1 / range.near;
  const motion = Math.max(...warps.map((warp) => motionOf(warp, width, height, range)));
  const wanted = Math.ceil(((near - far) * motion) / SWEEP_STEP_PX) + 1;
  const planes = 8 * Math.ceil(Math.min(mostPlanes, Math.max(16, wanted)) / 8);
  const step = (near - far) / (planes - 1);
  const plane = stride * height * 4;
  const sums = kernel.take(plane);
  const scales = kernel.take(plane);
  const scratch = kernel.take((4 * height + 3) * stride * 4 + 192);
  const volume = kernel.take(width * height * planes);
  const totals = kernel.take(width * height * planes * 2);
  const paths = kernel.take(kernel.call.aggregateBytes(width, planes));
  const table = kernel.take(levels.length * PLANE_WORDS * 4);
  kernel.call.windowSums(floats, sums, scales, width, height, stride, SWEEP_RADIUS_PX, NOISE);
  for (let d = 0; d < planes; d++) {
    const inverse = far + d * step;
    const homographies = warps.map(({ turn, shift }) => {
      const at = Float64Array.from(turn);
      for (let row = 0; row < 3; row++) at[3 * row + 2] += shift[row] * inverse;
      return at;
    });
    for (const [s, source] of levels.entries()) {
      kernel.i32(table + s * PLANE_WORDS * 4, 4).set([source.quads, source.width, source.height, source.stride]);
      kernel.f32(table + s * PLANE_WORDS * 4 + 16, 9).set(homographies[s]);
    }
    kernel.call.sweepPlane(
      floats,
      sums,
      scales,
      width,
      height,
      stride,
      SWEEP_RADIUS_PX,
      NOISE,
      table,
      levels.length,
      best,
      volume,
      planes,
      d,
      scratch,
    );
    if (d % 8 === 7) yield;
  }
  kernel.call.aggregate(volume, quads, width, height, stride, planes, SMALL_STEP, LARGE_STEP, totals, paths);
  yield;
  kernel.call.winners(totals, width, height, stride, planes, far, step, field.planes);
  kernel.f32(field.planes + plane, 2 * stride * height).fill(0);
  kernel.i32(field.planes + 3 * plane, stride * height).fill((1 << levels.length) - 1);
  kernel.f32(field.planes + 4 * plane, stride * height).fill(-1);
  kernel.f32(field.planes + 5 * plane, stride * height).fill(0);
}
