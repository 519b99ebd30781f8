/**
 * Depth maps to points. A pixel that enough other views bear out becomes one point, moved along its normal to where
 * all of them see the surface; a surface that several views see is given by the one that sees it finest, once. Pure: the same
 * depth maps give the same points.
 */
import type { PosedDepth } from "./contract.ts";
import { BORNE_OUT, coarseness, emitView, evenValues, FILLED, type Prepared, witnessOf } from "./emit.ts";
import { ColorPairs, type Gain, type PhotoPair, solveGains } from "./exposure.ts";
import { fillHoles } from "./fill.ts";
import { type Judgement, type JudgeOptions, judge } from "./judge.ts";
import { dropSpeckles, type KeepOptions, keepConsistent } from "./keep.ts";
import { PointList } from "./point-list.ts";
import { findSky } from "./sky.ts";
import { transferBetween } from "./transfer.ts";
import { trimSilhouettes } from "./trim.ts";
import { witnessesOf } from "./witnesses.ts";

export type FuseOptions = JudgeOptions &
  KeepOptions & {
    /** Views (the mapper's indices) whose points are wanted. Default all. */
    readonly emit?: ReadonlySet<number>;
    /** Of the others, those whose points are wanted another time, with the same depths. Default: all gave theirs before. */
    readonly beside?: ReadonlySet<number>;
    /** Gains with which points were coloured before: they stay, and the others are fitted to them. */
    readonly gains?: ReadonlyMap<number, Gain>;
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
  /** By view; give them back with the next photo, so that its colours fit. */
  readonly gains: ReadonlyMap<number, Gain>;
};

type FusedView = {
  readonly view: number;
  readonly pixels: number;
  readonly withDepth: number;
  readonly consistent: number;
  readonly filled: number;
  readonly points: number;
};

/** Every so many pixels one is asked for its colour in two photos. A prime, so that it falls on all columns. */
const COLOR_STEP = 23;

/** @param depths of two that see a surface equally well the first gives it */
export function fuse(depths: readonly PosedDepth[], options: FuseOptions = {}): FusedPoints {
  const looked = lookThrough(depths, options);
  return emitPoints(looked, evenedOut(looked, options.gains), options);
}

/** Depth maps that have been asked about one another: all that there is to do before gains must be known. */
export type Looked = {
  readonly depths: readonly PosedDepth[];
  /** Indices of those whose points are wanted. */
  readonly wanted: readonly number[];
  readonly prepared: ReadonlyMap<number, Prepared>;
  readonly pairs: readonly PhotoPair[];
};

export function lookThrough(depths: readonly PosedDepth[], options: FuseOptions): Looked {
  const { emit, beside, stop = () => {} } = options;
  const wanted = depths.flatMap(({ view }, index) => (!emit || emit.has(view.view) ? [index] : []));
  const prepared = new Map<number, Prepared>();
  const pairs: PhotoPair[] = [];
  for (const [index, { view }] of depths.entries()) {
    if (!wanted.includes(index) && !beside?.has(view.view)) continue;
    stop();
    const { ready, colors } = prepare(depths, index, options);
    prepared.set(index, ready);
    pairs.push(...colors);
  }
  return { depths, wanted, prepared, pairs };
}

/** @param known gains that stay; of views that are not here they say nothing */
export function evenedOut({ depths, pairs }: Looked, known?: ReadonlyMap<number, Gain>): Map<number, Gain> {
  return solveGains(
    depths.map(({ view }) => view.view),
    pairs,
    known,
  );
}

export function emitPoints(
  { depths, wanted, prepared }: Looked,
  gains: ReadonlyMap<number, Gain>,
  { minViews = 3, stop = () => {} }: Pick<FuseOptions, "minViews" | "stop">,
): FusedPoints {
  const even = depths.map(({ view }) => evenValues(gains.get(view.view)!));
  const points = new PointList();
  const views: FusedView[] = [];
  for (const index of wanted) {
    stop();
    const ready = prepared.get(index)!;
    const witnesses = ready.judgement.witnesses.map((other) => {
      const seen = prepared.get(other);
      const posed = seen?.posed ?? depths[other];
      return witnessOf(ready.posed, posed, seen, other < index, even[other]);
    });
    const before = points.count;
    emitView(ready, even[index], witnesses, minViews, points);
    views.push({ ...counts(depths[index], ready.kept), points: points.count - before });
  }
  return { ...points.take(), views, gains };
}

