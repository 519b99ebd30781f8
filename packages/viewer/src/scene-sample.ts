/** A few points of what is shown: enough to frame by. Before a point is here, the layers' boxes say where to look. */
import { type SpaceState, shownLayers, type Vec3 } from "@cairn/protocol";
import type { Cloud } from "./cloud.ts";
import { inModel } from "./layer-frame.ts";
import type { SceneFrame } from "./scene-frame.ts";

/** Some point of the model, model frame. */
export function firstPoint(cloud: Cloud, state: SpaceState | undefined): Vec3 | undefined {
  for (const { state: layer, sample } of cloud.samples()) {
    const [x, y, z] = sample.positions;
    if (x !== undefined && y !== undefined && z !== undefined) return inModel(layer, [x, y, z]);
  }
  return boxCorners(state)[0];
}

/** `positions` `[count, 3]`, scene. Of the boxes where there is no point yet, nor a camera. */
export function sceneSample(
  cloud: Cloud,
  state: SpaceState | undefined,
  frame: SceneFrame,
  cameras: number,
): { positions: Float32Array; count: number } {
  const layers = [...cloud.samples()];
  const points = layers.reduce((sum, { sample }) => sum + sample.count, 0);
  if (cameras === 0 && points === 0) {
    const corners = boxCorners(state).map((corner) => frame.toScene(corner));
    return { positions: Float32Array.from(corners.flat()), count: corners.length };
  }
  const positions = new Float32Array(points * 3);
  let count = 0;
  for (const { state: layer, sample } of layers) {
    const values = sample.positions;
    for (let i = 0; i < sample.count; i++) {
      const point: Vec3 = [values[i * 3]!, values[i * 3 + 1]!, values[i * 3 + 2]!];
      positions.set(frame.toScene(inModel(layer, point)), count++ * 3);
    }
  }
  return { positions, count };
}

/** Model frame. */
function boxCorners(state: SpaceState | undefined): Vec3[] {
  if (!state) return [];
  return shownLayers(state).flatMap((layer) => {
    const { min, max } = layer;
    if (!min || !max) return [];
    const corners = Array.from({ length: 8 }, (_, i) => min.map((low, axis) => ((i >> axis) & 1 ? max[axis]! : low)));
    return corners.map(([x, y, z]) => inModel(layer, [x!, y!, z!]));
  });
}
