/**
 * What has been handed out in this generation, so that the next step can say only what is new or has changed. As it
 * compares with the scene each time, a step that was cancelled is simply part of the next one.
 */
import { cameraCentre, quaternionOfPose, rotationAngle } from "@cairn/geometry";
import type { PosedCamera, PoseSigma, Verdict } from "@cairn/protocol";
import type { Points } from "../engine.ts";
import { intrinsicsOf } from "./lens.ts";
import { median, type Scene, spread } from "./scene.ts";
import type { Standing } from "./standing.ts";
import { isSeenWide, observationErrorPx } from "./structure.ts";
import type { Track } from "./tracks.ts";
import { verdictOf, wordOf } from "./verdict.ts";

/** A camera that moves by less than this part of the scene's size, turns or zooms by less, stays where it is shown. */
const VISIBLE_MOVE = 0.003;
const VISIBLE_TURN_RAD = 0.004;
const VISIBLE_ZOOM = 0.005;
/** Points handed out that have moved by this part of the scene's size make a rebuild worth while. */
const STALE_MOVE = 0.01;
/** The same when this part of them is gone. */
const STALE_LOST = 0.4;
/** So many of the points handed out, evenly spread, tell how they have moved. */
const STALE_SAMPLE = 2000;
/** What two photos alone see must fit well, since no third one bears witness. */
const TWO_VIEW_ERROR_PX = 1.5;
const ERROR_PX = 2;
/** A point that six photos agree on is as sure as can be. */
const CONFIDENCE_A_PHOTO = 51;
const TWO_VIEW_ANGLE_RAD = (2 * Math.PI) / 180;

export class Ledger {
  #cameras = new Map<number, { pose: Float64Array; focal: number }>();
  #verdicts = new Map<number, string>();
  /** How many points of this generation were handed out. */
  #points = 0;
  /** The tracks whose points they were, as far as they still exist. */
  #handed: Track[] = [];

