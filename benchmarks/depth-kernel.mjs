/**
 * What the depth kernel finds in single views, and what that costs: one line for each set and size.
 *
 *   node benchmarks/depth-kernel.mjs [SET…] [--sides 320,640,960,1280] [--views 3,4,5] [--keep FOLDER] [--pictures FOLDER]
 *
 * `found` is the share of the pixels with a depth, `consistent` that of those on which at least two of the sources
 * agree within 1 % by their own depth maps; errors are those of depth at sparse points, on which the photos agree to a
 * fraction of a pixel. Figures are medians over the views, in brackets the best and the worst. CPU is user time of
 * one thread from the second view on (the first also compiles the kernel). `--keep` holds sparse models for the next
 * run; `--pictures` takes a picture of each view: photo, depth, normals, depth that is consistent.
 */
import { mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { openDepthEstimator } from "@cairn/reconstruct";
import sharp from "sharp";
import { chooseSources } from "../packages/reconstruct/dist/dense/sources.js";
import { calibrationOf, undistortView } from "../packages/reconstruct/dist/dense/undistort.js";
import { filesOf, kept, modelOf, readPhoto, sceneOf } from "./lib/dense-sets.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sides: { type: "string", default: "320,640,960,1280" },
    views: { type: "string" },
    keep: { type: "string" },
    pictures: { type: "string" },
    quality: { type: "string", default: "{}" },
    verbose: { type: "boolean" },
  },
});
const sets = positionals.length ? positionals : ["fountain-P11"];
const quality = JSON.parse(options.quality);
/** Depths of the same point from two views. */
const SAME_DEPTH = 0.01;
const estimator = openDepthEstimator();

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const share = (value) => (100 * value).toFixed(1);

/** World point of the middle of pixel i at its depth. */
function worldPoint({ view, depth }, i) {
  const [fx, fy, cx, cy] = view.pinhole;
  const m = view.cameraFromWorld;
  const z = depth.depths[i];
  const x = (((i % view.widthPx) + 0.5 - cx) / fx) * z - m[3];
  const y = ((Math.floor(i / view.widthPx) + 0.5 - cy) / fy) * z - m[7];
  return [0, 1, 2].map((k) => m[k] * x + m[4 + k] * y + m[8 + k] * (z - m[11]));
}

function project({ pinhole: [fx, fy, cx, cy], cameraFromWorld: m, widthPx, heightPx }, [x, y, z]) {
  const depth = m[8] * x + m[9] * y + m[10] * z + m[11];
  const u = Math.floor((fx * (m[0] * x + m[1] * y + m[2] * z + m[3])) / depth + cx);
  const v = Math.floor((fy * (m[4] * x + m[5] * y + m[6] * z + m[7])) / depth + cy);
  const inside = depth > 0 && u >= 0 && v >= 0 && u < widthPx && v < heightPx;
  return { depth, pixel: inside ? v * widthPx + u : -1 };
}

function consistentPixels(map, others) {
  const agreed = new Uint8Array(map.depth.depths.length);
  for (let i = 0; i < agreed.length; i++) {
    if (map.depth.depths[i] <= 0) continue;
    const point = worldPoint(map, i);
    let witnesses = 0;
    for (const other of others) {
      const { depth, pixel } = project(other.view, point);
      const there = pixel < 0 ? 0 : other.depth.depths[pixel];
      if (there > 0 && Math.abs(there - depth) < SAME_DEPTH * depth) witnesses++;
    }
    if (witnesses >= 2) agreed[i] = 1;
  }
  return agreed;
}

/** Errors of depth relative to that of sparse points; how many of these have a depth at all. */
function sparseErrors(scene, { view, depth }) {
  const errors = [];
  let points = 0;
  for (const [, { point }] of scene.tracks.ofView(view.view)) {
    if (!point) continue;
    const seen = project(view, point);
    if (seen.pixel < 0) continue;
    points++;
    const found = depth.depths[seen.pixel];
    if (found > 0) errors.push(Math.abs(found / seen.depth - 1));
  }
  return { errors, points };
}

