/** Sets of photos for the dense stage, and the scene that the engine makes of each. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { calibrationFromParams, poseFromQuaternion } from "@cairn/geometry";
import { DECODE_SIDE_PX, openEmbeddedEngine } from "@cairn/reconstruct";
import { readTruth, samplePhotosDir, truthDir } from "@cairn/sample";
import sharp from "sharp";
import { Scene } from "../../packages/reconstruct/dist/mapper/scene.js";
import { root } from "../../tools/root.mjs";

const datasets = process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets");
/** Focal lengths as EXIF tells them, pixels at 1600 (the photos at hand have lost it or it is that of the original). */
const EXIF_PX = { sceaux: 1556, brighton: 889, "sevenscenes-rgbd": 525 };

/** Paths of a set's photos, in order; `undefined` where the set is not at hand. `sample` is the sample capture. */
export function filesOf(set, most = Number.POSITIVE_INFINITY) {
  const folder =
    set === "sample" ? samplePhotosDir : join(datasets, set, set === "sevenscenes-rgbd" ? "frames" : "images");
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => /\.jpe?g$/i.test(name))
    .sort()
    .slice(0, most)
    .map((name) => join(folder, name));
}

export async function readPhoto(file) {
  const { data, info } = await sharp(file)
    .rotate()
    .resize(DECODE_SIDE_PX, DECODE_SIDE_PX, { fit: "inside", withoutEnlargement: true })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { rgb: new Uint8Array(data), widthPx: info.width, heightPx: info.height };
}

/** Known where the set's truth tells it, else a guess as from EXIF. */
function lensOf(set) {
  if (set === "sample") return { focalPx: readTruth().poses[0].K[0] };
  const truth = join(datasets, set, "gt.json");
  if (EXIF_PX[set] || !existsSync(truth)) return EXIF_PX[set] ? { focalPx: EXIF_PX[set] } : {};
  const { K, width, height } = JSON.parse(readFileSync(truth, "utf8")).poses[0];
  return { camera: { model: "PINHOLE", width, height, params: [K[0], K[4], K[2] + 0.5, K[5] + 0.5] } };
}

/** What `make` gives, or what it gave in an earlier run with the same folder to keep things in. */
export async function kept(folder, name, make) {
  const file = folder && join(folder, `${name}.v8`);
  if (file && existsSync(file)) return deserialize(readFileSync(file));
  const made = await make();
  if (file) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, serialize(made));
  }
  return made;
}

/** The sparse model of a set, by the embedded engine. */
export async function modelOf(set, files) {
  const engine = await openEmbeddedEngine({ preset: "sparse" });
  try {
    for (const file of files) {
      const photo = await readPhoto(file);
      const size = { fullWidthPx: photo.widthPx, fullHeightPx: photo.heightPx };
      await engine.add({ image: file, name: basename(file), digest: file, ...photo, ...size, ...lensOf(set) });
    }
    await engine.rebuild();
    return await engine.model();
  } finally {
    await engine.close();
  }
}

/** A sparse model as the scene that the dense stage reads. View k is `model.images[k]`. */
export function sceneOf(model) {
  const views = [];
  const scene = new Scene(views);
  for (const [index, { image, camera, features }] of model.images.entries()) {
    const { model: lens, params, width, height } = camera.intrinsics;
    const calibration = calibrationFromParams(lens, params);
    const principal = { x: calibration[2], y: calibration[3] };
    calibration[2] = 0;
    calibration[3] = 0;
    const count = features.length / 2;
    const coordinate = (axis) => Float32Array.from({ length: count }, (_, i) => features[2 * i + axis]);
    const places = { count, x: coordinate(0), y: coordinate(1) };
    const size = { widthPx: width, heightPx: height, fullWidthPx: width, fullHeightPx: height };
    views.push({
      index,
      photo: { image, name: image, digest: image, ...size },
      lens: index,
      principal,
      features: places,
      places,
      fullScale: 1,
    });
    scene.addLens(calibration);
    scene.addView(views[index]);
    scene.setPose(index, poseFromQuaternion(camera.pose.rotation, camera.pose.translation));
  }
  const seenBy = new Map();
  for (const [view, { points }] of model.images.entries()) {
    for (const [feature, point] of points.entries()) {
      if (point < 0) continue;
      const first = seenBy.get(point);
      if (first) scene.tracks.join(first.view, first.feature, view, feature);
      else seenBy.set(point, { view, feature });
    }
  }
  for (const [point, { view, feature }] of seenBy) {
    const track = scene.tracks.of(view, feature);
    if (track) track.point = model.positions.slice(3 * point, 3 * point + 3);
  }
  return scene;
}

/** The sample capture's cameras and surface: what every photo shows, and what at least three do. */
export async function sampleTruth() {
  const { poses } = readTruth();
  const maps = [];
  for (const { image, R, t, K, width } of poses) {
    const file = join(truthDir, "depth", image.replace(/\.jpg$/, ".png"));
    const { data, info } = await sharp(file).toColourspace("grey16").raw({ depth: "ushort" }).toBuffer({
      resolveWithObject: true,
    });
    const depths = new Uint16Array(data.buffer, data.byteOffset, info.width * info.height);
    maps.push({ image, R, t, K, block: width / info.width, widthPx: info.width, heightPx: info.height, depths });
  }
  const all = [];
  const wanted = [];
  for (const map of maps) {
    for (let at = 0; at < map.depths.length; at++) {
      const z = map.depths[at] / 1000;
      if (z === 0) continue;
      const u = ((at % map.widthPx) + 0.5) * map.block;
      const v = (Math.floor(at / map.widthPx) + 0.5) * map.block;
      const c = [((u - map.K[2]) / map.K[0]) * z - map.t[0], ((v - map.K[5]) / map.K[4]) * z - map.t[1], z - map.t[2]];
      const p = [0, 1, 2].map((k) => map.R[k] * c[0] + map.R[3 + k] * c[1] + map.R[6 + k] * c[2]);
      all.push(...p);
      if (maps.filter((other) => shows(other, p)).length >= 3) wanted.push(...p);
    }
  }
  const cameras = new Map(
    poses.map(({ image, R, t }) => [
      image,
      Float64Array.from([0, 1, 2].flatMap((row) => [...R.slice(3 * row, 3 * row + 3), t[row]])),
    ]),
  );
  return { cameras, all: Float64Array.from(all), wanted: Float64Array.from(wanted) };
}

/** Whether a true place is seen by a photo: inside it and not behind another surface. */
function shows({ R, t, K, block, widthPx, heightPx, depths }, p) {
  const [x, y, z] = [0, 3, 6].map((row, k) => R[row] * p[0] + R[row + 1] * p[1] + R[row + 2] * p[2] + t[k]);
  if (!(z > 0)) return false;
  const column = Math.floor(((K[0] * x) / z + K[2]) / block);
  const row = Math.floor(((K[4] * y) / z + K[5]) / block);
  if (column < 0 || row < 0 || column >= widthPx || row >= heightPx) return false;
  const seen = depths[row * widthPx + column] / 1000;
  return seen > 0 && z < 1.02 * seen;
}