  /** Cameras as they were handed out, cameraFromWorld. */
  *handedPoses(): Generator<readonly [view: number, pose: Float64Array]> {
    for (const [view, { pose }] of this.#cameras) yield [view, pose];
  }

  /** Forgets what was handed out, but not the verdicts: a new generation begins. */
  restart(scene: Scene): void {
    this.#cameras.clear();
    this.#points = 0;
    this.#handed = [];
    for (const track of scene.tracks.all()) track.handed = undefined;
    for (const view of scene.posed) scene.touched.add(view);
  }

  /** @returns follows the scene again that it followed */
  mark(): () => void {
    const [handed, verdicts] = [this.#handed, [...this.#verdicts]];
    return () => {
      this.#handed = handed;
      this.#verdicts = new Map(verdicts);
    };
  }

  /** Another scene of the same generation takes over, which knows on its tracks what was handed out. */
  follow(scene: Scene): void {
    this.#handed = [...scene.tracks.all()].filter(({ handed }) => handed);
  }

  /** Verdicts that differ in more than figures from those last handed out. */
  verdicts(scene: Scene, standings: ReadonlyMap<number, Standing>, always?: number): Verdict[] {
    const changed: Verdict[] = [];
    for (const view of scene.views) {
      const { verdict, reason } = wordOf(scene, view.index, standings.get(view.index));
      const key = `${verdict} ${reason ?? ""}`;
      if (this.#verdicts.get(view.index) === key && view.index !== always) continue;
      this.#verdicts.set(view.index, key);
      changed.push(verdictOf(scene, view.index, standings.get(view.index)));
    }
    return changed;
  }

  /** @param sigmaOf how sure the pose of a view is, where that is known */
  cameras(scene: Scene, sigmaOf: (view: number) => PoseSigma | undefined): PosedCamera[] {
    const size = scene.size();
    const changed: PosedCamera[] = [];
    for (const view of [...scene.posed].sort((a, b) => a - b)) {
      const pose = scene.pose(view);
      const focal = scene.focal(view);
      const before = this.#cameras.get(view);
      if (before && !movedVisibly(before, pose, focal, size)) continue;
      this.#cameras.set(view, { pose: pose.slice(), focal });
      const sigma = sigmaOf(view);
      changed.push({ ...posedCamera(scene, view), ...(sigma && { sigma }) });
    }
    for (const view of this.#cameras.keys()) if (!scene.isPosed(view)) this.#cameras.delete(view);
    return changed;
  }

  points(scene: Scene): Points {
    const fresh: Track[] = [];
    for (const track of scene.tracks.ofViews(scene.touched)) {
      if (!track.point || track.handed || !presentable(scene, track)) continue;
      track.handed = track.point.slice();
      fresh.push(track);
    }
    scene.touched.clear();
    this.#points += fresh.length;
    for (const track of fresh) this.#handed.push(track);
    return pointsOf(scene, fresh);
  }

  /** Whether what was handed out no longer shows the scene as it is. Ask before `cameras` and `points`. */
  stale(scene: Scene): boolean {
    if (this.#points === 0) return false;
    const sample = spread(this.#handed, STALE_SAMPLE);
    const moves: number[] = [];
    for (const { point: p, handed: q } of sample) {
      if (p && q) moves.push(Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
    }
    const kept = (moves.length / sample.length) * this.#handed.length;
    if (!(kept >= (1 - STALE_LOST) * this.#points)) return true;
    const size = scene.size();
    for (const [view, { pose }] of this.#cameras) {
      if (!scene.isPosed(view)) return true;
      const [before, now] = [cameraCentre(pose), cameraCentre(scene.poses, view * 12)];
      if (Math.hypot(...now.map((x, axis) => x - before[axis])) > 3 * STALE_MOVE * size) return true;
    }
    return median(moves) > STALE_MOVE * size;
  }
}

function movedVisibly(
  before: { pose: Float64Array; focal: number },
  pose: Float64Array,
  focal: number,
  size: number,
): boolean {
  const [from, to] = [cameraCentre(before.pose), cameraCentre(pose)];
  return (
    Math.hypot(to[0] - from[0], to[1] - from[1], to[2] - from[2]) > VISIBLE_MOVE * size ||
    rotationAngle(before.pose, 0, pose, 0) > VISIBLE_TURN_RAD ||
    Math.abs(focal / before.focal - 1) > VISIBLE_ZOOM
  );
}

/** Good enough to be shown: a point, once handed out, stays until the next generation. */
function presentable(scene: Scene, track: Track): boolean {
  let fitting = 0;
  let worst = 0;
  for (let k = 0; k < track.views.length; k++) {
    if (!track.fits[k] || !scene.isPosed(track.views[k])) continue;
    fitting++;
    worst = Math.max(worst, observationErrorPx(scene, track.point!, track.views[k], track.features[k]));
  }
  if (fitting > 2) return worst <= ERROR_PX * 1.5;
  return fitting === 2 && worst <= TWO_VIEW_ERROR_PX && isSeenWide(scene, track, TWO_VIEW_ANGLE_RAD);
}

/** A colour is the median over the photos that see the point, channel by channel. */
function pointsOf(scene: Scene, tracks: readonly Track[]): Points {
  const positions = new Float32Array(tracks.length * 3);
  const colors = new Uint8Array(tracks.length * 3);
  const of = new Uint32Array(tracks.length);
  const confidences = new Uint8Array(tracks.length);
  for (const [index, track] of tracks.entries()) {
    positions.set(track.point!, index * 3);
    colors.set(trackColor(scene, track), index * 3);
    const seenIn = track.views.filter((view, k) => track.fits[k] && scene.isPosed(view)).sort((a, b) => a - b);
    of[index] = seenIn[1] ?? seenIn[0];
    confidences[index] = Math.min(255, CONFIDENCE_A_PHOTO * (seenIn.length - 1));
  }
  const images = scene.views.map(({ photo }) => photo.image);
  return { positions, colors, source: { images, of }, confidences };
}

export function trackColor(scene: Scene, track: Track): [number, number, number] {
  const seen: [view: number, feature: number][] = [];
  for (let k = 0; k < track.views.length; k++) {
    if (track.fits[k] && scene.isPosed(track.views[k])) seen.push([track.views[k], track.features[k]]);
  }
  const channel = (c: number) => {
    const values = seen.map(([view, feature]) => scene.views[view].colors[3 * feature + c]).sort((a, b) => a - b);
    const half = values.length >> 1;
    return values.length % 2 === 1 ? values[half] : Math.round((values[half - 1] + values[half]) / 2);
  };
  return [channel(0), channel(1), channel(2)];
}

export function posedCamera(scene: Scene, view: number): PosedCamera {
  const { photo, principal, lens } = scene.views[view];
  const [w, x, y, z] = quaternionOfPose(scene.poses, view * 12);
  const pose = scene.pose(view);
  return {
    image: photo.image,
    pose: { rotation: [w, x, y, z], translation: [pose[3], pose[7], pose[11]] },
    intrinsics: intrinsicsOf(photo, principal, scene.calibrations, lens),
    reprojectionPx: support(scene, view).reprojectionPx,
  };
}

/** How well a posed photo fits its points. */
export function support(scene: Scene, view: number): { matches: number; reprojectionPx: number } {
  let matches = 0;
  let sum = 0;
  for (const [feature, track] of scene.tracks.ofView(view)) {
    if (!track.point || !track.fits[track.views.indexOf(view)]) continue;
    sum += observationErrorPx(scene, track.point, view, feature);
    matches++;
  }
  return { matches, reprojectionPx: matches === 0 ? 0 : (sum / matches) * scene.views[view].fullScale };
}
