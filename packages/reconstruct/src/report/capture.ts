/** How a photo was taken, as far as it says what to do better at the next one. */
import { cameraCentre, identityPose, projectPoint, rotationAngle, transformPoint } from "@cairn/geometry";
import type { Vec3 } from "@cairn/protocol";
import { BLURRED_SHARPNESS } from "../features/quality.ts";
import { contradicts } from "../mapper/consistency.ts";
import type { Pair } from "../mapper/pair.ts";
import { median, type Scene } from "../mapper/scene.ts";

/** Of the median sharpness of the other photos. */
const LESS_SHARP = 0.7;
/** A camera that moved by less than this part of the depth and turned by more than this was turned on the spot. */
const SPOT_STEP = 0.02;
const SPOT_TURN_RAD = (8 * Math.PI) / 180;
/** Steps of a video: this many photos in a row, each a part of the depth from the last and hardly turned. */
const SMALL_STEP = 0.012;
const SMALL_TURN_RAD = (3 * Math.PI) / 180;
const SMALL_STEPS = 4;
/** Share of what the nearest photo sees that must be in the picture. */
const MIN_SHARED = 0.4;
const NEAREST = 3;
/** A verified pair against the poses counts from so many matches on. */
const MIN_AGAINST = 40;
const COLUMNS = 8;
const ROWS = 6;
/** A part of the photo moves when so many matches, and most there, leave their epipolar lines, all in one direction. */
const MOVING_MATCHES = 25;
const CELL_MATCHES = 6;
const CELL_SHARE = 0.7;
const SAME_SHIFT = 0.03;
const SAME_SHIFT_SHARE = 0.6;
/** Where that much of all matches does, the pair is doubtful and not the scene. */
const MAX_OUTLIERS = 0.5;

/** The posed photo that came last before this one. */
function posedBefore(scene: Scene, view: number): number | undefined {
  for (let other = view - 1; other >= 0; other--) if (scene.isPosed(other)) return other;
  return undefined;
}

/** Median depth of what a posed photo sees; undefined when it sees nothing. */
export function medianDepth(scene: Scene, view: number): number | undefined {
  const depths: number[] = [];
  const pose = scene.pose(view);
  for (const [, track] of scene.tracks.ofView(view)) {
    if (!track.point || !track.fits[track.views.indexOf(view)]) continue;
    depths.push(transformPoint(pose, 0, track.point[0], track.point[1], track.point[2])[2]);
  }
  return depths.length === 0 ? undefined : median(depths);
}

export function lessSharp(scene: Scene, view: number): boolean {
  const { sharpness } = scene.views[view].features;
  if (sharpness < BLURRED_SHARPNESS) return true;
  const others = scene.posed.filter((other) => other !== view).map((other) => scene.views[other].features.sharpness);
  return others.length >= 3 && sharpness < LESS_SHARP * median(others);
}

export function turnedOnTheSpot(scene: Scene, view: number): boolean {
  const step = stepBefore(scene, view);
  return step !== undefined && step.part < SPOT_STEP && step.turnRad > SPOT_TURN_RAD;
}

export function smallSteps(scene: Scene, view: number): boolean {
  let at = view;
  for (let n = 0; n < SMALL_STEPS; n++) {
    const step = stepBefore(scene, at);
    if (!step || step.part >= SMALL_STEP || step.turnRad >= SMALL_TURN_RAD) return false;
    at = step.before;
  }
  return true;
}

/** Whether a photo without a pose is turned so little from the nearest one that it might be the next frame of a video. */
export function hardlyTurned(pairs: readonly Pair[], view: number): boolean {
  const strongest = pairs
    .filter(({ a, b }) => a === view || b === view)
    .reduce<Pair | undefined>((best, pair) => (!best || pair.kept.length > best.kept.length ? pair : best), undefined);
  return strongest !== undefined && rotationAngle(strongest.pose, 0, identityPose(), 0) < SMALL_TURN_RAD;
}

function stepBefore(scene: Scene, view: number) {
  const before = posedBefore(scene, view);
  const depth = medianDepth(scene, view);
  if (before === undefined || !depth) return undefined;
  const [from, to] = [cameraCentre(scene.poses, before * 12), cameraCentre(scene.poses, view * 12)];
  const part = Math.hypot(to[0] - from[0], to[1] - from[1], to[2] - from[2]) / depth;
  return { before, part, turnRad: rotationAngle(scene.poses, before * 12, scene.poses, view * 12) };
}

