/**
 * Essential matrices from five matches: Nistér, "An Efficient Solution to the Five-Point Relative Pose Problem"
 * (PAMI 2004). E = x X + y Y + z Z + W from the null space of the epipolar constraints; det E = 0 and
 * 2 E Eᵀ E = tr(E Eᵀ) E are ten cubics in x, y, z; elimination leaves one polynomial of degree ten in z.
 */
import { PolynomialRoots } from "../linear/polynomial.ts";

/**
 * Exponents of the 20 cubic monomials x^i y^j z^k in Nistér's order of elimination:
 * x³ y³ x²y xy² x²z x² y²z y² xyz xy | xz² xz x yz² yz y z³ z² z 1
 */
const CUBIC = [
  [3, 0, 0], [0, 3, 0], [2, 1, 0], [1, 2, 0], [2, 0, 1], [2, 0, 0], [0, 2, 1], [0, 2, 0], [1, 1, 1], [1, 1, 0],
  [1, 0, 2], [1, 0, 1], [1, 0, 0], [0, 1, 2], [0, 1, 1], [0, 1, 0], [0, 0, 3], [0, 0, 2], [0, 0, 1], [0, 0, 0],
] as const; // biome-ignore format: a table
const LINEAR = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [0, 0, 0],
] as const;
const QUADRATIC = [
  [2, 0, 0],
  [0, 2, 0],
  [0, 0, 2],
  [1, 1, 0],
  [1, 0, 1],
  [0, 1, 1],
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [0, 0, 0],
] as const;

type Exponents = readonly (readonly [number, number, number])[];

/** Where the product of monomials a[i] · b[j] stands in `product`, `[a.length, b.length]`. */
function productTable(a: Exponents, b: Exponents, product: Exponents): Int32Array {
  const table = new Int32Array(a.length * b.length);
  a.forEach((p, i) => {
    b.forEach((q, j) => {
      table[i * b.length + j] = product.findIndex((r) => r.every((power, k) => power === p[k] + q[k]));
    });
  });
  return table;
}

const LINEAR_LINEAR = productTable(LINEAR, LINEAR, QUADRATIC);
const QUADRATIC_LINEAR = productTable(QUADRATIC, LINEAR, CUBIC);

/** Scratch and solver; up to ten matrices a call. */
export class FivePointSolver {
  /** `[10, 9]` row-major, second ray · E · first ray = 0: the solutions of the last call, of Frobenius norm √2. */
  readonly essentials = new Float64Array(90);
  readonly #constraints = new Float64Array(45);
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
      q.set([u * x, u * y, u, v * x, v * y, v, x, y, 1], k * 9);
    }
    const order = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    for (let k = 0; k < 5; k++) {
      let row = k;
      let column = k;
      let largest = 0;
      for (let i = k; i < 5; i++) {
        for (let j = k; j < 9; j++) {
          const size = Math.abs(q[i * 9 + order[j]]);
          if (size > largest) [row, column, largest] = [i, j, size];
        }
      }
      if (!(largest > 1e-10)) return false; // two matches in one place, or all on a line
      [order[k], order[column]] = [order[column], order[k]];
      if (row !== k) for (let j = 0; j < 9; j++) [q[k * 9 + j], q[row * 9 + j]] = [q[row * 9 + j], q[k * 9 + j]];
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
      for (let j = 0; j < 3; j++) {
        for (let k = 0; k < 3; k++)
          multiplyLinear(e, (i * 3 + k) * 4, e, (j * 3 + k) * 4, 1, squares, (i * 3 + j) * 10);
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
      const [ax, ay, aw] = [value(rows, a, 3, z), value(rows, a + 4, 3, z), value(rows, a + 8, 4, z)];
      const [bx, by, bw] = [value(rows, b, 3, z), value(rows, b + 4, 3, z), value(rows, b + 8, 4, z)];
      const w = ax * by - ay * bx;
      if (Math.abs(w) <= Math.abs(bestW)) continue;
      [bestX, bestY, bestW] = [ay * bw - aw * by, aw * bx - ax * bw, w];
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
  for (let i = 0; i < 4; i++) {
    const factor = sign * a[aAt + i];
    for (let j = 0; j < 4; j++) out[outAt + LINEAR_LINEAR[i * 4 + j]] += factor * b[bAt + j];
  }
}

function multiplyQuadratic(
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  out: Float64Array,
  outAt: number,
): void {
  for (let i = 0; i < 10; i++) {
    const factor = a[aAt + i];
    for (let j = 0; j < 4; j++) out[outAt + QUADRATIC_LINEAR[i * 4 + j]] += factor * b[bAt + j];
  }
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
