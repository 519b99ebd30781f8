/** Frames: layer → model by a similarity, and a camera of the model as the layer sees it. Double precision. */
import type { LayerView } from "@cairn/cloud";
import type { Similarity, Vec3 } from "@cairn/protocol";
import { rotationRows } from "./up.ts";

/** A camera in the model's frame; rows right, down, forward. */
export type ModelView = LayerView;

const SAME: Similarity = { scale: 1, rotation: [1, 0, 0, 0], translation: [0, 0, 0] };

/** `x' = scale · R · x + translation` */
export function modelFromLayer(transform: Similarity | undefined, [x, y, z]: Vec3): Vec3 {
  const { scale, rotation, translation } = transform ?? SAME;
  const rows = rotationRows(rotation);
  const along = (k: 0 | 1 | 2) =>
    scale * (rows[k][0] * x + rows[k][1] * y + rows[k][2] * z) + translation[k];
  return [along(0), along(1), along(2)];
}

export function layerFromModel(transform: Similarity | undefined, point: Vec3): Vec3 {
  const { scale, translation } = transform ?? SAME;
  const moved: Vec3 = [point[0] - translation[0], point[1] - translation[1], point[2] - translation[2]];
  const [x, y, z] = turnedBack(transform, moved);
  return [x / scale, y / scale, z / scale];
}

/** The camera in the layer's frame: distances on the screen are the same. */
export function layerView(transform: Similarity | undefined, view: ModelView): LayerView {
  if (!transform) return view;
  const [right, down, forward] = view.axes;
  return {
    ...view,
    position: layerFromModel(transform, view.position),
    axes: [turnedBack(transform, right), turnedBack(transform, down), turnedBack(transform, forward)],
  };
}

/** `Rᵀ v` */
function turnedBack(transform: Similarity | undefined, [x, y, z]: Vec3): Vec3 {
  const [a, b, c] = rotationRows((transform ?? SAME).rotation);
  return [a[0] * x + b[0] * y + c[0] * z, a[1] * x + b[1] * y + c[1] * z, a[2] * x + b[2] * y + c[2] * z];
}
