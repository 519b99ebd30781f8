/** Which points of one cloud another one does not have: a hash of cells as wide as the distance that counts. */

/**
 * @param points `[n, 3]` @param others `[m, 3]`, same frame @param distance farther away is not the same point
 * @returns indices of the points that have no other within `distance`, ascending. O(n + m)
 */
export function pointsWithout(points: ArrayLike<number>, others: ArrayLike<number>, distance: number): Uint32Array {
  const m = Math.floor(others.length / 3);
  const mask = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * m))) - 1;
  const first = new Int32Array(mask + 1).fill(-1);
  const next = new Int32Array(m);
  const cell = (value: number) => Math.floor(value / distance);
  const slot = (x: number, y: number, z: number) =>
    (Math.imul(x, 73856093) ^ Math.imul(y, 19349663) ^ Math.imul(z, 83492791)) & mask;
  for (let i = 0; i < m; i++) {
    const at = slot(cell(others[3 * i]!), cell(others[3 * i + 1]!), cell(others[3 * i + 2]!));
    next[i] = first[at]!;
    first[at] = i;
  }
  const limit = distance * distance;
  const isNear = (x: number, y: number, z: number): boolean => {
    const [cx, cy, cz] = [cell(x), cell(y), cell(z)];
    for (let dz = -1; dz <= 1; dz++) {
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          for (let i = first[slot(cx + dx, cy + dy, cz + dz)]!; i >= 0; i = next[i]!) {
            const [ex, ey, ez] = [others[3 * i]! - x, others[3 * i + 1]! - y, others[3 * i + 2]! - z];
            if (ex * ex + ey * ey + ez * ez <= limit) return true;
          }
        }
      }
    }
    return false;
  };
  const without: number[] = [];
  for (let i = 0; i * 3 < points.length; i++) {
    if (!isNear(points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!)) without.push(i);
  }
  return Uint32Array.from(without);
}
