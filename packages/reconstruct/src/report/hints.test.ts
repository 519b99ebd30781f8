import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { identityPose, poseFromQuaternion, transformPoint } from "@cairn/geometry";
import type { Hint, PosedCamera } from "@cairn/protocol";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { arc, type Shot, syntheticPhotos } from "../test/synthetic.ts";
import { helpfulStep } from "./next-view.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

/** Hints in the order in which they are given: which photo, and which. */
async function hintsOf(shots: readonly Shot[], options: Parameters<typeof syntheticPhotos>[1] = {}) {
  const synthetic = syntheticPhotos(shots, { told: true, ...options });
  const core = new EngineCore(synthetic.kernels, 1);
  const hints: Hint[] = [];
  const cameras = new Map<string, PosedCamera>();
  for (const photo of synthetic.photos) {
    const { step } = await core.add(photo, undefined, FREE);
    assert.ok((step.hints?.length ?? 0) <= 2);
    for (const hint of step.hints ?? []) assert.equal(hint.image, photo.image);
    hints.push(...(step.hints ?? []));
    for (const camera of step.cameras) cameras.set(camera.image, camera);
  }
  return { hints, cameras, last: (await core.rebuild(FREE)).hints ?? [] };
}

const words = (hints: readonly Hint[]) => hints.map(({ code, image }) => (image ? `${image.slice(6)} ${code}` : code));

/** A camera that looks straight ahead and steps to the right. */
const beside = (x: number, more: Partial<Shot> = {}): Shot => ({ eye: [x, 0, -5], target: [x, 0, 1.5], ...more });

describe("hints (docs/spec/report.md)", () => {
  test("HINT-1 a good walk around a place is not interrupted", async () => {
    const { hints, last } = await hintsOf(arc(9));
    assert.deepEqual(words([...hints, ...last]), []);
  });

  test("HINT-2 photos turned on the spot are told so, once in a while", async () => {
    const walk = arc(4, 0.6);
    const turns = [0.9, -0.4, 0.9, -0.4].map((x): Shot => ({ eye: walk[3].eye, target: [x, 0.1, 0.5] }));
    const turned = (await hintsOf([...walk, ...turns])).hints.filter(({ code }) => code === "rotation");
    assert.deepEqual(words(turned), ["5 rotation"]);
  });

  test("HINT-2 the frames of a video lie too close together", async () => {
    const frames = Array.from({ length: 8 }, (_, i) => beside(-1 + 0.03 * i));
    const { hints } = await hintsOf([beside(-2.2), beside(-1.6), ...frames]);
    assert.ok(words(hints).includes("6 small_steps"), `${words(hints)}`);
    assert.equal(hints.filter(({ code }) => code === "small_steps").length, 1);
  });

  test("HINT-2 a step so wide that little is shared", async () => {
    const { hints } = await hintsOf(
      [-2.2, -1.9, -1.6, -1.3, 1.4].map((x) => beside(x)),
      { focalPx: 2000 },
    );
    assert.deepEqual(words(hints.filter(({ code }) => code === "small_overlap")), ["4 small_overlap"]);
  });

  test("HINT-2 a photo less sharp than the others", async () => {
    const shots = arc(6).map((shot, i) => ({ ...shot, sharpness: i === 4 ? 0.5 : 0.9 }));
    assert.deepEqual(words((await hintsOf(shots)).hints), ["4 blurred"]);
  });

  test("HINT-3 a side that was left behind seen from one direction: where it is, and which way to step", async () => {
    // The left is passed with small steps, the rest with wide ones.
    const shots = [-1.6, -1.4, -1.3, -1.2, -0.9, -0.6, -0.2, 0.4, 1].map((x) => beside(x));
    const { hints, cameras } = await hintsOf(shots, { focalPx: 1800 });
    const sides = hints.filter(({ code }) => code === "thin_side");
    assert.equal(sides.length, 1, `${words(hints)}`);
    const { image, region, step } = sides[0];
    const { rotation, translation } = cameras.get(image!)!.pose;
    const [x, , z] = transformPoint(poseFromQuaternion(rotation, translation), 0, ...region!.point);
    assert.ok(x < -0.1 * z && z > 0, "it lies before the photographer, to the left");
    assert.deepEqual(step, { direction: "right", angleDeg: 10 }, "whose way to the right shows it from a new side");
  });

  test("HINT-3 the step leads to a new direction, as the photographer sees it", () => {
    const point = [0, 0, 10] as const;
    const ahead = identityPose();
    const seen = (angles: readonly number[]) => angles.map((a) => [10 * Math.sin(a), 0, 10 - 10 * Math.cos(a)]);
    const stepFrom = (pose: Float64Array, ...angles: number[]) => helpfulStep(pose, [...point], seen(angles));
    // Seen from straight ahead and from the left up to 0.5 rad: the right is new, and the other way round.
    assert.deepEqual(stepFrom(ahead, 0, -0.25, -0.5), { direction: "right", angleDeg: 15 });
    assert.deepEqual(stepFrom(ahead, 0, 0.25, 0.5), { direction: "left", angleDeg: 15 });
    // Turned upside down, left and right change places.
    const upsideDown = Float64Array.of(-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0);
    assert.equal(stepFrom(ahead, 0.3, 0.5), undefined, "from here it is new already");
    assert.deepEqual(stepFrom(upsideDown, 0, 0.25, 0.5), { direction: "right", angleDeg: 15 });
    // Both sides taken for 30°: up or down is left.
    const around = stepFrom(ahead, -0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6);
    assert.ok(around && ["higher", "lower"].includes(around.direction), around?.direction);
  });

  test("HINT-4 a flat place is told after the rebuild, and only once", async () => {
    const synthetic = syntheticPhotos(arc(6), { told: true, flat: true });
    const core = new EngineCore(synthetic.kernels, 1);
    for (const photo of synthetic.photos) await core.add(photo, undefined, FREE);
    assert.deepEqual((await core.rebuild(FREE)).hints, [{ code: "flat" }]);
    assert.equal((await core.rebuild(FREE)).hints, undefined);
  });
});
