/** The points of one view: each pixel that is kept, averaged over the views that agree, unless another view gave it. */
import type { DenseView, PosedDepth } from "./contract.ts";
import type { Gain } from "./exposure.ts";
import { BITS, type Judgement } from "./judge.ts";
import { SURE } from "./keep.ts";
import type { PointList } from "./point-list.ts";
import { transferBetween } from "./transfer.ts";

/** Why a pixel becomes a point. */
export const BORNE_OUT = 1;
export const FILLED = 2;

/** A view with its holes filled, and what is to be made of its pixels. */
export type Prepared = {
  readonly posed: PosedDepth;
  readonly judgement: Judgement;
  /** `[heightPx, widthPx]` 0, {@link BORNE_OUT} or {@link FILLED}. */
  readonly kept: Uint8Array;
  /** `[heightPx, widthPx]` how coarsely the surface is seen where it is kept, in steps: see {@link coarseness}. */
  readonly coarse: Int16Array;
};

/** A view that looks at the same place, as one bit of the judgement. Flat: read a million times. */
export type Witness = {
  /** Left out: it gave its points before, and only its depth is at hand. */
  readonly prepared: Prepared | undefined;
  /** Whether it comes before the reference: of two that see a surface equally well the first gives it. */
  readonly first: boolean;
  readonly depths: Float32Array;
  readonly normals: Int8Array;
  readonly confidences: Uint8Array;
  readonly rgb: Uint8Array;
  readonly widthPx: number;
  readonly fx: number;
  readonly fy: number;
  readonly cx: number;
  readonly cy: number;
  /** From the reference's pixels to the witness's. */
  readonly m: Float64Array;
  readonly b: Float64Array;
  readonly turn: Float64Array;
  readonly evenRed: Float32Array;
  readonly evenGreen: Float32Array;
  readonly evenBlue: Float32Array;
};

/** Steps of coarseness to a factor of e in area. */
const AREA_STEPS = 2;
/** What was given before counts when it was seen at most this much more coarsely. */
const COARSER = 1.5;
/** How much less a point is in doubt with each view that agrees. */
const DOUBT_A_VIEW = 0.55;
/** A plane changes its depth within a pixel by no more than this part, else it was badly told. */
const MOST_SLOPE = 0.02;
/** Points that a pixel of depth becomes, each way. */
const MOST_TIMES = 4;
/** A surface seen at a slant still counts this much. */
const LEAST_FACING = 0.1;

export function witnessOf(
  reference: PosedDepth,
  { view, depth }: PosedDepth,
  prepared: Prepared | undefined,
  first: boolean,
  even: readonly Float32Array[],
): Witness {
  const { depths, normals, confidences, widthPx } = depth;
  const [fx, fy, cx, cy] = view.pinhole;
  const [evenRed, evenGreen, evenBlue] = even;
  const transfer = transferBetween(reference.view, view);
  const maps = { depths, normals, confidences, rgb: view.rgb, widthPx };
  return { prepared, first, ...maps, fx, fy, cx, cy, ...transfer, evenRed, evenGreen, evenBlue };
}

/**
 * How large a piece of surface each kept pixel covers, as whole steps of its logarithm: steps, so that "finer, or as
 * fine and earlier" is an order in which each surface has a first.
 */
export function coarseness({ view, depth }: PosedDepth, kept: Uint8Array): Int16Array {
  const { depths, normals, widthPx } = depth;
  const [fx, fy, cx, cy] = view.pinhole;
  const coarse = new Int16Array(kept.length);
  for (let at = 0; at < kept.length; at++) {
    if (!kept[at]) continue;
    const x = at % widthPx;
    const rayX = (x + 0.5 - cx) / fx;
    const rayY = ((at - x) / widthPx + 0.5 - cy) / fy;
    const n = at * 3;
    const facing = -(normals[n] * rayX + normals[n + 1] * rayY + normals[n + 2]) / 127;
    // A pixel's rays cut z²/(fx fy) out of a plane across the axis, and this out of a slanted one.
    const area = (depths[at] * depths[at]) / (fx * fy * Math.max(LEAST_FACING, facing));
    coarse[at] = Math.floor(Math.log(area) * AREA_STEPS);
  }
  return coarse;
}