/** Whether little of what the nearest photos see is in the picture. */
export function smallOverlap(scene: Scene, view: number): boolean {
  const shared = new Map<number, number>();
  for (const [, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
    for (const other of track.views) {
      if (other !== view && scene.isPosed(other)) shared.set(other, (shared.get(other) ?? 0) + 1);
    }
  }
  const nearest = [...shared].sort((p, q) => q[1] - p[1] || p[0] - q[0]).slice(0, NEAREST);
  return nearest.length > 0 && nearest.every(([other]) => shareSeen(scene, other, view) < MIN_SHARED);
}

/** Share of the points of one photo that are in the picture of another. */
function shareSeen(scene: Scene, of: number, by: number): number {
  const { photo, lens, principal } = scene.views[by];
  const pixel = new Float64Array(2);
  let all = 0;
  let seen = 0;
  for (const [, track] of scene.tracks.ofView(of)) {
    if (!track.point || !track.fits[track.views.indexOf(of)]) continue;
    all++;
    const [x, y, z] = track.point;
    if (!(projectPoint(scene.poses, by * 12, scene.calibrations, lens * 6, x, y, z, pixel) > 0)) continue;
    const [u, v] = [pixel[0] + principal.x, pixel[1] + principal.y];
    if (u >= 0 && v >= 0 && u < photo.widthPx && v < photo.heightPx) seen++;
  }
  return all === 0 ? 1 : seen / all;
}

/** Whether photos look like this one that, by the poses, show other places. */
export function looksLikeOthers(scene: Scene, pairs: readonly Pair[], view: number): boolean {
  return pairs.some(
    (pair) => (pair.a === view || pair.b === view) && pair.kept.length / 2 >= MIN_AGAINST && contradicts(scene, pair),
  );
}

/** Where something moved between this photo and others: the middle of it, at the depth of what stands still. */
export function movingPart(scene: Scene, pairs: readonly Pair[], view: number): Vec3 | undefined {
  const depth = medianDepth(scene, view);
  if (!depth) return undefined;
  const moved: number[] = [];
  for (const pair of pairs) {
    if (pair.a !== view && pair.b !== view) continue;
    if (!scene.isPosed(pair.a) || !scene.isPosed(pair.b) || contradicts(scene, pair)) continue;
    moved.push(...movedFeatures(scene, pair, view));
  }
  const features = [...new Set(moved)];
  if (features.length < MOVING_MATCHES) return undefined;
  const rays = scene.rays(view);
  const [x, y] = [0, 1].map((axis) => depth * median(features.map((feature) => rays[2 * feature + axis])));
  const pose = scene.pose(view);
  const p = [x - pose[3], y - pose[7], depth - pose[11]];
  const at = (axis: number) => pose[axis] * p[0] + pose[4 + axis] * p[1] + pose[8 + axis] * p[2];
  return [at(0), at(1), at(2)];
}

/** Features of a view that one pair shows moving together against the rest. */
function movedFeatures(scene: Scene, { a, b, matches, kept }: Pair, view: number): number[] {
  if (1 - kept.length / matches.length > MAX_OUTLIERS) return [];
  const side = a === view ? 0 : 1;
  const { places, photo } = scene.views[view];
  const standing = new Set<number>();
  for (let k = side; k < kept.length; k += 2) standing.add(kept[k]);
  const cells = Array.from({ length: COLUMNS * ROWS }, () => ({ all: 0, leaving: [] as number[] }));
  const [first, second] = [scene.views[a].places, scene.views[b].places];
  for (let k = 0; k < matches.length; k += 2) {
    const feature = matches[k + side];
    const column = Math.min(COLUMNS - 1, Math.floor((places.x[feature] / photo.widthPx) * COLUMNS));
    const row = Math.min(ROWS - 1, Math.floor((places.y[feature] / photo.heightPx) * ROWS));
    const cell = cells[row * COLUMNS + column];
    cell.all++;
    if (!standing.has(feature) && !fitsThePoint(scene, view, feature)) cell.leaving.push(k);
  }
  const limit = SAME_SHIFT * photo.widthPx;
  const found: number[] = [];
  for (const { all, leaving } of cells) {
    if (leaving.length < CELL_MATCHES || leaving.length < CELL_SHARE * all) continue;
    const shifts = leaving.map((k) => [
      second.x[matches[k + 1]] - first.x[matches[k]],
      second.y[matches[k + 1]] - first.y[matches[k]],
    ]);
    const middle = [0, 1].map((axis) => median(shifts.map((shift) => shift[axis])));
    const together = leaving.filter((_, i) => Math.hypot(shifts[i][0] - middle[0], shifts[i][1] - middle[1]) <= limit);
    if (together.length >= SAME_SHIFT_SHARE * leaving.length) found.push(...together.map((k) => matches[k + side]));
  }
  return found;
}

/** Other photos bear this feature out: what is wrong is its match with one. */
function fitsThePoint(scene: Scene, view: number, feature: number): boolean {
  const track = scene.tracks.of(view, feature);
  return track?.point !== undefined && track.fits[track.views.indexOf(view)];
}
