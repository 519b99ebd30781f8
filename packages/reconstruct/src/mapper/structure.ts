/** Points of the scene from tracks and poses: new ones made, wrong ones taken out. */
import { cameraCentre, reprojectionError, Triangulator } from "@cairn/geometry";
import type { Scene } from "./scene.ts";
import type { Track } from "./tracks.ts";

/** Rays closer than this say little about depth. */
const MIN_ANGLE_RAD = (1.5 * Math.PI) / 180;
/** A point this many times farther than the median is noise between nearly parallel rays. */
const MAX_RELATIVE_DEPTH = 50;

const triangulator = new Triangulator();

/** How far a track's point lands from the feature of one of its photos, decoded pixels; Infinity behind the camera. */
export function observationErrorPx(scene: Scene, point: Float64Array, view: number, feature: number): number {
  const { pixels, lens } = scene.views[view];
  const { poses, calibrations } = scene;
  return reprojectionError(
    poses,
    view * 12,
    calibrations,
    lens * 6,
    point,
    0,
    pixels[2 * feature],
    pixels[2 * feature + 1],
  );
}

/**
 * Makes points of the tracks that have none and are seen from two posed photos.
 * @param only when given, tracks that this photo does not see are passed over
 * @returns how many points are new
 */
export function triangulateTracks(scene: Scene, maxErrorPx: number, only?: number): number {
  let made = 0;
  const point = new Float64Array(3);
  const tracks = only === undefined ? scene.tracks.all() : tracksOf(scene, only);
  for (const track of tracks) {
    if (track.point) continue;
    const seen: number[] = [];
    for (let k = 0; k < track.views.length; k++) if (scene.isPosed(track.views[k])) seen.push(k);
    if (seen.length < 2) continue;
    const cameras = Int32Array.from(seen, (k) => track.views[k]);
    const rays = new Float64Array(seen.length * 2);
    let focal = 0;
    for (let s = 0; s < seen.length; s++) {
      const all = scene.rays(cameras[s]);
      const feature = track.features[seen[s]];
      rays[2 * s] = all[2 * feature];
      rays[2 * s + 1] = all[2 * feature + 1];
      focal += scene.focal(cameras[s]) / seen.length;
    }
    const kept = new Uint8Array(seen.length);
    const views = { poses: scene.poses, cameras, rays, count: seen.length };
    if (!triangulator.triangulateRobust(views, maxErrorPx / focal, MIN_ANGLE_RAD, point, 0, kept)) continue;
    track.point = point.slice();
    for (let s = 0; s < seen.length; s++) track.fits[seen[s]] = kept[s] === 1;
    made++;
  }
  return made;
}

/** Puts a track's point where these posed views see it now; takes it out where they no longer see one. */
export function placePoint(scene: Scene, track: Track, seenBy: readonly number[]): void {
  const rays = new Float64Array(seenBy.length * 2);
  for (const [s, view] of seenBy.entries()) {
    const feature = track.features[track.views.indexOf(view)];
    rays.set(scene.rays(view).subarray(2 * feature, 2 * feature + 2), 2 * s);
  }
  const views = { poses: scene.poses, cameras: Int32Array.from(seenBy), rays, count: seenBy.length };
  const point = new Float64Array(3);
  track.point = triangulator.triangulate(views, point) ? point : undefined;
}

function* tracksOf(scene: Scene, view: number): Generator<Track> {
  for (const [, track] of scene.tracks.ofView(view)) yield track;
}

/**
 * Judges every observation by its reprojection error and takes out points that are left with fewer than two, or that
 * no two photos see from different enough places.
 * @param only when given, points that none of these photos sees are passed over
 */
export function filterPoints(scene: Scene, maxErrorPx: number, only?: ReadonlySet<number>): void {
  const judged = only ? scene.tracks.ofViews(only) : [...scene.tracks.all()];
  for (const track of judged) {
    if (!track.point) continue;
    let fitting = 0;
    for (let k = 0; k < track.views.length; k++) {
      const posed = scene.isPosed(track.views[k]);
      track.fits[k] = posed && observationErrorPx(scene, track.point, track.views[k], track.features[k]) <= maxErrorPx;
      if (track.fits[k]) fitting++;
    }
    if (fitting < 2 || !isSeenWide(scene, track, MIN_ANGLE_RAD)) track.point = undefined;
  }
  dropFarPoints(scene, judged);
}

/** Whether two rays of the fitting observations meet under so wide an angle. */
export function isSeenWide(scene: Scene, track: Track, leastRad: number): boolean {
  const cameras = track.views.filter((_, k) => track.fits[k] && scene.isPosed(track.views[k]));
  if (cameras.length < 2) return false;
  const views = { poses: scene.poses, cameras: Int32Array.from(cameras), rays: NO_RAYS, count: cameras.length };
  return triangulator.isWide(views, track.point!, leastRad);
}

const NO_RAYS = new Float64Array(0);

function dropFarPoints(scene: Scene, judged: readonly Track[]): void {
  if (scene.posed.length === 0) return;
  const centre = [0, 0, 0];
  for (const view of scene.posed) {
    const [x, y, z] = cameraCentre(scene.poses, view * 12);
    centre[0] += x / scene.posed.length;
    centre[1] += y / scene.posed.length;
    centre[2] += z / scene.posed.length;
  }
  const tracks = judged.filter(({ point }) => point);
  const distances = Float64Array.from(tracks, ({ point: p }) =>
    Math.hypot(p![0] - centre[0], p![1] - centre[1], p![2] - centre[2]),
  );
  const limit = MAX_RELATIVE_DEPTH * distances.slice().sort()[distances.length >> 1];
  for (let i = 0; i < tracks.length; i++) if (distances[i] > limit) tracks[i].point = undefined;
}