/** `[3][256]` what each sRGB value of a photo is once its gain is taken out. */
export function evenValues(gain: Gain): Float32Array[] {
  return gain.map((factor) => Float32Array.from({ length: 256 }, (_, value) => value / factor));
}

/** @param minViews as when the pixels were kept */
export function emitView(
  { posed: { view, depth, picture }, judgement: { agree }, kept, coarse }: Prepared,
  even: readonly Float32Array[],
  witnesses: readonly Witness[],
  minViews: number,
  points: PointList,
): void {
  const { widthPx, heightPx, depths, normals, confidences } = depth;
  const [fx, fy, cx, cy] = view.pinhole;
  const { rgb } = view;
  const [evenRed, evenGreen, evenBlue] = even;
  const sum = new Sum();
  const place = new Place(view);
  const detail = picture && new Detail(view, picture, even);
  let at = -1;
  for (let row = 0; row < heightPx; row++) {
    for (let column = 0; column < widthPx; column++) {
      at++;
      if (kept[at] === 0) continue;
      const z = depths[at];
      const x = column + 0.5;
      const y = row + 0.5;
      const agreeing = agree[at];
      const footprint = z / fx;
      let before = 0;
      let sure = false;
      let given = false;
      for (let bit = 0; bit < witnesses.length && !given; bit++) {
        if (!(agreeing & (1 << bit))) continue;
        const witness = witnesses[bit];
        const { prepared } = witness;
        sum.aim(witness, x, y, z);
        if (!prepared) {
          if (kept[at] === FILLED) given = true;
          if (sum.w / witness.fx > COARSER * footprint) continue;
          before++;
          if (witness.confidences[sum.hit] >= SURE) sure = true;
        } else if (prepared.kept[sum.hit] === BORNE_OUT) {
          const coarser = prepared.coarse[sum.hit] - coarse[at];
          given = kept[at] === FILLED || coarser < 0 || (coarser === 0 && witness.first);
        }
      }
      // Views that agree with this pixel agree with each other: enough of them have given the surface without it.
      if (given || before >= minViews || (before >= 2 && sure)) continue;
      const rayX = (x - cx) / fx;
      const rayY = (y - cy) / fy;
      const n = at * 3;
      const nx = normals[n] / 127;
      const ny = normals[n + 1] / 127;
      const nz = normals[n + 2] / 127;
      const facing = -(nx * rayX + ny * rayY + nz) / Math.sqrt(rayX * rayX + rayY * rayY + 1);
      const own = (confidences[at] + 1) * Math.max(LEAST_FACING, facing);
      sum.weight = own;
      sum.shift = 0;
      sum.normalX = own * nx;
      sum.normalY = own * ny;
      sum.normalZ = own * nz;
      sum.red = own * evenRed[rgb[n]];
      sum.green = own * evenGreen[rgb[n + 1]];
      sum.blue = own * evenBlue[rgb[n + 2]];
      sum.confidence = own * confidences[at];
      for (let bit = 0; bit < witnesses.length; bit++) {
        if (agreeing & (1 << bit)) sum.add(witnesses[bit], x, y, z, nx, ny, nz, footprint);
      }
      const confidence = sum.confidence / sum.weight;
      place.settle(sum, rayX, rayY, z, nx, ny, nz);
      place.confidence = confidence * (1 - DOUBT_A_VIEW ** Math.max(1, BITS[agreeing])) + 0.5;
      if (detail) detail.emit(place, column, row, points);
      else place.emit(rayX, rayY, place.red, place.green, place.blue, points);
    }
  }
}

/** A piece of surface as the views that agree see it; in the reference's camera. One object for all. */
class Place {
  readonly #pose: Float64Array;
  readonly #view: number;
  x = 0;
  y = 0;
  z = 0;
  normalX = 0;
  normalY = 0;
  normalZ = 0;
  red = 0;
  green = 0;
  blue = 0;
  confidence = 0;

