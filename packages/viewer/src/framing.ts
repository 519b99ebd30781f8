/** Where to look from: bounds that a few stray points cannot blow up, and a view onto them. Pure; y is up. */
import type { Vec3 } from "@cairn/protocol";

export type Bounds = { min: Vec3; max: Vec3 };

/** A view around `target`: azimuth 0 looks from +z, growing towards +x; elevation 0 is level. Radians. */
export type View = { target: Vec3; distance: number; azimuth: number; elevation: number };

const SAMPLES = 4096;
/** As a part of the distance, and radians. */
const SLIGHT = 0.03;

/** Box that holds the middle of the points along each axis, from part `low` to part `1 − low`, and all of `always`. */
export function robustBounds(
  positions: Float32Array, // [n, 3]
  count: number,
  always: readonly Vec3[],
  low = 0.06,
): Bounds | undefined {
  if (count === 0 && always.length === 0) return undefined;
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  const samples = Math.ceil(count / stride);
  const min: Vec3 = [Infinity, Infinity, Infinity];
  const max: Vec3 = [-Infinity, -Infinity, -Infinity];
  const values = new Float32Array(samples);
  for (let axis = 0; axis < 3; axis++) {
    if (samples > 0) {
      for (let i = 0; i < samples; i++) values[i] = positions[i * stride * 3 + axis]!;
      values.sort();
      const cut = Math.floor(low * (samples - 1));
      min[axis] = values[cut]!;
      max[axis] = values[samples - 1 - cut]!;
    }
    for (const point of always) {
      min[axis] = Math.min(min[axis]!, point[axis]!);
      max[axis] = Math.max(max[axis]!, point[axis]!);
    }
  }
  return { min, max };
}

/** Of the points seen, this part is taken to be what the photographers stood before. */
const NEAR_PART = 0.1;
/** So many times as far away as that begins what lies in the background. */
const BACKGROUND = 4;

/**
 * The points that the photos are of, without hills and houses far behind, of which a photo shows as many points as of
 * what stands before it. All of them when nobody took photos. `[n, 3]`
 */
export function foreground(positions: Float32Array, count: number, cameras: readonly Vec3[]): Float32Array {
  const all = positions.subarray(0, 3 * count);
  if (cameras.length === 0 || count === 0) return all;
  const distances = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let nearest = Infinity;
    for (const [x, y, z] of cameras) {
      const [dx, dy, dz] = [all[3 * i]! - x, all[3 * i + 1]! - y, all[3 * i + 2]! - z];
      nearest = Math.min(nearest, dx * dx + dy * dy + dz * dz);
    }
    distances[i] = Math.sqrt(nearest);
  }
  const most = BACKGROUND * Float32Array.from(distances).sort()[Math.floor(NEAR_PART * (count - 1))]!;
  const kept: number[] = [];
  for (let i = 0; i < count; i++) if (distances[i]! <= most) kept.push(all[3 * i]!, all[3 * i + 1]!, all[3 * i + 2]!);
  return Float32Array.from(kept);
}

export function centre({ min, max }: Bounds): Vec3 {
  return [(min[0] + max[0]) / 2, (min[1] + max[1]) / 2, (min[2] + max[2]) / 2];
}

/** Half the diagonal; never 0, so that one can divide by it. */
export function radius({ min, max }: Bounds): number {
  return Math.max(Math.hypot(max[0] - min[0], max[1] - min[1], max[2] - min[2]) / 2, 1e-6);
}

const LOWEST = (14 * Math.PI) / 180;
const HIGHEST = (40 * Math.PI) / 180;

/** From the photographers' side, a little above: what the photos show is then what one sees first. */
export function viewDirection(scene: Vec3, cameras: readonly Vec3[]): { azimuth: number; elevation: number } {
  const first = cameras[0];
  if (!first) return { azimuth: 0.5, elevation: 0.4 };
  const mean: Vec3 = [0, 0, 0];
  let reach = 0;
  for (const camera of cameras) {
    for (let axis = 0; axis < 3; axis++) mean[axis]! += (camera[axis]! - scene[axis]!) / cameras.length;
    reach += Math.hypot(camera[0] - scene[0], camera[2] - scene[2]) / cameras.length;
  }
  // Photos from all around have no side of their own: then from where the first was taken.
  const around = Math.hypot(mean[0], mean[2]) < 0.35 * reach;
  const x = around ? first[0] - scene[0] : mean[0];
  const z = around ? first[2] - scene[2] : mean[2];
  const rise = Math.atan2(mean[1], Math.max(reach, 1e-9));
  return { azimuth: Math.atan2(x, z), elevation: Math.min(HIGHEST, Math.max(LOWEST, rise)) };
}

