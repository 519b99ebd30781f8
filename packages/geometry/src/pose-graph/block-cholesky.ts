/**
 * Solves A x = b for a symmetric positive definite A of 7×7 blocks of which most are zero, as a chain of cameras with
 * a few loops gives: Cholesky, the block with fewest neighbours first, so that little fills in.
 */
import { factorCholesky, invertLower } from "../linear/cholesky.ts";

export const BLOCK = 7;
const SIZE = BLOCK * BLOCK;

export class BlockMatrix {
  readonly count: number;
  /** Per row, its blocks by column; both triangles. */
  readonly #rows: Map<number, Float64Array>[];

  constructor(count: number) {
    this.count = count;
    this.#rows = Array.from({ length: count }, () => new Map());
  }

  /** `[49]` row-major, zero where nothing was written; writing to it writes to the matrix, not to its mirror image. */
  block(row: number, column: number): Float64Array {
    let block = this.#rows[row].get(column);
    if (!block) {
      block = new Float64Array(SIZE);
      this.#rows[row].set(column, block);
    }
    return block;
  }

  neighbours(row: number): Iterable<number> {
    return this.#rows[row].keys();
  }
}

/**
 * @param matrix both triangles filled; used up
 * @param b `[7 n]` replaced by the solution
 * @returns false, with both in any state, when the matrix is not positive definite
 */
export function solveBlocks(matrix: BlockMatrix, b: Float64Array): boolean {
  const open = Array.from(
    { length: matrix.count },
    (_, row) => new Set([...matrix.neighbours(row)].filter((c) => c !== row)),
  );
  const left = new Set(open.keys());
  const order: { row: number; below: number[]; inverse: Float64Array }[] = [];
  const product = new Float64Array(SIZE);
  while (left.size > 0) {
    const row = leastTied(left, open);
    left.delete(row);
    const below = [...open[row]];
    const diagonal = matrix.block(row, row);
    if (!factorCholesky(diagonal, BLOCK)) return false;
    for (let i = 0; i < BLOCK; i++) for (let j = i + 1; j < BLOCK; j++) diagonal[i * BLOCK + j] = 0;
    const inverse = diagonal.slice();
    invertLower(inverse, BLOCK);
    // L_ik = A_ik L_kk⁻ᵀ, then A_ij −= L_ik L_jkᵀ.
    for (const i of below) {
      timesTransposed(matrix.block(i, row), inverse, product);
      matrix.block(i, row).set(product);
    }
    for (const i of below) {
      for (const j of below) {
        timesTransposed(matrix.block(i, row), matrix.block(j, row), product);
        const target = matrix.block(i, j);
        for (let k = 0; k < SIZE; k++) target[k] -= product[k];
        if (i !== j) open[i].add(j);
      }
      open[i].delete(row);
    }
    order.push({ row, below, inverse });
  }
  const rest = new Float64Array(BLOCK);
  for (const { row, below, inverse } of order) {
    const own = b.subarray(row * BLOCK, (row + 1) * BLOCK);
    for (let i = 0; i < BLOCK; i++) {
      rest[i] = 0;
      for (let j = 0; j <= i; j++) rest[i] += inverse[i * BLOCK + j] * own[j];
    }
    own.set(rest);
    for (const i of below) {
      const l = matrix.block(i, row);
      for (let p = 0; p < BLOCK; p++) for (let q = 0; q < BLOCK; q++) b[i * BLOCK + p] -= l[p * BLOCK + q] * own[q];
    }
  }
  for (const { row, below, inverse } of order.reverse()) {
    const own = b.subarray(row * BLOCK, (row + 1) * BLOCK);
    for (const i of below) {
      const l = matrix.block(i, row);
      for (let p = 0; p < BLOCK; p++) for (let q = 0; q < BLOCK; q++) own[q] -= l[p * BLOCK + q] * b[i * BLOCK + p];
    }
    for (let i = 0; i < BLOCK; i++) {
      rest[i] = 0;
      for (let j = i; j < BLOCK; j++) rest[i] += inverse[j * BLOCK + i] * own[j];
    }
    own.set(rest);
  }
  return true;
}

function leastTied(left: ReadonlySet<number>, open: readonly ReadonlySet<number>[]): number {
  let best = -1;
  for (const row of left) if (best < 0 || open[row].size < open[best].size) best = row;
  return best;
}

/** out = a bᵀ */
function timesTransposed(a: Float64Array, b: Float64Array, out: Float64Array): void {
  for (let i = 0; i < BLOCK; i++) {
    for (let j = 0; j < BLOCK; j++) {
      let sum = 0;
      for (let k = 0; k < BLOCK; k++) sum += a[i * BLOCK + k] * b[j * BLOCK + k];
      out[i * BLOCK + j] = sum;
    }
  }
}
