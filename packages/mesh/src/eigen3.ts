/**
 * Eigenvalues of a symmetric 3×3 matrix by the trigonometric solution (O. K. Smith 1961), and the eigenvector of the
 * smallest one from the largest cross product of two rows of A − λI.
 */

/** What {@link smallestEigen} found; overwritten by the next call. */
export const eigen = { low: 0, middle: 0, high: 0, x: 0, y: 0, z: 1 };

/** The matrix by its upper triangle. */
export function smallestEigen(xx: number, xy: number, xz: number, yy: number, yz: number, zz: number): void {
  const mean = (xx + yy + zz) / 3;
  const [a, b, c] = [xx - mean, yy - mean, zz - mean];
  const off = xy * xy + xz * xz + yz * yz;
  const p = Math.sqrt((a * a + b * b + c * c + 2 * off) / 6);
  if (!(p > 1e-12 * Math.abs(mean))) {
    eigen.low = eigen.middle = eigen.high = mean;
    [eigen.x, eigen.y, eigen.z] = [0, 0, 1];
    return;
  }
  const determinant = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz);
  const angle = Math.acos(Math.max(-1, Math.min(1, determinant / (2 * p * p * p)))) / 3;
  eigen.high = mean + 2 * p * Math.cos(angle);
  eigen.low = mean + 2 * p * Math.cos(angle + (2 * Math.PI) / 3);
  eigen.middle = 3 * mean - eigen.high - eigen.low;

  const [dx, dy, dz] = [xx - eigen.low, yy - eigen.low, zz - eigen.low];
  let best = -1;
  const consider = (x: number, y: number, z: number): void => {
    const length = x * x + y * y + z * z;
    if (length <= best) return;
    best = length;
    [eigen.x, eigen.y, eigen.z] = [x, y, z];
  };
  consider(xy * yz - xz * dy, xz * xy - dx * yz, dx * dy - xy * xy);
  consider(xy * dz - xz * yz, xz * xz - dx * dz, dx * yz - xy * xz);
  consider(dy * dz - yz * yz, yz * xz - xy * dz, xy * yz - dy * xz);
  if (best > 1e-24 * p ** 4) {
    const scale = 1 / Math.sqrt(best);
    eigen.x *= scale;
    eigen.y *= scale;
    eigen.z *= scale;
    return;
  }
  // The two smaller are one: every direction across the largest's will do.
  const across = dx >= dy && dx >= dz ? [xy, -dx, 0] : dy >= dz ? [dy, -xy, 0] : [0, dz, -yz];
  const length = Math.hypot(across[0], across[1], across[2]);
  [eigen.x, eigen.y, eigen.z] = length > 0 ? [across[0] / length, across[1] / length, across[2] / length] : [0, 0, 1];
}
