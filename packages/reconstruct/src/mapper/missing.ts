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
  const { tracks, poses, calibrations } = scene;
  const here = cameraCentre(poses, from * 12);
  const there = cameraCentre(poses, to * 12);
  const pixel = new Float64Array(2);
  const points: Float64Array[] = [];
  const found: boolean[] = [];
  /** Seen again though from farther to the side: where these are more, the others are a corner of the scene. */
  let besides = 0;
  for (let feature = 0; feature < scene.views[from].features.count; feature++) {
    const track = tracks.of(from, feature);
    const point = track?.point;
    if (!point || !track.fits[track.views.indexOf(from)]) continue;
    const x = point[0];
    const y = point[1];
    const z = point[2];
    if (!(projectPoint(poses, to * 12, calibrations, lens * 6, x, y, z, pixel) > 0)) continue;
    const u = (pixel[0] + principal.x) / photo.widthPx;
    const v = (pixel[1] + principal.y) / photo.heightPx;
    if (!(u > MARGIN && v > MARGIN && u < 1 - MARGIN && v < 1 - MARGIN)) continue;
    const at = track.views.indexOf(to);
    const seen = at >= 0 && track.fits[at];
    const a0 = x - here[0];
    const a1 = y - here[1];
    const a2 = z - here[2];
    const b0 = x - there[0];
    const b1 = y - there[1];
    const b2 = z - there[2];
    const p = Math.sqrt(a0 * a0 + a1 * a1 + a2 * a2);
    const q = Math.sqrt(b0 * b0 + b1 * b1 + b2 * b2);
    const aside = a0 * b0 + a1 * b1 + a2 * b2 < MAX_TURN_COS * p * q;
    if (aside || p > MAX_SCALE * q || q > MAX_SCALE * p) {
      if (seen) besides++;
      continue;
    }
    if (!seen && !isBetween(scene, track, to, b0 / q, b1 / q, b2 / q)) continue;
    points.push(point);
    found.push(seen);
  }
  return points.length < besides ? NOTHING : count(points, found);
}

/** Scratch: a scene asks `isBetween` of millions of points. */
let directions = new Float64Array(3 * 64);
const centre = new Float64Array(3);

/**
 * Whether a point is seen from beyond a photo as well: there a surface is not yet too flat, nor hidden.
 * @param rayX, rayY, rayZ from the photo to the point, of length 1
 */
function isBetween(
  scene: Scene,
  { point, views, fits }: Track,
  photo: number,
  rayX: number,
  rayY: number,
  rayZ: number,
): boolean {
  const [x, y, z] = point!;
  const { poses } = scene;
  if (directions.length < 3 * views.length) directions = new Float64Array(6 * views.length);
  let [seen, sumX, sumY, sumZ] = [0, 0, 0, 0];
  for (let k = 0; k < views.length; k++) {
    const view = views[k];
    if (!fits[k] || view === photo || !scene.isPosed(view)) continue;
    cameraCentre(poses, view * 12, centre);
    const u = x - centre[0];
    const v = y - centre[1];
    const w = z - centre[2];
    const far = Math.sqrt(u * u + v * v + w * w);
    const at = 3 * seen++;
    directions[at] = u / far;
    directions[at + 1] = v / far;
    directions[at + 2] = w / far;
    sumX += directions[at];
    sumY += directions[at + 1];
    sumZ += directions[at + 2];
  }
  const [meanX, meanY, meanZ] = [sumX / seen, sumY / seen, sumZ / seen];
  const [asideX, asideY, asideZ] = [rayX - meanX, rayY - meanY, rayZ - meanZ];
  const square = asideX * asideX + asideY * asideY + asideZ * asideZ;
  if (square < CLOSE_RAD ** 2) return true;
  const least = asideX * meanX + asideY * meanY + asideZ * meanZ + square;
  for (let at = 0; at < 3 * seen; at += 3) {
    if (asideX * directions[at] + asideY * directions[at + 1] + asideZ * directions[at + 2] >= least) return true;
  }
  return false;
}

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
