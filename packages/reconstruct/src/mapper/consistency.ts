/**
 * Checks pairs against poses. Repetitive façades give pairs that pass the two-view test and are wrong; once poses are
 * known such a pair contradicts them: its matches leave the epipolar lines.
 */
import { essentialFromPose, relativePose, sampsonSquare } from "@cairn/geometry";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** Share of a pair's matches that must lie on the epipolar lines of the poses. */
const MIN_CONSISTENT = 0.3;
const EPIPOLAR_ERROR_PX = 6;
/** Near enough to count as explained, where two scenes are compared. */
export const CLOSE_ERROR_PX = 1.5;

/** Share, 0…1, of a pair's verified matches that the two poses bear out. Both views must have one. */
export function consistentShare(scene: Scene, pair: Pair, errorPx = EPIPOLAR_ERROR_PX): number {
  const { a, b, kept } = pair;
  const e = essentialFromPose(relativePose(scene.pose(a), scene.pose(b)));
  const limit = ((2 * errorPx) / (scene.focal(a) + scene.focal(b))) ** 2;
  const raysA = scene.rays(a);
  const raysB = scene.rays(b);
  let agreeing = 0;
  for (let k = 0; k < kept.length; k += 2) {
    const i = 2 * kept[k];
    const j = 2 * kept[k + 1];
    if (sampsonSquare(e, raysA[i], raysA[i + 1], raysB[j], raysB[j + 1]) <= limit) agreeing++;
  }
  return agreeing / (kept.length / 2);
}

export function contradicts(scene: Scene, pair: Pair): boolean {
  return scene.isPosed(pair.a) && scene.isPosed(pair.b) && consistentShare(scene, pair) < MIN_CONSISTENT;
}

/**
 * Share, 0…1, of the matches tying a posed view to other posed views that the poses bear out; 1 when nothing ties it.
 * @param errorPx how far from its epipolar line a match that is borne out may be, decoded pixels
 * One weak pair in agreement does not outweigh several strong ones against.
 */
export function standingOf(scene: Scene, pairs: readonly Pair[], view: number, errorPx?: number): number {
  let agreeing = 0;
  let total = 0;
  for (const pair of pairs) {
    if (pair.a !== view && pair.b !== view) continue;
    if (!scene.isPosed(pair.a) || !scene.isPosed(pair.b)) continue;
    const count = pair.kept.length / 2;
    agreeing += consistentShare(scene, pair, errorPx) * count;
    total += count;
  }
  return total === 0 ? 1 : agreeing / total;
}

/** How many matches of its pairs a scene explains closely: what two scenes of the same photos are compared by. */
export function explainedMatches(scene: Scene, pairs: readonly Pair[], errorPx = CLOSE_ERROR_PX): number {
  let explained = 0;
  for (const pair of pairs) {
    if (!scene.isPosed(pair.a) || !scene.isPosed(pair.b)) continue;
    explained += (consistentShare(scene, pair, errorPx) * pair.kept.length) / 2;
  }
  return explained;
}
