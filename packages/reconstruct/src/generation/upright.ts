/**
 * Which way is up. People hold cameras level and upright (EXIF has turned the photos by then), so the cameras' rights lie
 * in the horizontal plane, whichever way they look or tilt. Photos that look one way leave one axis of it open; there
 * only the mean of their ups tells. What motion sensors felt counts with it. Where it is built over, plumb lines near that tell better; where nothing else does,
 * GPS.
 */
import {
  georeference,
  poseFromQuaternion,
  rotationFromQuaternion,
  type Similarity3,
  symmetricEigen,
} from "@cairn/geometry";
import type { Gps, Gravity, PosedCamera, Similarity, Upright } from "@cairn/protocol";
import type { FeltUpright } from "../engine.ts";
import { type PlumbCandidate, verticalOf } from "./verticals.ts";

export type Up = {
  /** `[3]` unit vector, model frame. */
  readonly direction: Float64Array;
  /**
   * `verticals`: plumb lines; `gravity`: motion sensors; `horizon`: the cameras look different ways and agree; `gps`; `cameras`: no more than how
   * they are held on average.
   */
  readonly source: Upright["source"];
  /** One standard deviation about the axis that is known worse. */
  readonly sigmaDeg: number;
};

/** Held by hand, a camera is level to about this: no set is believed to be better. */
const LEAST_ROLL_RAD = (1.5 * Math.PI) / 180;
/** Rolls beyond this count less and less: a camera on its side says nothing. */
const USUAL_ROLL_RAD = (5 * Math.PI) / 180;
/** How far the mean of the cameras' ups may be off: many look down at a thing, or up a façade. */
const MEAN_SIGMA_RAD = (15 * Math.PI) / 180;
/** Up is told by the horizons when they are this much surer than the mean. */
const HORIZON_SIGMA_RAD = MEAN_SIGMA_RAD / 2;
const ROUNDS = 10;
const DEGREES = 180 / Math.PI;
/** Plumb lines are sought this near to what the cameras say. */
const NEAR: Partial<Record<Up["source"], number>> = { cameras: 25, gps: 12 };
const NEAR_HORIZON_DEG = 6;
const NEAR_HORIZON_SIGMAS = 3;
/** What GPS errs by along a walk, as satellites set and clouds pass, shows in no residual: up by it is never surer. */
const LEAST_GPS_SIGMA_DEG = 3;
/**
 * Heights by GPS are about twice as noisy as places (Kaplan & Hegarty, Understanding GPS, ch. 7: VDOP and HDOP), so √2
 * times the noise of all three coordinates together; what tips the model is heights.
 */
const OF_HEIGHTS = Math.SQRT2;
const FEWEST_GPS = 3;
/** What cameras say that is farther from what GPS says is wrong. */
const FAR_OFF = Math.cos((30 * Math.PI) / 180);

/**
 * @param poses `[12]` each, cameraFromWorld
 * @param gravities what was felt with each
 * @returns undefined without any, or when nothing was felt and half of them are upside down
 */
export function upOfPoses(
  poses: readonly Float64Array[],
  gravities: readonly (Gravity | undefined)[] = [],
): Up | undefined {
  const felt = feltUp(poses, gravities);
  const held = heldUp(poses, felt);
  if (!held || !felt) return held;
  const seen = heldUp(poses);
  // To hold a camera level is a habit; what a sensor feels is there. Where they contradict each other the habit goes.
  const apart = seen ? angleBetween(felt.direction, seen.direction) : 0;
  if (seen && apart > 3 * Math.hypot(felt.sigma, seen.sigmaDeg / DEGREES)) {
    return { direction: felt.direction, source: "gravity", sigmaDeg: felt.sigma * DEGREES };
  }
  return !seen || felt.sigma * DEGREES < seen.sigmaDeg ? { ...held, source: "gravity" } : held;
}

type Felt = { readonly direction: Float64Array; readonly sigma: number };

