/** Ten rebuilds of the real mapper over a synthetic place: what becomes of the frame, and of anchors in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alignPoints,
  cameraCentre,
  poseFromQuaternion,
  quaternionOfPose,
  randomNormal,
  type Similarity3,
  seededRandom,
  similarityFromQuaternion,
  transformPoints,
  transformPose,
} from "@cairn/geometry";
import type { PosedCamera, Similarity, Vec3 } from "@cairn/protocol";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import type { Rebuild, Step } from "../engine.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { carryPoints, composeMotions, layStep, motionAsOne } from "./motion.ts";
import { placeOnEarth } from "./place.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };
/** The arc's radius. */
const SCENE = 8;
/** Half again what fine features of real photos were measured to be off: drift is noise of the first few photos' model. */
const NOISE_PX = 0.3;

const centreOf = ({ pose }: PosedCamera) => cameraCentre(poseFromQuaternion(pose.rotation, pose.translation));
const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

test("GENR-9 GENR-11 ten rebuilds: the frame and anchors in it drift less than 1 %, and the residual tells how much", async () => {
  const synthetic = syntheticPhotos(arc(14), { seed: 6, noisePx: NOISE_PX });
  const core = new EngineCore(synthetic.kernels, 1);
  for (const photo of synthetic.photos.slice(0, 4)) await core.add(photo, undefined, FREE);
  let { cameras } = await core.rebuild(FREE);
  const frameOf = (of: readonly PosedCamera[]): Similarity3 => {
    const truths = of.map(({ image }) => {
      const { rows, eye } = synthetic.truth[synthetic.photos.findIndex((each) => each.image === image)];
      return poseAt(rows, eye);
    });
    const made = of.map(({ pose }) => poseFromQuaternion(pose.rotation, pose.translation));
    const scale = alignPoints(placesOf(truths, 0), placesOf(made, 0))!.scale;
    return alignPoints(placesOf(truths, SCENE), placesOf(made, scale * SCENE))!;
  };
  const first = frameOf(cameras);
  const random = seededRandom(1);
  const places = Array.from({ length: 20 }, () => Float64Array.from([4, 3, 3], (size) => size * (random() - 0.5)));
  let anchors = places.map((point): Vec3 => [...transformPoints(first, point)] as Vec3);
  for (let rebuild = 0; rebuild < 10; rebuild++) {
    await core.add(synthetic.photos[4 + rebuild], undefined, FREE);
    const before = cameras;
    const made = await core.rebuild(FREE);
    cameras = [...made.cameras];
    anchors = carryPoints(anchors, before, cameras);
    // Told as a part of the scene: what common cameras moved is of that size, for they are what was laid onto.
    const images = new Map(cameras.map((camera) => [camera.image, centreOf(camera)]));
    const moves = before.map((camera) => distance(centreOf(camera), images.get(camera.image)!) / (first.scale * SCENE));
    const rms = Math.sqrt(moves.reduce((sum, move) => sum + move * move, 0) / moves.length);
    assert.ok(made.residual! < 0.005 && rms < 5 * made.residual! + 1e-4, `${rms} moved, ${made.residual} told`);
    assert.ok(Math.abs(made.alignment!.scale - 1) < 0.02, "the engine works in the frame that it lays onto");
  }
  const last = frameOf(cameras);
  const drift = places.map(
    (p) => distance(transformPoints(first, p), transformPoints(last, p)) / (first.scale * SCENE),
  );
  const carried = places.map((p, i) => distance(anchors[i], transformPoints(last, p)) / (first.scale * SCENE));
  assert.ok(Math.max(...drift) < 0.01, `the frame: ${Math.max(...drift)}`);
  assert.ok(Math.max(...carried) < 0.01, `anchors: ${Math.max(...carried)}`);
});

test("GENR-9 the alignment is how the model was laid onto the frame: another frame, another alignment, the same model", async () => {
  const other: Similarity = { scale: 1.5, rotation: [0.8, 0.6, 0, 0], translation: [3, -2, 1] };
  const motion = similarityFromQuaternion(other);
  const run = async (lay: boolean): Promise<Rebuild> => {
    const synthetic = syntheticPhotos(arc(6), { told: true, seed: 2 });
    const core = new EngineCore(synthetic.kernels, 1);
    for (const photo of synthetic.photos) await core.add(photo, undefined, FREE);
    const { cameras } = await core.rebuild(FREE);
    const frame = lay ? cameras.map((camera) => ({ ...camera, pose: moved(motion, camera) })) : cameras;
    return core.rebuild(FREE, { frame });
  };
  const [plain, laid] = [await run(false), await run(true)];
  const expected = composeMotions(other, plain.alignment);
  assert.ok(Math.abs(laid.alignment!.scale / expected.scale - 1) < 1e-6);
  assert.ok(distance(laid.alignment!.translation, expected.translation) < 1e-5);
  for (const [i, camera] of plain.cameras.entries()) {
    assert.ok(distance(transformPoints(motion, centreOf(camera)), centreOf(laid.cameras[i])) < 1e-5);
  }
  // The residual is a part of the scene, so a larger scene has the same.
  assert.ok(Math.abs(laid.residual! - plain.residual!) < 1e-6 + 0.01 * plain.residual!);
});

