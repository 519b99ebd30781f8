/**
 * Essential matrices from five matches: Nistér, "An Efficient Solution to the Five-Point Relative Pose Problem"
 * (PAMI 2004). E = x X + y Y + z Z + W from the null space of the epipolar constraints; det E = 0 and
 * 2 E Eᵀ E = tr(E Eᵀ) E are ten cubics in x, y, z; elimination leaves one polynomial of degree ten in z.
 */
import { PolynomialRoots } from "../linear/polynomial.ts";

/*
 * Polynomials are coefficients in these orders:
 * linear     x y z 1
 * quadratic  x² y² z² xy xz yz x y z 1
 * cubic      x³ y³ x²y xy² x²z x² y²z y² xyz xy | xz² xz x yz² yz y z³ z² z 1, Nistér's order of elimination
 */

/** Scratch and solver; up to ten matrices a call. */
export class FivePointSolver {
  /** `[10, 9]` row-major, second ray · E · first ray = 0: the solutions of the last call, of Frobenius norm √2. */
  readonly essentials = new Float64Array(90);
  readonly #constraints = new Float64Array(45);
  readonly #order = new Int32Array(9);
  /** `[9, 4]` the entries of E as linear polynomials in x, y, z, 1. */
  readonly #entries = new Float64Array(36);
  readonly #squares = new Float64Array(90); // E Eᵀ, 9 quadratics
  readonly #trace = new Float64Array(10);
  readonly #minor = new Float64Array(10);
  readonly #cubics = new Float64Array(200);
  readonly #rows = new Float64Array(39); // 3 × (x: degree 3, y: degree 3, 1: degree 4)
  readonly #polynomial = new Float64Array(11);
  readonly #roots = new Float64Array(10);
  readonly #solver = new PolynomialRoots(10);

  /**
   * @param first, second `[n, 2]` normalised @param sample five indices
   * @returns the number of matrices, 0…10
   */
  solve(first: Float64Array, second: Float64Array, sample: Int32Array): number {
    if (!this.#nullSpace(first, second, sample)) return 0;
    this.#buildCubics();
    if (!eliminate(this.#cubics)) return 0;
    this.#hiddenVariable();
    const count = this.#solver.solve(this.#polynomial, this.#roots);
    let solutions = 0;
    for (let r = 0; r < count; r++) if (this.#essentialAt(this.#roots[r], solutions)) solutions++;
    return solutions;
  }

  /** Four vectors that span the null space of the 5×9 system, by Gauss–Jordan with full pivoting, made orthonormal. */
  #nullSpace(first: Float64Array, second: Float64Array, sample: Int32Array): boolean {
    const q = this.#constraints;
    for (let k = 0; k < 5; k++) {
      const i = sample[k] * 2;
      const x = first[i];
      const y = first[i + 1];
      const u = second[i];
      const v = second[i + 1];
      const at = k * 9;
      q[at] = u * x;
      q[at + 1] = u * y;
      q[at + 2] = u;
      q[at + 3] = v * x;
      q[at + 4] = v * y;
      q[at + 5] = v;
      q[at + 6] = x;
      q[at + 7] = y;
      q[at + 8] = 1;
    }
    const order = this.#order;
    for (let j = 0; j < 9; j++) order[j] = j;
    for (let k = 0; k < 5; k++) {
      let row = k;
      let column = k;
      let largest = 0;
      for (let i = k; i < 5; i++) {
        for (let j = k; j < 9; j++) {
          const size = Math.abs(q[i * 9 + order[j]]);
          if (size > largest) {
            row = i;
            column = j;
            largest = size;
          }
        }
      }
      if (!(largest > 1e-10)) return false; // two matches in one place, or all on a line
      const chosen = order[column];
      order[column] = order[k];
      order[k] = chosen;
      for (let j = 0; row !== k && j < 9; j++) {
        const swap = q[k * 9 + j];
        q[k * 9 + j] = q[row * 9 + j];
        q[row * 9 + j] = swap;
      }
      const inverse = 1 / q[k * 9 + order[k]];
      for (let j = 0; j < 9; j++) q[k * 9 + j] *= inverse;
      for (let i = 0; i < 5; i++) {
        if (i === k) continue;
        const factor = q[i * 9 + order[k]];
        if (factor !== 0) for (let j = 0; j < 9; j++) q[i * 9 + j] -= factor * q[k * 9 + j];
      }
    }
    const e = this.#entries;
    for (let b = 0; b < 4; b++) {
      const free = order[5 + b];
      for (let i = 0; i < 9; i++) e[i * 4 + b] = 0;
      e[free * 4 + b] = 1;
      for (let k = 0; k < 5; k++) e[order[k] * 4 + b] = -q[k * 9 + free];
      for (let other = 0; other < b; other++) {
        let dot = 0;
        for (let i = 0; i < 9; i++) dot += e[i * 4 + b] * e[i * 4 + other];
        for (let i = 0; i < 9; i++) e[i * 4 + b] -= dot * e[i * 4 + other];
      }
      let norm = 0;
      for (let i = 0; i < 9; i++) norm += e[i * 4 + b] ** 2;
      norm = 1 / Math.sqrt(norm);
      for (let i = 0; i < 9; i++) e[i * 4 + b] *= norm;
    }
    return true;
  }

  /** Ten rows of twenty coefficients: the nine of 2 E Eᵀ E − tr(E Eᵀ) E, and det E. */
  #buildCubics(): void {
    const e = this.#entries;
    const squares = this.#squares.fill(0);
    const trace = this.#trace.fill(0);
    const cubics = this.#cubics.fill(0);
    for (let i = 0; i < 3; i++) {
      for (let j = i; j < 3; j++) {
        for (let k = 0; k < 3; k++) {
          multiplyLinear(e, (i * 3 + k) * 4, e, (j * 3 + k) * 4, 1, squares, (i * 3 + j) * 10);
        }
        if (j > i) squares.copyWithin((j * 3 + i) * 10, (i * 3 + j) * 10, (i * 3 + j) * 10 + 10);
      }
      for (let m = 0; m < 10; m++) trace[m] += squares[i * 40 + m];
    }
    for (let i = 0; i < 3; i++) for (let m = 0; m < 10; m++) squares[i * 40 + m] -= 0.5 * trace[m];
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        for (let k = 0; k < 3; k++) {
          multiplyQuadratic(squares, (i * 3 + k) * 10, e, (k * 3 + j) * 4, cubics, (i * 3 + j) * 20);
        }
      }
    }
    for (let k = 0; k < 3; k++) {
      const minor = this.#minor.fill(0);
      const a = (k + 1) % 3;
      const b = (k + 2) % 3;
      multiplyLinear(e, (3 + a) * 4, e, (6 + b) * 4, 1, minor, 0);
      multiplyLinear(e, (3 + b) * 4, e, (6 + a) * 4, -1, minor, 0);
      multiplyQuadratic(minor, 0, e, k * 4, cubics, 180);
    }
  }