/** Of the points, the part that must be in the picture; the rest may stick out. */
const INSIDE = 0.94;

/**
 * The least distance from which nearly all points and all of `always` are in the picture, seen along the direction.
 * @param positions `[n, 3]` @param fovY vertical field of view, radians @param part of the picture that may be filled
 */
export function fitView(
  target: Vec3,
  positions: Float32Array,
  count: number,
  always: readonly Vec3[],
  { azimuth, elevation }: { azimuth: number; elevation: number },
  fovY: number,
  aspect: number,
  part = 0.9,
): View {
  const tanY = Math.tan(fovY / 2) * part;
  const tanX = tanY * aspect;
  const [sa, ca, se, ce] = [Math.sin(azimuth), Math.cos(azimuth), Math.sin(elevation), Math.cos(elevation)];
  const needed = (px: number, py: number, pz: number) => {
    const [x, y, z] = [px - target[0], py - target[1], pz - target[2]];
    const right = x * ca - z * sa;
    const towardsEye = x * sa * ce + y * se + z * ca * ce;
    const up = -x * sa * se + y * ce - z * ca * se;
    return towardsEye + Math.max(Math.abs(right) / tanX, Math.abs(up) / tanY);
  };
  const distances = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    distances[i] = needed(positions[i * 3]!, positions[i * 3 + 1]!, positions[i * 3 + 2]!);
  }
  distances.sort();
  const most = distances[Math.floor((count - 1) * INSIDE)] ?? 0;
  return { target, distance: Math.max(most, ...always.map((point) => needed(...point)), 1e-4), azimuth, elevation };
}

/**
 * A view of what photos show, from where they show it: the scene without its background, every camera in the picture.
 * @param bounds of everything, for where there is nothing else
 */
export function viewOfScene(
  positions: Float32Array, // [n, 3]
  count: number,
  cameras: readonly Vec3[],
  bounds: Bounds,
  { fovY, aspect }: { fovY: number; aspect: number },
): View {
  const near = foreground(positions, count, cameras);
  const nearCount = near.length / 3;
  const shown = robustBounds(near, nearCount, cameras) ?? bounds;
  const scene = robustBounds(near, nearCount, nearCount > 0 ? [] : cameras, 0.1) ?? bounds;
  return fitView(centre(shown), near, nearCount, cameras, viewDirection(centre(scene), cameras), fovY, aspect);
}

/** The view of a photo: from where it was taken, onto what lies there. @param forward unit vector */
export function viewOfPhoto(from: Vec3, forward: Vec3, bounds: Bounds): View {
  const middle = centre(bounds);
  const reach =
    (middle[0] - from[0]) * forward[0] + (middle[1] - from[1]) * forward[1] + (middle[2] - from[2]) * forward[2];
  const distance = Math.max(reach, radius(bounds) * 0.2);
  return {
    target: [from[0] + forward[0] * distance, from[1] + forward[1] * distance, from[2] + forward[2] * distance],
    distance,
    azimuth: Math.atan2(-forward[0], -forward[2]),
    elevation: Math.asin(Math.max(-1, Math.min(1, -forward[1]))),
  };
}

/** Whether two views are so close that going from one to the other would be noticed only as unrest. */
export function isLike(a: View, b: View): boolean {
  const way = Math.hypot(a.target[0] - b.target[0], a.target[1] - b.target[1], a.target[2] - b.target[2]);
  const turn = Math.hypot(Math.sin((a.azimuth - b.azimuth) / 2), Math.sin((a.elevation - b.elevation) / 2)) * 2;
  return way < SLIGHT * b.distance && turn < SLIGHT && Math.abs(Math.log(a.distance / b.distance)) < SLIGHT;
}
