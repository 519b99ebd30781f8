/** Small dense systems by Gaussian elimination with partial pivoting. */

/**
 * Solves A x = b in place: A `[n, n]` row-major is destroyed, b becomes x.
 * @returns false when A is singular to working precision; then both hold rubbish
 */
export function solveGaussian(a: Float64Array, b: Float64Array, n: number): boolean {
  let largest = 0;
  for (let i = 0; i < n * n; i++) largest = Math.max(largest, Math.abs(a[i]));
  const tiny = largest * 1e-14;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(a[r * n + i]) > Math.abs(a[pivot * n + i])) pivot = r;
    if (!(Math.abs(a[pivot * n + i]) > tiny)) return false;
    if (pivot !== i) {
      for (let k = i; k < n; k++) {
        const swap = a[i * n + k];
        a[i * n + k] = a[pivot * n + k];
        a[pivot * n + k] = swap;
      }
      const swap = b[i];
      b[i] = b[pivot];
      b[pivot] = swap;
    }
    const inverse = 1 / a[i * n + i];
    for (let r = i + 1; r < n; r++) {
      const factor = a[r * n + i] * inverse;
      if (factor === 0) continue;
      for (let k = i + 1; k < n; k++) a[r * n + k] -= factor * a[i * n + k];
      b[r] -= factor * b[i];
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i];
    for (let k = i + 1; k < n; k++) sum -= a[i * n + k] * b[k];
    b[i] = sum / a[i * n + i];
  }
  return true;
}