  /** Rows e − z f, g − z h, i − z j of the eliminated system: three equations linear in x, y; their determinant. */
  #hiddenVariable(): void {
    const a = this.#cubics;
    const rows = this.#rows;
    for (let r = 0; r < 3; r++) {
      const upper = (4 + r * 2) * 20; // x²z, y²z, xyz
      const lower = upper + 20; // x², y², xy
      const at = r * 13;
      for (let block = 0; block < 2; block++) {
        // Columns 10…12 are x z², x z, x; 13…15 the same of y. Coefficients from z⁰ upwards.
        const c = 10 + block * 3;
        const to = at + block * 4;
        rows[to] = a[upper + c + 2];
        rows[to + 1] = a[upper + c + 1] - a[lower + c + 2];
        rows[to + 2] = a[upper + c] - a[lower + c + 1];
        rows[to + 3] = -a[lower + c];
      }
      rows[at + 8] = a[upper + 19];
      rows[at + 9] = a[upper + 18] - a[lower + 19];
      rows[at + 10] = a[upper + 17] - a[lower + 18];
      rows[at + 11] = a[upper + 16] - a[lower + 17];
      rows[at + 12] = -a[lower + 16];
    }
    const p = this.#polynomial.fill(0);
    for (let r = 0; r < 3; r++) {
      const next = ((r + 1) % 3) * 13;
      const last = ((r + 2) % 3) * 13;
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < 4; j++) {
          const product = rows[next + i] * rows[last + 4 + j] - rows[last + i] * rows[next + 4 + j];
          for (let k = 0; k < 5; k++) p[i + j + k] += product * rows[r * 13 + 8 + k];
        }
      }
    }
  }

  /** x and y at this z, from the two rows that determine them best, and E into slot `slot`. */
  #essentialAt(z: number, slot: number): boolean {
    const rows = this.#rows;
    let bestX = 0;
    let bestY = 0;
    let bestW = 0;
    for (let r = 0; r < 3; r++) {
      const a = r * 13;
      const b = ((r + 1) % 3) * 13;
      const ax = value(rows, a, 3, z);
      const ay = value(rows, a + 4, 3, z);
      const aw = value(rows, a + 8, 4, z);
      const bx = value(rows, b, 3, z);
      const by = value(rows, b + 4, 3, z);
      const bw = value(rows, b + 8, 4, z);
      const w = ax * by - ay * bx;
      if (Math.abs(w) <= Math.abs(bestW)) continue;
      bestX = ay * bw - aw * by;
      bestY = aw * bx - ax * bw;
      bestW = w;
    }
    if (bestW === 0) return false;
    const x = bestX / bestW;
    const y = bestY / bestW;
    const e = this.#entries;
    const scale = Math.SQRT2 / Math.sqrt(x * x + y * y + z * z + 1);
    if (!(scale > 0)) return false;
    for (let i = 0; i < 9; i++) {
      this.essentials[slot * 9 + i] = scale * (e[i * 4] * x + e[i * 4 + 1] * y + e[i * 4 + 2] * z + e[i * 4 + 3]);
    }
    return true;
  }
}

