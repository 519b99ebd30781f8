/**
 * Where a layer lies in the model: 4×4 matrices, column-major, double precision. A layer that was moved keeps its points;
 * whoever draws, exports or pushes it goes through these.
 */
import type { LayerState, Similarity, Vec3 } from "@cairn/protocol";
import type { LayerView } from "./view.ts";

type Placed = Pick<LayerState, "transform">;

/** Layer frame→model frame. */
export function modelFromLayer({ transform }: Placed): Float64Array {
  return transform ? matrixOf(transform) : identity();
}

/** Model frame→layer frame. */
export function layerFromModel({ transform }: Placed): Float64Array {
  return transform ? matrixOf(inverse(transform)) : identity();
}

/** Moves `[n, 3]` points; `out` may be the input. */
export function movePoints<T extends Float32Array | Float64Array>(
  m: Float64Array,
  points: Float32Array | Float64Array,
  out: T,
): T {
  const [m0, m1, m2, m4, m5, m6, m8, m9, m10] = [m[0]!, m[1]!, m[2]!, m[4]!, m[5]!, m[6]!, m[8]!, m[9]!, m[10]!];
  const [tx, ty, tz] = [m[12]!, m[13]!, m[14]!];
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = [points[i]!, points[i + 1]!, points[i + 2]!];
    out[i] = m0 * x + m4 * y + m8 * z + tx;
    out[i + 1] = m1 * x + m5 * y + m9 * z + ty;
    out[i + 2] = m2 * x + m6 * y + m10 * z + tz;
  }
  return out;
}

/** A camera of the model, as it sees the layer: lengths become the layer's, angles and pixels stay. */
export function viewInLayer(view: LayerView, { transform }: Placed): LayerView {
  if (!transform) return view;
  const { scale, rotation, translation } = inverse(transform);
  const turn = (v: Vec3) => times(1, rotation, v, [0, 0, 0]);
  const [right, down, forward] = view.axes;
  return {
    ...view,
    position: times(scale, rotation, view.position, translation),
    axes: [turn(right), turn(down), turn(forward)],
  };
}

function identity(): Float64Array {
  return Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
}

function inverse({ scale, rotation: [w, x, y, z], translation: [tx, ty, tz] }: Similarity): Similarity {
  const rotation: Similarity["rotation"] = [w, -x, -y, -z];
  return { scale: 1 / scale, rotation, translation: times(1 / scale, rotation, [-tx, -ty, -tz], [0, 0, 0]) };
}

function times(scale: number, rotation: Similarity["rotation"], v: Vec3, translation: Vec3): Vec3 {
  const m = matrixOf({ scale, rotation, translation });
  const row = (axis: number) => m[axis]! * v[0] + m[4 + axis]! * v[1] + m[8 + axis]! * v[2] + m[12 + axis]!;
  return [row(0), row(1), row(2)];
}

function matrixOf({ scale, rotation, translation }: Similarity): Float64Array {
  const length = Math.hypot(...rotation);
  const [w, x, y, z] = rotation.map((part) => part / length) as Similarity["rotation"];
  const s = 2 * scale;
  // biome-ignore format: a matrix, one column a line
  return Float64Array.of(
    scale - s * (y * y + z * z), s * (x * y + w * z), s * (x * z - w * y), 0,
    s * (x * y - w * z), scale - s * (x * x + z * z), s * (y * z + w * x), 0,
    s * (x * z + w * y), s * (y * z - w * x), scale - s * (x * x + y * y), 0,
    ...translation, 1,
  );
}
