/** Eigenvalues and vectors of small symmetric matrices by cyclic Jacobi rotations (Golub & Van Loan, §8.5). */

/**
 * @param a `[n, n]` symmetric, row-major; destroyed
 * @param values `[n]` out, ascending
 * @param vectors `[n, n]` out, column k belongs to `values[k]`
 */
export function symmetricEigen(a: Float64Array, n: number, values: Float64Array, vectors: Float64Array): void {
  vectors.fill(0);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let i = 0; i < n; i++) {
      diagonal += a[i * n + i] ** 2;
      for (let j = i + 1; j < n; j++) off += a[i * n + j] ** 2;
    }
    if (off <= 1e-32 * diagonal) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) rotate(a, vectors, n, p, q);
    }
  }
  for (let i = 0; i < n; i++) values[i] = a[i * n + i];
  sortAscending(values, vectors, n);
}

/** One rotation that makes a[p, q] zero. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const akp = a[k * n + p];
    const akq = a[k * n + q];
    a[k * n + p] = c * akp - s * akq;
    a[k * n + q] = s * akp + c * akq;
  }
  for (let k = 0; k < n; k++) {
    const apk = a[p * n + k];
    const aqk = a[q * n + k];
    a[p * n + k] = c * apk - s * aqk;
    a[q * n + k] = s * apk + c * aqk;
    const vkp = vectors[k * n + p];
    const vkq = vectors[k * n + q];
    vectors[k * n + p] = c * vkp - s * vkq;
    vectors[k * n + q] = s * vkp + c * vkq;
  }
}

function sortAscending(values: Float64Array, vectors: Float64Array, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    let least = i;
    for (let j = i + 1; j < n; j++) if (values[j] < values[least]) least = j;
    if (least === i) continue;
    [values[i], values[least]] = [values[least], values[i]];
    for (let k = 0; k < n; k++) {
      [vectors[k * n + i], vectors[k * n + least]] = [vectors[k * n + least], vectors[k * n + i]];
    }
  }
}