  constructor({ cameraFromWorld, view }: DenseView) {
    this.#pose = cameraFromWorld;
    this.#view = view;
  }

  /** Takes the means over from the sums, for the pixel with this ray, depth and normal. */
  settle(sum: Sum, rayX: number, rayY: number, z: number, nx: number, ny: number, nz: number): void {
    const scale = 1 / sum.weight;
    const shift = sum.shift * scale;
    const length = Math.hypot(sum.normalX, sum.normalY, sum.normalZ) || 1;
    this.x = rayX * z + shift * nx;
    this.y = rayY * z + shift * ny;
    this.z = z + shift * nz;
    this.normalX = sum.normalX / length;
    this.normalY = sum.normalY / length;
    this.normalZ = sum.normalZ / length;
    this.red = sum.red * scale;
    this.green = sum.green * scale;
    this.blue = sum.blue * scale;
  }

  /** The point of the place's plane along a ray near its own, in this colour. */
  emit(rayX: number, rayY: number, red: number, green: number, blue: number, points: PointList): void {
    const { normalX, normalY, normalZ } = this;
    const pose = this.#pose;
    const facing = normalX * rayX + normalY * rayY + normalZ;
    const onPlane = (normalX * this.x + normalY * this.y + normalZ * this.z) / facing;
    const z = Math.abs(onPlane / this.z - 1) < MOST_SLOPE ? onPlane : this.z;
    const px = rayX * z - pose[3];
    const py = rayY * z - pose[7];
    const pz = z - pose[11];
    const i = points.grow();
    const p = i * 3;
    for (let axis = 0; axis < 3; axis++) {
      points.positions[p + axis] = pose[axis] * px + pose[4 + axis] * py + pose[8 + axis] * pz;
      points.normals[p + axis] = pose[axis] * normalX + pose[4 + axis] * normalY + pose[8 + axis] * normalZ;
    }
    points.colors[p] = Math.max(0, Math.min(255, red + 0.5));
    points.colors[p + 1] = Math.max(0, Math.min(255, green + 0.5));
    points.colors[p + 2] = Math.max(0, Math.min(255, blue + 0.5));
    points.confidences[i] = this.confidence;
    points.source[i] = this.#view;
  }
}

/** A picture larger than the depth map: the mean colours of a place, and in it the detail that this photo shows. */
class Detail {
  readonly #view: DenseView;
  readonly #picture: NonNullable<PosedDepth["picture"]>;
  readonly #even: readonly Float32Array[];
  /** Points a pixel has each way. */
  readonly #times: number;
  readonly #hits: Int32Array;

  constructor(view: DenseView, picture: NonNullable<PosedDepth["picture"]>, even: readonly Float32Array[]) {
    this.#view = view;
    this.#picture = picture;
    this.#even = even;
    this.#times = Math.min(MOST_TIMES, Math.max(1, Math.round(picture.widthPx / view.widthPx)));
    this.#hits = new Int32Array(this.#times * this.#times);
  }

  emit(place: Place, column: number, row: number, points: PointList): void {
    const { pinhole } = this.#view;
    const { rgb, widthPx, heightPx, pinhole: finer } = this.#picture;
    const [evenRed, evenGreen, evenBlue] = this.#even;
    const times = this.#times;
    const hits = this.#hits;
    const toRayX = (k: number): number => (column + (k + 0.5) / times - pinhole[2]) / pinhole[0];
    const toRayY = (k: number): number => (row + (k + 0.5) / times - pinhole[3]) / pinhole[1];
    let [red, green, blue] = [0, 0, 0];
    for (let k = 0; k < hits.length; k++) {
      const u = Math.floor(toRayX(k % times) * finer[0] + finer[2]);
      const v = Math.floor(toRayY(Math.floor(k / times)) * finer[1] + finer[3]);
      const hit = 3 * (Math.min(heightPx - 1, Math.max(0, v)) * widthPx + Math.min(widthPx - 1, Math.max(0, u)));
      hits[k] = hit;
      red += evenRed[rgb[hit]];
      green += evenGreen[rgb[hit + 1]];
      blue += evenBlue[rgb[hit + 2]];
    }
    const meanRed = place.red - red / hits.length;
    const meanGreen = place.green - green / hits.length;
    const meanBlue = place.blue - blue / hits.length;
    for (let k = 0; k < hits.length; k++) {
      place.emit(
        toRayX(k % times),
        toRayY(Math.floor(k / times)),
        meanRed + evenRed[rgb[hits[k]]],
        meanGreen + evenGreen[rgb[hits[k] + 1]],
        meanBlue + evenBlue[rgb[hits[k] + 2]],
        points,
      );
    }
  }
}

