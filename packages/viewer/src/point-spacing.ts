/** How far apart the points of a cloud lie. */

/**
 * Distance between neighbouring points: the median over a few of the distance to the `rank`-th nearest other one. Only part of
 * a large cloud is looked at; on a surface, thinning by f widens gaps by √f, which is taken back.
 */
export function pointSpacing(positions: Float32Array, count: number, rank = 1): number {
  if (count < 2) return 0;
  const stride = Math.max(1, Math.floor(count / 8000));
  const kept = Math.floor(count / stride);
  const probes = Math.min(kept, 96);
  const found: number[] = [];
  const nearest: number[] = [];
  for (let probe = 0; probe < probes; probe++) {
    const at = Math.floor((probe * kept) / probes) * stride * 3;
    const [x, y, z] = [positions[at]!, positions[at + 1]!, positions[at + 2]!];
    nearest.length = 0;
    for (let i = 0; i < kept; i++) {
      const p = i * stride * 3;
      if (p === at) continue;
      const dx = positions[p]! - x;
      const dy = positions[p + 1]! - y;
      const dz = positions[p + 2]! - z;
      const squared = dx * dx + dy * dy + dz * dz;
      if (!(squared > 0) || (nearest.length === rank && squared >= nearest[rank - 1]!)) continue;
      // Into its place among the few: nearest first.
      let place = Math.min(nearest.length, rank - 1);
      for (; place > 0 && nearest[place - 1]! > squared; place--) nearest[place] = nearest[place - 1]!;
      nearest[place] = squared;
    }
    if (nearest.length > 0) found.push(Math.sqrt(nearest[nearest.length - 1]!));
  }
  found.sort((a, b) => a - b);
  return (found[found.length >> 1] ?? 0) / Math.sqrt(stride);
}
