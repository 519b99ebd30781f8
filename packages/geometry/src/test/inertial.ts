/** For tests: a camera's way through the world, smooth in time, and what motion sensors on it would read. */
import type { InertialSamples } from "../inertial/preintegrate.ts";
import { GRAVITY } from "../inertial/up.ts";
import { type Random, randomNormal } from "../random.ts";
import { rotationFromVector, vectorFromRotation } from "../rotation/exponential.ts";

type Mount = {
  /** `[9]` camera←sensor. */
  readonly rotation: Float64Array;
  /** Sensor's clock − camera's. */
  readonly offsetS: number;
  readonly gyroBias: readonly number[];
  readonly accelBias: readonly number[];
  /** Standard deviation of a reading: rad/s, m/s². */
  readonly gyroNoise: number;
  readonly accelNoise: number;
};

/** Cubic B-splines through time: positions as they are, rotations cumulatively (Kim, Kim and Shin 1995). */
export class Way {
  readonly #stepS: number;
  readonly #centres: readonly (readonly number[])[];
  readonly #turns: readonly Float64Array[];

  /** @param turns `[9]` world←camera, one every `stepS` */
  constructor(stepS: number, centres: readonly (readonly number[])[], turns: readonly Float64Array[]) {
    this.#stepS = stepS;
    this.#centres = centres;
    this.#turns = turns;
  }

  get endS(): number {
    return (this.#centres.length - 3) * this.#stepS;
  }

  /** Position, and its second derivative. */
  centre(s: number): { at: number[]; acceleration: number[] } {
    const { k, u } = this.#knot(s);
    const weights = [(1 - u) ** 3, 3 * u ** 3 - 6 * u ** 2 + 4, -3 * u ** 3 + 3 * u ** 2 + 3 * u + 1, u ** 3];
    const second = [6 * (1 - u), 18 * u - 12, -18 * u + 6, 6 * u];
    const sum = (w: number[], scale: number) =>
      [0, 1, 2].map((i) => w.reduce((total, x, j) => total + (x / 6) * this.#centres[k + j][i], 0) / scale);
    return { at: sum(weights, 1), acceleration: sum(second, this.#stepS ** 2) };
  }

  /** `[9]` world←camera. */
  turn(s: number): Float64Array {
    const { k, u } = this.#knot(s);
    const weights = [(u ** 3 - 3 * u ** 2 + 3 * u + 5) / 6, (-2 * u ** 3 + 3 * u ** 2 + 3 * u + 1) / 6, u ** 3 / 6];
    let turned = this.#turns[k];
    for (const [j, weight] of weights.entries()) {
      const [x, y, z] = vectorFromRotation(product(this.#turns[k + j], this.#turns[k + j + 1], true));
      turned = product(turned, rotationFromVector(weight * x, weight * y, weight * z));
    }
    return turned;
  }

  /** `[12]` cameraFromWorld, with noise in place and turn. */
  pose(s: number, random: Random, centreSigma: number, turnSigma: number): Float64Array {
    const noise = () => turnSigma * randomNormal(random);
    const turn = product(this.turn(s), rotationFromVector(noise(), noise(), noise()));
    const at = this.centre(s).at.map((x) => x + centreSigma * randomNormal(random));
    const pose = new Float64Array(12);
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) {
        pose[4 * r + c] = turn[3 * c + r];
        pose[4 * r + 3] -= turn[3 * c + r] * at[c];
      }
    }
    return pose;
  }

  /** @param up unit vector in the world */
  feel(hertz: number, up: readonly number[], mount: Mount, random: Random): InertialSamples {
    const n = Math.floor((this.endS - 0.02) * hertz);
    const times = new Float64Array(n);
    const [gyroscope, accelerometer] = [new Float64Array(3 * n), new Float64Array(3 * n)];
    const h = 1e-4;
    for (let i = 0; i < n; i++) {
      const s = 0.01 + i / hertz;
      times[i] = s + mount.offsetS;
      const turn = this.turn(s);
      const w = vectorFromRotation(product(this.turn(s - h), this.turn(s + h), true)).map((x) => x / (2 * h));
      const { acceleration } = this.centre(s);
      const felt = acceleration.map((x, k) => x + GRAVITY * up[k]);
      const inCamera = [0, 1, 2].map((c) => turn[c] * felt[0] + turn[3 + c] * felt[1] + turn[6 + c] * felt[2]);
      for (let c = 0; c < 3; c++) {
        const column = (v: ArrayLike<number>) =>
          mount.rotation[c] * v[0] + mount.rotation[3 + c] * v[1] + mount.rotation[6 + c] * v[2];
        gyroscope[3 * i + c] = column(w) + mount.gyroBias[c] + mount.gyroNoise * randomNormal(random);
        accelerometer[3 * i + c] = column(inCamera) + mount.accelBias[c] + mount.accelNoise * randomNormal(random);
      }
    }
    return { times, gyroscope, accelerometer };
  }

  #knot(s: number): { k: number; u: number } {
    const k = Math.max(0, Math.min(this.#centres.length - 4, Math.floor(s / this.#stepS)));
    return { k, u: s / this.#stepS - k };
  }
}

/** A · B, or Aᵀ · B. */
export function product(a: ArrayLike<number>, b: ArrayLike<number>, transposed = false): Float64Array {
  const out = new Float64Array(9);
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      for (let k = 0; k < 3; k++) out[3 * r + c] += (transposed ? a[3 * k + r] : a[3 * r + k]) * b[3 * k + c];
    }
  }
  return out;
}

/** Somebody who moves about and looks around: sums of slow swings. @param reachM about how far, either way */
export function strolling(random: Random, seconds: number, reachM = 1.2): Way {
  const stepS = 0.1;
  const swing = (size: number) => {
    const waves = [0.15, 0.4, 0.9].map((hertz) => [
      hertz * (0.7 + 0.6 * random()),
      2 * Math.PI * random(),
      size / (1 + 4 * hertz),
    ]);
    return (s: number) => waves.reduce((sum, [f, phase, a]) => sum + a * Math.sin(2 * Math.PI * f * s + phase), 0);
  };
  const place = [swing(reachM), swing(reachM), swing(reachM / 2)];
  const look = [swing(0.5), swing(0.8), swing(0.3)];
  const knots = Math.ceil(seconds / stepS) + 4;
  return new Way(
    stepS,
    Array.from({ length: knots }, (_, k) => place.map((f) => f(k * stepS))),
    Array.from({ length: knots }, (_, k) => {
      const [x, y, z] = look.map((f) => f(k * stepS));
      return rotationFromVector(x, y, z);
    }),
  );
}