test("GENR-6 GENR-7 one motion of all cameras is found; a camera that is gone or went its own way is none", () => {
  const before = camerasOnArc(8);
  const motion: Similarity = { scale: 0.5, rotation: [0.6, 0, 0.8, 0], translation: [1, 2, 3] };
  const after = before.map((camera) => ({ ...camera, pose: moved(similarityFromQuaternion(motion), camera) }));
  const found = motionAsOne(before, after, (scale) => 1e-6 * scale);
  assert.ok(found && Math.abs(found.scale - 0.5) < 1e-9 && distance(found.translation, [1, 2, 3]) < 1e-9);
  assert.equal(
    motionAsOne(before, after.slice(1), () => 1),
    undefined,
  );
  assert.ok(
    motionAsOne(before.slice(1), after, () => 1e-6),
    "one more is none of its business",
  );
  const { pose } = after[3];
  const turned = { ...pose, rotation: [pose.rotation[0], pose.rotation[1] + 0.01, pose.rotation[2], pose.rotation[3]] };
  const stray = after.map((camera, i) => (i === 3 ? { ...camera, pose: turned as PosedCamera["pose"] } : camera));
  assert.equal(
    motionAsOne(before, stray, () => 1e-3),
    undefined,
    "it looks elsewhere",
  );
});

test("GENR-4 what an engine hands out is laid among cameras that are not its own, and those stay", () => {
  const own = camerasOnArc(8);
  const motion = similarityFromQuaternion({ scale: 2, rotation: [0.6, 0, 0.8, 0], translation: [1, 2, 3] });
  const random = seededRandom(1);
  const bent = (camera: PosedCamera) => {
    const pose = moved(motion, camera);
    const translation = pose.translation.map((value) => value + 1e-3 * randomNormal(random)) as Vec3;
    return { ...camera, pose: { ...pose, translation } };
  };
  const shown = own.slice(0, 7).map(bent);
  const step: Step = {
    verdicts: [],
    cameras: [own[2], own[7]],
    points: { positions: Float32Array.of(1, 2, 3), colors: new Uint8Array(3) },
    rebuildAdvised: false,
    hints: [{ code: "blurred" }, { code: "moving", region: { point: [1, 2, 3], radius: 0.5 } }],
  };
  const laid = layStep(step, own, shown);
  assert.deepEqual(laid.hints?.[0], { code: "blurred" });
  const region = laid.hints![1].region!;
  assert.ok(distance(region.point, transformPoints(motion, Float64Array.of(1, 2, 3))) < 0.02);
  assert.ok(Math.abs(region.radius - 1) < 0.01);
  assert.deepEqual(
    laid.cameras.map(({ image }) => image),
    [own[7].image],
  );
  assert.ok(distance(centreOf(laid.cameras[0]), transformPoints(motion, centreOf(own[7]))) < 0.02);
  assert.ok(distance(laid.points.positions, transformPoints(motion, Float64Array.of(1, 2, 3))) < 0.02);
});

test("GENR-13 cameras without GPS do not count, and none of them is no place", () => {
  const cameras = camerasOnArc(8);
  assert.equal(
    placeOnEarth(cameras, () => undefined),
    undefined,
  );
  const gpsOf = (image: string) => {
    const i = Number(image);
    if (i === 0) return undefined;
    const [x, y] = centreOf(cameras[i]);
    return { latitudeDeg: y / 110_574.3, longitudeDeg: x / 111_319.5, altitudeM: centreOf(cameras[i])[2] };
  };
  const place = placeOnEarth(cameras, gpsOf)?.georeference;
  assert.ok(place && Math.abs(place.enuFromModel.scale - 1) < 1e-3 && place.residualM < 0.01);
  // What an event says, and no more.
  const told = ["altitudeM", "enuFromModel", "latitudeDeg", "longitudeDeg", "residualM"];
  assert.deepEqual(Object.keys(place).sort(), told);
});

function moved(motion: Similarity3, { pose }: PosedCamera): PosedCamera["pose"] {
  const at = poseFromQuaternion(pose.rotation, pose.translation);
  transformPose(motion, at, 0, at, 0);
  return poseOf(at);
}

function poseOf(pose: Float64Array): PosedCamera["pose"] {
  const [w, x, y, z] = quaternionOfPose(pose);
  return { rotation: [w, x, y, z], translation: [pose[3], pose[7], pose[11]] };
}

/** Each camera's centre and what lies at a distance along its axes: centres near a line leave a turn about it open. */
function placesOf(poses: readonly Float64Array[], distance: number): Float64Array {
  return Float64Array.from(
    poses.flatMap((pose) => {
      const centre = [...cameraCentre(pose)];
      const ahead = [0, 4, 8].flatMap((row) => centre.map((x, k) => x + distance * pose[row + k]));
      return [...centre, ...ahead];
    }),
  );
}

function poseAt(rows: readonly (readonly number[])[], eye: readonly number[]): Float64Array {
  const t = rows.map((row) => -(row[0] * eye[0] + row[1] * eye[1] + row[2] * eye[2]));
  return Float64Array.from(rows.flatMap((row, k) => [...row, t[k]]));
}

function camerasOnArc(n: number): PosedCamera[] {
  const { truth } = syntheticPhotos(arc(n));
  return truth.map(({ rows, eye }, i) => {
    const pose = poseAt(rows, eye);
    const intrinsics = { model: "PINHOLE" as const, width: 1200, height: 800, params: [1080, 1080, 600, 400] };
    return { image: String(i), pose: poseOf(pose), intrinsics, reprojectionPx: 0.5 };
  });
}
