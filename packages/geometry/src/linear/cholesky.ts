/**
 * Cholesky factorisation of dense symmetric positive definite matrices, row-major, lower triangle.
 * Rows are walked left to right in every inner loop (dot products of two rows), which is what caches like.
 */

/**
 * Overwrites the lower triangle of A `[n, n]` with L, A = L Lᵀ; the upper triangle is neither read nor written.
 * @returns false when A is not positive definite
 */
export function factorCholesky(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j < i; j++) {
      const other = j * n;
      // Two sums: the additions of one chain would wait for each other.
      let even = 0;
      let odd = 0;
      let k = 0;
      for (; k + 1 < j; k += 2) {
        even += a[row + k] * a[other + k];
        odd += a[row + k + 1] * a[other + k + 1];
      }
      if (k < j) even += a[row + k] * a[other + k];
      a[row + j] = (a[row + j] - even - odd) / a[other + j];
    }
    let sum = a[row + i];
    for (let k = 0; k < i; k++) sum -= a[row + k] * a[row + k];
    if (!(sum > 0)) return false;
    a[row + i] = Math.sqrt(sum);
  }
  return true;
}

/** Solves L Lᵀ x = b; b becomes x. */
export function solveCholesky(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i];
    for (let k = 0; k < i; k++) sum -= l[i * n + k] * b[k];
    b[i] = sum / l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    const value = b[i] / l[i * n + i];
    b[i] = value;
    for (let k = 0; k < i; k++) b[k] -= l[i * n + k] * value;
  }
}

/** Overwrites L (lower triangle) with L⁻¹. Then A⁻¹ = L⁻ᵀ L⁻¹, of which a caller forms only the blocks it needs. */
export function invertLower(l: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const inverse = 1 / l[i * n + i];
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum += l[i * n + k] * l[k * n + j];
      l[i * n + j] = -sum * inverse;
    }
    l[i * n + i] = inverse;
  }
}
