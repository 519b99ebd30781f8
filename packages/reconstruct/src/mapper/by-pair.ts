/**
 * A pose from one pair, for a photo that sees too few points of the scene to have its pose from them: where photos
 * overlap by little more than half, what two of them share a third has hardly seen. The pair tells how the photo is
 * turned and in which direction it stands from the other, by far more matches than that; the few points tell how far.
 */
import { composePoses, invertPose, transformPoint } from "@cairn/geometry";
import type { Pair } from "./pair.ts";
import { MAX_ERROR_PX } from "./register.ts";
import { median, type Scene } from "./scene.ts";
import { observationErrorPx } from "./structure.ts";

/** Matches that bear such a pair out: the pose rests on them. */
const MIN_PAIR = 60;
/** A flatter view of its points leaves the direction open. */
const MIN_ANGLE_RAD = (3 * Math.PI) / 180;
/** Points that must agree on the one number that is sought, and their share of those that the pair sees. */
export const MIN_POINTS = 8;
const MIN_SHARE = 0.6;

/** Pairs of a photo with placed ones that could tell its pose, strongest first. */
export function tellingPairs(scene: Scene, pairs: readonly Pair[], view: number): Pair[] {
  return pairs
    .filter(({ a, b }) => (a === view && scene.isPosed(b)) || (b === view && scene.isPosed(a)))
    .filter(
      ({ kind, kept, angleRad }) => kind === "general" && kept.length / 2 >= MIN_PAIR && angleRad >= MIN_ANGLE_RAD,
    )
    .sort((p, q) => q.kept.length - p.kept.length || p.a - q.a || p.b - q.b);
}

/** Sets the view's pose and marks its observations, or changes nothing and returns false. */
export function registerByPair(scene: Scene, pair: Pair, view: number): boolean {
  const straight = pair.b === view;
  const other = straight ? pair.a : pair.b;
  const viewFromOther = straight ? pair.pose : invertPose(pair.pose);
  const turned = viewFromOther.slice();
  for (const at of [3, 7, 11]) turned[at] = 0;
  const atOrigin = composePoses(turned, scene.pose(other));
  const [tx, ty, tz] = [viewFromOther[3], viewFromOther[7], viewFromOther[11]];
  const rays = scene.rays(view);
  const distances: number[] = [];
  const seen: { readonly point: Float64Array; readonly feature: number }[] = [];
  const moved = new Float64Array(3);
  for (let k = 0; k < pair.kept.length; k += 2) {
    const feature = pair.kept[straight ? k + 1 : k];
    const track = scene.tracks.of(other, pair.kept[straight ? k : k + 1]);
    if (!track?.point || !track.fits[track.views.indexOf(other)]) continue;
    seen.push({ point: track.point, feature });
    const [x, y, z] = track.point;
    transformPoint(atOrigin, 0, x, y, z, moved);
    // At distance s the point is at moved + s t, and lies on its ray (u, v, 1): least squares in s.
    const [u, v] = [rays[2 * feature], rays[2 * feature + 1]];
    const [au, av] = [moved[0] - u * moved[2], moved[1] - v * moved[2]];
    const [bu, bv] = [tx - u * tz, ty - v * tz];
    const distance = -(au * bu + av * bv) / (bu * bu + bv * bv);
    if (distance > 0) distances.push(distance);
  }
  if (distances.length < MIN_POINTS) return false;
  const pose = atOrigin.slice();
  const s = median(distances);
  for (const [k, each] of [tx, ty, tz].entries()) pose[4 * k + 3] += s * each;
  scene.setPose(view, pose);
  const fits = (point: Float64Array, feature: number) =>
    observationErrorPx(scene, point, view, feature) <= MAX_ERROR_PX;
  const agreeing = seen.filter(({ point, feature }) => fits(point, feature)).length;
  if (agreeing < MIN_POINTS || agreeing < MIN_SHARE * seen.length) {
    scene.dropPose(view);
    return false;
  }
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (track.point) track.fits[track.views.indexOf(view)] = fits(track.point, feature);
  }
  return true;
}
