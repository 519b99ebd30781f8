/**
 * How a gyroscope sits on a camera, in time and in direction: both turn together, so the turns between the camera's
 * poses are those that the gyroscope saw, in another frame, and a moment earlier or later. The offset of the clocks is
 * found by trying; for each, the rotation between the frames by the singular value decomposition (Kabsch 1976), with the
 * gyroscope's bias taken out in the same least squares.
 */

import { determinant } from "../linear/determinant.ts";
import { symmetricEigen } from "../linear/eigen.ts";
import { svd3 } from "../linear/svd3.ts";
import { rotationFromVector, vectorFromRotation } from "../rotation/exponential.ts";
import { firstAfter, type InertialSamples, MAX_GAP_S, multiply } from "./preintegrate.ts";

export type Turning = {
  /** Sensor's clock − camera's clock, seconds, and one standard deviation. */
  readonly offsetS: number;
  readonly offsetSigmaS: number;
  /** `[9]` camera←sensor, and one standard deviation about its worst known axis, radians. */
  readonly rotation: Float64Array;
  readonly rotationSigma: number;
  /** `[3]` rad/s, sensor frame. */
  readonly gyroBias: Float64Array;
  /** RMS of what is left of a turn, radians. */
  readonly rms: number;
};

export type TurningOptions = {
  /** `[9]` camera←sensor, when it is known. */
  readonly rotation?: Float64Array;
  /** Largest offset that is tried, default 0.5 s. */
  readonly maxOffsetS?: number;
};

const STEP_S = 0.01;
/** Fewer turns say nothing. */
const MIN_TURNS = 5;
/** Nor does an offset at which fewer than this share of them are covered. */
const MIN_SHARE = 0.5;
/** Of poses farther apart the turn between is not one that can be compared. */
const MAX_APART_S = 2;
/** An offset that is known no better is not known. */
const MAX_SIGMA_S = 0.05;

/**
 * @param times `[n]` seconds of the camera's clock, ascending
 * @param poses `[n]` of `[12]`, cameraFromWorld
 * @returns undefined where the camera turned too little, or about one axis only, for an answer
 */
export function alignTurning(
  times: Float64Array,
  poses: readonly Float64Array[],
  samples: InertialSamples,
  { rotation: known, maxOffsetS = 0.5 }: TurningOptions = {},
): Turning | undefined {
  const turns = visualTurns(times, poses);
  const track = new GyroTrack(samples);
  const steps = Math.round(maxOffsetS / STEP_S);
  const fits = Array.from({ length: 2 * steps + 1 }, (_, i) => fitAt(turns, track, (i - steps) * STEP_S, known));
  const most = Math.max(...fits.map((fit) => fit?.count ?? 0));
  // At the ends of the recording and where it has gaps some turns are not covered; few alone may fit by chance.
  const misfit = (k: number) => {
    const fit = fits[k + steps];
    return fit && fit.count >= MIN_SHARE * most ? fit.mean : Number.POSITIVE_INFINITY;
  };
  let best = 0;
  for (let k = -steps; k <= steps; k++) if (misfit(k) < misfit(best)) best = k;
  if (Math.abs(best) === steps && steps > 0) return undefined;
  let [low, high] = [(best - 1) * STEP_S, (best + 1) * STEP_S];
  for (let round = 0; round < 30 && high - low > 1e-6; round++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    const [fitA, fitB] = [fitAt(turns, track, a, known), fitAt(turns, track, b, known)];
    if (!fitA || !fitB) return undefined;
    if (fitA.mean < fitB.mean) high = b;
    else low = a;
  }
  const offsetS = (low + high) / 2;
  const found = fitAt(turns, track, offsetS, known);
  const [before, after] = [fitAt(turns, track, offsetS - STEP_S, known), fitAt(turns, track, offsetS + STEP_S, known)];
  if (!found || !before || !after) return undefined;
  // Three numbers a turn; offset, rotation and bias are fitted.
  const variance = (found.mean * found.count) / Math.max(1, 3 * found.count - 7);
  const curvature = (found.count * (before.mean + after.mean - 2 * found.mean)) / (STEP_S * STEP_S);
  const offsetSigmaS = curvature > 0 ? Math.sqrt((2 * variance) / curvature) : Number.POSITIVE_INFINITY;
  const rotationSigma = known ? 0 : Math.sqrt(variance / Math.max(found.leastInformation, 1e-300));
  if (!(offsetSigmaS < MAX_SIGMA_S) || !(rotationSigma < 0.1)) return undefined;
  return {
    offsetS,
    offsetSigmaS,
    rotation: found.rotation,
    rotationSigma,
    gyroBias: found.gyroBias,
    rms: Math.sqrt(found.mean),
  };
}