/** What is kept of a view, and its colours beside those of its witnesses. */
function prepare(
  depths: readonly PosedDepth[],
  index: number,
  options: FuseOptions,
): { ready: Prepared; colors: PhotoPair[] } {
  const { view, depth, picture } = depths[index];
  const witnesses = witnessesOf(depths, index);
  const judgement = judge(depths, index, witnesses, options);
  const kept = keepConsistent(depth, judgement, options);
  const sky = findSky(view, kept);
  for (let at = 0; at < kept.length; at++) if (sky[at]) kept[at] = 0;
  trimSilhouettes(view, depth, kept);
  dropSpeckles(depth, kept);
  const colors = comparedColors(depths, index, judgement, kept);
  const { depth: whole, filled } = fillHoles(view, depth, kept);
  const posed: PosedDepth = { view, depth: whole, ...(picture && { picture }) };
  judgeFilled(depths, index, posed, filled, judgement, options);
  for (const at of filled) if (judgement.against[at] === 0 && !sky[at]) kept[at] = FILLED;
  return { ready: { posed, judgement, kept, coarse: coarseness(posed, kept) }, colors };
}

/** Asks the witnesses about the pixels that were filled, as about any other. */
function judgeFilled(
  depths: readonly PosedDepth[],
  index: number,
  { view, depth }: PosedDepth,
  filled: Int32Array,
  judgement: Judgement,
  options: JudgeOptions,
): void {
  if (filled.length === 0) return;
  const only = new Float32Array(depth.depths.length);
  for (const at of filled) only[at] = depth.depths[at];
  const asked = depths.with(index, { view, depth: { ...depth, depths: only } });
  const { agree, against } = judge(asked, index, judgement.witnesses, options);
  for (const at of filled) {
    judgement.agree[at] = agree[at];
    judgement.against[at] = against[at];
  }
}

function comparedColors(
  depths: readonly PosedDepth[],
  index: number,
  { witnesses, agree }: Judgement,
  kept: Uint8Array,
): PhotoPair[] {
  const { view, depth } = depths[index];
  return witnesses.map((other, bit) => {
    const { view: seen, depth: seenDepth } = depths[other];
    const { m, b } = transferBetween(view, seen);
    const colors = new ColorPairs();
    for (let at = 0; at < kept.length; at += COLOR_STEP) {
      if (!kept[at] || !(agree[at] & (1 << bit))) continue;
      const x = (at % depth.widthPx) + 0.5;
      const y = Math.floor(at / depth.widthPx) + 0.5;
      const z = depth.depths[at];
      const w = (m[6] * x + m[7] * y + m[8]) * z + b[2];
      const u = ((m[0] * x + m[1] * y + m[2]) * z + b[0]) / w;
      const v = ((m[3] * x + m[4] * y + m[5]) * z + b[1]) / w;
      colors.add(view.rgb, at * 3, seen.rgb, ((v | 0) * seenDepth.widthPx + (u | 0)) * 3);
    }
    return { a: view.view, b: seen.view, colors };
  });
}

function counts({ view, depth }: PosedDepth, kept: Uint8Array): Omit<FusedView, "points"> {
  let withDepth = 0;
  let consistent = 0;
  let filled = 0;
  for (let at = 0; at < kept.length; at++) {
    if (depth.depths[at] > 0) withDepth++;
    if (kept[at] === BORNE_OUT) consistent++;
    else if (kept[at] === FILLED) filled++;
  }
  return { view: view.view, pixels: kept.length, withDepth, consistent, filled };
}
