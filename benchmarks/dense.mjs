/**
 * How good, how many and how dear the dense points of a set are: one line for each set.
 *
 *   node benchmarks/dense.mjs [SET…] [--side 640] [--detail 2] [--photos N] [--ply OUT.ply] [--picture OUT.png] [--keep FOLDER]
 *
 * Sets are `sample` (the sample capture, whose surface is known: accuracy, completeness, F-score at 1 % and 2 % of the
 * scene, which is twice the median distance from its middle; what is farther from the middle is left out) and folders of `../shared/datasets` or CAIRN_DATASETS
 * (outside: points farther than 2 % of the extent of the sparse points from the surface that these span; adrift: of
 * these, those that are not connected with the rest). `--side` is the long side at which depth is sought; a
 * pixel of it becomes `--detail` points each way, coloured from the larger photo. CPU is user time of this
 * process, one thread. `--ply` and `--picture` take the set's name in (`OUT-fountain-P11.png`); pictures are seen from
 * beside the middle photo. `--keep` holds sparse models and depth maps for the next run. `--verbose` tells more of each
 * view, and what part of what is outside lies on few planes, and how flat it is there.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { openDepthEstimator } from "../packages/reconstruct/dist/dense/depth/estimator.js";
import { fuse } from "../packages/reconstruct/dist/dense/fuse.js";
import { chooseSources } from "../packages/reconstruct/dist/dense/sources.js";
import { calibrationOf, undistortView } from "../packages/reconstruct/dist/dense/undistort.js";
import {
  alignCameras,
  extentOf,
  floaterShares,
  middleOf,
  moved,
  outsideOf,
  scorePoints,
  sizeOf,
  within,
} from "../packages/reconstruct/dist/test/score.js";
import { filesOf, kept, modelOf, readPhoto, sampleTruth, sceneOf } from "./lib/dense-sets.mjs";
import { planesOf } from "./lib/planes.mjs";
import { writePicture } from "./lib/splat.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    side: { type: "string", default: "640" },
    detail: { type: "string", default: "2" },
    photos: { type: "string" },
    ply: { type: "string" },
    picture: { type: "string" },
    keep: { type: "string" },
    verbose: { type: "boolean" },
  },
});
const sidePx = Number(options.side);
const sets = positionals.length ? positionals : ["sample", "fountain-P11", "Herz-Jesus-P8", "castle-P19", "brighton"];
const PICTURE_SIDE_PX = 1280;

function cpuSeconds(since) {
  return process.cpuUsage(since).user / 1e6;
}

/** Depth of every view that has sources, with the CPU seconds each took. */
async function depthsOf(scene) {
  const estimator = openDepthEstimator();
  const views = [];
  const pictures = [];
  const detail = Number(options.detail);
  let straighten = 0;
  for (const view of scene.posed) {
    const photo = await readPhoto(scene.views[view].photo.image);
    const start = process.cpuUsage();
    const straight = (side) => undistortView(view, photo, calibrationOf(scene, view), scene.pose(view), side);
    views.push(straight(sidePx));
    if (detail > 1) pictures[view] = straight(detail * sidePx);
    straighten += cpuSeconds(start);
  }
  const found = [];
  let depth = 0;
  for (const view of views) {
    const start = process.cpuUsage();
    const choice = chooseSources(scene, view.view, { sidePx });
    if (!choice) continue;
    const sources = choice.sources.map((source) => views[source]);
    const picture = pictures[view.view];
    found.push({ view, depth: estimator.estimate(view, sources, choice.range), ...(picture && { picture }) });
    depth += cpuSeconds(start);
  }
  return { found, depthS: depth / found.length, straightenS: straighten / views.length };
}

function named(path, set) {
  return path.replace(/(\.\w+)?$/, (end) => `-${set}${end}`);
}

function writePly(file, { positions, normals, colors }) {
  const n = positions.length / 3;
  const properties = ["x", "y", "z", "nx", "ny", "nz"].map((name) => `property float ${name}\n`).join("");
  const bytes = Buffer.alloc(n * 27);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < 3; k++) {
      bytes.writeFloatLE(positions[3 * i + k], i * 27 + 4 * k);
      bytes.writeFloatLE(normals[3 * i + k], i * 27 + 12 + 4 * k);
      bytes[i * 27 + 24 + k] = colors[3 * i + k];
    }
  }
  const head = `ply\nformat binary_little_endian 1.0\nelement vertex ${n}\n${properties}`;
  const paint = ["red", "green", "blue"].map((name) => `property uchar ${name}\n`).join("");
  writeFileSync(file, Buffer.concat([Buffer.from(`${head}${paint}end_header\n`), bytes]));
}

