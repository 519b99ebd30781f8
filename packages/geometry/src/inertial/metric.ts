/**
 * How long a model's unit of length is in metres, and which way is up in it, by the accelerometer that was carried
 * along: it felt gravity and how the speed changed; the poses tell how the speed changed in the model's units. The
 * positions are what is noisy, so they are explained by the readings and not the other way round (else noise would make
 * the scale small): unknown are the units a metre has, up and the accelerometer's bias. After Qin and Shen's
 * initialisation of VINS-Mono (2018), with the speeds eliminated.
 */
import { factorCholesky, invertLower, solveCholesky } from "../linear/cholesky.ts";
import { type InertialSamples, type Preintegrated, preintegrate } from "./preintegrate.ts";
import { GRAVITY } from "./up.ts";

export type MetricAlignment = {
  /** Metres that one unit of the model is long; `sigma` is one standard deviation as a part of it. */
  readonly scale: number;
  readonly sigma: number;
  /** `[3]` unit vector, model frame, and one standard deviation about its worse known axis, radians. */
  readonly up: Float64Array;
  readonly upSigma: number;
  /** `[3]` m/s², sensor frame. */
  readonly accelBias: Float64Array;
  /** RMS of what is left of a change of speed, m/s. */
  readonly rms: number;
};

export type MetricOptions = {
  /** `[9]` camera←sensor. */
  readonly rotation: Float64Array;
  /** Sensor's clock − camera's clock. */
  readonly offsetS: number;
  /** `[3]` rad/s. */
  readonly gyroBias: ArrayLike<number>;
  /** One standard deviation of the accelerometer's bias, default 0.3 m/s². */
  readonly accelBiasSigma?: number;
};

/** Speeds are taken over about this long: shorter and the positions' noise drowns them, longer and the gyroscope's drift does. */
const INTERVAL_S = 0.5;
const MIN_ROWS = 8;
const ROUNDS = 20;
/** A scale that is known no better is not known. */
const MAX_SIGMA = 0.3;
/** Unknown: units a metre, up (2), bias times units a metre (3). */
const UNKNOWN = 6;

/** A change of speed between two intervals: `y = u·m − u·g·up·w − C·(u·bias)`, u being units a metre. */
type Row = {
  /** `[3]` model units a second. */
  readonly y: Float64Array;
  /** `[3]` m/s. */
  readonly m: Float64Array;
  /** Seconds that gravity acted. */
  readonly w: number;
  /** `[9]`. */
  readonly c: Float64Array;
};

/**
 * @param times `[n]` seconds of the camera's clock, ascending
 * @param poses `[n]` of `[12]`, cameraFromWorld
 * @returns undefined where the camera's speed changed too little for an answer
 */
