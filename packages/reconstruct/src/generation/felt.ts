/**
 * What motion sensors that were carried along with the cameras tell of a model: how long its unit is and which way is
 * up. How the sensors sit on the camera and how far their clock is off is found first, by the turns of both.
 */
import {
  alignMetric,
  alignTurning,
  type InertialSamples,
  type MetricAlignment,
  poseFromQuaternion,
} from "@cairn/geometry";
import type { Pose } from "@cairn/protocol";

/** A posed photo, and when it was taken. */
export type DatedPose = { readonly atS: number; readonly pose: Pose };

/** Fewer tell no metres. */
export const FEWEST_DATED = 8;

/**
 * @param cameras of one sequence, in any order @param tracks what each source felt meanwhile, same origin of time; those
 * that did not turn as the camera did tell nothing
 */
export function feltMetric(
  cameras: readonly DatedPose[],
  tracks: readonly InertialSamples[],
): MetricAlignment | undefined {
  const sorted = [...cameras].sort((a, b) => a.atS - b.atS).filter(({ atS }, k, all) => atS !== all[k - 1]?.atS);
  if (sorted.length < FEWEST_DATED) return undefined;
  const times = Float64Array.from(sorted, ({ atS }) => atS);
  const poses = sorted.map(({ pose }) => poseFromQuaternion(pose.rotation, pose.translation));
  let best: MetricAlignment | undefined;
  for (const samples of tracks) {
    const turning = alignTurning(times, poses, samples);
    const found = turning && alignMetric(times, poses, samples, turning);
    if (found && !(best && best.sigma <= found.sigma)) best = found;
  }
  return best;
}
