/**
 * The pose of a camera from three points: Lambda Twist (Persson & Nordberg, ECCV 2018).
 *
 * The three depths λ satisfy three quadratics (law of cosines). Two combinations of them vanish at the solution; the
 * one real root of a cubic makes a combination of both degenerate, a pair of planes, which leaves two quadratics.
 */

/** Scratch and solver; up to four poses a call. */
export class ThreePointSolver {
  /** `[4, 12]` cameraFromWorld: the solutions of the last call. */
  readonly poses = new Float64Array(48);
  readonly #lambda = new Float64Array(3);
  readonly #plane = new Float64Array(8);

  /**
   * @param points `[n, 3]` world @param bearings `[n, 3]` unit vectors, camera frame @param sample three indices
   * @returns the number of poses, 0…4
   */
  solve(points: Float64Array, bearings: Float64Array, sample: Int32Array): number {
    const p0 = sample[0] * 3;
    const p1 = sample[1] * 3;
    const p2 = sample[2] * 3;
    const d12 = [points[p0] - points[p1], points[p0 + 1] - points[p1 + 1], points[p0 + 2] - points[p1 + 2]] as const;
    const d13 = [points[p0] - points[p2], points[p0 + 1] - points[p2 + 1], points[p0 + 2] - points[p2 + 2]] as const;
    const normal = cross(d12, d13);
    const a12 = d12[0] ** 2 + d12[1] ** 2 + d12[2] ** 2;
    const a13 = d13[0] ** 2 + d13[1] ** 2 + d13[2] ** 2;
    const a23 = (d13[0] - d12[0]) ** 2 + (d13[1] - d12[1]) ** 2 + (d13[2] - d12[2]) ** 2;
    const area = normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2;
    if (!(area > 1e-12 * a12 * a13) || !(a23 > 0)) return 0; // on a line: the turn about it is open

    const b = bearings;
    const b12 = -2 * (b[p0] * b[p1] + b[p0 + 1] * b[p1 + 1] + b[p0 + 2] * b[p1 + 2]);
    const b13 = -2 * (b[p0] * b[p2] + b[p0 + 1] * b[p2 + 1] + b[p0 + 2] * b[p2 + 2]);
    const b23 = -2 * (b[p1] * b[p2] + b[p1 + 1] * b[p2 + 1] + b[p1 + 2] * b[p2 + 2]);

    const g = degenerateMix(a12, a13, a23, b12, b13, b23);
    if (!Number.isFinite(g)) return 0;
    const plane = this.#plane;
    zeroEigen(
      a23 * (1 - g),
      a23 * b12 * 0.5,
      -0.5 * a23 * b13 * g,
      a23 - a12 + a13 * g,
      b23 * (a13 * g - a12) * 0.5,
      g * (a13 - a23) - a12,
      plane,
    );
    const slope = Math.sqrt(Math.max(0, -plane[1] / plane[0]));

    // X = [d12 d13 d12×d13]⁻¹, by cofactors
    const x0 = cross(d13, normal);
    const x1 = cross(normal, d12);
    let count = 0;
    const lambda = this.#lambda;
    for (let sign = -1; sign <= 1; sign += 2) {
      const s = sign * slope;
      const w2 = 1 / (s * plane[3] - plane[2]);
      const w0 = (plane[4] - s * plane[5]) * w2;
      const w1 = (plane[6] - s * plane[7]) * w2;
      const a = 1 / ((a13 - a12) * w1 * w1 - a12 * b13 * w1 - a12);
      const half = 0.5 * (a13 * b12 * w1 - a12 * b13 * w0 - 2 * w0 * w1 * (a12 - a13)) * a;
      const c = ((a13 - a12) * w0 * w0 + a13 * b12 * w0 + a13) * a;
      const discriminant = half * half - c;
      if (!(discriminant >= 0)) continue;
      const root = Math.sqrt(discriminant);
      for (let branch = -1; branch <= 1; branch += 2) {
        const tau = -half + branch * root;
        if (!(tau > 0)) continue;
        const square = a23 / (tau * (b23 + tau) + 1);
        if (!(square > 0)) continue;
        lambda[1] = Math.sqrt(square);
        lambda[2] = tau * lambda[1];
        lambda[0] = w0 * lambda[1] + w1 * lambda[2];
        if (!(lambda[0] > 0) || count === 4) continue;
        polishDepths(lambda, a12, a13, a23, b12, b13, b23);
        const [l0, l1, l2] = lambda;
        const y1 = [l0 * b[p0] - l1 * b[p1], l0 * b[p0 + 1] - l1 * b[p1 + 1], l0 * b[p0 + 2] - l1 * b[p1 + 2]] as const;
        const y2 = [l0 * b[p0] - l2 * b[p2], l0 * b[p0 + 1] - l2 * b[p2 + 1], l0 * b[p0 + 2] - l2 * b[p2 + 2]] as const;
        const y3 = cross(y1, y2);
        const at = count * 12;
        for (let i = 0; i < 3; i++) {
          let shift = l0 * b[p0 + i];
          for (let j = 0; j < 3; j++) {
            const value = (y1[i] * x0[j] + y2[i] * x1[j] + y3[i] * normal[j]) / area;
            this.poses[at + i * 4 + j] = value;
            shift -= value * points[p0 + j];
          }
          this.poses[at + i * 4 + 3] = shift;
        }
        count++;
      }
    }
    return count;
  }
}

