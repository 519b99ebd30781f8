import assert from "node:assert/strict";
import { test } from "node:test";
import {
  composeSimilarities,
  poseFromRotation,
  randomNormal,
  rotationFromVector,
  type Similarity3,
  seededRandom,
  transformPose,
} from "@cairn/geometry";
import type { Gravity } from "@cairn/protocol";
import fc from "fast-check";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { scaleOf } from "./place.ts";
import { turnUpright, upOfPoses, uprightOf } from "./upright.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };
const DEG = Math.PI / 180;

/** Cameras in a world whose z is up, headings and pitches in degrees, rolled by hand. */
function held(
  headings: readonly number[],
  pitch: (k: number) => number,
  rollSigmaDeg: number,
  seed = 1,
): Float64Array[] {
  const random = seededRandom(seed);
  return headings.map((heading, k) => {
    const [a, p] = [heading * DEG, pitch(k) * DEG];
    const ahead = [Math.sin(a) * Math.cos(p), Math.cos(a) * Math.cos(p), Math.sin(p)];
    const right = [Math.cos(a), -Math.sin(a), 0];
    const down = [0, 1, 2].map(
      (i) => ahead[(i + 1) % 3] * right[(i + 2) % 3] - ahead[(i + 2) % 3] * right[(i + 1) % 3],
    );
    const roll = rollSigmaDeg * DEG * randomNormal(random);
    const turned = [0, 1, 2].map((i) => Math.cos(roll) * right[i] + Math.sin(roll) * down[i]);
    const below = [0, 1, 2].map((i) => Math.cos(roll) * down[i] - Math.sin(roll) * right[i]);
    return poseFromRotation([...turned, ...below, ...ahead], [0, 0, 5]);
  });
}

const around = (n: number) => Array.from({ length: n }, (_, k) => (360 * k) / n);
const offDeg = (direction: ArrayLike<number>) => Math.acos(Math.min(1, direction[2])) / DEG;

test("MAP-7 up is found whatever the frame, to what the rolls of the cameras allow, and says how surely", () => {
  const turn = fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -1.7, max: 1.7, noNaN: true })));
  fc.assert(
    fc.property(turn, fc.integer({ min: 1, max: 1000 }), ([x, y, z], seed) => {
      const frame: Similarity3 = { scale: 2, rotation: rotationFromVector(x, y, z), translation: new Float64Array(3) };
      // All look down at the thing: their ups alone would be 25° off on either side.
      const poses = held(around(16), () => -25, 3, seed);
      for (const pose of poses) transformPose(frame, pose, 0, pose, 0);
      const up = upOfPoses(poses)!;
      assert.equal(up.source, "horizon");
      const back = composeSimilarities(turnUpright(up.direction, [1, 2, 3]), frame);
      // The world's z in the frame that was turned upright.
      const off = Math.acos(Math.min(1, back.rotation[8])) / DEG;
      assert.ok(up.sigmaDeg < 2 && off < 5 * up.sigmaDeg, `${off} off, ${up.sigmaDeg} told`);
    }),
    { seed: 1, numRuns: 40 },
  );
});

test("MAP-7 cameras that look one way know one axis by how they are held, and say so", () => {
  const up = upOfPoses(held([0, 1, 2, 3, 2, 1], () => 0, 2))!;
  assert.equal(up.source, "cameras");
  assert.ok(up.sigmaDeg > 7 && up.sigmaDeg <= 15.1, `${up.sigmaDeg}`);
  assert.equal(upOfPoses([]), undefined);
});

test("MAP-7 a few cameras on their side do not tip the model over", () => {
  const poses = held(around(12), () => -10, 2);
  const side = held([40, 130], () => -10, 0).map((pose) =>
    Float64Array.of(...pose.subarray(4, 8), ...pose.subarray(0, 4).map((v) => -v), ...pose.subarray(8, 12)),
  );
  const up = upOfPoses([...poses, ...side])!;
  assert.ok(offDeg(up.direction) < 2.5, `${offDeg(up.direction)}`);
});