function value(p: Float64Array, at: number, degree: number, z: number): number {
  let sum = p[at + degree];
  for (let i = degree - 1; i >= 0; i--) sum = sum * z + p[at + i];
  return sum;
}

function multiplyLinear(
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  sign: number,
  out: Float64Array,
  outAt: number,
): void {
  const x = sign * a[aAt];
  const y = sign * a[aAt + 1];
  const z = sign * a[aAt + 2];
  const w = sign * a[aAt + 3];
  const p = b[bAt];
  const q = b[bAt + 1];
  const r = b[bAt + 2];
  const s = b[bAt + 3];
  out[outAt] += x * p;
  out[outAt + 1] += y * q;
  out[outAt + 2] += z * r;
  out[outAt + 3] += x * q + y * p;
  out[outAt + 4] += x * r + z * p;
  out[outAt + 5] += y * r + z * q;
  out[outAt + 6] += x * s + w * p;
  out[outAt + 7] += y * s + w * q;
  out[outAt + 8] += z * s + w * r;
  out[outAt + 9] += w * s;
}

function multiplyQuadratic(
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  out: Float64Array,
  outAt: number,
): void {
  const xx = a[aAt];
  const yy = a[aAt + 1];
  const zz = a[aAt + 2];
  const xy = a[aAt + 3];
  const xz = a[aAt + 4];
  const yz = a[aAt + 5];
  const x = a[aAt + 6];
  const y = a[aAt + 7];
  const z = a[aAt + 8];
  const w = a[aAt + 9];
  const p = b[bAt];
  const q = b[bAt + 1];
  const r = b[bAt + 2];
  const s = b[bAt + 3];
  out[outAt] += xx * p;
  out[outAt + 1] += yy * q;
  out[outAt + 2] += xx * q + xy * p;
  out[outAt + 3] += yy * p + xy * q;
  out[outAt + 4] += xx * r + xz * p;
  out[outAt + 5] += xx * s + x * p;
  out[outAt + 6] += yy * r + yz * q;
  out[outAt + 7] += yy * s + y * q;
  out[outAt + 8] += xy * r + xz * q + yz * p;
  out[outAt + 9] += xy * s + x * q + y * p;
  out[outAt + 10] += zz * p + xz * r;
  out[outAt + 11] += xz * s + x * r + z * p;
  out[outAt + 12] += x * s + w * p;
  out[outAt + 13] += zz * q + yz * r;
  out[outAt + 14] += yz * s + y * r + z * q;
  out[outAt + 15] += y * s + w * q;
  out[outAt + 16] += zz * r;
  out[outAt + 17] += zz * s + z * r;
  out[outAt + 18] += z * s + w * r;
  out[outAt + 19] += w * s;
}

/** Gauss–Jordan on the first ten of twenty columns, partial pivoting. */
function eliminate(a: Float64Array): boolean {
  for (let k = 0; k < 10; k++) {
    let pivot = k;
    for (let i = k + 1; i < 10; i++) if (Math.abs(a[i * 20 + k]) > Math.abs(a[pivot * 20 + k])) pivot = i;
    if (!(Math.abs(a[pivot * 20 + k]) > 1e-14)) return false;
    if (pivot !== k) {
      for (let j = k; j < 20; j++) {
        const swap = a[k * 20 + j];
        a[k * 20 + j] = a[pivot * 20 + j];
        a[pivot * 20 + j] = swap;
      }
    }
    const inverse = 1 / a[k * 20 + k];
    for (let j = k; j < 20; j++) a[k * 20 + j] *= inverse;
    for (let i = 0; i < 10; i++) {
      if (i === k || (i < 4 && i < k)) continue; // the rows of x³ … xy² are never read again
      const factor = a[i * 20 + k];
      if (factor === 0) continue;
      for (let j = k; j < 20; j++) a[i * 20 + j] -= factor * a[k * 20 + j];
    }
  }
  return true;
}
