/** How fine a surface the points can carry: from how far apart most of them lie. */
import { LEVELS, type MortonOrder } from "./morton.ts";

/** A cell with fewer says little about how far apart its points are. */
const ENOUGH = 6;

/**
 * Distance to its neighbours of the median point, in the unit of `edge`. On a surface a cell of edge `e` holds `e² / 1.5 s²`
 * points on average over all directions the surface may have (Cauchy). The median is over points and not over area: what
 * was photographed from near is what is meant, and a wide sparse background would decide otherwise.
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
    const median = medianByPoints(Float64Array.from(counts).sort(), shared.length);
    if (median >= ENOUGH || level === 0) {
      return level === LEVELS ? 0 : edge / 2 ** level / Math.sqrt(1.5 * median);
    }
  }
  return 0;
}

/** How many points are in the cell of the median point. @param counts ascending */
function medianByPoints(counts: Float64Array, points: number): number {
  let before = 0;
  for (const count of counts) {
    before += count;
    if (before >= points / 2) return count;
  }
  return 0;
}
