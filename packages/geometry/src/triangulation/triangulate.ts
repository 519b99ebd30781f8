/**
 * World points from two or more views: the least-squares meeting point of the rays, then Gauss–Newton on the
 * reprojection error in normalised coordinates (which weighs near and far cameras as the pixels do).
 *
 * Source: Hartley & Zisserman, Multiple View Geometry (2nd ed.), §12.2–12.3 for the error; the start is the
 * linear "midpoint" of n rays.
 */
import { cameraCentre } from "../rotation/pose.ts";

export type Views = {
  /** `[n, 12]` cameraFromWorld of all cameras. */
  readonly poses: Float64Array;
  /** `[≥ count]` index of the camera of each view. */
  readonly cameras: Int32Array;
  /** `[≥ count, 2]` where each view sees the point: normalised, undistorted coordinates. */
  readonly rays: Float64Array;
  /** How many of the views to use, from the front. */
  readonly count: number;
};

const GAUSS_NEWTON_STEPS = 5;

/** Reused by every call: nothing is allocated per point. */
export class Triangulator {
  readonly #centre = new Float64Array(3);
  readonly #before = new Float64Array(3);
  #centres = new Float64Array(3 * 16);
  #keptCameras = new Int32Array(16);
  #keptRays = new Float64Array(32);

