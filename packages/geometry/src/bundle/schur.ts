/**
 * The Schur complement: points are eliminated one by one (each a 3×3 block), what is left is a system of cameras and
 * calibrations alone. Triggs et al., "Bundle Adjustment: A Modern Synthesis" (2000), §6.
 * Only cameras that see a common point touch each other.
 */
import type { NormalEquations } from "./linearise.ts";
import type { BundleIndex } from "./problem.ts";

export class SchurComplement {
  /** `[envelope]` the reduced system, lower triangle. */
  readonly reduced: Float64Array;
  /** `[size]` its right side. */
  readonly right: Float64Array;
  readonly #index: BundleIndex;
  /** `[m, 6]` inverse of each damped point block; NaN where there is none. */
  readonly #inverse: Float64Array;
  /** Blocks of the point at hand, cameras first, calibrations after: W = Jᵀ·J_point `[size, 3]`, Y = W V⁻¹. */
  readonly #w: Float64Array;
  readonly #y: Float64Array;
  readonly #column: Int32Array;
  readonly #size: Int32Array;
  readonly #blockAt: Int32Array;

  constructor(index: BundleIndex) {
    this.#index = index;
    this.reduced = new Float64Array(index.envelope.length);
    this.right = new Float64Array(index.size);
    this.#inverse = new Float64Array(index.points * 6);
    const blocks = index.longestTrack * 2;
    const stride = 3 * Math.max(6, index.widest);
    this.#w = new Float64Array(blocks * stride);
    this.#y = new Float64Array(blocks * stride);
    this.#column = new Int32Array(blocks);
    this.#size = new Int32Array(blocks);
    this.#blockAt = new Int32Array(blocks);
  }

  /** Fills `reduced` and `right` for the normal equations with their diagonal damped by (1 + lambda). */
  reduce(equations: NormalEquations, lambda: number): void {
    const { size, envelope, points, pointStart, freePoint } = this.#index;
    const { pointHessian: V, pointGradient: gp } = equations;
    const inverse = this.#inverse;
    const S = this.reduced;
    S.set(equations.hessian);
    this.right.set(equations.gradient);
    for (let i = 0; i < size; i++) {
      const at = envelope.base[i] + i;
      S[at] += lambda * S[at] + 1e-12;
    }
    for (let p = 0; p < points; p++) {
      if (!freePoint[p]) continue;
      const h = p * 6;
      const v0 = V[h] * (1 + lambda);
      const v3 = V[h + 3] * (1 + lambda);
      const v5 = V[h + 5] * (1 + lambda);
      const v1 = V[h + 1];
      const v2 = V[h + 2];
      const v4 = V[h + 4];
      const c0 = v3 * v5 - v4 * v4;
      const c1 = v2 * v4 - v1 * v5;
      const c2 = v1 * v4 - v2 * v3;
      const determinant = v0 * c0 + v1 * c1 + v2 * c2;
      const trace = v0 + v3 + v5;
      if (!(determinant > 1e-18 * trace * trace * trace)) {
        inverse[h] = NaN; // seen along one ray only, or by nobody in front: it stays, and helps nobody
        continue;
      }
      const scale = 1 / determinant;
      inverse[h] = c0 * scale;
      inverse[h + 1] = c1 * scale;
      inverse[h + 2] = c2 * scale;
      inverse[h + 3] = (v0 * v5 - v2 * v2) * scale;
      inverse[h + 4] = (v1 * v2 - v0 * v4) * scale;
      inverse[h + 5] = (v0 * v3 - v1 * v1) * scale;
      const blocks = this.#gather(equations, pointStart[p], pointStart[p + 1], h);
      const g0 = gp[p * 3];
      const g1 = gp[p * 3 + 1];
      const g2 = gp[p * 3 + 2];
      for (let b = 0; b < blocks; b++) {
        const y = this.#blockAt[b];
        const column = this.#column[b];
        for (let i = 0; i < this.#size[b]; i++) {
          this.right[column + i] -= this.#y[y + i * 3] * g0 + this.#y[y + i * 3 + 1] * g1 + this.#y[y + i * 3 + 2] * g2;
        }
      }
      for (let b = 0; b < blocks; b++) for (let a = 0; a <= b; a++) this.#subtract(b, a);
    }
  }