type Turn = { readonly fromS: number; readonly toS: number; readonly vector: Float64Array };

/** Turns from each pose to the next, in the camera frame of the first. */
function visualTurns(times: Float64Array, poses: readonly Float64Array[]): Turn[] {
  const turns: Turn[] = [];
  for (let k = 0; k + 1 < poses.length; k++) {
    const [fromS, toS] = [times[k], times[k + 1]];
    if (!(toS > fromS) || toS - fromS > MAX_APART_S) continue;
    const [a, b] = [poses[k], poses[k + 1]];
    const turn = new Float64Array(9);
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) {
        turn[3 * r + c] = a[4 * r] * b[4 * c] + a[4 * r + 1] * b[4 * c + 1] + a[4 * r + 2] * b[4 * c + 2];
      }
    }
    turns.push({ fromS, toS, vector: vectorFromRotation(turn) });
  }
  return turns;
}

/** The gyroscope's turn from its first sample on, at any time, summed up once. */
class GyroTrack {
  readonly #samples: InertialSamples;
  readonly #turned: Float64Array;
  /** How many gaps lie before each sample: across one nothing is known of the turn. */
  readonly #gaps: Int32Array;

  constructor(samples: InertialSamples) {
    const { times, gyroscope } = samples;
    this.#samples = samples;
    this.#turned = new Float64Array(9 * times.length);
    const [turn, now] = [new Float64Array(9), new Float64Array(9)];
    this.#turned.set([1, 0, 0, 0, 1, 0, 0, 0, 1].slice(0, this.#turned.length));
    this.#gaps = new Int32Array(times.length);
    for (let i = 1; i < times.length; i++) {
      this.#gaps[i] = this.#gaps[i - 1] + (times[i] - times[i - 1] > MAX_GAP_S ? 1 : 0);
    }
    for (let i = 0; i + 1 < times.length; i++) {
      const half = (times[i + 1] - times[i]) / 2;
      const [p, q] = [3 * i, 3 * i + 3];
      rotationFromVector(
        half * (gyroscope[p] + gyroscope[q]),
        half * (gyroscope[p + 1] + gyroscope[q + 1]),
        half * (gyroscope[p + 2] + gyroscope[q + 2]),
        turn,
      );
      this.#turned.set(multiply(this.#turned.subarray(9 * i, 9 * i + 9), turn, now), 9 * i + 9);
    }
  }

  /** The turn from one time to another, in the frame of the first; false where it is not covered. */
  between(fromS: number, toS: number, out: Float64Array): boolean {
    const [first, last] = [this.#sampleBefore(fromS), this.#sampleBefore(toS)];
    if (first === undefined || last === undefined || this.#gaps[first] !== this.#gaps[last]) return false;
    const [a, b] = [this.#at(fromS, first), this.#at(toS, last)];
    const turn = new Float64Array(9);
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) turn[3 * r + c] = a[r] * b[c] + a[3 + r] * b[3 + c] + a[6 + r] * b[6 + c];
    }
    vectorFromRotation(turn, out);
    return true;
  }

  /** `undefined` where the time is not covered. */
  #sampleBefore(s: number): number | undefined {
    const { times } = this.#samples;
    const i = firstAfter(times, s) - 1;
    return i < 0 || i + 1 >= times.length || times[i + 1] - times[i] > MAX_GAP_S ? undefined : i;
  }

