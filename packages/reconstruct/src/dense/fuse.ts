/**
 * Depth maps to points. A pixel that enough other views bear out becomes one point, moved along its normal to where
 * all of them see the surface; a pixel whose surface an earlier view has given already becomes none. Pure: the same
 * depth maps give the same points.
 */
import type { PosedDepth } from "./contract.ts";
import { type Judgement, type JudgeOptions, judge } from "./judge.ts";
import { type KeepOptions, keepConsistent } from "./keep.ts";
import { type Transfer, transferBetween } from "./transfer.ts";
import { witnessesOf } from "./witnesses.ts";

export type FuseOptions = JudgeOptions &
  KeepOptions & {
    /** Views (the mapper's indices) whose points are wanted; those of all others have been given. Default all. */
    readonly emit?: ReadonlySet<number>;
    /** Called between views; throws to end the work. */
    readonly stop?: () => void;
  };

/** Oriented, coloured points; the same index in all arrays is one point. */
export type FusedPoints = {
  /** `[n, 3]` model frame. */
  readonly positions: Float32Array;
  /** `[n, 3]` unit, towards the cameras. */
  readonly normals: Float32Array;
  /** `[n, 3]` sRGB */
  readonly colors: Uint8Array;
  /** `[n]` 0…255, from how many views agree and how well the photos match there. */
  readonly confidences: Uint8Array;
  /** `[n]` the view (the mapper's index) from whose pixel the point came. */
  readonly source: Uint32Array;
  /** How many pixels of each emitted view were borne out, and how many had a depth. */
  readonly views: readonly FusedView[];
};

export type FusedView = {
  readonly view: number;
  readonly pixels: number;
  readonly withDepth: number;
  readonly consistent: number;
  readonly points: number;
};

/** What an earlier view has given counts when it was seen at most this much more coarsely. */
const COARSER = 1.5;
/** How much less a point is in doubt with each view that agrees. */
const DOUBT_A_VIEW = 0.55;

/** @param depths in the order in which surfaces are given: what two of them see is given by the first */
export function fuse(depths: readonly PosedDepth[], options: FuseOptions = {}): FusedPoints {
  const { emit, stop = () => {} } = options;
  const wanted = depths.flatMap(({ view }, index) => (!emit || emit.has(view.view) ? [index] : []));
  const judged = new Map<number, { judgement: Judgement; kept: Uint8Array }>();
  for (const index of wanted) {
    stop();
    const judgement = judge(depths, index, witnessesOf(depths, index), options);
    judged.set(index, { judgement, kept: keepConsistent(depths[index].depth, judgement, options) });
  }
  const points = new PointList();
  const views: FusedView[] = [];
  for (const index of wanted) {
    stop();
    const before = points.count;
    const { judgement, kept } = judged.get(index)!;
    const given = (bitsOf: number): number => judgement.witnesses[bitsOf];
    const minViews = options.minViews ?? 3;
    const witnesses = judgement.witnesses.map((_, bit): Witness => {
      const other = given(bit);
      const earlier = judged.get(other);
      // A view that is not emitted now has been before; what it gave then is told by who agrees, see `isGiven`.
      const role = !earlier ? "before" : other < index ? "earlier" : "later";
      return {
        posed: depths[other],
        transfer: transferBetween(depths[index].view, depths[other].view),
        kept: earlier?.kept,
        role,
      };
    });
    emitView(depths[index], judgement, kept, witnesses, minViews, points);
    views.push({ ...shares(depths[index], kept), points: points.count - before });
  }
  return { ...points.take(), views };
}

function shares({ view, depth }: PosedDepth, kept: Uint8Array): Omit<FusedView, "points"> {
  let withDepth = 0;
  let consistent = 0;
  for (let at = 0; at < kept.length; at++) {
    if (depth.depths[at] > 0) withDepth++;
    consistent += kept[at];
  }
  return { view: view.view, pixels: kept.length, withDepth, consistent };
}

type Witness = {
  readonly posed: PosedDepth;
  readonly transfer: Transfer;
  readonly kept: Uint8Array | undefined;
  readonly role: "before" | "earlier" | "later";
};