/** What the sensors say together: as sure as one of them, for they may share a bias, and less where they disagree. */
function feltUp(poses: readonly Float64Array[], gravities: readonly (Gravity | undefined)[]): Felt | undefined {
  const ups = poses.flatMap((pose, k) => {
    const gravity = gravities[k];
    if (!gravity) return [];
    const [x, y, z] = gravity.down;
    const up = Float64Array.from([0, 1, 2], (i) => -(pose[i] * x + pose[4 + i] * y + pose[8 + i] * z));
    return [{ up, sigma: gravity.sigmaDeg / DEGREES }];
  });
  if (ups.length === 0) return undefined;
  // One that is far off was shaken: the direction from which the angles are least in sum (Weiszfeld).
  let direction = ups[0].up;
  for (let round = 0; round < ROUNDS; round++) {
    const sum = new Float64Array(3);
    for (const { up, sigma } of ups) {
      const weight = 1 / (sigma * Math.max(sigma, angleBetween(up, direction)));
      for (let i = 0; i < 3; i++) sum[i] += weight * up[i];
    }
    const length = Math.hypot(...sum);
    if (!(length > 0)) return undefined;
    direction = sum.map((x) => x / length);
  }
  const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
  // The median of angles in a plane is 1.18 standard deviations of one axis.
  const apart = middle(ups.map(({ up }) => angleBetween(up, direction))) / 1.18;
  return { direction, sigma: Math.hypot(middle(ups.map(({ sigma }) => sigma)), apart / Math.sqrt(ups.length)) };
}

function heldUp(poses: readonly Float64Array[], felt?: Felt): Up | undefined {
  const mean = [0, 1, 2].map((axis) => poses.reduce((sum, pose) => sum - pose[4 + axis], 0));
  const length = Math.hypot(...mean);
  const agree = length >= 0.2 * poses.length;
  if (poses.length === 0 || (!agree && !felt)) return undefined;
  const start = felt?.direction ?? Float64Array.from(mean, (x) => x / length);
  let up = start;
  let sigma = MEAN_SIGMA_RAD;
  for (let round = 0; round < ROUNDS; round++) {
    const rolls = poses.map((pose) => Math.asin(Math.max(-1, Math.min(1, dot(pose, up)))));
    const weights = rolls.map((roll) => 1 / (1 + (roll / USUAL_ROLL_RAD) ** 2));
    const total = weights.reduce((sum, w) => sum + w, 0);
    const square = rolls.reduce((sum, roll, k) => sum + weights[k] * roll * roll, 0) / total;
    const variance = Math.max(LEAST_ROLL_RAD ** 2, square);
    // Information on up: Σ w x xᵀ / variance of the rights, and the mean as a belief beside it.
    const information = new Float64Array(9);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        for (const [k, pose] of poses.entries()) information[3 * i + j] += (weights[k] * pose[i] * pose[j]) / variance;
        if (agree) information[3 * i + j] -= (mean[i] * mean[j]) / (length * length * MEAN_SIGMA_RAD ** 2);
        if (felt) information[3 * i + j] -= (felt.direction[i] * felt.direction[j]) / felt.sigma ** 2;
      }
      information[4 * i] += (agree ? 1 / MEAN_SIGMA_RAD ** 2 : 0) + (felt ? 1 / felt.sigma ** 2 : 0);
    }
    const values = new Float64Array(3);
    const vectors = new Float64Array(9);
    symmetricEigen(information, 3, values, vectors);
    const found = column(vectors, 0);
    const sign = dot(found, start) < 0 ? -1 : 1;
    up = found.map((x) => sign * x);
    sigma = 1 / Math.sqrt(Math.max(values[1], 1e-12));
  }
  return {
    direction: up,
    source: sigma < HORIZON_SIGMA_RAD ? "horizon" : "cameras",
    sigmaDeg: sigma * DEGREES,
  };
}

export type UpEvidence = {
  /** `[12]` each, cameraFromWorld. */
  readonly poses: readonly Float64Array[];
  /** What was felt with each; left out: nothing. */
  readonly gravities?: readonly (Gravity | undefined)[];
  readonly lines: readonly PlumbCandidate[];
  /** Cameras with GPS and an altitude. */
  readonly places: readonly { readonly centre: ArrayLike<number>; readonly gps: Gps }[];
  /** As motion sensors tell it that were carried along with many of them. */
  readonly carried?: FeltUpright | undefined;
  readonly seed: number;
};

/** By what tells it best. */
export function upOf({ carried, ...evidence }: UpEvidence): Up | undefined {
  const seen = upBySight(evidence);
  if (!carried || (seen && seen.sigmaDeg <= carried.sigmaDeg)) return seen;
  return { ...carried, direction: Float64Array.from(carried.direction), source: "gravity" };
}

