/** How far points of a model land from the features that see them; for models that come without this figure. */
import { calibrationFromParams, poseFromQuaternion, projectPoint } from "@cairn/geometry";
import type { Intrinsics, Pose } from "@cairn/protocol";

/**
 * @param features `[m, 2]` pixels
 * @param points `[m]` index into `positions`, or −1
 * @param positions `[n, 3]`
 * @returns mean distance in pixels over the features whose point lies in front of the camera; 0 when there is none
 */
export function meanReprojectionPx(
  pose: Pose,
  intrinsics: Intrinsics,
  features: Float64Array,
  points: Int32Array,
  positions: Float64Array,
): number {
  const cameraFromWorld = poseFromQuaternion(pose.rotation, pose.translation);
  const calibration = calibrationFromParams(intrinsics.model, intrinsics.params);
  const pixel = new Float64Array(2);
  let sum = 0;
  let count = 0;
  for (const [k, point] of points.entries()) {
    if (point < 0) continue;
    const [x, y, z] = positions.subarray(3 * point, 3 * point + 3);
    if (!(projectPoint(cameraFromWorld, 0, calibration, 0, x!, y!, z!, pixel) > 0)) continue;
    sum += Math.hypot(pixel[0]! - features[2 * k]!, pixel[1]! - features[2 * k + 1]!);
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