/** The sums over the views that agree on one point; one object for all, as it is filled a million times. */
type Sum = {
  weight: number;
  shift: number;
  normalX: number;
  normalY: number;
  normalZ: number;
  red: number;
  green: number;
  blue: number;
  confidence: number;
};

function emitView(
  { view, depth }: PosedDepth,
  { agree, inside }: Judgement,
  kept: Uint8Array,
  witnesses: readonly Witness[],
  minViews: number,
  points: PointList,
): void {
  const { widthPx, heightPx, depths, normals, confidences } = depth;
  const [fx, fy, cx, cy] = view.pinhole;
  const pose = view.cameraFromWorld;
  const { rgb } = view;
  const sum: Sum = {
    weight: 0,
    shift: 0,
    normalX: 0,
    normalY: 0,
    normalZ: 0,
    red: 0,
    green: 0,
    blue: 0,
    confidence: 0,
  };
  let at = -1;
  for (let row = 0; row < heightPx; row++) {
    for (let column = 0; column < widthPx; column++) {
      at++;
      if (!kept[at]) continue;
      const z = depths[at];
      const x = column + 0.5;
      const y = row + 0.5;
      const rayX = (x - cx) / fx;
      const rayY = (y - cy) / fy;
      const n = at * 3;
      const nx = normals[n] / 127;
      const ny = normals[n + 1] / 127;
      const nz = normals[n + 2] / 127;
      const facing = -(nx * rayX + ny * rayY + nz) / Math.sqrt(rayX * rayX + rayY * rayY + 1);
      const footprint = z / fx;
      const own = (confidences[at] + 1) * Math.max(0.1, facing);
      sum.weight = own;
      sum.shift = 0;
      sum.normalX = own * nx;
      sum.normalY = own * ny;
      sum.normalZ = own * nz;
      sum.red = own * rgb[n];
      sum.green = own * rgb[n + 1];
      sum.blue = own * rgb[n + 2];
      sum.confidence = own * confidences[at];
      let agreeing = 0;
      let agreeingBefore = 0;
      let before = 0;
      let given = false;
      for (let bit = 0; bit < witnesses.length; bit++) {
        const witness = witnesses[bit];
        if (witness.role === "before") before++;
        if (!(agree[at] & (1 << bit))) continue;
        agreeing++;
        const coarser = addWitness(sum, witness, x, y, z, nx, ny, nz, footprint);
        if (coarser > COARSER) continue;
        if (witness.role === "before") agreeingBefore++;
        else if (witness.role === "earlier" && keptHit) given = true;
      }
      // Views that agree with this pixel agree with each other: enough of them have given the surface without it.
      if (agreeingBefore >= Math.min(minViews, Math.max(2, Math.min(before, inside[at])))) given = true;
      if (given) continue;
      const scale = 1 / sum.weight;
      const length = Math.hypot(sum.normalX, sum.normalY, sum.normalZ) || 1;
      const mx = sum.normalX / length;
      const my = sum.normalY / length;
      const mz = sum.normalZ / length;
      const shift = sum.shift * scale;
      const px = rayX * z + shift * nx - pose[3];
      const py = rayY * z + shift * ny - pose[7];
      const pz = z + shift * nz - pose[11];
      const i = points.grow();
      const p = i * 3;
      for (let axis = 0; axis < 3; axis++) {
        points.positions[p + axis] = pose[axis] * px + pose[4 + axis] * py + pose[8 + axis] * pz;
        points.normals[p + axis] = pose[axis] * mx + pose[4 + axis] * my + pose[8 + axis] * mz;
      }
      points.colors[p] = sum.red * scale + 0.5;
      points.colors[p + 1] = sum.green * scale + 0.5;
      points.colors[p + 2] = sum.blue * scale + 0.5;
      points.confidences[i] = sum.confidence * scale * (1 - DOUBT_A_VIEW ** agreeing) + 0.5;
      points.source[i] = view.view;
    }
  }
}

