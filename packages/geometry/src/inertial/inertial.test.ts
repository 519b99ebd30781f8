import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Random, seededRandom } from "../random.ts";
import { rotationFromVector, vectorFromRotation } from "../rotation/exponential.ts";
import { product, strolling, Way } from "../test/inertial.ts";
import { alignMetric } from "./metric.ts";
import { type InertialSamples, preintegrate } from "./preintegrate.ts";
import { alignTurning } from "./turning.ts";
import { feltUp } from "./up.ts";

const DEG = Math.PI / 180;
const UP = [0, -1, 0]; // as camera frames have it
const MOUNT = {
  rotation: rotationFromVector(0.4, -1.2, 0.7),
  offsetS: 0.137,
  gyroBias: [0.02, -0.01, 0.03],
  accelBias: [0.1, -0.05, 0.15],
  gyroNoise: 0.01,
  accelNoise: 0.05,
};

const angle = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.acos(Math.min(1, Math.max(-1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]))) / DEG;
const turnBetween = (a: Float64Array, b: Float64Array) => Math.hypot(...vectorFromRotation(product(a, b, true))) / DEG;

/** Poses every so often, in units of `unitM` metres. */
function photographed(way: Way, everyS: number, unitM: number, random: Random, centreM: number, turnDeg: number) {
  const times = Float64Array.from({ length: Math.floor((way.endS - 0.1) / everyS) }, (_, k) => 0.05 + k * everyS);
  const poses = Array.from(times, (s) => way.pose(s, random, centreM, turnDeg * DEG));
  for (const pose of poses) for (const i of [3, 7, 11]) pose[i] /= unitM;
  return { times, poses };
}

/** Folder of a reference set; undefined where it is not at hand. */
function dataset(name: string): string | undefined {
  const beside = fileURLToPath(new URL("../../../../../shared/datasets/", import.meta.url));
  const path = `${process.env.CAIRN_DATASETS ?? beside}/${name}/`;
  return existsSync(path) ? path : undefined;
}

test("readings summed up over an interval lead from one pose to the next", () => {
  const way = strolling(seededRandom(1), 12);
  const quiet = {
    ...MOUNT,
    rotation: rotationFromVector(0, 0, 0),
    offsetS: 0,
    gyroNoise: 0,
    accelNoise: 0,
    gyroBias: [0, 0, 0],
    accelBias: [0, 0, 0],
  };
  const samples = way.feel(200, [0, 0, 0], quiet, seededRandom(2));
  for (let from = 0.5; from < 9; from += 0.77) {
    const to = from + 0.9;
    const felt = preintegrate(samples, from, to, [0, 0, 0])!;
    assert.ok(turnBetween(felt.rotation, product(way.turn(from), way.turn(to), true)) < 0.01);
    const h = 1e-4;
    const [before, at, end] = [way.centre(from - h).at, way.centre(from + h).at, way.centre(to).at];
    const expected = [0, 1, 2].map((i) => end[i] - way.centre(from).at[i] - (0.9 * (at[i] - before[i])) / (2 * h));
    const turn = way.turn(from);
    for (let i = 0; i < 3; i++) {
      const moved =
        turn[3 * i] * felt.position[0] + turn[3 * i + 1] * felt.position[1] + turn[3 * i + 2] * felt.position[2];
      assert.ok(Math.abs(moved - expected[i]) < 1e-3, `${from}: ${moved} ${expected[i]}`);
    }
  }
  assert.equal(preintegrate(samples, -1, 1, [0, 0, 0]), undefined, "before the first");
  assert.equal(preintegrate(samples, 11, 14, [0, 0, 0]), undefined, "after the last");
  const gap: InertialSamples = {
    times: samples.times.map((t) => (t > 5 ? t + 1 : t)),
    gyroscope: samples.gyroscope,
    accelerometer: samples.accelerometer,
  };
  assert.equal(preintegrate(gap, 4.5, 6.5, [0, 0, 0]), undefined, "a gap");
});

