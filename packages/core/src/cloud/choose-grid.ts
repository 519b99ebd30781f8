/** Where a new layer's octree lies: by the bulk of its points, or where another layer's lies. */
import { cornerOf, edgeOf, type LayerGrid, parseNodeKey, planGrid } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";

export type Box = { readonly min: Vec3; readonly max: Vec3 };

export type GridWish = {
  /** Wanted smallest distance of points, layer units. */
  readonly spacing?: number | undefined;
  /** Where all points are said to lie. */
  readonly bounds?: Box | undefined;
  /** Taken when its first root is about as large as the points need and lies about where they are. */
  readonly grid?: LayerGrid | undefined;
};

/** Of each coordinate, this part of the points lies beyond each end of the box for which a grid is planned. */
const OUTLIERS = 0.05;
/** Points that are looked at. */
const SAMPLE = 20_000;
/** How much of its own size a box that is told may be off by: whoever wrote it had rounded. */
const ROUNDING = 0.01;
/** Doublings from the smallest distance of points to the edge of the largest first root that can keep it (`planGrid`). */
const MOST_DOUBLINGS = 20;

/**
 * A grid for the bulk of the points: a few that lie far out make the root grow, and not the cells.
 * @param positions `[n, 3]` layer frame
 * @returns `undefined` where no point has a place
 */
export function chooseGrid(
  positions: Float32Array | Float64Array,
  { spacing, bounds, grid: wanted }: GridWish,
): LayerGrid | undefined {
  const bulk = bulkOf(positions);
  if (!bulk) return undefined;
  const { min, max } = bounds && holds(bounds, bulk) ? within(bounds, bulk, spacing) : bulk;
  const planned = planGrid(min, max, spacing);
  if (!wanted) return planned;
  const [root, other] = [parseNodeKey(planned.seed), parseNodeKey(wanted.seed)];
  const corner = cornerOf(other, wanted.origin);
  const edge = edgeOf(other.e);
  const near = corner.every((from, axis) => {
    const middle = (min[axis]! + max[axis]!) / 2;
    return middle >= from && middle <= from + edge;
  });
  return near && Math.abs(root.e - other.e) <= 1 ? wanted : planned;
}

/** Whether points that lie in the one may all lie in the other, as it is told: headers of files say what they like. */
export function holds({ min, max }: Box, inner: Box): boolean {
  const slack = ROUNDING * Math.max(...max.map((high, axis) => high - min[axis]!));
  return inner.min.every((low, axis) => low >= min[axis]! - slack && inner.max[axis]! <= max[axis]! + slack);
}

/** The part of the bounds about the bulk for which a grid can be planned that keeps points as close as is wanted. */
function within(bounds: Box, bulk: Box, spacing: number | undefined): Box {
  if (spacing === undefined) return bounds;
  const half = 2 ** (Math.round(Math.log2(spacing)) + MOST_DOUBLINGS) / 1.25 / 2;
  const middle = bulk.min.map((low, axis) => low / 2 + bulk.max[axis]! / 2);
  return {
    min: middle.map((at, axis) => Math.min(at, Math.max(bounds.min[axis]!, at - half))) as Vec3,
    max: middle.map((at, axis) => Math.max(at, Math.min(bounds.max[axis]!, at + half))) as Vec3,
  };
}

function bulkOf(positions: Float32Array | Float64Array): Box | undefined {
  const stride = Math.max(1, Math.floor(positions.length / 3 / SAMPLE));
  const sampled = finite(positions, stride);
  // A few may lie between those that were looked at.
  const [xs, ys, zs] = sampled[0].length > 0 || stride === 1 ? sampled : finite(positions, 1);
  if (xs.length === 0) return undefined;
  const beyond = Math.floor(xs.length * OUTLIERS);
  for (const values of [xs, ys, zs]) values.sort((a, b) => a - b);
  const at = (index: number): Vec3 => [xs[index]!, ys[index]!, zs[index]!];
  return { min: at(beyond), max: at(xs.length - 1 - beyond) };
}

/** Coordinates of every `stride`-th point, of those that have a place. */
function finite(positions: Float32Array | Float64Array, stride: number): [number[], number[], number[]] {
  const columns: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < positions.length; i += 3 * stride) {
    const point = [positions[i]!, positions[i + 1]!, positions[i + 2]!];
    if (point.every(Number.isFinite)) for (const [axis, value] of point.entries()) columns[axis]!.push(value);
  }
  return columns;
}
