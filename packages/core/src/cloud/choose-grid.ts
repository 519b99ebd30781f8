/** Where a new layer's octree lies: by the bulk of its points, or where another layer's lies. */
import { cornerOf, edgeOf, type LayerGrid, parseNodeKey, planGrid } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";

/** Of each coordinate, this part of the points lies beyond each end of the box for which a grid is planned. */
const OUTLIERS = 0.05;
/** Points that are looked at. */
const SAMPLE = 20_000;

/**
 * A grid for the bulk of the points: a few that lie far out make the root grow, and not the cells.
 * @param positions `[n, 3]` layer frame @param spacing wanted smallest distance of points, layer units
 * @param wanted taken when its first root is about as large as the points need and lies about where they are
 */
export function chooseGrid(
  positions: Float32Array | Float64Array,
  spacing: number | undefined,
  wanted: LayerGrid | undefined,
): LayerGrid {
  const { min, max } = bulkOf(positions);
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

function bulkOf(positions: Float32Array | Float64Array): { min: Vec3; max: Vec3 } {
  const n = positions.length / 3;
  const stride = Math.max(1, Math.floor(n / SAMPLE));
  const min: Vec3 = [0, 0, 0];
  const max: Vec3 = [1, 1, 1];
  for (const axis of [0, 1, 2] as const) {
    const values: number[] = [];
    for (let i = 0; i < n; i += stride) {
      const value = positions[3 * i + axis]!;
      if (Number.isFinite(value)) values.push(value);
    }
    if (values.length === 0) continue;
    values.sort((a, b) => a - b);
    const beyond = Math.floor(values.length * OUTLIERS);
    min[axis] = values[beyond]!;
    max[axis] = values[values.length - 1 - beyond]!;
  }
  return { min, max };
}
