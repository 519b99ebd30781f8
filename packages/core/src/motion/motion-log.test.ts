import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { quaternionFromRotation, rotationFromVector, seededRandom } from "@cairn/geometry";
import { Way } from "@cairn/geometry/test/inertial";
import { IMU_CSV_HEADER, type ImuSample } from "@cairn/motion";
import type { EventOf, Pose, TimeNs } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import { feltModel } from "../reconstruct/felt-model.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";

const START_NS = 1_750_000_000_000_000_000n;
const sample = (timestamp: bigint): ImuSample => ({
  timestamp,
  accelerometer: [0.1, -9.8, 1 / 3],
  gyroscope: [0, 1e-9, 2],
});

async function open(
  t: TestContext,
  dataDir?: string,
  errors: unknown[] = [],
): Promise<{ core: Core; dataDir: string }> {
  const folder = dataDir ?? (await temporaryFolder(t));
  const core = await openCore({ dataDir: folder, onError: (_, error) => errors.push(error) });
  afterwards(t, () => core.close());
  return { core, dataDir: folder };
}

async function motionOf(core: Core, id: string): Promise<EventOf<"motion.added">["data"][]> {
  const space = await core.spaces.open(id);
  return (await space.log.read(0, 1000)).flatMap((event) => (event.type === "motion.added" ? [event.data] : []));
}

test("MOT-24 what a source felt in a space is in its log, every digit, also when the server is stopped at once", async (t) => {
  const { core, dataDir } = await open(t);
  await core.spaces.create({ id: "walk" });
  for (const k of [2n, 0n, 1n]) core.motion.push("phone", sample(START_NS + 7n * k), "walk");
  core.motion.push("other", sample(5n));
  await core.close();
  const again = await open(t, dataDir);
  const pieces = await motionOf(again.core, "walk");
  assert.equal(pieces.length, 1, "nothing of a source that records nowhere");
  const [{ source, samples, fromNs, toNs, blob, offsetNs }] = pieces as [EventOf<"motion.added">["data"]];
  assert.deepEqual([source, samples, fromNs, toNs], ["phone", 3, String(START_NS), String(START_NS + 14n)]);
  // The device was never asked: what came last came now.
  assert.ok(BigInt(offsetNs) + BigInt(toNs) <= again.core.clock.nowNs());
  assert.equal(
    Buffer.from(await again.core.blobs.get(blob)).toString(),
    `${IMU_CSV_HEADER}\n${[0n, 7n, 14n].map((k) => `${START_NS + k},0,1e-9,2,0.1,-9.8,${1 / 3}\n`).join("")}`,
  );
});

test("MOT-24 a space that is full or gone costs its samples, is told of, and nothing else", async (t) => {
  const errors: unknown[] = [];
  const { core } = await open(t, undefined, errors);
  await core.spaces.create({ id: "full", settings: { maxBytes: 100 } });
  await core.spaces.create({ id: "free" });
  for (const space of ["full", "nowhere", "free"]) core.motion.push(`in-${space}`, sample(START_NS), space);
  for (const space of ["full", "nowhere", "free"]) core.motion.flush(`in-${space}`);
  await core.motionLog.flush();
  const codes = errors.map((error) => (error as { code?: string }).code);
  assert.deepEqual(codes.sort(), ["space.missing", "space.quota"]);
  assert.equal((await motionOf(core, "free")).length, 1);
});

