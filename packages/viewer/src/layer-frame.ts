/** A point of a layer as a point of the model; double precision. */
import { modelFromLayer, movePoints } from "@cairn/cloud";
import type { LayerState, Vec3 } from "@cairn/protocol";

export function inModel(layer: Pick<LayerState, "transform">, point: Vec3): Vec3 {
  const [x, y, z] = movePoints(modelFromLayer(layer), Float64Array.from(point), new Float64Array(3));
  return [x!, y!, z!];
}
