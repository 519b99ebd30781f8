/** A view as clients send it, made ready for a layer: layers have frames of their own. */
import type { LayerState, Vec3, View } from "@cairn/protocol";
import { viewInLayer } from "./transform.ts";
import type { LayerView } from "./view.ts";

export function layerView(camera: NonNullable<View["camera"]>, layer: Pick<LayerState, "transform"> = {}): LayerView {
  const { pose, fovY, widthPx, heightPx } = camera;
  const [w, x, y, z] = pose.rotation;
  const axes: [Vec3, Vec3, Vec3] = [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
  const [tx, ty, tz] = pose.translation;
  // The camera's centre is −Rᵀ t.
  const centre = (axis: 0 | 1 | 2) => -(axes[0][axis] * tx + axes[1][axis] * ty + axes[2][axis] * tz);
  const tanY = Math.tan(fovY / 2);
  const view = {
    position: [centre(0), centre(1), centre(2)] as Vec3,
    axes,
    tanX: (tanY * widthPx) / heightPx,
    tanY,
    focalPx: heightPx / 2 / tanY,
  };
  return viewInLayer(view, layer);
}