test("MOT-22 MOT-24 a camera that was carried with motion sensors: the model's unit in metres, and up", async (t) => {
  const { core } = await open(t);
  const space = await core.spaces.create({ id: "walk" });
  const random = seededRandom(4);
  const wander = (amplitude: number, k: number) =>
    [0, 1, 2].map((axis) => amplitude * Math.sin((0.7 + 0.4 * axis) * k + axis));
  const knots = Array.from({ length: 60 }, (_, k) => k);
  const turn = ([x = 0, y = 0, z = 0]: readonly number[]) => rotationFromVector(x, y, z);
  const way = new Way(
    0.4,
    knots.map((k) => wander(0.5, k)),
    knots.map((k) => turn(wander(0.4, 0.8 * k + 1))),
  );
  const up = [0, -1, 0];
  const mount = {
    rotation: turn([0.2, -0.1, 1.5]),
    offsetS: 0.08,
    gyroBias: [0.01, 0, -0.01],
    accelBias: [0.1, 0, 0.1],
    gyroNoise: 0.002,
    accelNoise: 0.05,
  };
  const felt = way.feel(100, up, mount, random);
  for (const [i, s] of felt.times.entries()) {
    const three = (all: Float64Array) => [all[3 * i], all[3 * i + 1], all[3 * i + 2]] as [number, number, number];
    const timestamp = START_NS + BigInt(Math.round(s * 1e9));
    core.motion.push(
      "phone",
      { timestamp, accelerometer: three(felt.accelerometer), gyroscope: three(felt.gyroscope) },
      "walk",
    );
  }
  core.motion.flush("phone");
  await core.motionLog.flush();
  const [piece] = await motionOf(core, "walk");
  assert.ok(piece);
  // The photos' times are the server's, as the samples' are after the device's offset.
  const offsetNs = BigInt(piece.offsetNs);
  const unit = 2.5;
  const cameras = [];
  const blob = (await core.blobs.put(Buffer.from("a photo"))).digest;
  for (let s = 0.3, n = 0; s < way.endS - 0.3; s += 0.3, n++) {
    const pose = way.pose(s, random, 0.004, 0.001);
    const rotation = Float64Array.from([0, 1, 2].flatMap((r) => [...pose.subarray(4 * r, 4 * r + 3)]));
    const image = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const capturedNs = String(START_NS + offsetNs + BigInt(Math.round(s * 1e9))) as TimeNs;
    const facts = {
      blob,
      name: "a",
      mediaType: "image/jpeg" as const,
      sizeBytes: 7,
      width: 8,
      height: 8,
      orientation: 1,
      source: "test",
    };
    await space.log.append([{ type: "image.added", data: { image, ...facts, capturedNs, sequence: "stream" } }]);
    const translation = [3, 7, 11].map((k) => (pose[k] ?? 0) / unit) as [number, number, number];
    const [w = 1, x = 0, y = 0, z = 0] = quaternionFromRotation(rotation);
    cameras.push({ image, pose: { rotation: [w, x, y, z], translation } satisfies Pose });
  }
  const told = await feltModel(cameras, { space, motionLog: core.motionLog });
  assert.ok(told, "an answer");
  assert.ok(Math.abs(told.scale / unit - 1) < 3 * told.sigma && told.sigma < 0.1, `${told.scale} ± ${told.sigma}`);
  const cosine = told.up.reduce((sum, x, i) => sum + x * (up[i] ?? 0), 0);
  assert.ok(Math.acos(Math.min(1, cosine)) < (2 * Math.PI) / 180);
});

test("MOT-24 a space's name may have blanks; a piece that is lost costs itself, not who asks for the rest", async (t) => {
  const errors: unknown[] = [];
  const { core, dataDir } = await open(t, undefined, errors);
  const space = await core.spaces.create({ id: "an old mill" });
  for (let k = 0n; k < 2n; k++) {
    core.motion.push("phone", sample(START_NS + k), space.id);
    core.motion.flush("phone");
    await core.motionLog.flush();
  }
  assert.deepEqual(errors, []);
  const [first] = await motionOf(core, space.id);
  await rm(join(dataDir, "blobs", first!.blob.slice(0, 2), first!.blob.slice(2)));
  const now = core.clock.nowNs();
  const [track] = await core.motionLog.between(space, now - 10n ** 12n, now, now);
  assert.equal(track?.times.length, 1);
  assert.deepEqual(
    errors.map((error) => (error as { code?: string }).code),
    ["blob.missing"],
  );
});
