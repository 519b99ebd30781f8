/** A camera of the model frame as a layer sees it: layers have frames of their own. */
import type { Similarity, Vec3, View } from "@cairn/protocol";
import type { LayerView } from "./view.ts";

/** @param layerToModel the layer's transform; left out: the same frame */
export function layerView(camera: NonNullable<View["camera"]>, layerToModel?: Similarity): LayerView {
  const { pose, fovY, widthPx, heightPx } = camera;
  const axes = rows(pose.rotation);
  const t = pose.translation;
  // The camera's centre is −Rᵀ t.
  let position: Vec3 = transposed(axes, [-t[0], -t[1], -t[2]]);
  if (layerToModel) {
    const turn = rows(layerToModel.rotation);
    const from = layerToModel.translation;
    const moved: Vec3 = [position[0] - from[0], position[1] - from[1], position[2] - from[2]];
    const [x, y, z] = transposed(turn, moved);
    position = [x / layerToModel.scale, y / layerToModel.scale, z / layerToModel.scale];
    for (const axis of [0, 1, 2] as const) axes[axis] = transposed(turn, axes[axis]);
  }
  const tanY = Math.tan(fovY / 2);
  return { position, axes, tanX: (tanY * widthPx) / heightPx, tanY, focalPx: heightPx / 2 / tanY };
}

/** Rows of the rotation matrix of a unit quaternion, w first. */
function rows([w, x, y, z]: Similarity["rotation"]): [Vec3, Vec3, Vec3] {
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
}

/** `Mᵀ v` */
function transposed(m: readonly [Vec3, Vec3, Vec3], v: Vec3): Vec3 {
  const at = (axis: 0 | 1 | 2) => m[0][axis] * v[0] + m[1][axis] * v[1] + m[2][axis] * v[2];
  return [at(0), at(1), at(2)];
}
