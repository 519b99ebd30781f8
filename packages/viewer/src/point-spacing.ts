/** How far apart the points of a cloud lie. */

/**
 * Distance between neighbouring points: the median over a few of the distance to the nearest other one. Only part of a
 * large cloud is looked at; on a surface, thinning by f widens gaps by √f, which is taken back.
 */
export function pointSpacing(positions: Float32Array, count: number): number {
  if (count < 2) return 0;
  const stride = Math.max(1, Math.floor(count / 8000));
  const kept = Math.floor(count / stride);
  const probes = Math.min(kept, 96);
  const nearest: number[] = [];
  for (let probe = 0; probe < probes; probe++) {
    const at = Math.floor((probe * kept) / probes) * stride * 3;
    const [x, y, z] = [positions[at]!, positions[at + 1]!, positions[at + 2]!];
    let best = Infinity;
    for (let i = 0; i < kept; i++) {
      const p = i * stride * 3;
      if (p === at) continue;
      const dx = positions[p]! - x;
      const dy = positions[p + 1]! - y;
      const dz = positions[p + 2]! - z;
      const squared = dx * dx + dy * dy + dz * dz;
      if (squared < best && squared > 0) best = squared;
    }
    if (best < Infinity) nearest.push(Math.sqrt(best));
  }
  nearest.sort((a, b) => a - b);
  return (nearest[nearest.length >> 1] ?? 0) / Math.sqrt(stride);
}
