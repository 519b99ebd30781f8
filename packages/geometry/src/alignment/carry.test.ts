import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { refineAbsolutePose } from "../absolute-pose/refine.ts";
import { seededRandom } from "../random.ts";
import { arcOfCameras, lookAt, observe, randomPoints, randomRotation } from "../test/scene.ts";
import { carryPoint, type MovedCamera } from "./carry.ts";
import { transformPoints, transformPose } from "./similarity.ts";

const CALIBRATION = Float64Array.of(1000, 1000, 600, 400, 0, 0);
const SIZE = 8;

function moved(before: Float64Array, after: Float64Array, calibrationAfter = CALIBRATION): MovedCamera[] {
  return Array.from({ length: before.length / 12 }, (_, i) => ({
    poseBefore: before.slice(12 * i, 12 * i + 12),
    poseAfter: after.slice(12 * i, 12 * i + 12),
    calibrationBefore: CALIBRATION,
    calibrationAfter,
    widthPx: 1200,
    heightPx: 800,
  }));
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

test("GENR-11 where everything moves as one, an anchor moves with it: seen by many, by one, by none", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.constantFrom(1, 2, 12), fc.boolean(), (seed, n, seen) => {
      const random = seededRandom(seed);
      const before = arcOfCameras(random, n, 6, 1.5);
      const motion = {
        scale: n === 1 ? 1 : 0.3 + 3 * random(),
        rotation: randomRotation(random, 3),
        translation: randomPoints(random, 1, [9, 9, 9]),
      };
      const after = new Float64Array(before.length);
      for (let i = 0; i < n; i++) transformPose(motion, before, 12 * i, after, 12 * i);
      const anchor = seen ? randomPoints(random, 1, [1, 1, 1]) : Float64Array.of(0, 0, -60);
      const carried = carryPoint(anchor, moved(before, after));
      assert.ok(carried && distance(carried, transformPoints(motion, anchor)) < 1e-9 * SIZE);
    }),
    { seed: 1 },
  );
  assert.equal(carryPoint([0, 0, 0], []), undefined);
});

/** A long front, curved the way a chain of photos bows: by its length, and more at one end. */
function bow(amount: number, points: Float64Array): Float64Array {
  const out = Float64Array.from(points);
  for (let i = 0; i < points.length; i += 3) {
    const along = points[i] / 20;
    out[i + 1] += amount * along ** 3;
    out[i + 2] += 2 * amount * along ** 2;
  }
  return out;
}

/** Each camera where the points that it sees, bent, are at the pixels where it saw them straight. */
function bowedCameras(amount: number, straight: Float64Array, points: Float64Array, seed: number): Float64Array {
  const random = seededRandom(seed);
  const bent = bow(amount, points);
  const poses = Float64Array.from(straight);
  for (let at = 0; at < poses.length; at += 12) {
    const [seen, world]: [number[], number[]] = [[], []];
    const rays = observe(straight, at, points, 0.0005, random);
    for (let i = 0; i < rays.length / 2; i++) {
      if (!(Math.abs(rays[2 * i]) < 0.6 && Math.abs(rays[2 * i + 1]) < 0.4)) continue;
      seen.push(rays[2 * i], rays[2 * i + 1]);
      world.push(...bent.subarray(3 * i, 3 * i + 3));
    }
    const pose = poses.slice(at, at + 12);
    refineAbsolutePose(Float64Array.from(world), Float64Array.from(seen), pose, { scale: 0.05, iterations: 30 });
    poses.set(pose, at);
  }
  return poses;
}

test("GENR-11 ten rebuilds that bow a model by 7 % of its length: an anchor drifts less than 1 %, one left alone all of it", () => {
  const random = seededRandom(1);
  const length = 40;
  const points = randomPoints(random, 1500, [20, 3, 1]);
  const straight = new Float64Array(40 * 12);
  for (let i = 0; i < 40; i++) {
    const x = -19.5 + i + 0.2 * random();
    straight.set(lookAt([x, random() - 0.5, -7 - random()], [x + random() - 0.5, 0, 0]), 12 * i);
  }
  const anchors = randomPoints(random, 40, [19, 2.5, 1]);
  let worst = 0;
  let worstInPlace = 0;
  const carried = Float64Array.from(anchors);
  let cameras: Float64Array = straight;
  for (let rebuild = 1; rebuild <= 10; rebuild++) {
    const next = bowedCameras(0.15 * rebuild, straight, points, rebuild);
    const change = moved(cameras, next);
    for (let i = 0; i < carried.length; i += 3) carried.set(carryPoint(carried.subarray(i, i + 3), change)!, i);
    cameras = next;
    const now = bow(0.15 * rebuild, anchors);
    for (let i = 0; i < carried.length; i += 3) {
      const truth = now.subarray(i, i + 3);
      worst = Math.max(worst, distance(carried.subarray(i, i + 3), truth) / length);
      worstInPlace = Math.max(worstInPlace, distance(anchors.subarray(i, i + 3), truth) / length);
    }
  }
  assert.ok(worst < 0.01, `${worst}`);
  assert.ok(worstInPlace > 0.07 && worst < worstInPlace / 8, `${worst} against ${worstInPlace}`);
});

test("GENR-11 a focal length that was found meanwhile does not move an anchor off its pixels", () => {
  const random = seededRandom(3);
  const before = arcOfCameras(random, 10, 6, 1);
  const anchor = randomPoints(random, 1, [1, 1, 1]);
  // The same photos seen through a lens 10 % longer: all that is on the axis is where it was.
  const after = Float64Array.of(1100, 1100, 600, 400, 0, 0);
  const carried = carryPoint(anchor, moved(before, before, after))!;
  const still = carryPoint(anchor, moved(before, before))!;
  assert.ok(distance(still, anchor) < 1e-9);
  assert.ok(distance(carried, anchor) > 1e-4 && distance(carried, anchor) < 0.15);
});
