/**
 * Which photos tell the depth of one, and where to look: by the sparse points that they share, how wide the angle
 * between them is and how alike their scales are. Reads the scene and costs a few milliseconds, whatever its size.
 */
import { cameraCentre, projectPoint } from "@cairn/geometry";
import type { Scene } from "../mapper/scene.ts";
import type { DepthRange, DepthSeeds } from "./contract.ts";
import { calibrationOf, denseCamera } from "./undistort.ts";

export type SourceOptions = {
  /** Long side of the view for which depth is sought: seeds are in its pixels. */
  readonly sidePx: number;
  /** At most so many, default 4. */
  readonly most?: number;
  /** Which photos may serve; default all that have a pose. */
  readonly usable?: (view: number) => boolean;
};

export type SourceChoice = {
  /** Views, best first; at least one. */
  readonly sources: number[];
  readonly range: DepthRange;
  readonly seeds: DepthSeeds;
};

const DEGREE = Math.PI / 180;
/** Under this angle depth is mere noise; over the widest one surfaces look too different. */
const LEAST_ANGLE = 2 * DEGREE;
const BEST_ANGLES = [5 * DEGREE, 20 * DEGREE] as const;
const WIDEST_ANGLE = 45 * DEGREE;
/** Photos taken from nearer or farther by more than this show each other's detail badly. */
const ALIKE_SCALE = 1.6;
/** Points in common, weighted, without which a photo is no source. */
const LEAST_SHARED = 8;
/** Points without which a range cannot be told. */
const LEAST_POINTS = 12;
/** A second source from nearly the same place tells little new. */
const SAME_PLACE = 4 * DEGREE;
const SAME_PLACE_WORTH = 0.5;
/** How often points are looked at in other photos, at most: where hundreds see each, some points stand for all. */
export const MOST_RATED = 100_000;
/** The grid over the view in which shared points are counted: many in one corner are not overlap. */
const CELLS = 8;
/**
 * Surfaces without sparse points lie before the nearest and behind the farthest. Planes are spaced by inverse depth,
 * so that much room behind costs few of them; what lies behind the range would be given a wrong depth within it.
 */
const NEAR_PERCENTILE = 0.01;
const FAR_PERCENTILE = 0.995;
const NEAR_MARGIN = 0.75;
const FAR_MARGIN = 2;

/** @returns undefined when the view has no pose, too few points, or no photo that fits it */
export function chooseSources(
  scene: Scene,
  view: number,
  { sidePx, most = 4, usable = () => true }: SourceOptions,
): SourceChoice | undefined {
  if (!scene.isPosed(view)) return undefined;
  const points = pointsOf(scene, view);
  if (points.length < LEAST_POINTS) return undefined;
  const candidates = rate(scene, view, points, usable);
  const sources = pickSpread(candidates, most);
  if (sources.length === 0) return undefined;
  return { sources, range: rangeOf(scene, view, points), seeds: seedsOf(scene, view, points, sidePx) };
}

type SeenPoint = { readonly feature: number; readonly point: Float64Array; readonly others: readonly number[] };

/** The points that the view bears out, and who else does. */
function pointsOf(scene: Scene, view: number): SeenPoint[] {
  const seen: SeenPoint[] = [];
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
    let fits = false;
    const others: number[] = [];
    for (let k = 0; k < track.views.length; k++) {
      const other = track.views[k];
      if (!track.fits[k] || !scene.isPosed(other)) continue;
      if (other === view) fits = true;
      else others.push(other);
    }
    if (fits && others.length > 0 && depthIn(scene, view, track.point) > 0) {
      seen.push({ feature, point: track.point, others });
    }
  }
  return seen;
}

type Candidate = {
  readonly view: number;
  score: number;
  readonly cells: Set<number>;
  /** From the middle of the shared points, summed. */
  readonly direction: Float64Array;
};