async function picture(file, scene, found, points) {
  const { view } = found[found.length >> 1];
  const scale = PICTURE_SIDE_PX / Math.max(view.widthPx, view.heightPx);
  const depths = [...scene.tracks.ofView(view.view)]
    .flatMap(([, { point }]) => (point ? [point] : []))
    .map(([x, y, z]) =>
      scene
        .pose(view.view)
        .slice(8, 12)
        .reduce((sum, each, k) => sum + each * [x, y, z, 1][k], 0),
    )
    .sort((a, b) => a - b);
  const common = {
    cameraFromWorld: view.cameraFromWorld,
    pinhole: view.pinhole.map((each) => each * scale),
    widthPx: Math.round(view.widthPx * scale),
    heightPx: Math.round(view.heightPx * scale),
    pivot: depths[depths.length >> 1],
  };
  await writePicture(file, points, { ...common, turnRad: 0.35 });
  await writePicture(file.replace(/(\.\w+)$/, "-2$1"), points, { ...common, turnRad: -0.5 });
}

/** Accuracy, completeness and F-score against the sample's surface; floaters against sparse points elsewhere. */
async function quality(set, scene, model, points) {
  if (set !== "sample") {
    return { floaters: floaterShares(points.positions, model.positions, 0.02 * extentOf(model.positions)) };
  }
  const truth = await kept(options.keep, "sample-truth", sampleTruth);
  const names = model.images.map(({ name }) => basename(name));
  const similarity = alignCameras(
    names.map((_, view) => scene.pose(view).slice()),
    names.map((name) => truth.cameras.get(name)),
  );
  // As in other benchmarks, what lies around the place is no part of the score: hills 50 m away show no centimetres.
  const size = sizeOf(truth.wanted);
  const middle = middleOf(truth.wanted);
  const [positions, all, wanted] = [moved(similarity, points.positions), truth.all, truth.wanted].map((each) =>
    within(each, middle, size),
  );
  const [one, two] = [0.01, 0.02].map((part) => scorePoints(positions, all, wanted, part * size, 0.0025 * size));
  return { one, two };
}

/** Of what is outside every so many points one is asked for its plane. */
const OUTSIDE_STEP = 61;
/** A point belongs to a plane this near to it, in limits; few points are no plane. */
const NEAR_PLANE = 0.25;
const MOST_PLANES = 4;
const LEAST_OF_PLANE = 0.02;

/** Which planes hold what is outside, and how flat it is there: what was guessed would not be. */
function tellOutside({ positions }, sparse) {
  const limit = 0.02 * extentOf(sparse);
  const isOutside = outsideOf(sparse, limit);
  const outside = [];
  for (let i = 0; i < positions.length; i += 3 * OUTSIDE_STEP) {
    const place = positions.subarray(i, i + 3);
    if (isOutside(...place)) outside.push(...place);
  }
  for (const { count, offPlane } of planesOf(outside, NEAR_PLANE * limit, MOST_PLANES, LEAST_OF_PLANE)) {
    const part = share((3 * count) / outside.length);
    console.error(
      `outside: ${part} near one plane, median ${((100 * offPlane) / limit).toFixed(1)} % of the limit off it`,
    );
  }
}

const share = (value) => `${(100 * value).toFixed(1)} %`;
const scored = ({ accuracy, completeness, f }) => `${f.toFixed(3)} (${share(accuracy)}, ${share(completeness)})`;

async function run(set) {
  const files = filesOf(set, options.photos ? Number(options.photos) : undefined);
  if (!files) return [set, "not found"];
  const name = `${set}${options.photos ? `-${options.photos}` : ""}`;
  const model = await kept(options.keep, `${name}-model`, () => modelOf(set, files));
  const scene = sceneOf(model);
  const { found, depthS, straightenS } = await kept(options.keep, `${name}-${sidePx}-${options.detail}-depth`, () =>
    depthsOf(scene),
  );
  const start = process.cpuUsage();
  const points = fuse(found);
  const fuseS = cpuSeconds(start) / found.length;
  const sum = (key) => points.views.reduce((total, view) => total + view[key], 0);
  if (options.verbose) {
    for (const view of points.views) console.error(basename(files[view.view] ?? ""), JSON.stringify(view));
    for (const [view, gain] of points.gains) console.error("gain", view, gain.map((g) => g.toFixed(3)).join(" "));
  }
  if (options.verbose && set !== "sample") tellOutside(points, model.positions);
  if (options.ply) writePly(named(options.ply, set), points);
  if (options.picture) await picture(named(options.picture, set), scene, found, points);
  const { one, two, floaters } = await quality(set, scene, model, points);
  return [
    set,
    `${found.length}/${files.length}`,
    `${sidePx} × ${options.detail}`,
    (1000 * straightenS).toFixed(0),
    depthS.toFixed(2),
    share(sum("withDepth") / sum("pixels")),
    share(sum("consistent") / sum("pixels")),
    share(sum("filled") / sum("pixels")),
    String(points.source.length),
    (1000 * fuseS).toFixed(0),
    one ? scored(one) : "–",
    two ? scored(two) : "–",
    floaters ? `${(100 * floaters.outside).toFixed(2)} % / ${(100 * floaters.adrift).toFixed(2)} %` : "–",
  ];
}

console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.versions.node}\n`);
console.log(
  "| set | views | side px × detail | straighten ms | depth s a view | with depth | consistent | filled | points | fuse ms a view | F at 1 % (accuracy, completeness) | F at 2 % | outside / adrift |",
);
console.log(`|${" --- |".repeat(13)}`);
for (const set of sets) console.log(`| ${(await run(set)).join(" | ")} |`);