/** The γ for which D₁ + γ D₂ is singular (equation 9 and the cubic below it). */
function degenerateMix(a12: number, a13: number, a23: number, b12: number, b13: number, b23: number): number {
  const c12 = -0.5 * b12;
  const c23 = -0.5 * b23;
  const c31 = -0.5 * b13;
  const blob = c12 * c23 * c31 - 1;
  const s12 = 1 - c12 * c12;
  const s23 = 1 - c23 * c23;
  const s31 = 1 - c31 * c31;
  const k3 = a13 * (a23 * s31 - a13 * s23);
  const k2 = 2 * blob * a23 * a13 + a13 * (2 * a12 + a13) * s23 + a23 * (a23 - a12) * s31;
  const k1 = a23 * (a13 - a23) * s12 - a12 * a12 * s23 - 2 * a12 * (blob * a23 + a13 * s23);
  const k0 = a12 * (a12 * s23 - a23 * s12);
  if (Math.abs(k3) >= Math.abs(k0)) return cubicRoot(k2 / k3, k1 / k3, k0 / k3);
  return 1 / cubicRoot(k1 / k0, k2 / k0, k3 / k0);
}

/** A real root of x³ + b x² + c x + d, the one where the cubic is steepest: started outside the turning points. */
function cubicRoot(b: number, c: number, d: number): number {
  let x: number;
  const bend = b * b - 3 * c;
  if (bend >= 0) {
    const v = Math.sqrt(bend);
    const t1 = (-b - v) / 3;
    const k = ((t1 + b) * t1 + c) * t1 + d;
    if (k > 0) x = t1 - Math.sqrt(Math.max(0, -k / (3 * t1 + b)));
    else {
      const t2 = (-b + v) / 3;
      x = t2 + Math.sqrt(Math.max(0, -(((t2 + b) * t2 + c) * t2 + d) / (3 * t2 + b)));
    }
  } else {
    x = -b / 3;
    if (Math.abs((3 * x + 2 * b) * x + c) < 1e-4) x += 1;
  }
  for (let step = 0; step < 50; step++) {
    const value = ((x + b) * x + c) * x + d;
    const next = x - value / ((3 * x + 2 * b) * x + c);
    if (!(Math.abs(next - x) > 1e-14 * Math.abs(x))) return next;
    x = next;
  }
  return x;
}

/**
 * Eigenvalues and vectors of a singular symmetric 3×3 matrix. `out`: λ₀ ≥ λ₁ by magnitude, then per row i of the two
 * eigenvectors v₀[i], v₁[i].
 */
function zeroEigen(
  m00: number,
  m01: number,
  m02: number,
  m11: number,
  m12: number,
  m22: number,
  out: Float64Array,
): void {
  const b = -(m00 + m11 + m22);
  const c = m00 * m11 + m00 * m22 + m11 * m22 - m01 * m01 - m02 * m02 - m12 * m12;
  const root = Math.sqrt(Math.max(0, b * b - 4 * c));
  let e0 = b > 0 ? (-b - root) / 2 : (-b + root) / 2;
  let e1 = e0 === 0 ? 0 : c / e0;
  if (Math.abs(e0) < Math.abs(e1)) [e0, e1] = [e1, e0];
  out[0] = e0;
  out[1] = e1;
  for (let k = 0; k < 2; k++) {
    const e = k === 0 ? e0 : e1;
    // (M − e I) v = 0: the longest cross product of two of its rows.
    const r0 = [m00 - e, m01, m02] as const;
    const r1 = [m01, m11 - e, m12] as const;
    const r2 = [m02, m12, m22 - e] as const;
    let v = cross(r0, r1);
    let length = v[0] ** 2 + v[1] ** 2 + v[2] ** 2;
    for (const other of [cross(r0, r2), cross(r1, r2)]) {
      const square = other[0] ** 2 + other[1] ** 2 + other[2] ** 2;
      if (square > length) {
        v = other;
        length = square;
      }
    }
    const scale = 1 / Math.sqrt(length);
    for (let i = 0; i < 3; i++) out[2 + i * 2 + k] = v[i] * scale;
  }
}

/** Newton on the three laws of cosines: takes the rounding out of the depths. */
function polishDepths(
  l: Float64Array,
  a12: number,
  a13: number,
  a23: number,
  b12: number,
  b13: number,
  b23: number,
): void {
  for (let step = 0; step < 3; step++) {
    const [x, y, z] = l;
    const r0 = x * x + y * y + b12 * x * y - a12;
    const r1 = x * x + z * z + b13 * x * z - a13;
    const r2 = y * y + z * z + b23 * y * z - a23;
    if (Math.abs(r0) + Math.abs(r1) + Math.abs(r2) < 1e-15 * (a12 + a13 + a23)) return;
    // Jacobian rows (j00, j01, 0), (j10, 0, j12), (0, j21, j22)
    const j00 = 2 * x + b12 * y;
    const j01 = 2 * y + b12 * x;
    const j10 = 2 * x + b13 * z;
    const j12 = 2 * z + b13 * x;
    const j21 = 2 * y + b23 * z;
    const j22 = 2 * z + b23 * y;
    const inverse = 1 / (-j00 * j12 * j21 - j01 * j10 * j22);
    if (!Number.isFinite(inverse)) return;
    l[0] -= inverse * (-j12 * j21 * r0 - j01 * j22 * r1 + j01 * j12 * r2);
    l[1] -= inverse * (-j10 * j22 * r0 + j00 * j22 * r1 - j00 * j12 * r2);
    l[2] -= inverse * (j10 * j21 * r0 - j00 * j21 * r1 - j01 * j10 * r2);
  }
}

function cross(a: readonly [number, number, number], b: readonly [number, number, number]): [number, number, number] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
