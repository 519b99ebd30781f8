/**
 * What should be seen again and is not. Two photos of one façade share its neighbourhood, too; two photos of equal
 * façades share the façade alone, and everything else that the poses say both should see has no match (Zach, Irschara
 * and Bischof 2008). Features are missed at random, so a point counts only when those around it are missed as well.
 */
import { cameraCentre, projectPoint } from "@cairn/geometry";
import type { Scene } from "./scene.ts";
import type { Track } from "./tracks.ts";

export type Missing = {
  /** Points that the second photo should see again. */
  readonly expected: number;
  /** Of these, points that it misses together with all that surrounds them. */
  readonly missed: number;
};

/** From farther to the side a feature need not be found again; nor at another scale. */
const MAX_TURN_COS = Math.cos((20 * Math.PI) / 180);
const MAX_SCALE = 1.4;
/** As good as in the middle of those that see a point. */
const CLOSE_RAD = (2 * Math.PI) / 180;
/** A part of the picture's sides where features may fall out of it. */
const MARGIN = 0.03;
const MAX_POINTS = 400;
/** So many of the nearest points must be missed, too. */
const AROUND = 5;

const NOTHING: Missing = { expected: 0, missed: 0 };

/** What photo `from` sees and photo `to` should see as well. Both must have a pose. */
export function missingIn(scene: Scene, from: number, to: number): Missing {
  const { photo, lens, principal } = scene.views[to];
  const here = cameraCentre(scene.poses, from * 12);
  const there = cameraCentre(scene.poses, to * 12);
  const pixel = new Float64Array(2);
  const points: Float64Array[] = [];
  const found: boolean[] = [];
  /** Seen again though from farther to the side: where these are more, the others are a corner of the scene. */
  let besides = 0;
  for (const [, track] of scene.tracks.ofView(from)) {
    const { point } = track;
    if (!point || !track.fits[track.views.indexOf(from)]) continue;
    const [x, y, z] = point;
    if (!(projectPoint(scene.poses, to * 12, scene.calibrations, lens * 6, x, y, z, pixel) > 0)) continue;
    const [u, v] = [(pixel[0] + principal.x) / photo.widthPx, (pixel[1] + principal.y) / photo.heightPx];
    if (!(u > MARGIN && v > MARGIN && u < 1 - MARGIN && v < 1 - MARGIN)) continue;
    const at = track.views.indexOf(to);
    const seen = at >= 0 && track.fits[at];
    const a = [x - here[0], y - here[1], z - here[2]];
    const b = [x - there[0], y - there[1], z - there[2]];
    const [p, q] = [Math.hypot(...a), Math.hypot(...b)];
    const aside = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] < MAX_TURN_COS * p * q;
    if (aside || p > MAX_SCALE * q || q > MAX_SCALE * p) {
      if (seen) besides++;
      continue;
    }
    if (!seen && !isBetween(scene, track, to, b)) continue;
    points.push(point);
    found.push(seen);
  }
  return points.length < besides ? NOTHING : count(points, found);
}

/**
 * Whether a point is seen from beyond a photo as well: there a surface is not yet too flat, nor hidden.
 * @param ray from the photo to the point
 */
function isBetween(scene: Scene, { point, views, fits }: Track, photo: number, ray: readonly number[]): boolean {
  const towards = unit(ray);
  const others: number[][] = [];
  const mean = [0, 0, 0];
  for (const [k, view] of views.entries()) {
    if (!fits[k] || view === photo || !scene.isPosed(view)) continue;
    const centre = cameraCentre(scene.poses, view * 12);
    const other = unit([point![0] - centre[0], point![1] - centre[1], point![2] - centre[2]]);
    others.push(other);
    for (let i = 0; i < 3; i++) mean[i] += other[i];
  }
  const aside = mean.map((sum, i) => towards[i] - sum / others.length);
  const square = dot(aside, aside);
  if (square < CLOSE_RAD ** 2) return true;
  return others.some((other) => dot(aside, other) - dot(aside, mean) / others.length >= square);
}

function unit(v: readonly number[]): number[] {
  const length = Math.hypot(...v);
  return v.map((x) => x / length);
}

const dot = (a: readonly number[], b: readonly number[]) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function count(points: readonly Float64Array[], found: readonly boolean[]): Missing {
  const step = Math.max(1, points.length / MAX_POINTS);
  const chosen: number[] = [];
  for (let at = 0; at < points.length; at += step) chosen.push(Math.floor(at));
  if (chosen.length <= AROUND) return NOTHING;
  let missed = 0;
  const nearest = new Float64Array(AROUND);
  const which = new Int32Array(AROUND);
  for (const i of chosen) {
    if (found[i]) continue;
    nearest.fill(Infinity);
    for (const j of chosen) {
      if (i === j) continue;
      const [p, q] = [points[i], points[j]];
      const square = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2;
      let k = AROUND - 1;
      if (square >= nearest[k]) continue;
      for (; k > 0 && nearest[k - 1] > square; k--) {
        nearest[k] = nearest[k - 1];
        which[k] = which[k - 1];
      }
      nearest[k] = square;
      which[k] = j;
    }
    if (which.every((j) => !found[j])) missed++;
  }
  return { expected: chosen.length, missed };
}
