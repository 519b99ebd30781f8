/**
 * Small holes filled where all around them is one plane: inverse depth is linear in the pixels of a plane, so the
 * plane is fitted there. Only neighbours of a like colour support a pixel, so that nothing grows over an edge.
 */
import type { DenseView, DepthMap } from "./contract.ts";

/** Neighbours are looked for so far away. */
const REACH_PX = 4;
/** This share of the neighbourhood must be borne out, of a like colour, and lie on the plane. */
const SUPPORT = 0.5;
/** In each quarter around the pixel there must be some: a plane goes on to the rim of a surface, but not beyond. */
const LEAST_A_QUARTER = 3;
/** Neighbours lie on one plane when their depths differ from it by at most this part. */
const FLAT = 0.004;
/** Colours of one surface, sum of differences over the channels. */
const LIKE_COLOR = 60;
/** Normals in the neighbourhood must agree, so that it is a surface and not a grazing view of many. */
const LEAST_FACING = 0.15;
/** What was filled is less sure than its neighbours. */
const TRUST = 0.6;

/**
 * The depth map with its holes filled as far as the neighbourhood supports it.
 * @returns the same map, and no pixels, when there is nothing to fill
 */
export function fillHoles(
  view: DenseView,
  depth: DepthMap,
  kept: Uint8Array,
): { readonly depth: DepthMap; readonly filled: Int32Array } {
  const { widthPx, heightPx } = depth;
  const near = keptAround(kept, widthPx, heightPx);
  const side = 2 * REACH_PX + 1;
  const least = Math.ceil(SUPPORT * side * side);
  const found: { at: number; inverse: number; normal: readonly number[]; confidence: number }[] = [];
  const fit = new PlaneFit(view, depth, kept);
  for (let y = REACH_PX; y < heightPx - REACH_PX; y++) {
    for (let x = REACH_PX; x < widthPx - REACH_PX; x++) {
      const at = y * widthPx + x;
      if (kept[at] || near[at] < least) continue;
      const plane = fit.around(x, y, least);
      if (plane) found.push({ at, ...plane });
    }
  }
  if (found.length === 0) return { depth, filled: new Int32Array(0) };
  const depths = depth.depths.slice();
  const normals = depth.normals.slice();
  const confidences = depth.confidences.slice();
  for (const { at, inverse, normal, confidence } of found) {
    depths[at] = 1 / inverse;
    for (let k = 0; k < 3; k++) normals[at * 3 + k] = Math.round(127 * normal[k]);
    confidences[at] = TRUST * confidence;
  }
  return { depth: { ...depth, depths, normals, confidences }, filled: Int32Array.from(found, ({ at }) => at) };
}

/** How many pixels in reach of each are kept (sums along rows, then along columns); 0 at the rim. */
function keptAround(kept: Uint8Array, widthPx: number, heightPx: number): Uint8Array {
  const rows = new Uint8Array(kept.length);
  const around = new Uint8Array(kept.length);
  for (let y = 0; y < heightPx; y++) {
    let sum = 0;
    const row = y * widthPx;
    for (let x = 0; x < widthPx; x++) {
      sum += kept[row + x];
      if (x > 2 * REACH_PX) sum -= kept[row + x - 2 * REACH_PX - 1];
      if (x >= 2 * REACH_PX) rows[row + x - REACH_PX] = sum;
    }
  }
  for (let x = REACH_PX; x < widthPx - REACH_PX; x++) {
    let sum = 0;
    for (let y = 0; y < heightPx; y++) {
      sum += rows[y * widthPx + x];
      if (y > 2 * REACH_PX) sum -= rows[(y - 2 * REACH_PX - 1) * widthPx + x];
      if (y >= 2 * REACH_PX) around[(y - REACH_PX) * widthPx + x] = sum;
    }
  }
  return around;
}

type Plane = { readonly inverse: number; readonly normal: readonly number[]; readonly confidence: number };