/** Whether the last witness's pixel was itself kept: a second answer of `addWitness` without an object for each. */
let keptHit = false;

/**
 * Adds what a witness sees at a point of the reference view.
 * @returns how many times as coarse its pixels are there
 */
function addWitness(
  sum: Sum,
  { posed: { view, depth }, transfer: { m, b, turn }, kept }: Witness,
  x: number,
  y: number,
  z: number,
  nx: number,
  ny: number,
  nz: number,
  footprint: number,
): number {
  const w = (m[6] * x + m[7] * y + m[8]) * z + b[2];
  const u = ((m[0] * x + m[1] * y + m[2]) * z + b[0]) / w;
  const v = ((m[3] * x + m[4] * y + m[5]) * z + b[1]) / w;
  const hit = (v | 0) * depth.widthPx + (u | 0);
  keptHit = kept !== undefined && kept[hit] === 1;
  const [fx, fy, cx, cy] = view.pinhole;
  const coarser = w / fx / footprint;
  const n = hit * 3;
  const sx = depth.normals[n] / 127;
  const sy = depth.normals[n + 1] / 127;
  const sz = depth.normals[n + 2] / 127;
  const rayX = (u - cx) / fx;
  const rayY = (v - cy) / fy;
  const facing = -(sx * rayX + sy * rayY + sz);
  const norm = Math.sqrt(rayX * rayX + rayY * rayY + 1);
  const weight = ((depth.confidences[hit] + 1) * Math.max(0.1, facing / norm)) / Math.max(1, coarser * coarser);
  // The witness's surface lies at (d − w) · ray behind the point; along the reference's normal that is the shift.
  const qx = ((u | 0) + 0.5 - cx) / fx;
  const qy = ((v | 0) + 0.5 - cy) / fy;
  const slope = facing > 0.05 ? -(sx * qx + sy * qy + sz) / facing : 1;
  const behind = depth.depths[hit] * Math.min(1.02, Math.max(0.98, slope)) - w;
  // Normals in the witness's camera; the transpose of `turn` brings its normal back.
  const tx = turn[0] * nx + turn[1] * ny + turn[2] * nz;
  const ty = turn[3] * nx + turn[4] * ny + turn[5] * nz;
  const tz = turn[6] * nx + turn[7] * ny + turn[8] * nz;
  sum.shift += weight * behind * (rayX * tx + rayY * ty + tz);
  sum.normalX += weight * (turn[0] * sx + turn[3] * sy + turn[6] * sz);
  sum.normalY += weight * (turn[1] * sx + turn[4] * sy + turn[7] * sz);
  sum.normalZ += weight * (turn[2] * sx + turn[5] * sy + turn[8] * sz);
  sum.red += weight * view.rgb[n];
  sum.green += weight * view.rgb[n + 1];
  sum.blue += weight * view.rgb[n + 2];
  sum.confidence += weight * depth.confidences[hit];
  sum.weight += weight;
  return coarser;
}

/** Points whose number is not known beforehand. */
class PointList {
  count = 0;
  positions = new Float32Array(0);
  normals = new Float32Array(0);
  colors = new Uint8Array(0);
  confidences = new Uint8Array(0);
  source = new Uint32Array(0);

  /** Room for one more; @returns its index */
  grow(): number {
    if (this.count === this.source.length) this.#resize(Math.max(65_536, this.count * 2));
    return this.count++;
  }

  take(): Omit<FusedPoints, "views"> {
    this.#resize(this.count);
    const { positions, normals, colors, confidences, source } = this;
    return { positions, normals, colors, confidences, source };
  }

  #resize(capacity: number): void {
    this.positions = resized(this.positions, new Float32Array(capacity * 3));
    this.normals = resized(this.normals, new Float32Array(capacity * 3));
    this.colors = resized(this.colors, new Uint8Array(capacity * 3));
    this.confidences = resized(this.confidences, new Uint8Array(capacity));
    this.source = resized(this.source, new Uint32Array(capacity));
  }
}

function resized<T extends Float32Array | Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from.subarray(0, to.length));
  return to;
}
