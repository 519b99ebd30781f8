/** How fine a surface the points can carry: from how far apart they lie on most of it. */
import { LEVELS, type MortonOrder } from "./morton.ts";

/** A cell with fewer says little about how far apart its points are. */
const ENOUGH = 6;

/**
 * Distance between neighbouring points on the median piece of surface, in the unit of `edge`. On a surface a cell of edge
 * `e` holds `e² / 1.5 s²` points on average over all directions the surface may have (Cauchy), and cells are pieces of
 * about the same area, so the median over the cells of a level that is coarse enough is a median over the area.
 *
 * @param edge of the curve's cube
 * @returns 0 when all points are in one place
 */
export function medianSpacing({ shared }: MortonOrder, edge: number): number {
  for (let level = LEVELS; level >= 0; level--) {
    const counts: number[] = [];
    for (let from = 0; from < shared.length; ) {
      let to = from + 1;
      while (to < shared.length && shared[to] >= level) to++;
      counts.push(to - from);
      from = to;
    }
    const median = Float64Array.from(counts).sort()[counts.length >> 1];
    if (median >= ENOUGH || level === 0) {
      return level === LEVELS ? 0 : edge / 2 ** level / Math.sqrt(1.5 * median);
    }
  }
  return 0;
}
