/**
 * What motion sensors tell about a model that the engine made of pictures alone: micro-euroc, a drone's grey camera with
 * its accelerometer and gyroscope, against the ground truth of a motion capture room. Sensors' clock and mount are not
 * told to Cairn; `--offset MS` shifts the sensors' times so that there is an offset to find.
 *
 *   node benchmarks/motion.mjs [--every 4] [--offset 0,130]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { alignMetric, alignPoints, alignTurning, poseFromQuaternion } from "@cairn/geometry";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { readPhotos } from "./lib/photo-sets.mjs";
import { dataset, machine } from "./support.mjs";

const { values: options } = parseArgs({
  options: { every: { type: "string", default: "4" }, offset: { type: "string", default: "0,130" } },
});
const folder = dataset("micro-euroc");
const DEGREES = 180 / Math.PI;
const EPOCH = 1403715273000000000n;
const seconds = (ns) => Number(BigInt(ns) - EPOCH) / 1e9;
const rows = (name, separator) =>
  readFileSync(join(folder, name), "utf8")
    .split("\n")
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(separator));

const imu = rows("imu0.csv", ",");
const feltWith = (offsetS) => ({
  times: Float64Array.from(imu, ([ns]) => seconds(ns) + offsetS),
  gyroscope: Float64Array.from(imu.flatMap((row) => row.slice(1, 4).map(Number))),
  accelerometer: Float64Array.from(imu.flatMap((row) => row.slice(4, 7).map(Number))),
});
const truth = rows("groundtruth_cam0_tum.txt", " ").map(([s, ...rest]) => {
  const [x, y, z, qx, qy, qz, qw] = rest.map(Number);
  return { at: seconds(s.replace(".", "")), centre: [x, y, z], quaternion: [qw, qx, qy, qz] };
});
const truthAt = (s) => truth.reduce((best, each) => (Math.abs(each.at - s) < Math.abs(best.at - s) ? each : best));

const every = Number(options.every);
const names = rows("cam0_data.csv", ",")
  .map(([ns]) => `${ns}.jpg`)
  .filter((_, k) => k % every === 0);
const camera = {
  model: "RADIAL",
  width: 752,
  height: 480,
  params: [457.975, 367.715, 248.875, -0.28340811, 0.07395907],
};
const engine = await openEmbeddedEngine({ preset: "sparse" });
for (const photo of await readPhotos({ folder: join(folder, "cam0"), names })) console.log(JSON.stringify((await engine.add({ ...photo, camera })).verdicts.slice(0,3)));
const { cameras } = await engine.rebuild();
await engine.close();

const posed = cameras
  .map(({ image, pose }) => ({ at: seconds(image.slice(0, 19)), pose: poseFromQuaternion(pose.rotation, pose.translation) }))
  .sort((a, b) => a.at - b.at);
const centre = (p) => [0, 1, 2].map((i) => -(p[i] * p[3] + p[4 + i] * p[7] + p[8 + i] * p[11]));
// The truth starts a second after the first picture.
const known = posed.filter(({ at }) => Math.abs(truthAt(at).at - at) < 0.01);
const flat = (points) => Float64Array.from(points.flat());
console.log(posed.length, known.length, posed.slice(0,2), truth[0]);
const fit = alignPoints(
  flat(known.map(({ pose }) => centre(pose))),
  flat(known.map(({ at }) => truthAt(at).centre)),
);
const off = known.map(({ at, pose }) => {
  const c = centre(pose);
  const to = truthAt(at).centre;
  return Math.hypot(
    ...to.map((x, i) => {
      const r = fit.rotation;
      return fit.scale * (r[3 * i] * c[0] + r[3 * i + 1] * c[1] + r[3 * i + 2] * c[2]) + fit.translation[i] - x;
    }),
  );
});
// The truth's up is its z: the third row of the rotation, in the model.
const up = fit.rotation.slice(6, 9);
const mean = off.reduce((sum, x) => sum + x, 0) / off.length;
console.log(machine());
console.log(
  `${names.length} pictures, ${posed.length} placed; against the truth: mean ${(1000 * mean).toFixed(1)} mm, one unit is ${fit.scale.toFixed(4)} m\n`,
);
for (const offsetMs of options.offset.split(",").map(Number)) {
  const samples = feltWith(offsetMs / 1000);
  const [times, poses] = [Float64Array.from(posed, ({ at }) => at), posed.map(({ pose }) => pose)];
  const turning = alignTurning(times, poses, samples);
  if (!turning) {
    console.log(`offset ${offsetMs} ms: no answer`);
    continue;
  }
  console.log(
    `offset ${offsetMs} ms: found ${(1000 * turning.offsetS).toFixed(1)} ms ± ${(1000 * turning.offsetSigmaS).toFixed(1)}` +
      `, mount ± ${(DEGREES * turning.rotationSigma).toFixed(2)}°`,
  );
  const metric = alignMetric(times, poses, samples, turning);
  if (!metric) {
    console.log("  metres: no answer");
    continue;
  }
  const angle = Math.acos(Math.min(1, metric.up.reduce((sum, x, i) => sum + x * up[i], 0))) * DEGREES;
  console.log(
    `  up ${angle.toFixed(2)}° off (told ${(DEGREES * metric.upSigma).toFixed(2)}°), one unit ${metric.scale.toFixed(4)} m: ` +
      `${((metric.scale / fit.scale - 1) * 100).toFixed(1)} % off (told ${(100 * metric.sigma).toFixed(1)} %)`,
  );
}
