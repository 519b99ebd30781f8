/** Singular value decomposition of a 3×3 matrix by one-sided Jacobi rotations (Hestenes 1958). */

/**
 * A = U diag(s) Vᵀ with s descending and U, V orthogonal (their determinants may be −1). Small singular values keep
 * their digits, because AᵀA is never formed; that matters for flat point sets.
 *
 * @param a `[9]` row-major, kept
 */
export function svd3(a: ArrayLike<number>, u: Float64Array, s: Float64Array, v: Float64Array): void {
  for (let i = 0; i < 9; i++) {
    u[i] = a[i];
    v[i] = i % 4 === 0 ? 1 : 0;
  }
  for (let sweep = 0; sweep < 30; sweep++) {
    let turned = false;
    for (let p = 0; p < 2; p++) for (let q = p + 1; q < 3; q++) turned = orthogonalise(u, v, p, q) || turned;
    if (!turned) break;
  }
  for (let j = 0; j < 3; j++) s[j] = Math.hypot(u[j], u[3 + j], u[6 + j]);
  for (let i = 0; i < 2; i++) {
    let most = i;
    for (let j = i + 1; j < 3; j++) if (s[j] > s[most]) most = j;
    if (most === i) continue;
    [s[i], s[most]] = [s[most], s[i]];
    for (let k = 0; k < 9; k += 3) {
      [u[k + i], u[k + most]] = [u[k + most], u[k + i]];
      [v[k + i], v[k + most]] = [v[k + most], v[k + i]];
    }
  }
  completeColumns(u, s);
}

/** Rotates columns p and q of u (and v alike) until they are at right angles; false when they already were. */
function orthogonalise(u: Float64Array, v: Float64Array, p: number, q: number): boolean {
  let pp = 0;
  let qq = 0;
  let pq = 0;
  for (let k = 0; k < 9; k += 3) {
    pp += u[k + p] * u[k + p];
    qq += u[k + q] * u[k + q];
    pq += u[k + p] * u[k + q];
  }
  if (Math.abs(pq) <= 1e-16 * Math.sqrt(pp * qq) || pq === 0) return false;
  const theta = (qq - pp) / (2 * pq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const sine = t * c;
  for (let k = 0; k < 9; k += 3) {
    const up = u[k + p];
    const uq = u[k + q];
    u[k + p] = c * up - sine * uq;
    u[k + q] = sine * up + c * uq;
    const vp = v[k + p];
    const vq = v[k + q];
    v[k + p] = c * vp - sine * vq;
    v[k + q] = sine * vp + c * vq;
  }
  return true;
}

/** Scales the columns of u to length 1; those of singular value 0 are chosen at right angles to the others. */
function completeColumns(u: Float64Array, s: Float64Array): void {
  const tiny = s[0] * 1e-15;
  let rank = 0;
  while (rank < 3 && s[rank] > tiny) {
    for (let k = 0; k < 9; k += 3) u[k + rank] /= s[rank];
    rank++;
  }
  if (rank === 0) for (let k = 0; k < 9; k += 3) u[k] = k === 0 ? 1 : 0;
  if (rank < 2) {
    // The axis least along the first column, made orthogonal to it.
    let axis = 0;
    for (let i = 1; i < 3; i++) if (Math.abs(u[i * 3]) < Math.abs(u[axis * 3])) axis = i;
    const along = u[axis * 3];
    const length = Math.sqrt(1 - along * along);
    for (let i = 0; i < 3; i++) u[i * 3 + 1] = ((i === axis ? 1 : 0) - along * u[i * 3]) / length;
  }
  if (rank < 3) {
    u[2] = u[3] * u[7] - u[6] * u[4];
    u[5] = u[6] * u[1] - u[0] * u[7];
    u[8] = u[0] * u[4] - u[3] * u[1];
  }
}