  /** The shifts of the points that go with the solution of the reduced system. @param shift `[m, 3]` out */
  backSubstitute(equations: NormalEquations, solution: Float64Array, shift: Float64Array): void {
    const { points, pointStart, freePoint, camera, cameraColumn, calibrationOf, calibrationColumn, widest } =
      this.#index;
    const { byCamera: JC, byPoint: JP, byCalibration: JI, pointGradient: gp } = equations;
    const V = this.#inverse;
    for (let p = 0; p < points; p++) {
      const at = p * 3;
      const h = p * 6;
      if (!freePoint[p] || Number.isNaN(V[h])) {
        shift[at] = 0;
        shift[at + 1] = 0;
        shift[at + 2] = 0;
        continue;
      }
      let r0 = gp[at];
      let r1 = gp[at + 1];
      let r2 = gp[at + 2];
      for (let o = pointStart[p]; o < pointStart[p + 1]; o++) {
        const column = cameraColumn[camera[o]];
        const q = o * 12;
        const s = o * 6;
        let x = 0;
        let y = 0;
        if (column >= 0) {
          for (let i = 0; i < 6; i++) {
            x += JC[q + i] * solution[column + i];
            y += JC[q + 6 + i] * solution[column + i];
          }
        }
        const group = calibrationOf[camera[o]];
        const first = calibrationColumn[group];
        const count = calibrationColumn[group + 1] - first;
        const j = o * 2 * widest;
        for (let i = 0; i < count; i++) {
          x += JI[j + i] * solution[first + i];
          y += JI[j + widest + i] * solution[first + i];
        }
        r0 -= JP[s] * x + JP[s + 3] * y;
        r1 -= JP[s + 1] * x + JP[s + 4] * y;
        r2 -= JP[s + 2] * x + JP[s + 5] * y;
      }
      shift[at] = V[h] * r0 + V[h + 1] * r1 + V[h + 2] * r2;
      shift[at + 1] = V[h + 1] * r0 + V[h + 3] * r1 + V[h + 4] * r2;
      shift[at + 2] = V[h + 2] * r0 + V[h + 4] * r1 + V[h + 5] * r2;
    }
  }

