/**
 * Which parts of the surface are seen, and from how many sides. A part is a cell of a grid over the model's points;
 * what counts is not how many photos see it, but how many look from clearly different directions: two photos from
 * nearly one place leave its depth open. What a single photo sees has no point at all; it is placed at the depth of
 * what lies beside it in that photo.
 */
import { cameraCentre, transformPoint } from "@cairn/geometry";
import type { Patch, Vec3 } from "@cairn/protocol";
import type { Scene } from "../mapper/scene.ts";
import { median } from "../mapper/scene.ts";
import type { Track } from "../mapper/tracks.ts";

/** Patches to the scene's size: as fine as leaves most points in one that has enough of them. */
const ACROSS = [16, 12, 9, 7, 5] as const;
const MIN_POINTS = 5;
const MOST_POINTS = 0.7;
/** A photo that sees a single point of a patch does not see the patch. */
const MIN_SEEN = 2;
const SPREAD_RAD = (8 * Math.PI) / 180;
/** Cells of a photo in which features without points are counted. */
const COLUMNS = 8;
const ROWS = 6;
const MIN_LONE_FEATURES = 12;
/** Share of a cell's features that may have points while it counts as seen by this photo alone. */
const MAX_KNOWN_SHARE = 0.1;
const MIN_NEIGHBOURS = 3;

export type SurfacePatch = Patch & {
  /** Views that see it, ascending. */
  readonly seenBy: readonly number[];
};

export type CoverageOptions = {
  /** Only patches of points that these views see, and what these alone see; all posed views when left out. */
  readonly views?: readonly number[];
};

/** Edge of a patch, model units. */
export function patchSize(scene: Scene): number {
  const points: Float64Array[] = [];
  for (const { point } of scene.tracks.all()) if (point) points.push(point);
  const size = scene.size();
  let edge = 0;
  for (const across of ACROSS) {
    edge = size / across;
    const counts = new Map<number, number>();
    for (const point of points) counts.set(keyOf(point, edge), (counts.get(keyOf(point, edge)) ?? 0) + 1);
    let within = 0;
    for (const count of counts.values()) if (count >= MIN_POINTS) within += count;
    if (within >= MOST_POINTS * points.length) break;
  }
  return edge;
}

export function surfacePatches(
  scene: Scene,
  edge: number,
  { views = scene.posed }: CoverageOptions = {},
): SurfacePatch[] {
  const cells = new Map<number, Track[]>();
  const tracks = new Set<Track>();
  if (views === scene.posed) for (const track of scene.tracks.all()) tracks.add(track);
  else for (const view of views) for (const [, track] of scene.tracks.ofView(view)) tracks.add(track);
  for (const track of tracks) {
    if (!track.point) continue;
    const key = keyOf(track.point, edge);
    const cell = cells.get(key);
    if (cell) cell.push(track);
    else cells.set(key, [track]);
  }
  const centres = new Map(scene.posed.map((view) => [view, cameraCentre(scene.poses, view * 12)]));
  const patches: SurfacePatch[] = [];
  for (const cell of cells.values()) {
    if (cell.length < MIN_POINTS) continue;
    const counts = new Map<number, number>();
    for (const { views: seenBy, fits } of cell) {
      for (let k = 0; k < seenBy.length; k++) {
        if (fits[k] && centres.has(seenBy[k])) counts.set(seenBy[k], (counts.get(seenBy[k]) ?? 0) + 1);
      }
    }
    const seenBy = [...counts].filter(([, count]) => count >= MIN_SEEN).map(([view]) => view);
    if (seenBy.length === 0) continue;
    seenBy.sort((a, b) => a - b);
    const point = middleOf(cell);
    const directions = seenBy.map((view) => direction(point, centres.get(view)!));
    patches.push({ point, points: cell.length, views: seenBy.length, ...spreadOf(directions), seenBy });
  }
  const taken = new Set<number>();
  for (const lone of loneParts(scene, views)) {
    const key = keyOf(lone.point, edge);
    if (taken.has(key) || (cells.get(key)?.length ?? 0) >= MIN_POINTS) continue;
    taken.add(key);
    patches.push(lone);
  }
  return patches;
}

/** What another photo from a better side would be worth, to compare patches by. */
export function gainOf({ points, spreadDeg }: Patch): number {
  return Math.sqrt(points) * (1 - Math.min(1, spreadDeg / 30));
}

