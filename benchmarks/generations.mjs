/**
 * What ten rebuilds do to the frame and to anchors, on the sample capture, whose surface and cameras are known exactly.
 *
 *   node benchmarks/generations.mjs
 *
 * An anchor is a point of the true surface that four photos show. Where it is in a generation is where its true pixels
 * meet, seen from that generation's cameras (triangulated); that is compared with where it was carried to, step by step,
 * and with where it was left. The frame is judged by the best similarity from the true cameras. All lengths are parts of
 * the scene: the root mean square distance of the true cameras from their middle.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { NearPoints } from "@cairn/cloud";
import {
  alignPoints,
  calibrationFromParams,
  cameraCentre,
  normalisedFromPixels,
  poseFromQuaternion,
  poseFromRotation,
  projectPoint,
  Triangulator,
  transformPoints,
} from "@cairn/geometry";
import { carryPoints, openEmbeddedEngine } from "@cairn/reconstruct";
import { readTruth, samplePhotosDir, truthDir } from "@cairn/sample";
import sharp from "sharp";
import { machine, median } from "./support.mjs";

const REBUILD_AFTER = [5, 6, 7, 8, 9, 10, 12, 14, 16, 18];
const START = 4;

const truth = readTruth().poses.map(({ image, R, t, K, width, height }) => ({
  image,
  pose: poseFromRotation(R, t),
  calibration: Float64Array.of(K[0], K[4], K[2], K[5], 0, 0),
  width,
  height,
}));
const trueCentres = truth.map(({ pose }) => cameraCentre(pose));
const middle = [0, 1, 2].map((k) => trueCentres.reduce((sum, c) => sum + c[k] / trueCentres.length, 0));
const sizeM = Math.sqrt(
  trueCentres.reduce((sum, c) => sum + Math.hypot(...middle.map((m, k) => c[k] - m)) ** 2 / trueCentres.length, 0),
);

async function depthOf(index) {
  const path = join(truthDir, "depth", `${truth[index].image.slice(0, 2)}.png`);
  if (!existsSync(path)) throw new Error(`${path} not found`);
  const { data, info } = await sharp(readFileSync(path))
    .toColourspace("grey16")
    .raw({ depth: "ushort" })
    .toBuffer({ resolveWithObject: true });
  return {
    mm: new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2),
    width: info.width,
    height: info.height,
  };
}

const depths = await Promise.all(truth.map((_, index) => depthOf(index)));

/** The pixel at which a photo shows a point of the surface, if nothing stands before it. */
function seenAt(index, point) {
  const { pose, calibration, width, height } = truth[index];
  const pixel = new Float64Array(2);
  const depth = projectPoint(pose, 0, calibration, 0, ...point, pixel);
  if (!(depth > 0 && pixel[0] >= 3 && pixel[1] >= 3 && pixel[0] < width - 3 && pixel[1] < height - 3)) return undefined;
  const map = depths[index];
  const known = map.mm[Math.floor(pixel[1] / 6) * map.width + Math.floor(pixel[0] / 6)] / 1000;
  return Math.abs(known - depth) < 0.03 * depth ? pixel : undefined;
}

/** Points of the surface that the first photos show, all of them. */
function surfacePoints() {
  const points = [];
  const { pose, calibration } = truth[1];
  const map = depths[1];
  for (let row = 8; row < map.height; row += 14) {
    for (let column = 8; column < map.width; column += 14) {
      const z = map.mm[row * map.width + column] / 1000;
      if (z <= 0 || z > 12) continue;
      const x = (((column + 0.5) * 6 - calibration[2]) / calibration[0]) * z - pose[3];
      const y = (((row + 0.5) * 6 - calibration[3]) / calibration[1]) * z - pose[7];
      const d = z - pose[11];
      const point = [0, 1, 2].map((k) => pose[k] * x + pose[4 + k] * y + pose[8 + k] * d);
      if ([0, 1, 2, 3].every((index) => seenAt(index, point))) points.push(point);
    }
  }
  return points;
}

const triangulator = new Triangulator();