/** Sums over the views that agree on one point; one object for all, as it is filled a million times. */
class Sum {
  weight = 0;
  /** Along the reference's normal. */
  shift = 0;
  normalX = 0;
  normalY = 0;
  normalZ = 0;
  red = 0;
  green = 0;
  blue = 0;
  confidence = 0;
  /** Where a witness sees the place that was aimed at: pixel, depth and index. */
  u = 0;
  v = 0;
  w = 0;
  hit = 0;

  /** @param x, y, z pixel and depth in the reference */
  aim({ m, b, widthPx }: Witness, x: number, y: number, z: number): void {
    this.w = (m[6] * x + m[7] * y + m[8]) * z + b[2];
    this.u = ((m[0] * x + m[1] * y + m[2]) * z + b[0]) / this.w;
    this.v = ((m[3] * x + m[4] * y + m[5]) * z + b[1]) / this.w;
    this.hit = (this.v | 0) * widthPx + (this.u | 0);
  }

  /** Adds what a witness sees at a place of the reference: pixel, depth, normal and size of a pixel there. */
  add(witness: Witness, x: number, y: number, z: number, nx: number, ny: number, nz: number, footprint: number): void {
    this.aim(witness, x, y, z);
    const { fx, fy, cx, cy, turn, normals, rgb } = witness;
    const { u, v, w, hit } = this;
    const confidence = witness.confidences[hit];
    const n = hit * 3;
    const sx = normals[n] / 127;
    const sy = normals[n + 1] / 127;
    const sz = normals[n + 2] / 127;
    const rayX = (u - cx) / fx;
    const rayY = (v - cy) / fy;
    const facing = -(sx * rayX + sy * rayY + sz);
    const norm = Math.sqrt(rayX * rayX + rayY * rayY + 1);
    const coarser = Math.max(1, w / fx / footprint);
    const weight = ((confidence + 1) * Math.max(LEAST_FACING, facing / norm)) / (coarser * coarser);
    // The witness's surface lies (d − w) · ray behind the place; along the reference's normal that is the shift.
    const pixelX = ((u | 0) + 0.5 - cx) / fx;
    const pixelY = ((v | 0) + 0.5 - cy) / fy;
    const slope = facing > 0.05 ? -(sx * pixelX + sy * pixelY + sz) / facing : 1;
    const behind = witness.depths[hit] * Math.min(1.02, Math.max(0.98, slope)) - w;
    const tx = turn[0] * nx + turn[1] * ny + turn[2] * nz;
    const ty = turn[3] * nx + turn[4] * ny + turn[5] * nz;
    const tz = turn[6] * nx + turn[7] * ny + turn[8] * nz;
    this.shift += weight * behind * (rayX * tx + rayY * ty + tz);
    this.normalX += weight * (turn[0] * sx + turn[3] * sy + turn[6] * sz);
    this.normalY += weight * (turn[1] * sx + turn[4] * sy + turn[7] * sz);
    this.normalZ += weight * (turn[2] * sx + turn[5] * sy + turn[8] * sz);
    this.red += weight * witness.evenRed[rgb[n]];
    this.green += weight * witness.evenGreen[rgb[n + 1]];
    this.blue += weight * witness.evenBlue[rgb[n + 2]];
    this.confidence += weight * confidence;
    this.weight += weight;
  }
}