  /** W and Y of every unknown that the observations `from` … `to − 1` of one point touch; returns how many blocks. */
  #gather(equations: NormalEquations, from: number, to: number, h: number): number {
    const { camera, cameraColumn, calibrationOf, calibrationColumn, widest } = this.#index;
    const { byCamera: JC, byPoint: JP, byCalibration: JI } = equations;
    const V = this.#inverse;
    const W = this.#w;
    const Y = this.#y;
    const column = this.#column;
    const size = this.#size;
    let blocks = 0;
    let end = 0;
    for (let o = from; o < to; o++) {
      const first = cameraColumn[camera[o]];
      if (first < 0) continue;
      column[blocks] = first;
      size[blocks] = 6;
      this.#blockAt[blocks++] = end;
      const q = o * 12;
      const s = o * 6;
      for (let i = 0; i < 6; i++, end += 3) {
        const a = JC[q + i];
        const b = JC[q + 6 + i];
        W[end] = a * JP[s] + b * JP[s + 3];
        W[end + 1] = a * JP[s + 1] + b * JP[s + 4];
        W[end + 2] = a * JP[s + 2] + b * JP[s + 5];
      }
    }
    if (widest > 0) {
      const firstGroup = blocks;
      for (let o = from; o < to; o++) {
        const group = calibrationOf[camera[o]];
        const first = calibrationColumn[group];
        const count = calibrationColumn[group + 1] - first;
        if (count === 0) continue;
        let block = firstGroup; // several cameras of a track share one calibration: their W add up
        while (block < blocks && column[block] !== first) block++;
        if (block === blocks) {
          column[block] = first;
          size[block] = count;
          this.#blockAt[block] = end;
          W.fill(0, end, end + count * 3);
          end += count * 3;
          blocks++;
        }
        const s = o * 6;
        const j = o * 2 * widest;
        for (let i = 0, w = this.#blockAt[block]; i < count; i++, w += 3) {
          const a = JI[j + i];
          const b = JI[j + widest + i];
          W[w] += a * JP[s] + b * JP[s + 3];
          W[w + 1] += a * JP[s + 1] + b * JP[s + 4];
          W[w + 2] += a * JP[s + 2] + b * JP[s + 5];
        }
      }
    }
    const i0 = V[h];
    const i1 = V[h + 1];
    const i2 = V[h + 2];
    const i3 = V[h + 3];
    const i4 = V[h + 4];
    const i5 = V[h + 5];
    for (let w = 0; w < end; w += 3) {
      const a = W[w];
      const b = W[w + 1];
      const c = W[w + 2];
      Y[w] = a * i0 + b * i1 + c * i2;
      Y[w + 1] = a * i1 + b * i3 + c * i4;
      Y[w + 2] = a * i2 + b * i4 + c * i5;
    }
    return blocks;
  }

  /** reduced −= Y_b W_aᵀ, where the two blocks meet; into the lower triangle, whichever comes first. */
  #subtract(b: number, a: number): void {
    const { base } = this.#index.envelope;
    const W = this.#w;
    const Y = this.#y;
    const S = this.reduced;
    // Calibrations of one track come in no order: turn the pair round where needed.
    const low = this.#column[b] >= this.#column[a] ? b : a;
    const high = low === b ? a : b;
    const rows = this.#size[low];
    const columns = this.#size[high];
    const w = this.#blockAt[high];
    const firstRow = this.#column[low];
    const firstColumn = this.#column[high];
    let y = this.#blockAt[low];
    if (columns === 6 && low !== high) {
      // Read once: that S is not W, no compiler knows.
      const w0 = W[w];
      const w1 = W[w + 1];
      const w2 = W[w + 2];
      const w3 = W[w + 3];
      const w4 = W[w + 4];
      const w5 = W[w + 5];
      const w6 = W[w + 6];
      const w7 = W[w + 7];
      const w8 = W[w + 8];
      const w9 = W[w + 9];
      const w10 = W[w + 10];
      const w11 = W[w + 11];
      const w12 = W[w + 12];
      const w13 = W[w + 13];
      const w14 = W[w + 14];
      const w15 = W[w + 15];
      const w16 = W[w + 16];
      const w17 = W[w + 17];
      for (let i = 0; i < rows; i++, y += 3) {
        const at = base[firstRow + i] + firstColumn;
        const y0 = Y[y];
        const y1 = Y[y + 1];
        const y2 = Y[y + 2];
        S[at] -= y0 * w0 + y1 * w1 + y2 * w2;
        S[at + 1] -= y0 * w3 + y1 * w4 + y2 * w5;
        S[at + 2] -= y0 * w6 + y1 * w7 + y2 * w8;
        S[at + 3] -= y0 * w9 + y1 * w10 + y2 * w11;
        S[at + 4] -= y0 * w12 + y1 * w13 + y2 * w14;
        S[at + 5] -= y0 * w15 + y1 * w16 + y2 * w17;
      }
      return;
    }
    for (let i = 0; i < rows; i++, y += 3) {
      const at = base[firstRow + i] + firstColumn;
      // Of a block on the diagonal nothing is stored beyond it.
      const stored = low === high ? i + 1 : columns;
      for (let j = 0; j < stored; j++) {
        S[at + j] -= Y[y] * W[w + j * 3] + Y[y + 1] * W[w + j * 3 + 1] + Y[y + 2] * W[w + j * 3 + 2];
      }
    }
  }
}
