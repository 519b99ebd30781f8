/** Where we look, as the server is told. */
import type { Pose, View } from "@cairn/protocol";
import { Matrix4, Quaternion, Vector3 } from "three";
import type { Eye } from "./eye.ts";

const MOST_PX = 65_536;

/** @param points most points that are drawn */
export function viewMessage(eye: Eye, points: number): Omit<View, "type"> {
  const px = (value: number) => Math.min(MOST_PX, Math.max(1, Math.round(value)));
  const fovY = 2 * Math.atan(eye.view.tanY);
  return { camera: { pose: poseOf(eye), fovY, widthPx: px(eye.widthPx), heightPx: px(eye.heightPx) }, points };
}

/** World→camera. */
function poseOf({ view: { position, axes } }: Eye): Pose {
  const [right, down, forward] = axes.map((axis) => new Vector3(...axis)) as [Vector3, Vector3, Vector3];
  const modelFromCamera = new Quaternion().setFromRotationMatrix(new Matrix4().makeBasis(right, down, forward));
  const { x, y, z, w } = modelFromCamera.invert();
  const along = (axis: Vector3) => -(axis.x * position[0] + axis.y * position[1] + axis.z * position[2]);
  return { rotation: [w, x, y, z], translation: [along(right), along(down), along(forward)] };
}