async function picture(file, { view, depth }, range, agreed) {
  const { widthPx, heightPx, rgb } = view;
  const bytes = Buffer.alloc(widthPx * heightPx * 12);
  const put = (right, down, i, color) => {
    const x = (i % widthPx) + right * widthPx;
    const y = Math.floor(i / widthPx) + down * heightPx;
    for (let k = 0; k < 3; k++) bytes[3 * (y * 2 * widthPx + x) + k] = color[k];
  };
  for (let i = 0; i < depth.depths.length; i++) {
    put(0, 0, i, rgb.subarray(3 * i, 3 * i + 3));
    const z = depth.depths[i];
    if (z <= 0) continue;
    const near = (1 / z - 1 / range.far) / (1 / range.near - 1 / range.far);
    const color = [0, 1, 2].map((k) => 255 * Math.max(0, Math.min(1, 1.5 - Math.abs(4 * near - 1 - k))));
    put(1, 0, i, color);
    put(
      0,
      1,
      i,
      [0, 1, 2].map((k) => depth.normals[3 * i + k] + 128),
    );
    put(1, 1, i, agreed[i] ? color : [70, 70, 70]);
  }
  const raw = { width: 2 * widthPx, height: 2 * heightPx, channels: 3 };
  await sharp(bytes, { raw }).png().toFile(file);
}

async function run(set, sidePx) {
  const files = filesOf(set);
  if (!files) return [set, "not found"];
  const model = await kept(options.keep, `${set}-model`, () => modelOf(set, files));
  const scene = sceneOf(model);
  const views = new Map();
  const found = new Map();
  const cpuMs = [];
  const viewOf = async (index) => {
    if (!views.has(index)) {
      const photo = await readPhoto(scene.views[index].photo.image);
      views.set(index, undistortView(index, photo, calibrationOf(scene, index), scene.pose(index), sidePx));
    }
    return views.get(index);
  };
  const mapOf = async (index) => {
    if (found.has(index)) return found.get(index);
    const choice = chooseSources(scene, index, { sidePx });
    if (!choice) return undefined;
    const view = await viewOf(index);
    const sources = [];
    for (const source of choice.sources) sources.push(await viewOf(source));
    const start = process.cpuUsage();
    const depth = estimator.estimate(view, sources, choice.range, quality);
    cpuMs.push(process.cpuUsage(start).user / 1000);
    found.set(index, { view, depth, choice });
    return found.get(index);
  };
  const rows = [];
  for (const index of options.views ? options.views.split(",").map(Number) : scene.posed) {
    const map = await mapOf(index);
    if (!map) continue;
    const others = [];
    for (const source of map.choice.sources) others.push(await mapOf(source));
    const agreed = consistentPixels(
      map,
      others.filter((other) => other),
    );
    const { errors, points } = sparseErrors(scene, map);
    const pixels = agreed.length;
    rows.push({
      photometric: map.depth.depths.reduce((sum, z) => sum + (z > 0 ? 1 : 0), 0) / pixels,
      consistent: agreed.reduce((sum, each) => sum + each, 0) / pixels,
      error: median(errors),
      within: errors.filter((error) => error < SAME_DEPTH).length / points,
    });
    if (options.verbose) {
      const { photometric, consistent, error, within } = rows.at(-1);
      const name = basename(scene.views[index].photo.image);
      const from = map.choice.sources.join(",");
      console.log(
        `  ${index} ${name} from ${from}: ${share(photometric)} ${share(consistent)} ${(100 * error).toFixed(3)} ${share(within)}`,
      );
    }
    if (options.pictures) {
      mkdirSync(options.pictures, { recursive: true });
      await picture(join(options.pictures, `${set}-${sidePx}-${index}.png`), map, map.choice.range, agreed);
    }
  }
  const over = (key, show) => {
    const values = rows.map((row) => row[key]);
    return `${show(median(values))} (${show(Math.max(...values))}…${show(Math.min(...values))})`;
  };
  const memoryMb = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
  const ms = (cpuMs.length > 1 ? median(cpuMs.slice(1)) : cpuMs[0]).toFixed(0);
  const percent = (value) => (100 * value).toFixed(3);
  return [
    set,
    sidePx,
    rows.length,
    ms,
    over("photometric", share),
    over("consistent", share),
    over("error", percent),
    over("within", share),
    memoryMb,
  ];
}

console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.versions.node}`);
console.log(
  "| set | side px | views | CPU ms a view | found % | consistent % | median error % | sparse points within 1 % | RSS MB |",
);
console.log(`|${" --- |".repeat(9)}`);
for (const set of sets) {
  for (const side of options.sides.split(",")) console.log(`| ${(await run(set, Number(side))).join(" | ")} |`);
}