  /**
   * Finds the point that all views see.
   * @param out `[3]` at `outAt`: the point in the world frame; left alone when the answer is false
   * @returns false when the rays are parallel to working precision, or the point is behind one of the cameras
   */
  triangulate(views: Views, out: Float64Array, outAt = 0): boolean {
    const point = this.#before;
    if (!this.#meetingPoint(views, point) || !refine(views, point)) return false;
    for (let v = 0; v < views.count; v++) if (!(viewError(views, v, point, 0) < Infinity)) return false;
    out.set(point, outAt);
    return true;
  }

  /**
   * The same among views of which some may be wrong: tries the pairs of views (of many views, a spread of pairs),
   * keeps the point that most views agree with, and refines it on those. Deterministic.
   *
   * @param maxError largest reprojection error of a view that agrees, normalised (pixels / focal length)
   * @param minAngleRad smallest angle between two agreeing rays
   * @param kept `[≥ count]` out: 1 for the views that agree, 0 for the others
   * @returns how many views agree, at least 2; 0 when there is no such point, and then `out` is left alone
   */
  triangulateRobust(
    views: Views,
    maxError: number,
    minAngleRad: number,
    out: Float64Array,
    outAt: number,
    kept: Uint8Array,
  ): number {
    const { count } = views;
    this.#reserve(count);
    const point = this.#before;
    // Most points have no wrong view: all of them at once is the cheap first try.
    if (
      this.#meetingPoint(views, point) &&
      refine(views, point) &&
      this.#agree(views, point, maxError, kept) === count
    ) {
      if (this.angle(views, point, 0, kept) < minAngleRad) return 0;
      out.set(point, outAt);
      return count;
    }
    if (count < 3) return 0;

    const best = [NaN, NaN, NaN];
    let bestCount = 1;
    let bestError = Infinity;
    for (let gap = 1, tries = 0; gap < count && tries < 60; gap++) {
      for (let a = 0; a + gap < count && tries < 60; a++, tries++) {
        const pair = this.#pair(views, a, a + gap);
        if (!this.#meetingPoint(pair, point) || !refine(pair, point)) continue;
        const agreeing = this.#agree(views, point, maxError, kept);
        if (agreeing < 2 || agreeing < bestCount) continue;
        let error = 0;
        for (let v = 0; v < count; v++) if (kept[v]) error += viewError(views, v, point, 0) ** 2;
        if (agreeing === bestCount && error >= bestError) continue;
        bestCount = agreeing;
        bestError = error;
        best[0] = point[0];
        best[1] = point[1];
        best[2] = point[2];
      }
    }
    if (bestCount < 2) return 0;

    // Two rounds: the refined point may win back views that the pair's point missed.
    point.set(best);
    for (let round = 0; round < 2; round++) {
      this.#agree(views, point, maxError, kept);
      if (!refine(this.#keep(views, kept), point)) return 0;
    }
    const agreeing = this.#agree(views, point, maxError, kept);
    if (agreeing < 2 || !this.isWide(views, point, minAngleRad, 0, kept)) return 0;
    out.set(point, outAt);
    return agreeing;
  }

  /** Largest angle, radians, under which two of the views (those with `kept` set, where given) see the point. */
  angle(views: Views, points: Float64Array, pointAt = 0, kept?: Uint8Array): number {
    return this.#widest(this.#lookFrom(views, points, pointAt, kept), Number.POSITIVE_INFINITY);
  }

  /** Whether that angle is `leastRad` or more: of hundreds of views that see it so, two are soon found. */
  isWide(views: Views, points: Float64Array, leastRad: number, pointAt = 0, kept?: Uint8Array): boolean {
    return this.#widest(this.#lookFrom(views, points, pointAt, kept), leastRad) >= leastRad;
  }

  /** Unit directions from the views to the point, into `#centres`. @returns how many */
  #lookFrom(views: Views, points: Float64Array, pointAt: number, kept?: Uint8Array): number {
    this.#reserve(views.count);
    const directions = this.#centres;
    let n = 0;
    for (let v = 0; v < views.count; v++) {
      if (kept && !kept[v]) continue;
      cameraCentre(views.poses, views.cameras[v] * 12, directions, n * 3);
      const x = points[pointAt] - directions[n * 3];
      const y = points[pointAt + 1] - directions[n * 3 + 1];
      const z = points[pointAt + 2] - directions[n * 3 + 2];
      const length = Math.sqrt(x * x + y * y + z * z) || 1;
      directions[n * 3] = x / length;
      directions[n * 3 + 1] = y / length;
      directions[n * 3 + 2] = z / length;
      n++;
    }
    return n;
  }

  /** Largest angle between two of the first directions, or any that is clearly more than `enoughRad`. */
  #widest(count: number, enoughRad: number): number {
    const directions = this.#centres;
    // Squared chords between unit directions, 2 sin(angle / 2): accurate for small angles.
    const enough = enoughRad < Math.PI ? (2.001 * Math.sin(enoughRad / 2)) ** 2 : Number.POSITIVE_INFINITY;
    let widest = 0;
    for (let i = 0; i < count * 3 && widest < enough; i += 3) {
      for (let j = i + 3; j < count * 3; j += 3) {
        const x = directions[i] - directions[j];
        const y = directions[i + 1] - directions[j + 1];
        const z = directions[i + 2] - directions[j + 2];
        widest = Math.max(widest, x * x + y * y + z * z);
      }
    }
    return 2 * Math.asin(Math.min(1, Math.sqrt(widest) / 2));
  }

  #reserve(count: number): void {
    if (this.#keptCameras.length >= count) return;
    const size = count * 2;
    this.#centres = new Float64Array(3 * size);
    this.#keptCameras = new Int32Array(size);
    this.#keptRays = new Float64Array(2 * size);
  }

  #pair(views: Views, a: number, b: number): Views {
    this.#keptCameras[0] = views.cameras[a];
    this.#keptCameras[1] = views.cameras[b];
    for (let i = 0; i < 2; i++) {
      this.#keptRays[i] = views.rays[a * 2 + i];
      this.#keptRays[2 + i] = views.rays[b * 2 + i];
    }
    return { poses: views.poses, cameras: this.#keptCameras, rays: this.#keptRays, count: 2 };
  }

  #keep(views: Views, kept: Uint8Array): Views {
    let n = 0;
    for (let v = 0; v < views.count; v++) {
      if (!kept[v]) continue;
      this.#keptCameras[n] = views.cameras[v];
      this.#keptRays[n * 2] = views.rays[v * 2];
      this.#keptRays[n * 2 + 1] = views.rays[v * 2 + 1];
      n++;
    }
    return { poses: views.poses, cameras: this.#keptCameras, rays: this.#keptRays, count: n };
  }

  #agree(views: Views, point: Float64Array, maxError: number, kept: Uint8Array): number {
    let agreeing = 0;
    for (let v = 0; v < views.count; v++) {
      kept[v] = viewError(views, v, point, 0) <= maxError ? 1 : 0;
      agreeing += kept[v];
    }
    return agreeing;
  }

  /** The point with the least sum of squared distances to the rays: Σ (I − d dᵀ)(X − c) = 0. */
  #meetingPoint(views: Views, point: Float64Array): boolean {
    const { poses, cameras, rays, count } = views;
    const centre = this.#centre;
    let a00 = 0;
    let a01 = 0;
    let a02 = 0;
    let a11 = 0;
    let a12 = 0;
    let a22 = 0;
    let b0 = 0;
    let b1 = 0;
    let b2 = 0;
    for (let v = 0; v < count; v++) {
      const p = cameras[v] * 12;
      const u = rays[v * 2];
      const w = rays[v * 2 + 1];
      const scale = 1 / Math.sqrt(u * u + w * w + 1);
      const x = (poses[p] * u + poses[p + 4] * w + poses[p + 8]) * scale;
      const y = (poses[p + 1] * u + poses[p + 5] * w + poses[p + 9]) * scale;
      const z = (poses[p + 2] * u + poses[p + 6] * w + poses[p + 10]) * scale;
      cameraCentre(poses, p, centre);
      const [cx, cy, cz] = centre;
      const along = x * cx + y * cy + z * cz;
      a00 += 1 - x * x;
      a01 -= x * y;
      a02 -= x * z;
      a11 += 1 - y * y;
      a12 -= y * z;
      a22 += 1 - z * z;
      b0 += cx - along * x;
      b1 += cy - along * y;
      b2 += cz - along * z;
    }
    return solveSymmetric3(a00, a01, a02, a11, a12, a22, b0, b1, b2, point);
  }
}

