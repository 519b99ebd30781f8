/**
 * The first map: planes parallel to the photo, from far to near, and semi-global matching to choose among them. Over
 * so small an image it costs little, and it is what decides where texture is weak or repeats itself.
 */
import type { Kernel } from "../../features/kernel.ts";
import type { DepthRange } from "../contract.ts";
import { FIELD, type Field } from "./field.ts";
import type { DepthFunctions } from "./functions.ts";
import type { Level } from "./pyramid.ts";
import { motionOf, type Warp } from "./warp.ts";

const RADIUS_PX = 2;
/** Pixels that the fastest source moves from one plane to the next. */
const STEP_PX = 0.75;
const LEAST_PLANES = 16;
/** What a path pays for a step to the next plane and for a jump, of costs up to 255. */
const SMALL_STEP = 12;
const LARGE_STEP = 90;
const SOURCE_BYTES = 13 * 4;
const PLANES_A_STEP = 8;

export type Sweep = {
  /** The photo as floats and packed, and the sources, all at the coarsest size. */
  readonly floats: number;
  readonly photo: Level;
  readonly sources: readonly Level[];
  readonly warps: readonly Warp[];
  readonly range: DepthRange;
  readonly mostPlanes: number;
  /** How many sources count. */
  readonly best: number;
  readonly noise: number;
};

/** Makes the inverse depths of `field`; of the rest it knows nothing. */
export function* sweep(kernel: Kernel<DepthFunctions>, options: Sweep, field: Field): Generator<void, void> {
  const { floats, photo, sources, warps, range, mostPlanes, best, noise } = options;
  const { width, height, stride } = photo;
  const far = 1 / range.far;
  const near = 1 / range.near;
  const motionPx = (near - far) * Math.max(...warps.map((warp) => motionOf(warp, width, height, range)));
  const wanted = Math.max(LEAST_PLANES, Math.ceil(motionPx / STEP_PX) + 1);
  const planes = 8 * Math.ceil(Math.min(mostPlanes, wanted) / 8);
  const step = (near - far) / (planes - 1);
  const sums = kernel.take(stride * height * 4);
  const scales = kernel.take(stride * height * 4);
  const scratch = kernel.take((4 * height + 3) * stride * 4 + 192);
  const volume = kernel.take(width * height * planes);
  const totals = kernel.take(width * height * planes * 2);
  const paths = kernel.take(kernel.call.aggregateBytes(width, planes));
  const table = kernel.take(sources.length * SOURCE_BYTES);
  kernel.call.windowSums(floats, sums, scales, width, height, stride, RADIUS_PX, noise);
  for (let plane = 0; plane < planes; plane++) {
    for (const [s, source] of sources.entries()) {
      kernel.i32(table + s * SOURCE_BYTES, 4).set([source.quads, source.width, source.height, source.stride]);
      kernel.f32(table + s * SOURCE_BYTES + 16, 9).set(homography(warps[s], far + plane * step));
    }
    kernel.call.sweepPlane(
      floats,
      sums,
      scales,
      width,
      height,
      stride,
      RADIUS_PX,
      noise,
      table,
      sources.length,
      best,
      volume,
      planes,
      plane,
      scratch,
    );
    if (plane % PLANES_A_STEP === PLANES_A_STEP - 1) yield;
  }
  kernel.call.aggregate(volume, photo.quads, width, height, stride, planes, SMALL_STEP, LARGE_STEP, totals, paths);
  yield;
  const plane = stride * height;
  const all = kernel.f32(field.at, plane * Object.keys(FIELD).length).fill(0);
  all.fill(-1, FIELD.score * plane, (FIELD.score + 1) * plane);
  kernel.call.winners(totals, width, height, stride, planes, far, step, field.at);
}

/** Of the plane at one inverse depth, source from photo. */
function homography({ turn, shift }: Warp, inverse: number): Float64Array {
  const made = turn.slice();
  for (let row = 0; row < 3; row++) made[3 * row + 2] += shift[row] * inverse;
  return made;
}
