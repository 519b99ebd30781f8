/** Where the next photo would help a part of the surface most, as the photographer sees it. */
import { cameraCentre, rotationFromVector } from "@cairn/geometry";
import type { HintStep, Vec3 } from "@cairn/protocol";
import { angleBetween, direction } from "./coverage.ts";

const STEPS_DEG = [10, 15, 20, 30] as const;
/** So far from every photo that sees it, a new direction fixes the depth of a part. */
const ENOUGH_RAD = (12 * Math.PI) / 180;
/** Photographers walk; they climb less gladly. */
const CLIMB = 0.6;

const RADIANS = Math.PI / 180;

/**
 * The smallest step around a point from which it is seen from a clearly new direction; of several the widest gain.
 * Undefined when where the photographer stands is such a place already.
 * @param pose `[12]` cameraFromWorld of the last photo @param seenFrom centres of the cameras that see the point
 */
export function helpfulStep(
  pose: Float64Array,
  point: Vec3,
  seenFrom: readonly ArrayLike<number>[],
): HintStep | undefined {
  const centre = cameraCentre(pose);
  const known = seenFrom.map((camera) => direction(point, camera));
  if (newness([centre[0], centre[1], centre[2]], point, known) >= ENOUGH_RAD) return undefined;
  const right: Vec3 = [pose[0], pose[1], pose[2]];
  const down: Vec3 = [pose[4], pose[5], pose[6]];
  // Around `down` the camera swings to its left, around `right` it sinks.
  const ways = [
    { direction: "left", axis: down, sign: 1, ease: 1 },
    { direction: "right", axis: down, sign: -1, ease: 1 },
    { direction: "higher", axis: right, sign: -1, ease: CLIMB },
    { direction: "lower", axis: right, sign: 1, ease: CLIMB },
  ] as const;
  let best: HintStep = { direction: "left", angleDeg: STEPS_DEG[STEPS_DEG.length - 1] };
  let bestWorth = -Infinity;
  for (const angleDeg of STEPS_DEG) {
    for (const { direction: way, axis, sign, ease } of ways) {
      const gain = newness(swung(centre, point, axis, sign * angleDeg * RADIANS), point, known);
      const worth = Math.min(gain, ENOUGH_RAD) * ease + 0.1 * gain * ease;
      if (worth <= bestWorth) continue;
      bestWorth = worth;
      best = { direction: way, angleDeg };
    }
    if (bestWorth >= ENOUGH_RAD) break;
  }
  return best;
}

/** Angle to the nearest direction from which the point is seen. */
function newness(camera: Vec3, point: Vec3, known: readonly Vec3[]): number {
  const own = direction(point, camera);
  return Math.min(Math.PI / 2, ...known.map((other) => angleBetween(own, other)));
}

function swung(centre: ArrayLike<number>, point: Vec3, axis: Vec3, angleRad: number): Vec3 {
  const r = rotationFromVector(axis[0] * angleRad, axis[1] * angleRad, axis[2] * angleRad);
  const d = [centre[0] - point[0], centre[1] - point[1], centre[2] - point[2]];
  const at = (row: number) => point[row] + r[3 * row] * d[0] + r[3 * row + 1] * d[1] + r[3 * row + 2] * d[2];
  return [at(0), at(1), at(2)];
}
