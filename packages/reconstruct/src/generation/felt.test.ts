/** A real camera with real motion sensors: what they tell of each other, by pictures alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { alignTurning, feltUp } from "@cairn/geometry";
import { EUROC_CALIBRATION, Euroc } from "../test/euroc.ts";
import { dataset, decode } from "../test/photos.ts";
import { standingPoses } from "../test/still-camera.ts";
import { upOf } from "./upright.ts";

const DEG = Math.PI / 180;
const EVERY = 2;

test("MOT-20 MOT-21 a drone on the ground (EuRoC): the tremble of its motors tells offset and mount, and up is within 2°", async (t) => {
  const folder = dataset("micro-euroc");
  if (!folder) return t.skip("SKIPPED: micro-euroc not found");
  const set = new Euroc(folder);
  const pictures = set.pictures().filter((_, k) => k % EVERY === 0);
  const decoded = [];
  for (const { file } of pictures) decoded.push(await decode(file));
  const poses = standingPoses(decoded, EUROC_CALIBRATION);
  const times = Float64Array.from(pictures, ({ atS }) => atS);
  const mount = set.mount();
  for (const lateS of [0, 0.13, -0.07]) {
    const found = alignTurning(times, poses, set.samples(lateS));
    assert.ok(found, "an answer");
    const off = Math.abs(found.offsetS - lateS);
    assert.ok(off < 0.002 && found.offsetSigmaS < 0.002, `${off} ± ${found.offsetSigmaS}`);
    const trace = found.rotation.reduce((sum, x, i) => sum + x * mount[i], 0);
    const apart = Math.acos(Math.min(1, (trace - 1) / 2));
    assert.ok(apart < 3 * found.rotationSigma && apart < 4 * DEG, `${apart / DEG}° ± ${found.rotationSigma / DEG}°`);
    t.diagnostic(
      `offset ${(off * 1000).toFixed(2)} ms off ± ${(found.offsetSigmaS * 1000).toFixed(2)}, mount ${(apart / DEG).toFixed(2)}° off ± ${(found.rotationSigma / DEG).toFixed(2)}`,
    );
  }
  const samples = set.samples();
  const turning = alignTurning(times, poses, samples, { rotation: mount })!;
  const gravities = Array.from(times, (atS) => {
    const felt = feltUp(samples, atS + turning.offsetS, { gyroBias: turning.gyroBias });
    if (!felt) return undefined;
    const [x, y, z] = [0, 1, 2].map(
      (i) => -(mount[3 * i] * felt.up[0] + mount[3 * i + 1] * felt.up[1] + mount[3 * i + 2] * felt.up[2]),
    );
    return { down: [x, y, z] as [number, number, number], sigmaDeg: felt.sigma / DEG };
  });
  const up = upOf({ poses, gravities, lines: [], places: [], seed: 1 });
  assert.ok(up);
  assert.equal(up.source, "gravity");
  const last = poses.length - 1;
  const truth = set.upAt(times[last]);
  const told = [0, 1, 2].map(
    (i) =>
      poses[last][4 * i] * up.direction[0] +
      poses[last][4 * i + 1] * up.direction[1] +
      poses[last][4 * i + 2] * up.direction[2],
  );
  const error = Math.acos(Math.min(1, told[0] * truth[0] + told[1] * truth[1] + told[2] * truth[2])) / DEG;
  t.diagnostic(`up ${error.toFixed(2)}° off ± ${up.sigmaDeg.toFixed(2)}`);
  assert.ok(error < 2, `${error}°`);
});