test("MAP-7 the engine's model has z up from its first cameras on, and does not turn after the first rebuild", async () => {
  const synthetic = syntheticPhotos(arc(12, 4), { told: true });
  const core = new EngineCore(synthetic.kernels, 1);
  const steps = [];
  for (const photo of synthetic.photos.slice(0, 6)) steps.push((await core.add(photo, undefined, FREE)).step);
  const opened = steps.find(({ cameras }) => cameras.length > 0)!;
  assert.ok(uprightOf(opened.cameras)!.tiltDeg < 1, "as far as the first cameras can tell");
  const first = await core.rebuild(FREE);
  assert.ok(uprightOf(first.cameras)!.tiltDeg < 0.5);
  for (const photo of synthetic.photos.slice(6)) await core.add(photo, undefined, FREE);
  const second = await core.rebuild(FREE);
  const [w] = second.alignment!.rotation;
  assert.ok(2 * Math.acos(Math.min(1, Math.abs(w))) < 0.3 * DEG, "the frame stays");
  // Synthetic cameras are level, and the world's y is down: nothing is left to be wrong but the cameras' own noise.
  const { source, sigmaDeg, tiltDeg } = uprightOf(second.cameras)!;
  assert.equal(source, "horizon");
  assert.ok(tiltDeg < 1 && sigmaDeg < 3, `${tiltDeg} ${sigmaDeg}`);
});

test("MAP-7 what motion sensors felt counts as surely as it is told, whatever way the photos are held, and less where it disagrees", () => {
  const random = seededRandom(5);
  const lean = (deg: number) =>
    rotationFromVector(deg * DEG * randomNormal(random), deg * DEG * randomNormal(random), 0);
  /** Down in each camera, of a world whose z is up, felt by a sensor that is so far off, always the same way. */
  const feltBy = (poses: readonly Float64Array[], sigmaDeg: number, bias: Float64Array): Gravity[] =>
    poses.map((pose) => {
      const turn = lean(sigmaDeg);
      const d = [0, 1, 2].map((i) => -(bias[2] * pose[4 * i] + bias[5] * pose[4 * i + 1] + bias[8] * pose[4 * i + 2]));
      const [x, y, z] = [0, 1, 2].map((i) => turn[3 * i] * d[0] + turn[3 * i + 1] * d[1] + turn[3 * i + 2] * d[2]);
      return { down: [x, y, z], sigmaDeg };
    });
  const upright = rotationFromVector(0, 0, 0);
  // All look one way and are held 25° askew: the cameras alone would be that far off.
  const askew = held([0, 2, 4, 3, 1, 2], () => -30, 0).map((pose) => {
    const [c, s] = [Math.cos(25 * DEG), Math.sin(25 * DEG)];
    const turned = Float64Array.from(pose);
    for (let i = 0; i < 4; i++)
      [turned[i], turned[4 + i]] = [c * pose[i] + s * pose[4 + i], c * pose[4 + i] - s * pose[i]];
    return turned;
  });
  assert.ok(offDeg(upOfPoses(askew)!.direction) > 20);
  const up = upOfPoses(askew, feltBy(askew, 1.5, upright))!;
  assert.equal(up.source, "gravity");
  assert.ok(offDeg(up.direction) < 2 && up.sigmaDeg < 2.5, `${offDeg(up.direction)} ${up.sigmaDeg}`);
  // One of six was shaken.
  const shaken = feltBy(askew, 1.5, upright).map((each, k): Gravity => (k === 2 ? { ...each, down: [0, 0, 1] } : each));
  assert.ok(offDeg(upOfPoses(askew, shaken)!.direction) < 3);
  // Half are upside down: nothing but the sensors knows, and they do.
  const turned = askew.map((pose, k) => (k % 2 ? pose.map((x, i) => (i < 8 ? -x : x)) : pose));
  assert.equal(upOfPoses(turned), undefined);
  assert.ok(offDeg(upOfPoses(turned, feltBy(turned, 1.5, upright))!.direction) < 2.5);
  // Twelve that look all around are surer than a sensor of 5°, which is off by that: little is left of it.
  const level = held(around(12), () => -5, 1.5);
  const both = upOfPoses(level, feltBy(level, 5, rotationFromVector(5 * DEG, 0, 0)))!;
  assert.equal(both.source, "horizon");
  assert.ok(offDeg(both.direction) < 1.5, `${offDeg(both.direction)}`);
});