/** Reprojection error of one view, normalised; Infinity when the point is not in front of the camera. */
export function viewError(views: Views, v: number, points: Float64Array, pointAt: number): number {
  const { poses, rays } = views;
  const p = views.cameras[v] * 12;
  const x = points[pointAt];
  const y = points[pointAt + 1];
  const z = points[pointAt + 2];
  const depth = poses[p + 8] * x + poses[p + 9] * y + poses[p + 10] * z + poses[p + 11];
  if (!(depth > 0)) return Infinity;
  const ex = (poses[p] * x + poses[p + 1] * y + poses[p + 2] * z + poses[p + 3]) / depth - rays[v * 2];
  const ey = (poses[p + 4] * x + poses[p + 5] * y + poses[p + 6] * z + poses[p + 7]) / depth - rays[v * 2 + 1];
  return Math.sqrt(ex * ex + ey * ey);
}

/** Gauss–Newton on the squared reprojection errors, in place; false when it leaves the world of finite numbers. */
function refine(views: Views, point: Float64Array): boolean {
  const { poses, cameras, rays, count } = views;
  const step = new Float64Array(3);
  for (let iteration = 0; iteration < GAUSS_NEWTON_STEPS; iteration++) {
    const [x, y, z] = point;
    let a00 = 0;
    let a01 = 0;
    let a02 = 0;
    let a11 = 0;
    let a12 = 0;
    let a22 = 0;
    let b0 = 0;
    let b1 = 0;
    let b2 = 0;
    for (let v = 0; v < count; v++) {
      const p = cameras[v] * 12;
      const depth = poses[p + 8] * x + poses[p + 9] * y + poses[p + 10] * z + poses[p + 11];
      if (!(depth > 0)) return false;
      const inverse = 1 / depth;
      const u = (poses[p] * x + poses[p + 1] * y + poses[p + 2] * z + poses[p + 3]) * inverse;
      const w = (poses[p + 4] * x + poses[p + 5] * y + poses[p + 6] * z + poses[p + 7]) * inverse;
      const eu = rays[v * 2] - u;
      const ew = rays[v * 2 + 1] - w;
      const u0 = (poses[p] - u * poses[p + 8]) * inverse;
      const u1 = (poses[p + 1] - u * poses[p + 9]) * inverse;
      const u2 = (poses[p + 2] - u * poses[p + 10]) * inverse;
      const w0 = (poses[p + 4] - w * poses[p + 8]) * inverse;
      const w1 = (poses[p + 5] - w * poses[p + 9]) * inverse;
      const w2 = (poses[p + 6] - w * poses[p + 10]) * inverse;
      a00 += u0 * u0 + w0 * w0;
      a01 += u0 * u1 + w0 * w1;
      a02 += u0 * u2 + w0 * w2;
      a11 += u1 * u1 + w1 * w1;
      a12 += u1 * u2 + w1 * w2;
      a22 += u2 * u2 + w2 * w2;
      b0 += u0 * eu + w0 * ew;
      b1 += u1 * eu + w1 * ew;
      b2 += u2 * eu + w2 * ew;
    }
    if (!solveSymmetric3(a00, a01, a02, a11, a12, a22, b0, b1, b2, step)) return false;
    point[0] += step[0];
    point[1] += step[1];
    point[2] += step[2];
    const moved = Math.abs(step[0]) + Math.abs(step[1]) + Math.abs(step[2]);
    if (moved <= 1e-12 * (Math.abs(point[0]) + Math.abs(point[1]) + Math.abs(point[2]))) break;
  }
  return Number.isFinite(point[0] + point[1] + point[2]);
}

/** Cramer's rule; false when the determinant is nothing beside the trace (parallel rays). */
function solveSymmetric3(
  a00: number,
  a01: number,
  a02: number,
  a11: number,
  a12: number,
  a22: number,
  b0: number,
  b1: number,
  b2: number,
  out: Float64Array,
): boolean {
  const c00 = a11 * a22 - a12 * a12;
  const c01 = a02 * a12 - a01 * a22;
  const c02 = a01 * a12 - a02 * a11;
  const determinant = a00 * c00 + a01 * c01 + a02 * c02;
  const trace = a00 + a11 + a22;
  if (!(determinant > 1e-14 * trace * trace * trace)) return false;
  const inverse = 1 / determinant;
  out[0] = (c00 * b0 + c01 * b1 + c02 * b2) * inverse;
  out[1] = (c01 * b0 + (a00 * a22 - a02 * a02) * b1 + (a01 * a02 - a00 * a12) * b2) * inverse;
  out[2] = (c02 * b0 + (a01 * a02 - a00 * a12) * b1 + (a00 * a11 - a01 * a01) * b2) * inverse;
  return true;
}
