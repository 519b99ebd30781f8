/** Where a new layer's octree lies: by the bulk of its points, or where another layer's lies. */
import { type Box, cornerOf, edgeOf, type LayerGrid, parseNodeKey, planGrid, planGridFor } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";

export type GridWish = {
  /** Wanted smallest distance of points, layer units. */
  readonly spacing?: number | undefined;
  /** Where all points lie, and the bulk of them: known of what was looked at before. */
  readonly places?: { readonly bulk: Box; readonly all: Box } | undefined;
  /** Taken when its first root is about as large as the points need and lies about where they are. */
  readonly grid?: LayerGrid | undefined;
};

/** Of each coordinate, this part of the points lies beyond each end of the box for which a grid is planned. */
const OUTLIERS = 0.05;
/** Points that are looked at. */
const SAMPLE = 20_000;

/**
 * A grid for the bulk of the points: a few that lie far out make the root grow, and not the cells.
 * @param positions `[n, 3]` layer frame
 * @returns `undefined` where no point has a place
 */
export function chooseGrid(
  positions: Float32Array | Float64Array,
  { spacing, places, grid: wanted }: GridWish,
): LayerGrid | undefined {
  const bulk = places?.bulk ?? bulkOf(finite(positions));
  if (!bulk) return undefined;
  const { min, max } = bulk;
  const planned = places && spacing ? planGridFor(bulk, places.all, spacing) : planGrid(min, max, spacing);
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

/**
 * Where the bulk of a file's points lies. Thousands of dead returns that a scanner writes into one place are one place:
 * unless nearly all points are as close to each other as that, what counts is how many places there are.
 * @param sample of points from all of the file
 * @param spacing points closer than this are in one place
 */
export function bulkOfPlaces(sample: readonly Vec3[], spacing: number): Box | undefined {
  const places = new Map(sample.map((at) => [at.map((value) => Math.floor(value / spacing)).join(), at]));
  return bulkOf(places.size > sample.length * OUTLIERS ? [...places.values()] : sample);
}

function bulkOf(points: readonly Vec3[]): Box | undefined {
  if (points.length === 0) return undefined;
  const beyond = Math.floor(points.length * OUTLIERS);
  const columns = [0, 1, 2].map((axis) => points.map((point) => point[axis]!).sort((a, b) => a - b));
  const at = (index: number) => columns.map((column) => column[index]!) as Vec3;
  return { min: at(beyond), max: at(points.length - 1 - beyond) };
}

/** Some of the points, of those that have a place. */
function finite(positions: Float32Array | Float64Array): Vec3[] {
  const stride = Math.max(1, Math.floor(positions.length / 3 / SAMPLE));
  const sampled = everyFinite(positions, stride);
  // A few may lie between those that were looked at.
  return sampled.length > 0 || stride === 1 ? sampled : everyFinite(positions, 1);
}

function everyFinite(positions: Float32Array | Float64Array, stride: number): Vec3[] {
  const points: Vec3[] = [];
  for (let i = 0; i < positions.length; i += 3 * stride) {
    const point: Vec3 = [positions[i]!, positions[i + 1]!, positions[i + 2]!];
    if (point.every(Number.isFinite)) points.push(point);
  }
  return points;
}
