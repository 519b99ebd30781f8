/**
 * The view and how it moves: it glides to where input or framing wants it. Pure but for the clock that is passed in;
 * y is up, so the horizon is always level.
 */
import type { Vec3 } from "@cairn/protocol";
import type { View } from "./framing.ts";

const STEEPEST = Math.PI / 2 - 0.02;
/** Time after which 63 % of the way is done. */
const INPUT_MS = 45;
const FRAMING_MS = 420;

export class Orbit {
  #now: View = { target: [0, 0, 0], distance: 5, azimuth: 0.5, elevation: 0.4 };
  #goal: View = copy(this.#now);
  #settleMs = INPUT_MS;
  /** Moves at once instead of gliding. */
  reducedMotion = false;

  /** Where the eye is at this moment; a copy. */
  get view(): View {
    return copy(this.#now);
  }

  get goal(): View {
    return copy(this.#goal);
  }

  get position(): Vec3 {
    return eye(this.#now);
  }

  /** Glides to `view`, azimuth the short way round. */
  glideTo(view: View, jump = false): void {
    const turn = Math.round((this.#now.azimuth - view.azimuth) / (2 * Math.PI));
    this.#goal = { ...copy(view), azimuth: view.azimuth + turn * 2 * Math.PI };
    this.#settleMs = FRAMING_MS;
    if (jump) this.#now = copy(this.#goal);
  }

  /** Radians. */
  rotate(right: number, up: number): void {
    this.#input();
    this.#goal.azimuth -= right;
    this.#goal.elevation = Math.min(STEEPEST, Math.max(-STEEPEST, this.#goal.elevation + up));
  }

  /** Moves the target in the plane of the picture, as parts of the picture's height at the target's distance. */
  pan(right: number, up: number, fovY: number): void {
    this.#input();
    const unit = 2 * this.#goal.distance * Math.tan(fovY / 2);
    const { x, y } = axes(this.#goal);
    for (let axis = 0; axis < 3; axis++) {
      this.#goal.target[axis]! -= (x[axis]! * right + y[axis]! * up) * unit;
    }
  }

  /** Scales the distance to `anchor` and moves along, so that `anchor` stays where it is in the picture. */
  zoom(factor: number, anchor?: Vec3): void {
    this.#input();
    const { distance, target } = this.#goal;
    const next = Math.min(Math.max(distance * factor, 1e-4), 1e7);
    const part = 1 - next / distance;
    if (anchor) for (let axis = 0; axis < 3; axis++) target[axis]! += (anchor[axis]! - target[axis]!) * part;
    this.#goal.distance = next;
  }

  /** Turns about `point` from now on, without a jump: it glides to the middle. */
  setPivot(point: Vec3): void {
    const position = eye(this.#goal);
    const distance = Math.hypot(position[0] - point[0], position[1] - point[1], position[2] - point[2]);
    this.glideTo({ ...this.#goal, target: point, distance });
  }

  /** Moves on by `elapsedMs`; returns whether there is still way to go. */
  step(elapsedMs: number): boolean {
    const part = this.reducedMotion ? 1 : 1 - Math.exp(-elapsedMs / this.#settleMs);
    const [now, goal] = [this.#now, this.#goal];
    // The target goes as far as the distance does, so that what the picture shows at both ends it shows on the way.
    const nearer = Math.log(goal.distance / now.distance);
    const share = Math.abs(nearer) < 1e-9 ? part : Math.expm1(nearer * part) / Math.expm1(nearer);
    let left = 0;
    for (let axis = 0; axis < 3; axis++) {
      const way = goal.target[axis]! - now.target[axis]!;
      now.target[axis]! += way * share;
      left = Math.max(left, Math.abs(way) / goal.distance);
    }
    now.azimuth += (goal.azimuth - now.azimuth) * part;
    now.elevation += (goal.elevation - now.elevation) * part;
    now.distance *= (goal.distance / now.distance) ** part; // even in what one sees, which is the logarithm
    left = Math.max(
      left,
      Math.abs(goal.azimuth - now.azimuth),
      Math.abs(goal.elevation - now.elevation),
      Math.abs(Math.log(goal.distance / now.distance)),
    );
    if (left > 5e-4) return true;
    this.#now = copy(goal);
    return false;
  }

  /** A gliding view stops where it is as soon as someone takes hold of it. */
  #input(): void {
    if (this.#settleMs === INPUT_MS) return;
    this.#goal = copy(this.#now);
    this.#settleMs = INPUT_MS;
  }
}

function copy(view: View): View {
  return { ...view, target: [...view.target] };
}

function eye({ target, distance, azimuth, elevation }: View): Vec3 {
  const level = Math.cos(elevation) * distance;
  return [
    target[0] + Math.sin(azimuth) * level,
    target[1] + Math.sin(elevation) * distance,
    target[2] + Math.cos(azimuth) * level,
  ];
}

/** Right and up of the picture. */
function axes({ azimuth, elevation }: View): { x: Vec3; y: Vec3 } {
  const [sa, ca, se, ce] = [Math.sin(azimuth), Math.cos(azimuth), Math.sin(elevation), Math.cos(elevation)];
  return { x: [ca, 0, -sa], y: [-sa * se, ce, -ca * se] };
}