test("MOT-20 clocks' offset and the mount are found by the turns, to what is told", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const way = strolling(seededRandom(seed), 22);
    const mount = { ...MOUNT, offsetS: 0.08 * (seed - 3.5) };
    const samples = way.feel(100, UP, mount, seededRandom(100 + seed));
    const { times, poses } = photographed(way, 0.2, 3, seededRandom(200 + seed), 0.01, 0.1);
    const found = alignTurning(times, poses, samples)!;
    const off = Math.abs(found.offsetS - mount.offsetS);
    assert.ok(off < 4 * found.offsetSigmaS + 5e-4 && off < 0.005, `${seed}: ${off} ± ${found.offsetSigmaS}`);
    const turned = turnBetween(found.rotation, mount.rotation);
    assert.ok(
      turned < 4 * (found.rotationSigma / DEG) + 0.05 && turned < 1,
      `${seed}: ${turned}° ± ${found.rotationSigma / DEG}`,
    );
    for (let i = 0; i < 3; i++) assert.ok(Math.abs(found.gyroBias[i] - mount.gyroBias[i]) < 0.005, `${found.gyroBias}`);
    const told = alignTurning(times, poses, samples, { rotation: mount.rotation })!;
    assert.ok(Math.abs(told.offsetS - mount.offsetS) < 0.005);
  }
});

test("MOT-20 turns across which the gyroscope fell silent are not compared", () => {
  const way = strolling(seededRandom(7), 22);
  const mount = { ...MOUNT, gyroNoise: 0 };
  const whole = way.feel(100, UP, mount, seededRandom(107));
  const kept = [...whole.times.keys()].filter((i) => !(whole.times[i] % 2.4 > 0.15 && whole.times[i] % 2.4 < 0.7));
  const some = (values: Float64Array, size: number) =>
    Float64Array.from(kept.flatMap((i) => [...values.subarray(size * i, size * i + size)]));
  const samples: InertialSamples = {
    times: some(whole.times, 1),
    gyroscope: some(whole.gyroscope, 3),
    accelerometer: some(whole.accelerometer, 3),
  };
  const { times, poses } = photographed(way, 0.8, 1, seededRandom(207), 0, 0);
  const found = alignTurning(times, poses, samples)!;
  const turned = turnBetween(found.rotation, mount.rotation);
  assert.ok(turned < 0.3, `${turned}°`);
  assert.ok(Math.abs(found.offsetS - mount.offsetS) < 5e-4, `${found.offsetS - mount.offsetS}`);
});

test("MOT-20 a camera that hardly turns, or about one axis only, has no answer rather than a wrong one", () => {
  const still = new Way(
    0.1,
    Array.from({ length: 200 }, () => [0, 0, 0]),
    Array.from({ length: 200 }, () => rotationFromVector(0, 0, 0)),
  );
  const samples = still.feel(100, UP, MOUNT, seededRandom(1));
  const { times, poses } = photographed(still, 0.2, 1, seededRandom(2), 0.005, 0.1);
  assert.equal(alignTurning(times, poses, samples), undefined);
  assert.equal(alignMetric(times, poses, samples, { ...MOUNT }), undefined);
  const panning = new Way(
    0.1,
    Array.from({ length: 200 }, () => [0, 0, 0]),
    Array.from({ length: 200 }, (_, k) => rotationFromVector(0, 0.8 * Math.sin(k / 9), 0)),
  );
  const panned = photographed(panning, 0.2, 1, seededRandom(3), 0.005, 0.01);
  const felt = panning.feel(100, UP, { ...MOUNT, gyroNoise: 0.001 }, seededRandom(4));
  assert.equal(alignTurning(panned.times, panned.poses, felt), undefined, "the mount about the axis is not known");
  const told = alignTurning(panned.times, panned.poses, felt, { rotation: MOUNT.rotation })!;
  assert.ok(Math.abs(told.offsetS - MOUNT.offsetS) < 0.003, "the offset is, when the mount is told");
});

test("MOT-21 up is felt through the pushes of a hand, to what is told", () => {
  const errors: number[] = [];
  for (let seed = 1; seed <= 8; seed++) {
    const way = strolling(seededRandom(seed), 14, 0.4);
    const samples = way.feel(100, UP, MOUNT, seededRandom(50 + seed));
    for (const s of [1, 4, 7, 10]) {
      const found = feltUp(samples, s + MOUNT.offsetS, { gyroBias: MOUNT.gyroBias })!;
      const turn = way.turn(s);
      const inCamera = [0, 1, 2].map((c) => turn[c] * UP[0] + turn[3 + c] * UP[1] + turn[6 + c] * UP[2]);
      const { rotation: m } = MOUNT;
      const off = angle(
        found.up,
        [0, 1, 2].map((c) => m[c] * inCamera[0] + m[3 + c] * inCamera[1] + m[6 + c] * inCamera[2]),
      );
      errors.push(off / (found.sigma / DEG));
      assert.ok(off < 8, `${off}`);
    }
  }
  const within = errors.filter((error) => error < 2).length / errors.length;
  assert.ok(within >= 0.85, `${within} within two sigma: ${errors.map((x) => x.toFixed(1))}`);
});