/** Unit vector from a point towards a camera. */
export function direction(point: ArrayLike<number>, camera: ArrayLike<number>): Vec3 {
  const [x, y, z] = [camera[0] - point[0], camera[1] - point[1], camera[2] - point[2]];
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}

export function angleBetween(a: Vec3, b: Vec3): number {
  return Math.acos(Math.max(-1, Math.min(1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])));
}

function spreadOf(directions: readonly Vec3[]): Pick<Patch, "spreadViews" | "spreadDeg"> {
  const chosen: Vec3[] = [];
  let widest = 0;
  for (const [i, each] of directions.entries()) {
    if (chosen.every((other) => angleBetween(each, other) >= SPREAD_RAD)) chosen.push(each);
    for (let j = 0; j < i; j++) widest = Math.max(widest, angleBetween(each, directions[j]));
  }
  return { spreadViews: chosen.length, spreadDeg: (widest * 180) / Math.PI };
}

/** Parts of the photos with many features and no points, next to parts that have some. */
function* loneParts(scene: Scene, views: readonly number[]): Generator<SurfacePatch> {
  for (const view of views) {
    const { places, photo } = scene.views[view];
    const cellOf = (feature: number) =>
      Math.min(ROWS - 1, Math.floor((places.y[feature] / photo.heightPx) * ROWS)) * COLUMNS +
      Math.min(COLUMNS - 1, Math.floor((places.x[feature] / photo.widthPx) * COLUMNS));
    const total = new Int32Array(ROWS * COLUMNS);
    for (let feature = 0; feature < places.count; feature++) total[cellOf(feature)]++;
    const depths: number[][] = Array.from({ length: ROWS * COLUMNS }, () => []);
    const pose = scene.pose(view);
    for (const [feature, track] of scene.tracks.ofView(view)) {
      if (!track.point || !track.fits[track.views.indexOf(view)]) continue;
      const [x, y, z] = track.point;
      depths[cellOf(feature)].push(transformPoint(pose, 0, x, y, z)[2]);
    }
    for (let cell = 0; cell < ROWS * COLUMNS; cell++) {
      if (total[cell] < MIN_LONE_FEATURES || depths[cell].length > MAX_KNOWN_SHARE * total[cell]) continue;
      const beside = neighbourCells(cell).flatMap((other) => depths[other]);
      if (beside.length < MIN_NEIGHBOURS) continue;
      const point = alongRay(scene, view, cell, median(beside));
      yield { point, points: total[cell], views: 1, spreadViews: 1, spreadDeg: 0, seenBy: [view] };
    }
  }
}

function neighbourCells(cell: number): number[] {
  const [row, column] = [Math.floor(cell / COLUMNS), cell % COLUMNS];
  const found: number[] = [];
  for (let r = Math.max(0, row - 1); r <= Math.min(ROWS - 1, row + 1); r++) {
    for (let c = Math.max(0, column - 1); c <= Math.min(COLUMNS - 1, column + 1); c++) {
      if (r !== row || c !== column) found.push(r * COLUMNS + c);
    }
  }
  return found;
}

/** The point at a depth behind the middle of a photo's cell; distortion is left out. */
function alongRay(scene: Scene, view: number, cell: number, depth: number): Vec3 {
  const { photo, principal } = scene.views[view];
  const focal = scene.focal(view);
  const pose = scene.pose(view);
  const x = (((cell % COLUMNS) + 0.5) / COLUMNS) * photo.widthPx - principal.x;
  const y = ((Math.floor(cell / COLUMNS) + 0.5) / ROWS) * photo.heightPx - principal.y;
  const p = [(x / focal) * depth - pose[3], (y / focal) * depth - pose[7], depth - pose[11]];
  const at = (axis: number) => pose[axis] * p[0] + pose[4 + axis] * p[1] + pose[8 + axis] * p[2];
  return [at(0), at(1), at(2)];
}

/** The cell of a point as one number; points thousands of cells away share the outermost. */
function keyOf(point: ArrayLike<number>, edge: number): number {
  let key = 0;
  for (let axis = 0; axis < 3; axis++) {
    const at = Math.floor(point[axis] / edge) + GRID / 2;
    key = key * GRID + Math.min(GRID - 1, Math.max(0, at));
  }
  return key;
}

/** Its cube is a whole number that a double holds exactly. */
const GRID = 2 ** 17;

function middleOf(tracks: readonly Track[]): Vec3 {
  const middle: Vec3 = [0, 0, 0];
  for (const { point } of tracks) for (let axis = 0; axis < 3; axis++) middle[axis] += point![axis] / tracks.length;
  return middle;
}
