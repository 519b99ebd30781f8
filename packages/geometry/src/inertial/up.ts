/**
 * Which way is up, by an accelerometer and a gyroscope alone. The accelerometer feels up and every push; pushes of a
 * hand or a motor go back and forth. So what it felt around a time is turned into that time's frame by the gyroscope, and
 * averaged: over a second and more, what is left of the pushes is a change of speed divided by that time. Steady beyond
 * that, a bias is felt as up, and only its usual size can be told.
 */
import { rotationFromVector } from "../rotation/exponential.ts";
import { firstAfter, type InertialSamples, MAX_GAP_S, multiply } from "./preintegrate.ts";

export type FeltUp = {
  /** `[3]` unit vector, sensor frame. */
  readonly up: Float64Array;
  /** One standard deviation about either axis, radians. */
  readonly sigma: number;
};

export type FeltUpOptions = {
  /** Half of the time that is looked at, default 1 s. */
  readonly reachS?: number;
  /** `[3]` of the sensors, where they are known: m/s², rad/s. */
  readonly accelBias?: ArrayLike<number>;
  readonly gyroBias?: ArrayLike<number>;
  /** What biases may be left, one standard deviation: m/s², rad/s. */
  readonly accelBiasSigma?: number;
  readonly gyroBiasSigma?: number;
};

export const GRAVITY = 9.80665;
/** Speeds that a hand or a small drone changes by, m/s. */
const USUAL_SPEED = 0.7;
/** Readings that are farther from gravity than this count less and less, m/s². */
const USUAL_PUSH = 1.5;
const ROUNDS = 5;

/** @returns undefined where there are no readings for a quarter of a second around the time, or nothing like gravity in them */
export function feltUp(samples: InertialSamples, atS: number, options: FeltUpOptions = {}): FeltUp | undefined {
  const { reachS = 1, accelBias = [0, 0, 0], gyroBias = [0, 0, 0] } = options;
  const { accelBiasSigma = 0.3, gyroBiasSigma = 0.01 } = options;
  const { times } = samples;
  const middle = nearest(times, atS);
  if (middle === undefined) return undefined;
  const felt: number[] = [];
  for (const step of [1, -1] as const) walk(samples, middle, step, atS, reachS, accelBias, gyroBias, felt);
  const n = felt.length / 4;
  const [first, last] = felt.reduce(
    ([least, most], x, k) => (k % 4 === 3 ? [Math.min(least, x), Math.max(most, x)] : [least, most]),
    [atS, atS],
  );
  const seconds = last - first;
  if (n < 4 || seconds < 0.25) return undefined;
  const mean = new Float64Array(3);
  for (let round = 0; round < ROUNDS; round++) {
    const sum = new Float64Array(3);
    let total = 0;
    for (let k = 0; k < n; k++) {
      const off = Math.hypot(felt[4 * k] - mean[0], felt[4 * k + 1] - mean[1], felt[4 * k + 2] - mean[2]);
      const weight = round === 0 ? 1 : 1 / (1 + (off / USUAL_PUSH) ** 2);
      total += weight;
      for (let i = 0; i < 3; i++) sum[i] += weight * felt[4 * k + i];
    }
    for (let i = 0; i < 3; i++) mean[i] = sum[i] / total;
  }
  const length = Math.hypot(mean[0], mean[1], mean[2]);
  // In free fall, or in units that are none of ours.
  if (!(length > GRAVITY / 2 && length < GRAVITY * 1.5)) return undefined;
  // How much it was pushed: at rest nothing of that is left, however short the time.
  let push = 0;
  for (let k = 0; k < n; k++) {
    push += (felt[4 * k] - mean[0]) ** 2 + (felt[4 * k + 1] - mean[1]) ** 2 + (felt[4 * k + 2] - mean[2]) ** 2;
  }
  const rms = Math.sqrt(push / n);
  const moved = Math.min(USUAL_SPEED / seconds, rms);
  const turned = (gyroBiasSigma * seconds) / 4;
  const sigma = Math.hypot(accelBiasSigma / GRAVITY, moved / GRAVITY, turned, length / GRAVITY - 1);
  return { up: mean.map((x) => x / length), sigma };
}

/** Appends `[x, y, z, time]` of each reading from `from` on, turned into the frame at `atS`. */
function walk(
  { times, gyroscope, accelerometer }: InertialSamples,
  from: number,
  step: 1 | -1,
  atS: number,
  reachS: number,
  accelBias: ArrayLike<number>,
  gyroBias: ArrayLike<number>,
  felt: number[],
): void {
  // The frame of `at` ← the sensor's at the reading.
  let turned: Float64Array = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  let beforeS = atS;
  for (let i = step > 0 ? from : from - 1; i >= 0 && i < times.length; i += step) {
    const dt = times[i] - beforeS;
    if (Math.abs(dt) > MAX_GAP_S || Math.abs(times[i] - atS) > reachS) return;
    const other = Math.max(0, Math.min(times.length - 1, i - step));
    const w = [0, 1, 2].map((k) => (gyroscope[3 * i + k] + gyroscope[3 * other + k]) / 2 - gyroBias[k]);
    turned = multiply(turned, rotationFromVector(w[0] * dt, w[1] * dt, w[2] * dt), new Float64Array(9));
    const a = [0, 1, 2].map((k) => accelerometer[3 * i + k] - accelBias[k]);
    for (let r = 0; r < 3; r++) felt.push(turned[3 * r] * a[0] + turned[3 * r + 1] * a[1] + turned[3 * r + 2] * a[2]);
    felt.push(times[i]);
    beforeS = times[i];
  }
}

/** The first reading at or after a time, if one is near on either side. */
function nearest(times: Float64Array, atS: number): number | undefined {
  const after = firstAfter(times, atS);
  const near = (i: number) => i >= 0 && i < times.length && Math.abs(times[i] - atS) <= MAX_GAP_S;
  return near(after) || near(after - 1) ? after : undefined;
}