/** What each other photo is worth: weighted shared points, less when they crowd in a corner. */
function rate(
  scene: Scene,
  view: number,
  points: readonly SeenPoint[],
  usable: (view: number) => boolean,
): Candidate[] {
  const { photo, places } = scene.views[view];
  const from = cameraCentre(scene.poses, view * 12);
  const found = new Map<number, Candidate>();
  const centres = new Map<number, Float64Array>();
  const step = Math.ceil(points.reduce((sum, { others }) => sum + others.length, 0) / MOST_RATED);
  for (let k = 0; k < points.length; k += step) {
    const { feature, point, others } = points[k];
    const near = depthIn(scene, view, point) / scene.focal(view);
    const cell =
      Math.floor((places.y[feature] / photo.heightPx) * CELLS) * CELLS +
      Math.floor((places.x[feature] / photo.widthPx) * CELLS);
    for (const other of others) {
      if (!usable(other)) continue;
      const to = centres.get(other) ?? cameraCentre(scene.poses, other * 12);
      centres.set(other, to);
      const worth =
        angleWorth(angleAt(point, from, to)) * scaleWorth(depthIn(scene, other, point) / scene.focal(other) / near);
      if (worth <= 0) continue;
      let candidate = found.get(other);
      if (!candidate) {
        candidate = { view: other, score: 0, cells: new Set(), direction: new Float64Array(3) };
        found.set(other, candidate);
      }
      candidate.score += worth;
      candidate.cells.add(cell);
      const length = Math.hypot(to[0] - point[0], to[1] - point[1], to[2] - point[2]);
      for (let axis = 0; axis < 3; axis++) candidate.direction[axis] += (to[axis] - point[axis]) / length;
    }
  }
  const strong = [...found.values()].filter(({ score }) => step * score >= LEAST_SHARED);
  for (const candidate of strong) candidate.score *= Math.sqrt(candidate.cells.size);
  return strong.sort((a, b) => b.score - a.score || a.view - b.view);
}

/** The best, each next one counting less when it stands where one already chosen stands. */
function pickSpread(candidates: readonly Candidate[], most: number): number[] {
  const left = [...candidates];
  const chosen: Candidate[] = [];
  while (chosen.length < most && left.length > 0) {
    let best = 0;
    let bestScore = -1;
    for (const [k, candidate] of left.entries()) {
      const near = chosen.some((other) => angleBetween(other.direction, candidate.direction) < SAME_PLACE);
      const score = candidate.score * (near ? SAME_PLACE_WORTH : 1);
      if (score > bestScore) [best, bestScore] = [k, score];
    }
    chosen.push(...left.splice(best, 1));
  }
  return chosen.map(({ view }) => view);
}

/** 1 within the best angles, falling to 0 at the least and the widest. */
export function angleWorth(angleRad: number): number {
  const [low, high] = BEST_ANGLES;
  if (angleRad < low) return Math.max(0, (angleRad - LEAST_ANGLE) / (low - LEAST_ANGLE));
  if (angleRad > high) return Math.max(0, (WIDEST_ANGLE - angleRad) / (WIDEST_ANGLE - high));
  return 1;
}

function scaleWorth(ratio: number): number {
  if (!(ratio > 0)) return 0;
  const larger = Math.max(ratio, 1 / ratio);
  return larger <= ALIKE_SCALE ? 1 : (ALIKE_SCALE / larger) ** 2;
}

function rangeOf(scene: Scene, view: number, points: readonly SeenPoint[]): DepthRange {
  const depths = Float64Array.from(points, ({ point }) => depthIn(scene, view, point)).sort();
  const at = (part: number): number => depths[Math.round(part * (depths.length - 1))];
  return { near: at(NEAR_PERCENTILE) * NEAR_MARGIN, far: at(FAR_PERCENTILE) * FAR_MARGIN };
}

/** The points as the straight picture shows them. */
function seedsOf(scene: Scene, view: number, points: readonly SeenPoint[], sidePx: number): DepthSeeds {
  const { widthPx, heightPx, pinhole } = denseCamera(scene.views[view].photo, calibrationOf(scene, view), sidePx);
  const straight = Float64Array.of(...pinhole, 0, 0);
  const pixel = new Float64Array(2);
  const seeds: number[] = [];
  for (const { point } of points) {
    const z = projectPoint(scene.poses, view * 12, straight, 0, point[0], point[1], point[2], pixel);
    const [x, y] = pixel;
    if (z > 0 && x >= 0 && y >= 0 && x < widthPx && y < heightPx) seeds.push(x, y, z);
  }
  return Float32Array.from(seeds);
}

function depthIn(scene: Scene, view: number, [x, y, z]: Float64Array): number {
  const at = view * 12;
  return scene.poses[at + 8] * x + scene.poses[at + 9] * y + scene.poses[at + 10] * z + scene.poses[at + 11];
}

function angleAt(point: Float64Array, a: Float64Array, b: Float64Array): number {
  const p = [a[0] - point[0], a[1] - point[1], a[2] - point[2]];
  const q = [b[0] - point[0], b[1] - point[1], b[2] - point[2]];
  return angleBetween(p, q);
}

function angleBetween(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const cos = (p[0] * q[0] + p[1] * q[1] + p[2] * q[2]) / (Math.hypot(p[0], p[1], p[2]) * Math.hypot(q[0], q[1], q[2]));
  return Math.acos(Math.min(1, Math.max(-1, cos)));
}