  #at(s: number, i: number): Float64Array {
    const { times, gyroscope } = this.#samples;
    const dt = s - times[i];
    const part = dt / (times[i + 1] - times[i]) / 2;
    const w = [0, 1, 2].map((k) => gyroscope[3 * i + k] + part * (gyroscope[3 * i + 3 + k] - gyroscope[3 * i + k]));
    const turn = rotationFromVector(w[0] * dt, w[1] * dt, w[2] * dt);
    return multiply(this.#turned.subarray(9 * i, 9 * i + 9), turn, new Float64Array(9));
  }
}

type Fit = {
  readonly count: number;
  /** Mean square of what is left of a turn. */
  readonly mean: number;
  readonly rotation: Float64Array;
  readonly gyroBias: Float64Array;
  /** Smallest eigenvalue of Σ |φ|² I − φ φᵀ. */
  readonly leastInformation: number;
};

/** vision = R (gyro − bias · Δt): R and bias by least squares over all turns that are covered. */
function fitAt(
  turns: readonly Turn[],
  track: GyroTrack,
  offsetS: number,
  known: Float64Array | undefined,
): Fit | undefined {
  const seen: Turn[] = [];
  const felt: Float64Array[] = [];
  for (const turn of turns) {
    const vector = new Float64Array(3);
    if (!track.between(turn.fromS + offsetS, turn.toS + offsetS, vector)) continue;
    seen.push(turn);
    felt.push(vector);
  }
  const count = seen.length;
  if (count < MIN_TURNS) return undefined;
  // What goes with the length of the interval is bias: taken out of both sides.
  let square = 0;
  const [alongSeen, alongFelt] = [new Float64Array(3), new Float64Array(3)];
  for (const [k, { fromS, toS, vector }] of seen.entries()) {
    const dt = toS - fromS;
    square += dt * dt;
    for (let i = 0; i < 3; i++) {
      alongSeen[i] += dt * vector[i];
      alongFelt[i] += dt * felt[k][i];
    }
  }
  const product = new Float64Array(9);
  const information = new Float64Array(9);
  for (const [k, { fromS, toS, vector }] of seen.entries()) {
    const part = (toS - fromS) / square;
    const v = vector.map((x, i) => x - part * alongSeen[i]);
    const g = felt[k].map((x, i) => x - part * alongFelt[i]);
    const length = g[0] * g[0] + g[1] * g[1] + g[2] * g[2];
    for (let r = 0; r < 3; r++) {
      information[4 * r] += length;
      for (let c = 0; c < 3; c++) {
        product[3 * r + c] += v[r] * g[c];
        information[3 * r + c] -= g[r] * g[c];
      }
    }
  }
  const values = new Float64Array(3);
  symmetricEigen(information, 3, values, new Float64Array(9));
  const rotation = known ?? nearestRotation(product);
  // b = Rᵀ (R Σ dt·gyro − Σ dt·vision) / Σ dt².
  const gyroBias = Float64Array.from([0, 1, 2], (c) => {
    const turned = rotation[c] * alongSeen[0] + rotation[3 + c] * alongSeen[1] + rotation[6 + c] * alongSeen[2];
    return (alongFelt[c] - turned) / square;
  });
  let sum = 0;
  for (const [k, { fromS, toS, vector }] of seen.entries()) {
    const g = felt[k].map((x, i) => x - gyroBias[i] * (toS - fromS));
    for (let r = 0; r < 3; r++) {
      const left = vector[r] - rotation[3 * r] * g[0] - rotation[3 * r + 1] * g[1] - rotation[3 * r + 2] * g[2];
      sum += left * left;
    }
  }
  return { count, mean: sum / count, rotation, gyroBias, leastInformation: values[0] };
}

/** The rotation R that makes trace(Rᵀ A) greatest. */
function nearestRotation(a: Float64Array): Float64Array {
  const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
  svd3(a, u, s, v);
  const sign = determinant(u) * determinant(v) < 0 ? -1 : 1;
  const rotation = new Float64Array(9);
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      rotation[3 * r + c] = u[3 * r] * v[3 * c] + u[3 * r + 1] * v[3 * c + 1] + sign * u[3 * r + 2] * v[3 * c + 2];
    }
  }
  return rotation;
}