export function alignMetric(
  times: Float64Array,
  poses: readonly Float64Array[],
  samples: InertialSamples,
  options: MetricOptions,
): MetricAlignment | undefined {
  const { rows, spanS } = rowsOf(times, poses, samples, options);
  if (rows.length < MIN_ROWS) return undefined;
  const start = linearStart(rows);
  if (!start) return undefined;
  const { accelBiasSigma = 0.3 } = options;
  let { units, up } = start;
  let bias: Float64Array = new Float64Array(3); // times units
  let variance = meanSquare(rows, units, up, bias);
  const normal = new Float64Array(UNKNOWN * UNKNOWN);
  const step = new Float64Array(UNKNOWN);
  for (let round = 0; round < ROUNDS; round++) {
    const [e1, e2] = tangents(up);
    normal.fill(0);
    step.fill(0);
    const j = new Float64Array(UNKNOWN);
    for (const row of rows) {
      for (let i = 0; i < 3; i++) {
        const g = GRAVITY * row.w;
        const left = residual(row, i, units, up, bias);
        // One that is far off counts less (Cauchy), and most when nothing is known yet.
        const weight = 1 / (1 + (left * left) / (9 * variance));
        j[0] = row.m[i] - g * up[i];
        j[1] = -units * g * e1[i];
        j[2] = -units * g * e2[i];
        for (let k = 0; k < 3; k++) j[3 + k] = -row.c[3 * i + k];
        for (let a = 0; a < UNKNOWN; a++) {
          step[a] += weight * j[a] * left;
          for (let b = 0; b <= a; b++) normal[UNKNOWN * a + b] += weight * j[a] * j[b];
        }
      }
    }
    const prior = variance / (units * accelBiasSigma) ** 2;
    for (let k = 0; k < 3; k++) {
      normal[(UNKNOWN + 1) * (3 + k)] += prior;
      step[3 + k] -= prior * bias[k];
    }
    if (!factorCholesky(normal, UNKNOWN)) return undefined;
    solveCholesky(normal, UNKNOWN, step);
    // A step that would turn the sign is halved.
    const part = step[0] < -units / 2 ? -units / 2 / step[0] : 1;
    units += part * step[0];
    bias = bias.map((x, k) => x + part * step[3 + k]);
    const turned = up.map((x, i) => x + part * (step[1] * e1[i] + step[2] * e2[i]));
    const length = Math.hypot(turned[0], turned[1], turned[2]);
    up = turned.map((x) => x / length);
    variance = Math.max(1e-18, meanSquare(rows, units, up, bias));
    if (Math.abs(step[0]) < 1e-9 * units && Math.hypot(step[1], step[2]) < 1e-10) break;
  }
  invertLower(normal, UNKNOWN);
  const covariance = (a: number) => {
    let sum = 0;
    for (let k = a; k < UNKNOWN; k++) sum += normal[UNKNOWN * k + a] ** 2;
    return sum;
  };
  // Intervals overlap: as many say something of their own as fit beside each other.
  const apart = Math.max(1, Math.min(rows.length, spanS / INTERVAL_S - 1));
  const freedom = (3 * apart) / Math.max(1, 3 * apart - UNKNOWN);
  const each = variance * (rows.length / apart) * freedom;
  const sigma = Math.sqrt(covariance(0) * each) / units;
  if (!(sigma < MAX_SIGMA)) return undefined;
  return {
    scale: 1 / units,
    sigma,
    up,
    upSigma: Math.sqrt(Math.max(covariance(1), covariance(2)) * each),
    accelBias: bias.map((x) => x / units),
    rms: Math.sqrt(variance) / units,
  };
}

function rowsOf(
  times: Float64Array,
  poses: readonly Float64Array[],
  samples: InertialSamples,
  { rotation, offsetS, gyroBias }: MetricOptions,
): { rows: Row[]; spanS: number } {
  const rows: Row[] = [];
  const felt = new Map<string, Preintegrated | undefined>();
  const between = (a: number, b: number) => {
    const key = `${a} ${b}`;
    if (!felt.has(key)) felt.set(key, preintegrate(samples, times[a] + offsetS, times[b] + offsetS, gyroBias));
    return felt.get(key);
  };
  let spanS = 0;
  let coveredTo = Number.NEGATIVE_INFINITY;
  for (let a = 0; a < poses.length; a++) {
    const b = next(times, a);
    const c = b === undefined ? undefined : next(times, b);
    if (b === undefined || c === undefined) continue;
    const [first, second] = [between(a, b), between(b, c)];
    if (!first || !second) continue;
    spanS += times[c] - Math.max(coveredTo, times[a]);
    coveredTo = times[c];
    const [worldFromA, worldFromB] = [worldFromSensor(poses[a], rotation), worldFromSensor(poses[b], rotation)];
    const [ca, cb, cc] = [centre(poses[a]), centre(poses[b]), centre(poses[c])];
    const y = new Float64Array(3);
    const m = new Float64Array(3);
    const by = new Float64Array(9);
    for (let i = 0; i < 3; i++) {
      y[i] = (cc[i] - cb[i]) / second.seconds - (cb[i] - ca[i]) / first.seconds;
      for (let k = 0; k < 3; k++) {
        const [ra, rb] = [worldFromA[3 * i + k], worldFromB[3 * i + k]];
        m[i] += ra * (first.velocity[k] - first.position[k] / first.seconds);
        m[i] += (rb * second.position[k]) / second.seconds;
        for (let l = 0; l < 3; l++) {
          by[3 * i + l] +=
            ra * (first.velocityByBias[3 * k + l] - first.positionByBias[3 * k + l] / first.seconds) +
            (rb * second.positionByBias[3 * k + l]) / second.seconds;
        }
      }
    }
    rows.push({ y, m, w: (first.seconds + second.seconds) / 2, c: by });
  }
  return { rows, spanS };
}

