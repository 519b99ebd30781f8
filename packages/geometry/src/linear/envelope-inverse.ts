/** The inverse of a matrix of which the part inside an envelope is known, and wanted. */
import { type Envelope, toTheEnd } from "./envelope.ts";

/** So many columns, those of one camera, share one reading of what is behind them. */
const AT_ONCE = 6;

/**
 * Overwrites L with those entries of (L Lᵀ)⁻¹ that lie in the envelope; the rest, which is not zero, is not found
 * (Takahashi, Fagan & Chin, 1973). Z = (L Lᵀ)⁻¹ obeys Lᵀ Z = L⁻¹, whose part above the diagonal is zero: columns from
 * the last to the first follow from those behind them.
 */
export function invertEnvelope(l: Float64Array, envelope: Envelope): void {
  toTheEnd(inverting(l, envelope));
}

/** The same in steps, as `factoring`. */
export function* inverting(l: Float64Array, envelope: Envelope): Generator<number, void, void> {
  const scratch = new Float64Array(2 * AT_ONCE * envelope.size);
  for (let end = envelope.size; end > 0; end -= AT_ONCE) {
    yield invertColumns(l, envelope, Math.max(0, end - AT_ONCE), end, scratch);
  }
}

/**
 * The columns `begin` … `end − 1`, B, from the rows below that reach them, S: L_Bᵀ Z_SB = −(Z_SS L_SB)ᵀ and
 * L_Bᵀ Z_B = L_B⁻¹ − L_SBᵀ Z_SB. Of Z_SS, which is symmetric, the lower half is stored: one way along its rows gives
 * what both halves add.
 * @param scratch `[2, size, AT_ONCE]` L_SB and Z_SS L_SB
 * @returns how many products it took
 */
function invertColumns(
  l: Float64Array,
  { size, first, base }: Envelope,
  begin: number,
  end: number,
  scratch: Float64Array,
): number {
  const n = AT_ONCE;
  const x = scratch.subarray(0, size * n);
  const y = scratch.subarray(size * n);
  x.fill(0, end * n);
  y.fill(0, end * n);
  let products = 0;
  for (let k = end; k < size; k++) {
    if (first[k] >= end) continue;
    for (let j = Math.max(begin, first[k]); j < end; j++) x[k * n + j - begin] = l[base[k] + j];
    timesRow(l, base[k], end, k, x, y);
    products += 2 * n * (k - end);
  }

  const within = new Float64Array(n * n);
  for (let i = begin; i < end; i++) {
    for (let j = Math.max(begin, first[i]); j <= i; j++) within[(i - begin) * n + j - begin] = l[base[i] + j];
  }
  const right = new Float64Array(n * n);
  const row = new Float64Array(n);
  for (let k = end; k < size; k++) {
    if (first[k] >= end) continue;
    for (let c = end - begin - 1; c >= 0; c--) {
      let sum = y[k * n + c];
      for (let d = c + 1; d < end - begin; d++) sum += row[d] * within[d * n + c];
      row[c] = -sum / within[c * n + c];
    }
    for (let r = 0; r < end - begin; r++) {
      for (let c = 0; c < end - begin; c++) right[r * n + c] -= x[k * n + r] * row[c];
    }
    for (let j = Math.max(begin, first[k]); j < end; j++) l[base[k] + j] = row[j - begin];
  }
  for (let c = 0; c < end - begin; c++) {
    // The column of L_B⁻¹.
    for (let r = c; r < end - begin; r++) {
      let sum = r === c ? 1 : 0;
      for (let d = c; d < r; d++) sum -= within[r * n + d] * row[d];
      row[r] = sum / within[r * n + r];
    }
    for (let r = end - begin - 1; r >= 0; r--) {
      let sum = right[r * n + c] + (r >= c ? row[r] : 0);
      for (let d = r + 1; d < end - begin; d++) sum -= within[d * n + r] * right[d * n + c];
      right[r * n + c] = sum / within[r * n + r];
    }
    for (let i = begin + c; i < end; i++)
      if (first[i] <= begin + c) l[base[i] + begin + c] = right[(i - begin) * n + c];
  }
  return products;
}

/** y += Z x for what the row `k` of Z, and the column that it is as well, have from column `end` on. */
function timesRow(z: Float64Array, row: number, end: number, k: number, x: Float64Array, y: Float64Array): void {
  const own = k * AT_ONCE;
  const x0 = x[own];
  const x1 = x[own + 1];
  const x2 = x[own + 2];
  const x3 = x[own + 3];
  const x4 = x[own + 4];
  const x5 = x[own + 5];
  const diagonal = z[row + k];
  let y0 = diagonal * x0;
  let y1 = diagonal * x1;
  let y2 = diagonal * x2;
  let y3 = diagonal * x3;
  let y4 = diagonal * x4;
  let y5 = diagonal * x5;
  for (let j = end, at = end * AT_ONCE; j < k; j++, at += AT_ONCE) {
    const value = z[row + j];
    y0 += value * x[at];
    y1 += value * x[at + 1];
    y2 += value * x[at + 2];
    y3 += value * x[at + 3];
    y4 += value * x[at + 4];
    y5 += value * x[at + 5];
    y[at] += value * x0;
    y[at + 1] += value * x1;
    y[at + 2] += value * x2;
    y[at + 3] += value * x3;
    y[at + 4] += value * x4;
    y[at + 5] += value * x5;
  }
  y[own] += y0;
  y[own + 1] += y1;
  y[own + 2] += y2;
  y[own + 3] += y3;
  y[own + 4] += y4;
  y[own + 5] += y5;
}