/** Where a generation's cameras see the point together. */
function placeIn(cameras, point) {
  const poses = [];
  const rays = [];
  for (const { image, pose, intrinsics } of cameras) {
    const index = truth.findIndex((each) => each.image === image);
    const pixel = seenAt(index, point);
    if (!pixel) continue;
    poses.push(...poseFromQuaternion(pose.rotation, pose.translation));
    rays.push(...normalisedFromPixels(calibrationFromParams(intrinsics.model, intrinsics.params), pixel));
  }
  const count = rays.length / 2;
  const views = {
    poses: Float64Array.from(poses),
    cameras: Int32Array.from({ length: count }, (_, i) => i),
    rays: Float64Array.from(rays),
    count,
  };
  const out = new Float64Array(3);
  return count >= 2 && triangulator.triangulate(views, out) ? [...out] : undefined;
}

const centresOf = (cameras) =>
  Float64Array.from(
    cameras.flatMap(({ pose }) => [...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation))]),
  );

/** True frame→generation. */
function frameOf(cameras) {
  const source = Float64Array.from(
    cameras.flatMap(({ image }) => [...trueCentres[truth.findIndex((each) => each.image === image)]]),
  );
  return alignPoints(source, centresOf(cameras));
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const percent = (value) => `${(100 * value).toFixed(3)} %`;
const worst = (values) => Math.max(...values);

const engine = await openEmbeddedEngine({
  cache: { get: async () => undefined, put: async () => {} },
  seed: 1,
  preset: "sparse",
});
async function add(index) {
  const path = join(samplePhotosDir, truth[index].image);
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
  await engine.add({
    image: truth[index].image,
    name: truth[index].image,
    rgb: new Uint8Array(data),
    digest: path,
    ...size,
  });
}

const surface = surfacePoints();
for (let i = 0; i < START; i++) await add(i);
let { cameras } = await engine.rebuild();
const first = frameOf(cameras);
const unit = first.scale * sizeM;
const anchors = surface.flatMap((point) => {
  const start = placeIn(cameras, point);
  return start ? [{ point, start, carried: start }] : [];
});
console.log(
  `${machine()}\n${anchors.length} anchors, ten rebuilds from ${START} photos to ${truth.length}; the scene is ${sizeM.toFixed(2)} m\n`,
);
console.log("photos | residual told | frame, worst anchor | carried: median, worst | left in place: median, worst");
let given = START;
let points;
for (const photos of REBUILD_AFTER) {
  for (; given < photos; given++) await add(given);
  const before = cameras;
  const rebuild = await engine.rebuild();
  ({ cameras, points } = rebuild);
  const moved = carryPoints(
    anchors.map(({ carried }) => carried),
    before,
    cameras,
  );
  for (const [i, anchor] of anchors.entries()) anchor.carried = moved[i];
  const frame = frameOf(cameras);
  const at = (similarity) => anchors.map(({ point }) => transformPoints(similarity, Float64Array.from(point)));
  const [was, is] = [at(first), at(frame)];
  const placed = anchors.map((anchor) => ({ ...anchor, now: placeIn(cameras, anchor.point) })).filter(({ now }) => now);
  const carried = placed.map((anchor) => distance(anchor.carried, anchor.now) / unit);
  const left = placed.map((anchor) => distance(anchor.start, anchor.now) / unit);
  console.log(
    [
      String(photos).padStart(6),
      percent(rebuild.residual ?? 0).padStart(13),
      percent(worst(was.map((each, i) => distance(each, is[i]) / unit))).padStart(19),
      `${percent(median(carried))}, ${percent(worst(carried))}`.padStart(22),
      `${percent(median(left))}, ${percent(worst(left))}`,
    ].join(" | "),
  );
}

console.log(
  "\nrebuilds without a new photo: cameras moved, points without the same one in the model before, by distance",
);
for (let round = 0; round < 3; round++) {
  const [oldCameras, oldPoints] = [centresOf(cameras), points.positions];
  ({ cameras, points } = await engine.rebuild());
  const now = centresOf(cameras);
  const moved = cameras.map(
    (_, i) => distance(oldCameras.subarray(3 * i, 3 * i + 3), now.subarray(3 * i, 3 * i + 3)) / unit,
  );
  const lost = [0.0001, 0.0003, 0.001].map(
    (part) =>
      `${part * 100} %: ${percent(new NearPoints(points.positions, part * unit).lacks(oldPoints).length / (oldPoints.length / 3))}`,
  );
  console.log(`worst camera ${percent(worst(moved))}; ${points.positions.length / 3} points, ${lost.join(", ")}`);
}
await engine.close();
