/** Gives a photo its pose from points of the model that it sees. */
import { estimateAbsolutePose, seededRandom } from "@cairn/geometry";
import { pairSeed } from "./pair.ts";
import type { Scene } from "./scene.ts";
import type { Track } from "./tracks.ts";

/** A feature this near its point sees it, decoded pixels. */
export const MAX_ERROR_PX = 8;

/**
 * What a registration must show. Measured: with the focal length known, few inliers are right on every set tried;
 * with one that is a third off, only the strict rule keeps wrong poses out.
 */
const RULES = {
  lax: { minInliers: 15, minShare: 0.25 },
  /** For a focal length that two-view geometry has narrowed down and nothing has borne out yet. */
  careful: { minInliers: 25, minShare: 0.4 },
  strict: { minInliers: 40, minShare: 0.6 },
} as const;

export type RegistrationRule = keyof typeof RULES;

type Correspondence = { readonly feature: number; readonly track: Track };

function correspondences(scene: Scene, view: number): Correspondence[] {
  const found: Correspondence[] = [];
  for (const [feature, track] of scene.tracks.ofView(view)) if (track.point) found.push({ feature, track });
  return found;
}

/**
 * Sets the view's pose and marks its observations, or changes nothing and returns false.
 * @param among only these features are asked; all when left out
 */
export function registerView(
  scene: Scene,
  view: number,
  rule: RegistrationRule,
  seed: number,
  among?: ReadonlySet<number>,
): boolean {
  const seen = correspondences(scene, view).filter(({ feature }) => among?.has(feature) ?? true);
  const { minInliers, minShare } = RULES[rule];
  if (seen.length < minInliers) return false;
  const points = new Float64Array(seen.length * 3);
  const rays = new Float64Array(seen.length * 2);
  const all = scene.rays(view);
  for (const [k, { feature, track }] of seen.entries()) {
    points.set(track.point!, 3 * k);
    rays[2 * k] = all[2 * feature];
    rays[2 * k + 1] = all[2 * feature + 1];
  }
  const random = seededRandom(pairSeed(seed, view, view));
  const found = estimateAbsolutePose(points, rays, { random, maxError: MAX_ERROR_PX / scene.focal(view) });
  if (!found || found.inlierCount < minInliers || found.inlierCount < minShare * seen.length) return false;
  scene.setPose(view, found.pose);
  for (const [k, { track }] of seen.entries()) track.fits[track.views.indexOf(view)] = found.inliers[k] === 1;
  return true;
}
