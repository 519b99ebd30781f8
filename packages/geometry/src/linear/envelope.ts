/**
 * Symmetric positive definite matrices of which each row is stored from its first entry that is not zero to the
 * diagonal. Factorisation fills nothing outside (George & Liu, "Computer Solution of Large Sparse Positive Definite
 * Systems", 1981, chapter 4), so that its cost goes with the square of the rows' lengths instead of the matrix's side.
 */

/** Of factorisation: of so many rows what is above stays in the cache. */
const ROWS_AT_ONCE = 12;

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
export function factorEnvelope(a: Float64Array, envelope: Envelope): boolean {
  return toTheEnd(factoring(a, envelope));
}

/** The same in steps, for callers that have other things to do between: yields how many products each took. */
export function* factoring(a: Float64Array, envelope: Envelope): Generator<number, boolean, void> {
  for (let row = 0; row < envelope.size; ) {
    const next = factorRows(a, envelope, row);
    if (next < 0) return false;
    yield ((next - row) * (row - envelope.first[row]) ** 2) / 2;
    row = next;
  }
  return true;
}

export function toTheEnd<T>(steps: Generator<number, T, void>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/**
 * Finds the row `i`, and some after it that begin alike: what is found already is read from memory once for all of them.
 * @returns the row to go on with; −1 when A is not positive definite
 */
function factorRows(a: Float64Array, { size, first, base }: Envelope, i: number): number {
  const begin = first[i];
  let end = i + 1;
  while (end < size && end - i < ROWS_AT_ONCE && first[end] === begin) end++;
  for (let j = begin; j < i; ) {
    const start = Math.max(begin, first[j]);
    const two = j + 1 < i && Math.max(begin, first[j + 1]) === start;
    let row = i;
    if (two) for (; row + 1 < end; row += 2) fourEntries(a, base[row], base[row + 1], base[j], base[j + 1], start, j);
    for (; row < end; row++) {
      a[base[row] + j] = entry(a, base[row], base[j], start, j);
      if (two) a[base[row] + j + 1] = entry(a, base[row], base[j + 1], start, j + 1);
    }
    j += two ? 2 : 1;
  }
  for (let row = i; row < end; row++) {
    for (let j = i; j < row; j++) a[base[row] + j] = entry(a, base[row], base[j], begin, j);
    if (!finishRow(a, base[row], begin, row)) return -1;
  }
  return end;
}

/**
 * Two rows by two columns, j and the next, share what is read; what is added up, and in which order, is the same for every
 * entry, alone or not.
 */
function fourEntries(
  a: Float64Array,
  row: number,
  below: number,
  left: number,
  right: number,
  start: number,
  j: number,
): void {
  // Two sums of each: the additions of one chain would wait for each other.
  let even00 = 0;
  let odd00 = 0;
  let even01 = 0;
  let odd01 = 0;
  let even10 = 0;
  let odd10 = 0;
  let even11 = 0;
  let odd11 = 0;
  let k = start;
  for (; k + 1 < j; k += 2) {
    const p0 = a[row + k];
    const p1 = a[row + k + 1];
    const q0 = a[below + k];
    const q1 = a[below + k + 1];
    const u0 = a[left + k];
    const u1 = a[left + k + 1];
    const v0 = a[right + k];
    const v1 = a[right + k + 1];
    even00 += p0 * u0;
    odd00 += p1 * u1;
    even01 += p0 * v0;
    odd01 += p1 * v1;
    even10 += q0 * u0;
    odd10 += q1 * u1;
    even11 += q0 * v0;
    odd11 += q1 * v1;
  }
  const last = k < j;
  if (last) {
    even00 += a[row + k] * a[left + k];
    even10 += a[below + k] * a[left + k];
    even01 += a[row + k] * a[right + k];
    even11 += a[below + k] * a[right + k];
  }
  const x = (a[row + j] - even00 - odd00) / a[left + j];
  const y = (a[below + j] - even10 - odd10) / a[left + j];
  a[row + j] = x;
  a[below + j] = y;
  if (last) {
    odd01 += x * a[right + j];
    odd11 += y * a[right + j];
  } else {
    even01 += x * a[right + j];
    even11 += y * a[right + j];
  }
  a[row + j + 1] = (a[row + j + 1] - even01 - odd01) / a[right + j + 1];
  a[below + j + 1] = (a[below + j + 1] - even11 - odd11) / a[right + j + 1];
}

/** One entry of L, off the diagonal: row and column begin where told, everything before it is found. */
function entry(a: Float64Array, row: number, other: number, start: number, j: number): number {
  let even = 0;
  let odd = 0;
  let k = start;
  for (; k + 1 < j; k += 2) {
    even += a[row + k] * a[other + k];
    odd += a[row + k + 1] * a[other + k + 1];
  }
  if (k < j) even += a[row + k] * a[other + k];
  return (a[row + j] - even - odd) / a[other + j];
}

function finishRow(a: Float64Array, row: number, begin: number, i: number): boolean {
  let sum = a[row + i];
  for (let k = begin; k < i; k++) sum -= a[row + k] * a[row + k];
  if (!(sum > 0)) return false;
  a[row + i] = Math.sqrt(sum);
  return true;
}

/** y = A x. */
export function multiplyEnvelope(
  a: Float64Array,
  { size, first, base }: Envelope,
  x: Float64Array,
  y: Float64Array,
): void {
  for (let i = 0; i < size; i++) {
    const own = x[i];
    let sum = a[base[i] + i] * own;
    for (let k = first[i], at = base[i] + k; k < i; k++, at++) {
      sum += a[at] * x[k];
      y[k] += a[at] * own;
    }
    y[i] = sum;
  }
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
