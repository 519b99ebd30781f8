/** Finds photos that should see the same part of the scene and were never compared. */
import { cameraCentre, projectPoint } from "@cairn/geometry";
import { type Scene, spread } from "./scene.ts";

/** This many points of one photo must fall into the other, seen from not too different a side. */
const MIN_SHARED = 60;
const MIN_SHARED_SHARE = 0.3;
const MAX_TURN_COS = Math.cos((35 * Math.PI) / 180);
const SAMPLES = 200;
/** Of two photos that share none of so many points, evenly spread, the others need not be asked: 0.7²⁰ is 0.1 %. */
const GLANCE = 20;
/** At most so many comparisons for each photo: a rebuild is not to take for ever. */
const PER_VIEW = 3;
/** A photo that waits is compared with so many it has not met. */
const PER_WAITING = 10;

export function findGaps(
  scene: Scene,
  tried: (view: number, other: number) => boolean,
): { view: number; others: number[] }[] {
  const gaps: { view: number; others: number[] }[] = [];
  const seen = scene.views.map(({ index }) => (scene.isPosed(index) ? sampleOf(scene, index) : undefined));
  for (const { index: view } of scene.views) {
    const unmet: { other: number; share: number }[] = [];
    for (let other = 0; other < view; other++) {
      if (tried(view, other)) continue;
      if (scene.isPosed(view) && scene.isPosed(other)) {
        const share = sharedShare(scene, view, seen[view]!, other);
        if (share >= MIN_SHARED_SHARE) unmet.push({ other, share });
      } else if (scene.isPosed(other) || scene.isPosed(view)) unmet.push({ other, share: 0 });
    }
    const limit = scene.isPosed(view) ? PER_VIEW : PER_WAITING;
    const others = unmet
      .sort((p, q) => q.share - p.share || q.other - p.other)
      .slice(0, limit)
      .map(({ other }) => other);
    if (others.length > 0) gaps.push({ view, others });
  }
  return gaps;
}

/** Points that a photo sees, evenly spread, and of how many one stands for. */
type Sample = { readonly points: readonly Float64Array[]; readonly step: number };

function sampleOf(scene: Scene, view: number): Sample {
  const points: Float64Array[] = [];
  for (const [, track] of scene.tracks.ofView(view)) if (track.point) points.push(track.point);
  const step = Math.max(1, Math.floor(points.length / SAMPLES));
  return { points: points.filter((_, i) => i % step === 0), step };
}

/** Share, 0…1, of a photo's points that lie inside the other and are seen from a similar side; 0 for too few. */
function sharedShare(scene: Scene, view: number, sample: Sample, other: number): number {
  const glance = spread(sample.points, GLANCE);
  if (countInside(scene, view, glance, other) === 0) return 0;
  const inside = countInside(scene, view, sample.points, other);
  return inside * sample.step < MIN_SHARED ? 0 : inside / sample.points.length;
}

function countInside(scene: Scene, view: number, points: readonly Float64Array[], other: number): number {
  const { photo, lens, principal } = scene.views[other];
  const from = cameraCentre(scene.poses, view * 12);
  const to = cameraCentre(scene.poses, other * 12);
  const pixel = new Float64Array(2);
  let inside = 0;
  for (const [x, y, z] of points) {
    if (!(projectPoint(scene.poses, other * 12, scene.calibrations, lens * 6, x, y, z, pixel) > 0)) continue;
    const [u, v] = [pixel[0] + principal.x, pixel[1] + principal.y];
    if (u < 0 || v < 0 || u >= photo.widthPx || v >= photo.heightPx) continue;
    const a = [x - from[0], y - from[1], z - from[2]];
    const b = [x - to[0], y - to[1], z - to[2]];
    const cos = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / (Math.hypot(...a) * Math.hypot(...b));
    if (cos >= MAX_TURN_COS) inside++;
  }
  return inside;
}
