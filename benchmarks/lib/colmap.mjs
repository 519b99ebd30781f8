/** COLMAP (Debian's package) on a set's photos: SIFT on the CPU, exhaustive matching, the mapper; what each stage cost. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poseFromQuaternion } from "@cairn/geometry";

const env = { ...process.env, QT_QPA_PLATFORM: "offscreen" };

export function colmapInstalled() {
  return spawnSync("colmap", ["help"], { stdio: "ignore", env }).status === 0;
}

/**
 * @param camera PINHOLE parameters to hold fixed; without, one SIMPLE_RADIAL camera is found
 * @returns poses of the largest model, and CPU (of all threads) and wall seconds by stage
 */
export function runColmap({ folder, names }, camera) {
  const work = mkdtempSync(join(tmpdir(), "cairn-colmap-"));
  try {
    const images = ["--image_path", folder, "--database_path", join(work, "database.db")];
    const sparse = join(work, "sparse");
    mkdirSync(sparse);
    const model = camera ? ["PINHOLE", "--ImageReader.camera_params", camera.params.join(",")] : ["SIMPLE_RADIAL"];
    const fixed = ["focal_length", "extra_params", "principal_point"].flatMap((name) => [
      `--Mapper.ba_refine_${name}`,
      "0",
    ]);
    const stages = {
      features: timed(work, [
        "feature_extractor",
        ...images,
        "--ImageReader.single_camera",
        "1",
        "--ImageReader.camera_model",
        ...model,
        "--SiftExtraction.use_gpu",
        "0",
      ]),
      matches: timed(work, ["exhaustive_matcher", "--database_path", images[3], "--SiftMatching.use_gpu", "0"]),
      placing: timed(work, ["mapper", ...images, "--output_path", sparse, ...(camera ? fixed : [])]),
    };
    const models = readdirSync(sparse).map((name) => readModel(join(sparse, name)));
    const largest = models.reduce((best, each) => (each.poses.length > best.poses.length ? each : best), {
      poses: [],
      points: 0,
    });
    return { ...largest, photos: names.length, stages };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** CPU and wall seconds and peak memory of one process, children included. */
function timed(work, args) {
  const log = join(work, "time");
  const { status, stderr } = spawnSync("/usr/bin/time", ["-o", log, "-f", "%U %S %e %M", "colmap", ...args], {
    encoding: "utf8",
    env,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`colmap ${args[0]}: ${stderr.slice(-2000)}`);
  const [user, system, wall, peakKb] = readFileSync(log, "utf8").trim().split("\n").at(-1).split(" ").map(Number);
  return { cpuS: user + system, wallS: wall, peakMb: peakKb / 1024 };
}

function readModel(folder) {
  spawnSync("colmap", ["model_converter", "--input_path", folder, "--output_path", folder, "--output_type", "TXT"], {
    env,
    stdio: "ignore",
  });
  if (!existsSync(join(folder, "images.txt"))) return { poses: [], points: 0 };
  const lines = readFileSync(join(folder, "images.txt"), "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  const poses = [];
  for (let i = 0; i < lines.length; i += 2) {
    const words = lines[i].trim().split(/\s+/);
    if (words.length < 10) continue;
    const numbers = words.slice(1, 8).map(Number);
    poses.push(poseOf(words.slice(9).join(" "), numbers.slice(0, 4), numbers.slice(4)));
  }
  const points = readFileSync(join(folder, "points3D.txt"), "utf8").split("\n");
  return { poses, points: points.filter((line) => line && !line.startsWith("#")).length };
}

/** A pose as the benchmarks compare them. @param rotation w, x, y, z, world→camera */
export function poseOf(image, rotation, translation) {
  const pose = poseFromQuaternion(rotation, translation);
  return { image, R: [0, 1, 2, 4, 5, 6, 8, 9, 10].map((i) => pose[i]), t: [pose[3], pose[7], pose[11]] };
}
