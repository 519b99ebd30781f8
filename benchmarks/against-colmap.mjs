/**
 * The embedded engine against COLMAP (Debian's package) on the same photos, in turns in one run: CPU and wall seconds
 * of whole processes, and the position error of the cameras.
 *
 *     node benchmarks/against-colmap.mjs [SET] [ROUNDS]
 *
 * COLMAP: SIFT on the CPU, exhaustive matching, one PINHOLE camera with the known calibration held fixed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataset, machine, median, root } from "./support.mjs";

const set = process.argv[2] ?? "fountain-P11";
const rounds = Number(process.argv[3] ?? 1);
if (!(rounds >= 1)) {
  console.error("usage: node benchmarks/against-colmap.mjs [SET] [ROUNDS]");
  process.exit(2);
}
const folder = dataset(set);
const evaluation = join(root, "../shared/eval");
const truth = JSON.parse(readFileSync(join(folder, "gt.json"), "utf8"));
const K = truth.poses[0].K;
// The ground truth puts pixel centres at whole numbers, COLMAP at halves.
const camera = [K[0], K[4], K[2] + 0.5, K[5] + 0.5].join(",");
if (spawnSync("colmap", ["help"], { stdio: "ignore" }).status !== 0) {
  console.error("SKIPPED: colmap is not installed (apt-get install colmap)");
  process.exit(2);
}

const work = mkdtempSync(join(tmpdir(), "cairn-colmap-"));
/** CPU and wall seconds of one process, children included. */
function timed(command, args) {
  const log = join(work, "time");
  const { status, stderr } = spawnSync("/usr/bin/time", ["-o", log, "-f", "%U %S %e %M", command, ...args], {
    encoding: "utf8",
    env: { ...process.env, QT_QPA_PLATFORM: "offscreen" },
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${command} ${args[0]}: ${stderr.slice(-2000)}`);
  const [user, system, wall, peakKb] = readFileSync(log, "utf8").trim().split("\n").at(-1).split(" ").map(Number);
  return { cpu: user + system, wall, peakMb: peakKb / 1024 };
}
const sum = (runs) => ({
  cpu: runs.reduce((total, run) => total + run.cpu, 0),
  wall: runs.reduce((total, run) => total + run.wall, 0),
  peakMb: Math.max(...runs.map((run) => run.peakMb)),
});

function score(images) {
  if (!existsSync(evaluation)) return "not scored";
  const json = join(work, "poses.json");
  execFileSync(process.execPath, [join(evaluation, "colmap2json.mjs"), images, json]);
  const result = JSON.parse(
    execFileSync(process.execPath, [join(evaluation, "eval.mjs"), json, join(folder, "gt.json"), "--json"], {
      encoding: "utf8",
    }),
  );
  return `${result.registered}/${result.images} cameras, mean position error ${(result.position_m.mean * 1000).toFixed(2)} mm`;
}

const ours = [];
const theirs = [];
for (let round = 0; round < rounds; round++) {
  const out = join(work, `cairn-${round}`);
  const photos = execFileSync("sh", ["-c", `ls ${folder}/images/*`], { encoding: "utf8" })
    .trim()
    .split("\n");
  const bin = join(root, "packages/cli/bin/cairn.mjs");
  // COLMAP makes no dense points here either.
  const options = ["--preset", "sparse", "--out", out, "--camera-params", camera];
  const run = timed(process.execPath, [bin, "reconstruct", ...photos, ...options]);
  ours.push({ ...run, score: score(join(out, "images.txt")) });

  const db = join(work, `colmap-${round}.db`);
  const sparse = join(work, `sparse-${round}`);
  execFileSync("mkdir", ["-p", sparse]);
  const images = ["--image_path", join(folder, "images"), "--database_path", db];
  const fixed = ["focal_length", "extra_params", "principal_point"].flatMap((name) => [
    `--Mapper.ba_refine_${name}`,
    "0",
  ]);
  theirs.push({
    ...sum([
      timed("colmap", [
        "feature_extractor",
        ...images,
        "--ImageReader.single_camera",
        "1",
        "--ImageReader.camera_model",
        "PINHOLE",
        "--ImageReader.camera_params",
        camera,
        "--SiftExtraction.use_gpu",
        "0",
      ]),
      timed("colmap", ["exhaustive_matcher", "--database_path", db, "--SiftMatching.use_gpu", "0"]),
      timed("colmap", ["mapper", ...images, "--output_path", sparse, ...fixed]),
    ]),
    score: (() => {
      execFileSync(
        "colmap",
        ["model_converter", "--input_path", join(sparse, "0"), "--output_path", sparse, "--output_type", "TXT"],
        {
          env: { ...process.env, QT_QPA_PLATFORM: "offscreen" },
          stdio: "ignore",
        },
      );
      return score(join(sparse, "images.txt"));
    })(),
  });
}
console.log(machine());
for (const [name, runs] of [
  ["Cairn", ours],
  ["COLMAP", theirs],
]) {
  for (const run of runs) {
    console.log(
      `${name.padEnd(7)} CPU ${run.cpu.toFixed(1)} s, wall ${run.wall.toFixed(1)} s, peak ${run.peakMb.toFixed(0)} MB, ${run.score}`,
    );
  }
}
const cpu = (runs) => median(runs.map((run) => run.cpu));
const wall = (runs) => median(runs.map((run) => run.wall));
console.log(
  `Cairn / COLMAP: CPU ${(cpu(ours) / cpu(theirs)).toFixed(3)} (target 0.125), wall ${(wall(ours) / wall(theirs)).toFixed(3)}`,
);
rmSync(work, { recursive: true, force: true });
