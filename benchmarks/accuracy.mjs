/**
 * How right and how fast the embedded engine is on surveyed photos: one line for each set, calibration and order.
 *
 *   node benchmarks/accuracy.mjs [SET…] [--shuffle SEED] [--known | --unknown] [--stranger FILE]
 *
 * Sets are folders of `../shared/datasets` (or CAIRN_DATASETS) with `images/` and, where there is one, `gt.json`
 * (`{poses: [{image, R, t, K}]}`, world→camera, pixel centres at whole numbers). Positions are compared after the
 * best similarity. CPU is user time of this process with all its threads, decoding included.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion, seededRandom } from "@cairn/geometry";
import { DECODE_SIDE_PX, openEmbeddedEngine } from "@cairn/reconstruct";
import sharp from "sharp";
import { root } from "../tools/root.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shuffle: { type: "string" },
    known: { type: "boolean" },
    unknown: { type: "boolean" },
    stranger: { type: "string" },
    verbose: { type: "boolean" },
  },
});
const datasets = process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets");
const sets = positionals.length ? positionals : ["fountain-P11", "Herz-Jesus-P8", "castle-P19", "sceaux", "brighton"];
/** Focal lengths as EXIF tells them, pixels at 1600. */
const EXIF = { sceaux: 1556, brighton: 889 };

function filesOf(set) {
  const folder = join(datasets, set, "images");
  const files = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
  if (options.shuffle) {
    const random = seededRandom(Number(options.shuffle));
    for (let i = files.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [files[i], files[j]] = [files[j], files[i]];
    }
  }
  if (options.stranger) files.splice(3, 0, options.stranger);
  return files;
}

async function photoOf(file, calibration) {
  const { data, info } = await sharp(file)
    .rotate()
    .resize(DECODE_SIDE_PX, DECODE_SIDE_PX, { fit: "inside", withoutEnlargement: true })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
  return { image: file, name: basename(file), rgb: new Uint8Array(data), digest: file, ...size, ...calibration };
}

function calibrationOf(set, truth, known) {
  if (!known) return {};
  if (!truth?.poses[0].K) return EXIF[set] ? { focalPx: EXIF[set] } : {};
  const { K, width, height } = truth.poses[0];
  return { camera: { model: "PINHOLE", width, height, params: [K[0], K[4], K[2] + 0.5, K[5] + 0.5] } };
}

/** Distances of the cameras from the surveyed ones, metres. */
function positionErrors(set, cameras, truth) {
  const centres = new Map(
    truth.poses.map(({ image, R, t }) => [
      join(datasets, set, "images", image),
      [0, 1, 2].map((k) => -(R[k] * t[0] + R[3 + k] * t[1] + R[6 + k] * t[2])),
    ]),
  );
  const posed = cameras.filter(({ image }) => centres.has(image));
  if (posed.length < 3) return undefined;
  const from = Float64Array.from(
    posed.flatMap(({ pose }) => [...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation))]),
  );
  const to = Float64Array.from(posed.flatMap(({ image }) => centres.get(image)));
  const distances = new Float64Array(posed.length);
  alignmentDistances(alignPoints(from, to), from, to, distances);
  return [...distances];
}

async function run(set, known) {
  const truthFile = ["gt.json", "gt_gps.json", "colmap_reference.json"]
    .map((name) => join(datasets, set, name))
    .find(existsSync);
  const truth = truthFile && JSON.parse(readFileSync(truthFile, "utf8"));
  const calibration = calibrationOf(set, truth, known);
  const engine = await openEmbeddedEngine();
  const cpu = process.cpuUsage();
  const wallMs = [];
  let firstPoints = "–";
  const last = new Map();
  for (const [index, file] of filesOf(set).entries()) {
    const photo = await photoOf(file, calibration);
    const started = performance.now();
    const step = await engine.add(photo);
    wallMs.push(performance.now() - started);
    if (firstPoints === "–" && step.points.positions.length > 0) firstPoints = `${index + 1}`;
    for (const verdict of step.verdicts) last.set(verdict.image, verdict);
    if ((index + 1) % 10 === 0) await engine.rebuild();
    if (options.verbose) {
      const words = step.verdicts.map((v) => `${basename(v.image)} ${v.reason ?? v.verdict}`).join(", ");
      console.log(
        `  ${photo.name}: ${words}; ${step.cameras.length} cameras, ${step.points.positions.length / 3} points`,
      );
    }
  }
  const { cameras, points, verdicts } = await engine.rebuild();
  for (const verdict of verdicts) last.set(verdict.image, verdict);
  const focal = engine.focal();
  await engine.close();
  const used = process.cpuUsage(cpu);
  const errors = truth && positionErrors(set, cameras, truth);
  const metres = (value) => value.toFixed(4);
  wallMs.sort((a, b) => a - b);
  const waiting = [...last.values()].filter(({ verdict }) => verdict !== "registered");
  return [
    set,
    known ? (calibration.camera ? "known" : calibration.focalPx ? "EXIF" : "unknown") : "unknown",
    `${cameras.length}/${wallMs.length}`,
    errors ? metres(errors.reduce((sum, each) => sum + each, 0) / errors.length) : "–",
    errors ? metres(Math.max(...errors)) : "–",
    focal ? `${focal.focalPx.toFixed(1)} ± ${focal.sigmaPx.toFixed(1)}${focal.certain ? "" : " (uncertain)"}` : "–",
    String(points.positions.length / 3),
    firstPoints,
    (used.user / 1e6).toFixed(1),
    `${wallMs[wallMs.length >> 1].toFixed(0)} / ${wallMs.at(-1).toFixed(0)}`,
    waiting.map(({ image, reason }) => `${basename(image)}: ${reason}`).join(", ") || "–",
  ];
}

console.log(
  "| set | focal length | posed | mean m | max m | f px | points | first at | CPU s | wall ms med/max | waiting |",
);
console.log(`|${" --- |".repeat(11)}`);
for (const set of sets) {
  if (!existsSync(join(datasets, set, "images"))) {
    console.log(`| ${set} | not found in ${datasets} |`);
    continue;
  }
  for (const known of [true, false]) {
    if ((known && options.unknown) || (!known && options.known)) continue;
    console.log(`| ${(await run(set, known)).join(" | ")} |`);
  }
}