test("MOT-21 nothing like gravity is no up", () => {
  const times = Float64Array.from({ length: 100 }, (_, k) => k / 100);
  const gyroscope = new Float64Array(300);
  const of = (x: number): InertialSamples => ({ times, gyroscope, accelerometer: new Float64Array(300).fill(x) });
  assert.equal(feltUp(of(0), 0.5), undefined, "falling");
  assert.equal(feltUp(of(9.8 / 9.8), 0.5), undefined, "in g");
  assert.ok(feltUp(of(9.8 / Math.sqrt(3)), 0.5));
  assert.equal(feltUp(of(9.8 / Math.sqrt(3)), 1.5), undefined, "no reading is near");
  assert.equal(
    feltUp({ times: times.subarray(0, 3), gyroscope, accelerometer: gyroscope }, 0.01),
    undefined,
    "too few",
  );
});

test("MOT-22 metres and up come from how the speed changed, to what is told", () => {
  const scales: number[] = [];
  for (let seed = 1; seed <= 12; seed++) {
    const way = strolling(seededRandom(seed), 25);
    const samples = way.feel(100, UP, MOUNT, seededRandom(300 + seed));
    const { times, poses } = photographed(way, 0.2, 2.7, seededRandom(400 + seed), 0.01, 0.1);
    const turning = alignTurning(times, poses, samples)!;
    const found = alignMetric(times, poses, samples, turning)!;
    const off = found.scale / 2.7 - 1;
    scales.push(Math.abs(off) / found.sigma);
    assert.ok(Math.abs(off) < 0.1 && found.sigma < 0.1, `${seed}: ${off} ± ${found.sigma}`);
    assert.ok(angle(found.up, UP) < 1.5, `${seed}: ${angle(found.up, UP)}° ± ${found.upSigma / DEG}`);
  }
  assert.ok(
    scales.filter((x) => x < 2).length >= 10 && Math.max(...scales) < 4,
    scales.map((x) => x.toFixed(1)).join(" "),
  );
});

test("MOT-20 MOT-21 MOT-22 a real hand's way (7-Scenes): offset, mount, up and metres", (t) => {
  const folder = dataset("sevenscenes-video");
  if (!folder) return t.skip("SKIPPED: sevenscenes-video not found");
  const { poses: all } = JSON.parse(readFileSync(`${folder}gt.json`, "utf8")) as {
    poses: { R: number[]; t: number[] }[];
  };
  // Its poses shake by centimetres from picture to picture: smoothed over a tenth of a second it is a way that a hand makes.
  const smooth = (values: number[][]) =>
    values.map((_, k) => {
      let total = 0;
      const sum = values[0].map(() => 0);
      for (let j = Math.max(0, k - 9); j <= Math.min(values.length - 1, k + 9); j++) {
        const weight = Math.exp(-(((j - k) / 3) ** 2) / 2);
        total += weight;
        for (let i = 0; i < sum.length; i++) sum[i] += weight * values[j][i];
      }
      return sum.map((x) => x / total);
    });
  const centres = smooth(
    all.map(({ R, t: p }) => [0, 1, 2].map((c) => -(R[c] * p[0] + R[3 + c] * p[1] + R[6 + c] * p[2]))),
  );
  const first = all[0].R;
  const turned = smooth(all.map(({ R }) => [...vectorFromRotation(product(first, transposed(R)))]));
  const way = new Way(
    1 / 30,
    centres,
    turned.map(([x, y, z]) => product(transposed(first), rotationFromVector(x, y, z))),
  );
  const up = [0.1, -0.97, -0.2].map((x) => x / Math.hypot(0.1, 0.97, 0.2));
  const samples = way.feel(200, up, MOUNT, seededRandom(1));
  const { times, poses } = photographed(way, 0.25, 1.9, seededRandom(2), 0.008, 0.15);
  const turning = alignTurning(times, poses, samples)!;
  const found = alignMetric(times, poses, samples, turning)!;
  const off = found.scale / 1.9 - 1;
  t.diagnostic(
    `offset ${((turning.offsetS - MOUNT.offsetS) * 1000).toFixed(1)} ms ± ${(turning.offsetSigmaS * 1000).toFixed(1)}, mount ` +
      `${turnBetween(turning.rotation, MOUNT.rotation).toFixed(2)}° ± ${(turning.rotationSigma / DEG).toFixed(2)}, up ` +
      `${angle(found.up, up).toFixed(2)}° ± ${(found.upSigma / DEG).toFixed(2)}, scale ${(100 * off).toFixed(1)} % ± ${(100 * found.sigma).toFixed(1)}`,
  );
  assert.ok(Math.abs(turning.offsetS - MOUNT.offsetS) < 0.005);
  assert.ok(turnBetween(turning.rotation, MOUNT.rotation) < 1);
  assert.ok(angle(found.up, up) < 2);
  assert.ok(Math.abs(off) < 3 * found.sigma && found.sigma < 0.3);
});

