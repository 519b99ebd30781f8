/**
 * Readings of a gyroscope and an accelerometer summed up over an interval, in the frame of its start, so that poses can
 * be held against them. Midpoint rule; the idea is of Lupton and Sukkarieh (2012).
 */
import { rotationFromVector } from "../rotation/exponential.ts";

export type InertialSamples = {
  /** `[n]` seconds, ascending. */
  readonly times: Float64Array;
  /** `[n, 3]` rad/s, sensor frame. */
  readonly gyroscope: Float64Array;
  /** `[n, 3]` m/s², sensor frame; at rest it points up. */
  readonly accelerometer: Float64Array;
};

export type Preintegrated = {
  readonly seconds: number;
  /** `[9]` start frame←end frame. */
  readonly rotation: Float64Array;
  /** `[3]` ∫ R a dt, m/s, and ∬ R a dt², m. */
  readonly velocity: Float64Array;
  readonly position: Float64Array;
  /** `[9]` ∫ R dt and ∬ R dt²: what a bias of the accelerometer is multiplied by in them. */
  readonly velocityByBias: Float64Array;
  readonly positionByBias: Float64Array;
};

/** Where readings are farther apart nobody knows what was between them. */
export const MAX_GAP_S = 0.1;

/**
 * @param gyroBias `[3]` rad/s, taken off
 * @returns undefined where the samples do not cover the interval without a gap
 */
export function preintegrate(
  samples: InertialSamples,
  fromS: number,
  toS: number,
  gyroBias: ArrayLike<number>,
): Preintegrated | undefined {
  const { times, gyroscope, accelerometer } = samples;
  const n = times.length;
  let i = firstAfter(times, fromS) - 1;
  if (i < 0 || !(toS > fromS) || toS > times[n - 1]) return undefined;
  const rotation = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  const velocity = new Float64Array(3);
  const position = new Float64Array(3);
  const velocityByBias = new Float64Array(9);
  const positionByBias = new Float64Array(9);
  const turn = new Float64Array(9);
  const middle = new Float64Array(9);
  for (let at = fromS; at < toS; i++) {
    const [t0, t1] = [times[i], times[i + 1]];
    if (t1 - t0 > MAX_GAP_S) return undefined;
    const end = Math.min(t1, toS);
    const dt = end - at;
    // Both sensors in the middle of what is left of this step, straight between its two readings.
    const part = t1 > t0 ? ((at + end) / 2 - t0) / (t1 - t0) : 0;
    const [p, q] = [3 * i, 3 * i + 3];
    const wx = gyroscope[p] + part * (gyroscope[q] - gyroscope[p]) - gyroBias[0];
    const wy = gyroscope[p + 1] + part * (gyroscope[q + 1] - gyroscope[p + 1]) - gyroBias[1];
    const wz = gyroscope[p + 2] + part * (gyroscope[q + 2] - gyroscope[p + 2]) - gyroBias[2];
    rotationFromVector((wx * dt) / 2, (wy * dt) / 2, (wz * dt) / 2, turn);
    multiply(rotation, turn, middle);
    for (let r = 0; r < 3; r++) {
      let a = 0;
      for (let c = 0; c < 3; c++) {
        const m = middle[3 * r + c];
        a += m * (accelerometer[p + c] + part * (accelerometer[q + c] - accelerometer[p + c]));
        positionByBias[3 * r + c] += velocityByBias[3 * r + c] * dt + (m * dt * dt) / 2;
        velocityByBias[3 * r + c] += m * dt;
      }
      position[r] += velocity[r] * dt + (a * dt * dt) / 2;
      velocity[r] += a * dt;
    }
    multiply(middle, turn, rotation);
    at = end;
  }
  return { seconds: toS - fromS, rotation, velocity, position, velocityByBias, positionByBias };
}

/** Index of the first time after `s`; the length when there is none. */
export function firstAfter(times: Float64Array, s: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= s) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A · B, row-major 3×3. `out` is neither. */
export function multiply(a: Float64Array, b: Float64Array, out: Float64Array): Float64Array {
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      out[3 * r + c] = a[3 * r] * b[c] + a[3 * r + 1] * b[3 + c] + a[3 * r + 2] * b[6 + c];
    }
  }
  return out;
}