/** The pose that is about an interval later. */
function next(times: Float64Array, from: number): number | undefined {
  for (let k = from + 1; k < times.length; k++) {
    const apart = times[k] - times[from];
    if (apart >= 0.8 * INTERVAL_S) return apart <= 3 * INTERVAL_S ? k : undefined;
  }
  return undefined;
}

/** Units a metre and up without a word about gravity's size: y = u·m − h·w, h along up. */
function linearStart(rows: readonly Row[]): { units: number; up: Float64Array } | undefined {
  // h = (u Σ w m − Σ w y) / Σ w²; what is left is one unknown.
  let square = 0;
  const [wm, wy] = [new Float64Array(3), new Float64Array(3)];
  for (const { y, m, w } of rows) {
    square += w * w;
    for (let i = 0; i < 3; i++) {
      wm[i] += w * m[i];
      wy[i] += w * y[i];
    }
  }
  let [mm, my] = [0, 0];
  for (const { y, m, w } of rows) {
    for (let i = 0; i < 3; i++) {
      const [dm, dy] = [m[i] - (w * wm[i]) / square, y[i] - (w * wy[i]) / square];
      mm += dm * dm;
      my += dm * dy;
    }
  }
  const units = my / mm;
  if (!(units > 0)) return undefined;
  const h = wm.map((x, i) => (units * x - wy[i]) / square);
  const length = Math.hypot(h[0], h[1], h[2]);
  return length > 0 ? { units, up: h.map((x) => x / length) } : undefined;
}

function residual({ y, m, w, c }: Row, i: number, units: number, up: Float64Array, bias: Float64Array): number {
  const biased = c[3 * i] * bias[0] + c[3 * i + 1] * bias[1] + c[3 * i + 2] * bias[2];
  return y[i] - units * (m[i] - GRAVITY * w * up[i]) + biased;
}

function meanSquare(rows: readonly Row[], units: number, up: Float64Array, bias: Float64Array): number {
  let sum = 0;
  for (const row of rows) for (let i = 0; i < 3; i++) sum += residual(row, i, units, up, bias) ** 2;
  return sum / (3 * rows.length);
}

function tangents(up: Float64Array): [Float64Array, Float64Array] {
  const least = up.reduce((at, x, i) => (Math.abs(x) < Math.abs(up[at]) ? i : at), 0);
  const axis = Float64Array.from([0, 1, 2], (i) => (i === least ? 1 : 0));
  const cross = (a: Float64Array, b: Float64Array) =>
    Float64Array.of(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]);
  const e1 = cross(up, axis);
  const length = Math.hypot(e1[0], e1[1], e1[2]);
  const unit = e1.map((x) => x / length);
  return [unit, cross(up, unit)];
}

/** Rᵀ(camera←world) · R(camera←sensor). */
function worldFromSensor(pose: Float64Array, rotation: Float64Array): Float64Array {
  const out = new Float64Array(9);
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      out[3 * r + c] = pose[r] * rotation[c] + pose[4 + r] * rotation[3 + c] + pose[8 + r] * rotation[6 + c];
    }
  }
  return out;
}

function centre(p: Float64Array): Float64Array {
  return Float64Array.from([0, 1, 2], (i) => -(p[i] * p[3] + p[4 + i] * p[7] + p[8 + i] * p[11]));
}
