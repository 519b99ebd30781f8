/**
 * Symmetric positive definite matrices of which each row is stored from its first entry that is not zero to the
 * diagonal. Factorisation fills nothing outside (George & Liu, "Computer Solution of Large Sparse Positive Definite
 * Systems", 1981, chapter 4), so that its cost goes with the square of the rows' lengths instead of the matrix's side.
 */

export type Envelope = {
  readonly size: number;
  /** `[size]` column of each row's first stored entry. */
  readonly first: Int32Array;
  /** `[size]` entry (i, j), first[i] ≤ j ≤ i, lies at base[i] + j. */
  readonly base: Int32Array;
  /** Entries in all. */
  readonly length: number;
};

/** @param first `[size]` kept; first[i] ≤ i */
export function envelopeOf(first: Int32Array): Envelope {
  const base = new Int32Array(first.length);
  let length = 0;
  for (let i = 0; i < first.length; i++) {
    base[i] = length - first[i];
    length += i - first[i] + 1;
  }
  return { size: first.length, first, base, length };
}

/** Overwrites A with L, A = L Lᵀ. @returns false when A is not positive definite */
export function factorEnvelope(a: Float64Array, { size, first, base }: Envelope): boolean {
  for (let i = 0; i < size; i++) {
    const row = base[i];
    const begin = first[i];
    for (let j = begin; j < i; j++) {
      const other = base[j];
      // Two sums: the additions of one chain would wait for each other.
      let even = 0;
      let odd = 0;
      let k = Math.max(begin, first[j]);
      for (; k + 1 < j; k += 2) {
        even += a[row + k] * a[other + k];
        odd += a[row + k + 1] * a[other + k + 1];
      }
      if (k < j) even += a[row + k] * a[other + k];
      a[row + j] = (a[row + j] - even - odd) / a[other + j];
    }
    let sum = a[row + i];
    for (let k = begin; k < i; k++) sum -= a[row + k] * a[row + k];
    if (!(sum > 0)) return false;
    a[row + i] = Math.sqrt(sum);
  }
  return true;
}

/** Solves L Lᵀ x = b; b becomes x. */
export function solveEnvelope(l: Float64Array, { size, first, base }: Envelope, b: Float64Array): void {
  for (let i = 0; i < size; i++) {
    let sum = b[i];
    for (let k = first[i]; k < i; k++) sum -= l[base[i] + k] * b[k];
    b[i] = sum / l[base[i] + i];
  }
  for (let i = size - 1; i >= 0; i--) {
    const value = b[i] / l[base[i] + i];
    b[i] = value;
    for (let k = first[i]; k < i; k++) b[k] -= l[base[i] + k] * value;
  }
}

/**
 * Overwrites L with those entries of (L Lᵀ)⁻¹ that lie in the envelope; the rest, which is not zero, is not found
 * (Takahashi, Fagan & Chin, 1973). Z = (L Lᵀ)⁻¹ obeys Lᵀ Z = L⁻¹, whose part above the diagonal is zero: columns from
 * the last to the first follow from those behind them.
 */
export function invertEnvelope(l: Float64Array, { size, first, base }: Envelope): void {
  const column = new Float64Array(size);
  const below = new Int32Array(size);
  for (let i = size - 1; i >= 0; i--) {
    let count = 0;
    for (let k = i + 1; k < size; k++) {
      if (first[k] > i) continue;
      column[count] = l[base[k] + i];
      below[count++] = k;
    }
    const pivot = 1 / l[base[i] + i];
    for (let n = 0; n < count; n++) {
      const j = below[n];
      let sum = 0;
      for (let m = 0; m < count; m++) {
        const k = below[m];
        sum += column[m] * (k > j ? l[base[k] + j] : l[base[j] + k]);
      }
      l[base[j] + i] = -sum * pivot;
    }
    let sum = 0;
    for (let n = 0; n < count; n++) sum += column[n] * l[base[below[n]] + i];
    l[base[i] + i] = (pivot - sum) * pivot;
  }
}

/**
 * An order of things tied to one another in which ties reach back little (reverse Cuthill–McKee: Cuthill & McKee 1969,
 * George 1971).
 *
 * @param tied `[n, n]` 1 where two are tied, symmetric
 * @returns `[n]` the things in their new order
 */
export function narrowOrder(n: number, tied: Uint8Array): Int32Array {
  const neighbours = Array.from({ length: n }, (_, i) => {
    const found: number[] = [];
    for (let j = 0; j < n; j++) if (j !== i && tied[i * n + j]) found.push(j);
    return found;
  });
  const fewerTies = (p: number, q: number) => neighbours[p].length - neighbours[q].length || p - q;
  for (const each of neighbours) each.sort(fewerTies);
  const seen = new Uint8Array(n);
  const order: number[] = [];
  for (const start of Array.from(neighbours.keys()).sort(fewerTies)) {
    if (seen[start]) continue;
    const begin = outermost(start, neighbours);
    seen[begin] = 1;
    for (let at = order.push(begin) - 1; at < order.length; at++) {
      for (const next of neighbours[order[at]]) {
        if (seen[next]) continue;
        seen[next] = 1;
        order.push(next);
      }
    }
  }
  return Int32Array.from(order.reverse());
}

/** A thing at an end of the group that `start` is in: the last reached from there, of those the one with fewest ties. */
function outermost(start: number, neighbours: readonly (readonly number[])[]): number {
  let end = start;
  let depth = -1;
  for (;;) {
    const level = new Map([[end, 0]]);
    const queue = [end];
    for (const each of queue) {
      for (const next of neighbours[each]) {
        if (level.has(next)) continue;
        level.set(next, level.get(each)! + 1);
        queue.push(next);
      }
    }
    const deepest = level.get(queue[queue.length - 1])!;
    if (deepest <= depth) return end;
    depth = deepest;
    end = queue
      .filter((each) => level.get(each) === deepest)
      .reduce((p, q) => (neighbours[q].length < neighbours[p].length ? q : p));
  }
}