test("MAP-7 the engine's model stands as the sensors felt, from its first generation on", async () => {
  const synthetic = syntheticPhotos(arc(10, 4), { told: true });
  // A world that leans by 20°: its down, in the frame in which the cameras are level.
  const down = [Math.sin(20 * DEG), Math.cos(20 * DEG), 0];
  const gravities = synthetic.truth.map(({ rows }): Gravity => {
    const [x, y, z] = rows.map((row) => row[0] * down[0] + row[1] * down[1] + row[2] * down[2]);
    return { down: [x, y, z], sigmaDeg: 1 };
  });
  const core = new EngineCore(synthetic.kernels, 1);
  for (const [k, photo] of synthetic.photos.entries())
    await core.add({ ...photo, gravity: gravities[k] }, undefined, FREE);
  const { cameras } = await core.rebuild(FREE);
  const gravityOf = (image: string) => gravities[synthetic.photos.findIndex((photo) => photo.image === image)];
  const { source, tiltDeg, sigmaDeg } = uprightOf(cameras, gravityOf)!;
  assert.equal(source, "gravity");
  assert.ok(tiltDeg < 2 && sigmaDeg < 1.5, `${tiltDeg} ${sigmaDeg}`);
  const blind = uprightOf(cameras)!.tiltDeg;
  assert.ok(blind > 17 && blind < 23, `the cameras alone say otherwise: ${blind}`);
});

test("MAP-7 a rebuild turns the model to how sensors felt that were carried along, and says so", async () => {
  const synthetic = syntheticPhotos(arc(10, 4), { told: true });
  const core = new EngineCore(synthetic.kernels, 1);
  const steps = [];
  for (const photo of synthetic.photos) steps.push((await core.add(photo, undefined, FREE)).step);
  const shown = new Map(steps.flatMap(({ cameras }) => cameras.map((camera) => [camera.image, camera] as const)));
  // The cameras are level; the world leans by 20° about where the first looks to, in the frame that was shown.
  const direction = [0, Math.sin(20 * DEG), Math.cos(20 * DEG)];
  const about = uprightOf([...shown.values()])!;
  assert.ok(about.tiltDeg < 1);
  const { cameras, upright } = await core.rebuild(FREE, { up: { direction, sigmaDeg: 0.5 } });
  assert.ok(upright);
  assert.deepEqual([upright.source, upright.sigmaDeg], ["gravity", 0.5]);
  assert.ok(upright.tiltDeg < 0.1, `${upright.tiltDeg}`);
  const leaning = uprightOf(cameras)!.tiltDeg;
  assert.ok(leaning > 17 && leaning < 23, `${leaning}`);
  // What is known worse than by sight does not count.
  const vague = await core.rebuild(FREE, { up: { direction: [1, 0, 0], sigmaDeg: 40 } });
  assert.notEqual(vague.upright?.source, "gravity");
});

test("MAP-8 without GPS the unit is said to be none; with it, how surely it is a metre", () => {
  const cameras = [
    [0, 0],
    [10, 0],
    [0, 10],
    [10, 10],
  ].map(([x, y]) => ({
    pose: {
      rotation: [1, 0, 0, 0] as [number, number, number, number],
      translation: [-x, -y, 0] as [number, number, number],
    },
  }));
  assert.deepEqual(scaleOf(cameras, undefined), { source: "unit" });
  const enuFromModel = {
    scale: 2,
    rotation: [1, 0, 0, 0] as [number, number, number, number],
    translation: [0, 0, 0] as [number, number, number],
  };
  // However well four cameras fit, what counts is what the noise may be.
  const georeference = { latitudeDeg: 50, longitudeDeg: 10, altitudeM: 0, enuFromModel, residualM: 0.01 };
  const { source, ...rest } = scaleOf(cameras, { georeference, noiseM: 1 });
  // Four cameras at 14.1 m from their middle, one metre of noise a coordinate: 1 / √(4 · 200).
  assert.equal(source, "gps");
  assert.ok("sigma" in rest && Math.abs((rest.sigma as number) - 1 / Math.sqrt(800)) < 1e-9);
});
