/** The way of a camera that filmed: poses of its keyframes, and what lies between them. */
import type { Pose } from "./pose.ts";
import type { Vec3 } from "./vectors.ts";

/** What the `sequence` of a live stream's photos begins with. */
export const STREAM = "stream:";

type Quaternion = Pose["rotation"];

/** Where a camera stands, model frame: `-Rᵀt`. */
export function centreOf({ rotation, translation }: Pose): Vec3 {
  const [w, x, y, z] = rotation;
  const [a, b, c] = turned([w, -x, -y, -z], translation);
  return [-a, -b, -c];
}

/**
 * The pose at `part` of the way from one to the other, 0 to 1: the centre goes straight, the camera turns evenly about
 * one axis, the shorter way round (Shoemake 1985).
 */
export function poseBetween(from: Pose, to: Pose, part: number): Pose {
  const rotation = slerp(from.rotation, to.rotation, part);
  const [a, b] = [centreOf(from), centreOf(to)];
  const at = (axis: 0 | 1 | 2) => -(a[axis] + part * (b[axis] - a[axis]));
  return { rotation, translation: turned(rotation, [at(0), at(1), at(2)]) };
}

function slerp(a: Quaternion, b: Quaternion, part: number): Quaternion {
  let cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
  const sign = cosine < 0 ? -1 : 1;
  cosine = Math.min(1, Math.abs(cosine));
  const angle = Math.acos(cosine);
  const sine = Math.sin(angle);
  // So close together the arc is its chord.
  const near = sine < 1e-6;
  const ofA = near ? 1 - part : Math.sin((1 - part) * angle) / sine;
  const ofB = sign * (near ? part : Math.sin(part * angle) / sine);
  const mixed = a.map((value, i) => ofA * value + ofB * b[i]!) as Quaternion;
  const length = Math.hypot(...mixed);
  return mixed.map((value) => value / length) as Quaternion;
}

/** `q v q⁻¹` of a unit quaternion. */
function turned([w, x, y, z]: Quaternion, [a, b, c]: Vec3): Vec3 {
  const [tx, ty, tz] = [2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)];
  return [a + w * tx + y * tz - z * ty, b + w * ty + z * tx - x * tz, c + w * tz + x * ty - y * tx];
}