function upBySight({ poses, gravities, lines, places, seed }: Omit<UpEvidence, "carried">): Up | undefined {
  const held = upOfPoses(poses, gravities);
  const felt = held?.source === "gravity" ? held : undefined;
  const flown = upOfPlaces(places);
  // Cameras that look straight down, as a drone's do, are not held upright: GPS knows better.
  const coarse = !felt && held && flown && dot(held.direction, flown.direction) < FAR_OFF ? flown : (held ?? flown);
  if (!coarse) return undefined;
  const within = NEAR[coarse.source] ?? Math.max(NEAR_HORIZON_DEG, NEAR_HORIZON_SIGMAS * coarse.sigmaDeg);
  const plumb = verticalOf(lines, coarse.direction, within, seed);
  if (felt && (!plumb || felt.sigmaDeg < plumb.sigmaDeg)) return felt;
  if (plumb) return { direction: plumb.direction, source: "verticals", sigmaDeg: plumb.sigmaDeg };
  return flown && flown.sigmaDeg < coarse.sigmaDeg ? flown : coarse;
}

function upOfPlaces(places: UpEvidence["places"]): Up | undefined {
  const high = places.filter(({ gps }) => gps.altitudeM !== undefined);
  if (high.length < FEWEST_GPS) return undefined;
  const centres = Float64Array.from(high.flatMap(({ centre }) => [centre[0], centre[1], centre[2]]));
  const found = georeference(
    centres,
    high.map(({ gps }) => gps),
  );
  if (!found) return undefined;
  const [w, x, y, z] = found.enuFromModel.rotation;
  // The third row of the rotation: the earth's up, in the model.
  const direction = Float64Array.of(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y));
  const sigmaDeg = Math.max(LEAST_GPS_SIGMA_DEG, OF_HEIGHTS * found.turnSigma * DEGREES);
  return { direction, source: "gps", sigmaDeg };
}

/** What a generation says of up: `tiltDeg` is how far the model's z is from it. */
export function uprightFrom({ source, sigmaDeg, direction }: Up): Upright {
  const tilt = Math.acos(Math.max(-1, Math.min(1, direction[2])));
  return { source, sigmaDeg, tiltDeg: (tilt * 180) / Math.PI };
}

/** The same where only the cameras are known, and what was felt with them. */
export function uprightOf(
  cameras: readonly Pick<PosedCamera, "image" | "pose">[],
  gravityOf: (image: string) => Gravity | undefined = () => undefined,
): Upright | undefined {
  const up = upOfPoses(
    cameras.map(({ pose }) => poseFromQuaternion(pose.rotation, pose.translation)),
    cameras.map(({ image }) => gravityOf(image)),
  );
  return up && uprightFrom(up);
}

/**
 * The turn that makes z up. While nobody has seen its frame, by all that is known; later only by more than how the
 * cameras are held on average.
 */
export function uprightTurn(up: Up, about: ArrayLike<number>, seen: boolean): Similarity3 | undefined {
  return !seen || up.source !== "cameras" ? turnUpright(up.direction, about) : undefined;
}

/** What was felt, in the frame after a turn of the model. */
export function turned(felt: FeltUpright, turn: Similarity | undefined): FeltUpright {
  if (!turn) return felt;
  const rotation = rotationFromQuaternion(turn.rotation);
  const direction = [0, 3, 6].map((row) => dot(rotation.subarray(row, row + 3), felt.direction));
  return { ...felt, direction };
}

/** The shortest turn about a point that makes `up` the z axis. */
export function turnUpright(up: ArrayLike<number>, about: ArrayLike<number>): Similarity3 {
  const [x, y, z] = [up[0], up[1], up[2]];
  // R = I + [v]× + [v]×² / (1 + c), v = up × z, c = up · z; upside down it is half a turn about x.
  const k = 1 / (1 + z);
  const rotation =
    1 + z < 1e-9
      ? Float64Array.of(1, 0, 0, 0, -1, 0, 0, 0, -1)
      : Float64Array.of(1 - k * x * x, -k * x * y, -x, -k * x * y, 1 - k * y * y, -y, x, y, z);
  const translation = Float64Array.from([0, 1, 2], (i) => about[i] - dot(rotation.subarray(3 * i, 3 * i + 3), about));
  return { scale: 1, rotation, translation };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function angleBetween(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.acos(Math.max(-1, Math.min(1, dot(a, b))));
}

/** Eigenvectors are columns. */
function column(vectors: Float64Array, k: number): Float64Array {
  return Float64Array.of(vectors[k], vectors[3 + k], vectors[6 + k]);
}
