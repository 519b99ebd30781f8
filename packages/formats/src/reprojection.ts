/** How far points of a model land from the features that see them; for models that come without this figure. */
import type { Intrinsics, Pose } from "@cairn/protocol";

/**
 * @param features `[m, 2]` pixels
 * @param points `[m]` index into `positions`, or −1
 * @param positions `[n, 3]`
 * @returns mean distance in pixels over the features that see a point; 0 when none does
 */
export function meanReprojectionPx(
  pose: Pose,
  intrinsics: Intrinsics,
  features: Float64Array,
  points: Int32Array,
  positions: Float64Array,
): number {
  const [w, x, y, z] = pose.rotation;
  const [tx, ty, tz] = pose.translation;
  const { fx, fy, cx, cy, k1, k2 } = lens(intrinsics);
  let sum = 0;
  let count = 0;
  for (let k = 0; k < points.length; k++) {
    const p = 3 * points[k]!;
    if (p < 0) continue;
    const [px, py, pz] = [positions[p]!, positions[p + 1]!, positions[p + 2]!];
    // v + 2w(q × v) + 2q × (q × v): rotation of v by the quaternion (w, q).
    const [ax, ay, az] = [2 * (y * pz - z * py), 2 * (z * px - x * pz), 2 * (x * py - y * px)];
    const depth = pz + w * az + x * ay - y * ax + tz;
    const u = (px + w * ax + y * az - z * ay + tx) / depth;
    const v = (py + w * ay + z * ax - x * az + ty) / depth;
    const r2 = u * u + v * v;
    const radial = 1 + r2 * (k1 + r2 * k2);
    sum += Math.hypot(fx * radial * u + cx - features[2 * k]!, fy * radial * v + cy - features[2 * k + 1]!);
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

function lens({ model, params }: Intrinsics) {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = params;
  if (model === "PINHOLE") return { fx: a, fy: b, cx: c, cy: d, k1: 0, k2: 0 };
  return { fx: a, fy: a, cx: b, cy: c, k1: d, k2: model === "RADIAL" ? e : 0 };
}
