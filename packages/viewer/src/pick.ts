/** What is under the pointer, by projecting; no read-back from the GPU. */

/**
 * The point nearest to the eye among those that land within `radiusPx` of the pointer.
 *
 * @param positions `[n, 3]`
 * @param m clip-from-position matrix, column-major as in three.js
 * @param xPx from the left @param yPx from the top
 * @returns its index, or -1
 */
export function pickPoint(
  positions: Float32Array,
  count: number,
  m: readonly number[],
  xPx: number,
  yPx: number,
  widthPx: number,
  heightPx: number,
  radiusPx: number,
): number {
  if (m.length < 16) throw new RangeError(`a matrix has 16 numbers, not ${m.length}`);
  const [m0, m1, m3, m4, m5, m7] = [m[0]!, m[1]!, m[3]!, m[4]!, m[5]!, m[7]!];
  const [m8, m9, m11, m12, m13, m15] = [m[8]!, m[9]!, m[11]!, m[12]!, m[13]!, m[15]!];
  let best = -1;
  let bestDepth = Infinity;
  for (let i = 0, p = 0; i < count; i++, p += 3) {
    const x = positions[p]!;
    const y = positions[p + 1]!;
    const z = positions[p + 2]!;
    const w = m3 * x + m7 * y + m11 * z + m15; // depth along the view
    if (w <= 0 || w >= bestDepth) continue;
    const dx = ((m0 * x + m4 * y + m8 * z + m12) / w + 1) * 0.5 * widthPx - xPx;
    const dy = (1 - (m1 * x + m5 * y + m9 * z + m13) / w) * 0.5 * heightPx - yPx;
    if (dx * dx + dy * dy > radiusPx * radiusPx) continue;
    best = i;
    bestDepth = w;
  }
  return best;
}

/** Whether a point of the screen lies in a convex or concave polygon of `[x, y]` corners. */
export function insidePolygon(x: number, y: number, corners: readonly (readonly [number, number])[]): boolean {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i]!;
    const [xj, yj] = corners[j]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
