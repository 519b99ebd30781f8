/** The lines `a + b·t` that pass under, or over, a number of points: a convex polygon in the plane of (a, b). */

/** Corners `[a, b]` in order; empty: no line passes. */
export type LinePolygon = readonly (readonly [a: number, b: number])[];

/** Lines that pass between `low` and `high` at a time, of slopes up to ±`slope`. */
export function startPolygon(atS: number, low: number, high: number, slope: number): LinePolygon {
  return [
    [low + slope * atS, -slope],
    [high + slope * atS, -slope],
    [high - slope * atS, slope],
    [low - slope * atS, slope],
  ];
}

/** Those that pass at most at `value` at a time; with `sign` −1, at least. Sutherland and Hodgman, one edge. */
export function clipBelow(polygon: LinePolygon, atS: number, value: number, sign: 1 | -1 = 1): LinePolygon {
  const over = polygon.map(([a, b]) => sign * (a + b * atS - value));
  if (over.every((d) => d <= 0)) return polygon;
  const kept: (readonly [number, number])[] = [];
  for (let i = 0; i < polygon.length; i++) {
    const j = (i + 1) % polygon.length;
    const [[a0, b0], [a1, b1], d0, d1] = [polygon[i]!, polygon[j]!, over[i]!, over[j]!];
    if (d0 <= 0) kept.push([a0, b0]);
    if (d0 <= 0 === d1 <= 0) continue;
    const part = d0 / (d0 - d1);
    kept.push([a0 + part * (a1 - a0), b0 + part * (b1 - b0)]);
  }
  return kept;
}

/** Lowest and highest that any of the lines is at a time. @throws {RangeError} for an empty polygon */
export function rangeAt(polygon: LinePolygon, atS: number): { low: number; high: number } {
  if (polygon.length === 0) throw new RangeError("no line");
  const values = polygon.map(([a, b]) => a + b * atS);
  return { low: Math.min(...values), high: Math.max(...values) };
}