function transposed(r: ArrayLike<number>): Float64Array {
  return Float64Array.of(r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]);
}

/** What the set's own authors found for the accelerometer's bias at this time (EuRoC V1_01, state_groundtruth_estimate0), m/s². */
const EUROC_ACCEL_BIAS = [-0.012492, 0.547666, 0.069073];
const EUROC_GYRO_BIAS = [-0.002229, 0.0207, 0.07635];

test("MOT-21 a real drone with its motors on (EuRoC): up within what is told, and within 2° when its biases are", (t) => {
  const folder = dataset("micro-euroc");
  if (!folder) return t.skip("SKIPPED: micro-euroc not found");
  const rows = (name: string, separator: string) =>
    readFileSync(folder + name, "utf8")
      .split("\n")
      .filter((line) => /^\d/.test(line))
      .map((line) => line.split(separator));
  const seconds = (ns: string) => Number(BigInt(ns) - 1403715273000000000n) / 1e9;
  const imu = rows("imu0.csv", ",");
  const samples: InertialSamples = {
    times: Float64Array.from(imu, ([ns]) => seconds(ns)),
    gyroscope: Float64Array.from(imu.flatMap((row) => row.slice(1, 4).map(Number))),
    accelerometer: Float64Array.from(imu.flatMap((row) => row.slice(4, 7).map(Number))),
  };
  const data = /T_BS:[\s\S]*?data: \[([^\]]*)\]/
    .exec(readFileSync(`${folder}cam0_sensor.yaml`, "utf8"))![1]
    .split(",")
    .map(Number);
  const off = (options: Parameters<typeof feltUp>[2]) => {
    const errors = rows("groundtruth_cam0_tum.txt", " ")
      .filter((_, k) => k % 50 === 0)
      .map(([s, , , , x, y, z, w]) => {
        const found = feltUp(samples, seconds(s.replace(".", "")), options)!;
        // Sensor → camera → world, whose z is up.
        const inCamera = [0, 1, 2].map(
          (c) => data[c] * found.up[0] + data[4 + c] * found.up[1] + data[8 + c] * found.up[2],
        );
        const [qx, qy, qz, qw] = [x, y, z, w].map(Number);
        const third = [2 * (qx * qz - qy * qw), 2 * (qy * qz + qx * qw), 1 - 2 * (qx * qx + qy * qy)];
        return { error: angle(inCamera, third), sigma: found.sigma / DEG };
      });
    return {
      worst: Math.max(...errors.map(({ error }) => error)),
      sigma: Math.min(...errors.map(({ sigma }) => sigma)),
    };
  };
  const raw = off({});
  const told = off({ accelBias: EUROC_ACCEL_BIAS, gyroBias: EUROC_GYRO_BIAS, accelBiasSigma: 0.03 });
  t.diagnostic(
    `up is ${raw.worst.toFixed(2)}° off (told ${raw.sigma.toFixed(2)}°); with the biases told ${told.worst.toFixed(2)}° (${told.sigma.toFixed(2)}°)`,
  );
  assert.ok(raw.worst < 2 * raw.sigma);
  assert.ok(told.worst < 2);
});