class PlaneFit {
  readonly #view: DenseView;
  readonly #depth: DepthMap;
  readonly #kept: Uint8Array;
  /** Offsets, index and inverse depth of the neighbours at hand. */
  readonly #dx = new Float64Array((2 * REACH_PX + 1) ** 2);
  readonly #dy = new Float64Array((2 * REACH_PX + 1) ** 2);
  readonly #inverse = new Float64Array((2 * REACH_PX + 1) ** 2);

  constructor(view: DenseView, depth: DepthMap, kept: Uint8Array) {
    this.#view = view;
    this.#depth = depth;
    this.#kept = kept;
  }

  /** The plane of at least `least` neighbours, at the pixel; undefined when they are on none. */
  around(x: number, y: number, least: number): Plane | undefined {
    const { depths, confidences, widthPx } = this.#depth;
    const { rgb } = this.#view;
    const centre = (y * widthPx + x) * 3;
    const quarters = [0, 0, 0, 0];
    let n = 0;
    let confidence = 0;
    for (let dy = -REACH_PX; dy <= REACH_PX; dy++) {
      for (let dx = -REACH_PX; dx <= REACH_PX; dx++) {
        const at = (y + dy) * widthPx + x + dx;
        if (!this.#kept[at]) continue;
        const c = at * 3;
        const unlike =
          Math.abs(rgb[c] - rgb[centre]) +
          Math.abs(rgb[c + 1] - rgb[centre + 1]) +
          Math.abs(rgb[c + 2] - rgb[centre + 2]);
        if (unlike > LIKE_COLOR) continue;
        this.#dx[n] = dx;
        this.#dy[n] = dy;
        this.#inverse[n] = 1 / depths[at];
        confidence += confidences[at];
        quarters[(dx < 0 ? 0 : 1) + (dy < 0 ? 0 : 2)]++;
        n++;
      }
    }
    if (n < least || Math.min(...quarters) < LEAST_A_QUARTER) return undefined;
    const plane = solvePlane(this.#dx, this.#dy, this.#inverse, n);
    if (!plane) return undefined;
    const [a, b, inverse] = plane;
    if (!(inverse > 0)) return undefined;
    let on = 0;
    for (let k = 0; k < n; k++) {
      const off = a * this.#dx[k] + b * this.#dy[k] + inverse - this.#inverse[k];
      if (Math.abs(off) <= FLAT * inverse) on++;
    }
    if (on < least || on < 0.9 * n) return undefined;
    const normal = this.#normalOf(a, b, inverse, x, y);
    return normal && { inverse, normal, confidence: confidence / n };
  }

  /** 1/z = (a', b', c') · ray, so (a', b', c') is the normal but for its sign and length. */
  #normalOf(a: number, b: number, inverse: number, x: number, y: number): readonly number[] | undefined {
    const [fx, fy, cx, cy] = this.#view.pinhole;
    const [u, v] = [(x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy];
    const [p, q] = [a * fx, b * fy];
    const r = inverse - p * u - q * v;
    const length = Math.hypot(p, q, r);
    if (inverse / (length * Math.hypot(u, v, 1)) < LEAST_FACING) return undefined;
    return [-p / length, -q / length, -r / length];
  }
}

/** Least squares of `a dx + b dy + c = value`. */
function solvePlane(dx: Float64Array, dy: Float64Array, value: Float64Array, n: number): number[] | undefined {
  let mx = 0;
  let my = 0;
  let mv = 0;
  for (let k = 0; k < n; k++) {
    mx += dx[k] / n;
    my += dy[k] / n;
    mv += value[k] / n;
  }
  let xx = 0;
  let xy = 0;
  let yy = 0;
  let xv = 0;
  let yv = 0;
  for (let k = 0; k < n; k++) {
    const x = dx[k] - mx;
    const y = dy[k] - my;
    const v = value[k] - mv;
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xv += x * v;
    yv += y * v;
  }
  const determinant = xx * yy - xy * xy;
  if (!(determinant > 1e-9)) return undefined;
  const a = (yy * xv - xy * yv) / determinant;
  const b = (xx * yv - xy * xv) / determinant;
  return [a, b, mv - a * mx - b * my];
}
