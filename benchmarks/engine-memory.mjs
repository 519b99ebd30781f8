/**
 * Hundreds of photos of one place: what the embedded engine holds in memory while they come and at its peak, with all
 * threads, how long all of it takes, and whether anything is merged wrongly.
 *
 *     node benchmarks/engine-memory.mjs [--photos 24] [--preset balanced] [--set fountain-P11] [--points]
 *                                       [--megapixels 12] [--cancel]
 *
 * Photos of the set come whole first; beyond them crops of the same photos, each at another place, whose poses are those
 * of their photos, so that there are as many as wanted. `--set sevenscenes-video`: that many frames of the handheld take,
 * evenly spread (by ffmpeg). A camera is wrong when it stands farther than 2 % of the extent from where it belongs
 * (`pose-errors.mjs`), of the handheld sets than 10 %. The end code is 1 where one is, or where a photo has no place.
 *
 * With `--points` the dense points of each photo are made as it comes, as on a server; without, only what is needed to
 * go on (as `cairn reconstruct` does). The rebuild at the end makes all points. With `--megapixels` each photo is a JPEG
 * of that size that a decoder's process reads, as on a server; its peak is told apart from the engine's, which gets
 * 1600 pixels on the long side whatever a photo had. 500 photos of 12 megapixels are to stay within 4 GB in all. With
 * `--cancel` rebuilds are cancelled in the middle of each of their stages before the one that counts; none is to go on for
 * more than two seconds.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "@cairn/geometry";
import { openImageDecoder } from "@cairn/images";
import { DECODE_SIDE_PX, openEmbeddedEngine } from "@cairn/reconstruct";
import sharp from "sharp";
import { knownCamera, openSet } from "./lib/photo-sets.mjs";
import { matrixOf, poseErrors } from "./lib/pose-errors.mjs";
import { dataset, machine } from "./support.mjs";

const { values: options } = parseArgs({
  options: {
    photos: { type: "string", default: "24" },
    preset: { type: "string", default: "balanced" },
    set: { type: "string", default: "fountain-P11" },
    points: { type: "boolean", default: false },
    megapixels: { type: "string" },
    cancel: { type: "boolean", default: false },
  },
});
const count = Number(options.photos);
const SMALLEST_CROP = 0.85;
const MIB = 2 ** 20;
/** A rebuild is cancelled so long after it has said that it is there: in the middle of what comes then. */
const CANCEL_AT = [
  ["matches", 1],
  ["refine", 0],
  ["refine", 1],
  ["refine", 3],
  ["depth", 3],
  ["fusion", 0],
];
const CANCEL_AFTER_MS = 300;
const BOUND_MIB = 4096;
const BOUND_S = 480;
/** Of sets whose truth has none, or a nominal one: the focal length that fits, pixels at a width of so many. */
const FOCALS = {
  brighton: { widthPx: 1600, focalPx: 1117.4 }, // COLMAP's; with GPS alone nobody knows better
  "sevenscenes-rgbd": { widthPx: 640, focalPx: 525 },
  "sevenscenes-video": { widthPx: 640, focalPx: 525 },
};
/** Of these the truth itself, by depth camera, is some centimetres of two metres off. */
const WRONG_SHARES = { "sevenscenes-rgbd": 0.1, "sevenscenes-video": 0.1 };

const temporary = mkdtempSync(join(tmpdir(), "cairn-many-"));
const decoder = options.megapixels ? openImageDecoder({ processes: 1 }) : undefined;
try {
  const source = options.set === "sevenscenes-video" ? frames() : wholeSet();
  console.log(`${machine()}, ${count} photos of ${options.set}, preset ${options.preset}`);
  const engine = await openEmbeddedEngine({ preset: options.preset });
  try {
    await measure(engine, source);
  } finally {
    await engine.close();
  }
} finally {
  await decoder?.close();
  rmSync(temporary, { recursive: true });
}

async function measure(engine, source) {
  let posed = 0;
  const beginMs = performance.now();
  const beginning = process.cpuUsage();
  let next = photoOf(source, 0);
  for (let index = 0; index < count; index++) {
    const adding = engine.add(await next, { points: options.points });
    // As on a server, the photo that waits is decoded and looked at meanwhile.
    if (index + 1 < count) {
      next = photoOf(source, index + 1).then((photo) => {
        engine.foresee(photo);
        return photo;
      });
    }
    const { verdicts } = await adding;
    posed += verdicts.filter(({ verdict, image }) => verdict === "registered" && image === `photo-${index}`).length;
    if (index === count - 1 || (index + 1) % Math.max(1, Math.floor(count / 8)) === 0) {
      const [now, peak] = [process.memoryUsage().rss, peakBytes()].map(mib);
      console.log(
        `${String(index + 1).padStart(5)} photos: ${seconds(performance.now() - beginMs)} s, ${now} MiB now, ${peak} at the peak`,
      );
    }
  }
  if (options.cancel) for (const [stage, done] of CANCEL_AT) await cancelled(engine, stage, done);
  const before = process.cpuUsage();
  const startMs = performance.now();
  const { cameras, points } = await engine.rebuild({ onProgress: told(startMs, before) });
  const rebuildMs = performance.now() - startMs;
  const cpuS = cpuSince(before);
  console.log(
    `rebuild: ${cameras.length} cameras, ${(points.positions.length / 3e6).toFixed(2)} M points, ${seconds(rebuildMs)} s wall, ${cpuS.toFixed(1)} s CPU`,
  );
  console.log(
    `in all ${seconds(performance.now() - beginMs)} s, ${cpuSince(beginning).toFixed(1)} s CPU (bound for 200 photos: ${BOUND_S} s)`,
  );
  const children = decoder ? `, ${mib(childrenPeakBytes())} MiB of the decoder's process` : "";
  console.log(`peak ${mib(peakBytes())} MiB${children} (bound ${BOUND_MIB}); ${posed} photos had a pose at once`);

  const truth = Array.from({ length: count }, (_, index) => ({ ...source.poseOf(index), image: `photo-${index}` }));
  const estimated = cameras.map(({ image, pose }) => ({ image, ...matrixOf(pose) }));
  const { placed, wrong, position, extent } = poseErrors(estimated, truth, {
    rotations: source.rotations,
    wrongShare: WRONG_SHARES[options.set],
  });
  const [mean, most] = [position.mean, position.max].map((each) => each.toPrecision(3));
  console.log(
    `placed ${placed} of ${count}, wrong ${wrong}; position mean ${mean} m, most ${most}; extent ${extent.toFixed(1)}`,
  );
  process.exitCode = wrong > 0 || placed < count ? 1 : 0;
}

/** Says when a rebuild comes to its stages and, of many photos, to each quarter of them, and what it holds then. */
function told(startMs, before) {
  let last = "";
  return (stage, done, total) => {
    const part = `${stage} ${Math.floor((4 * done) / Math.max(4, total)) * Math.ceil(total / 4)} of ${total}`;
    if (part === last) return;
    last = part;
    const [now, peak] = [process.memoryUsage().rss, peakBytes()].map(mib);
    const [wall, cpu] = [seconds(performance.now() - startMs), cpuSince(before).toFixed(1)];
    console.log(`  ${part.padEnd(20)} ${wall} s wall, ${cpu} s CPU, ${now} MiB now, ${peak} at the peak`);
  };
}

/** Tells how long a rebuild goes on after it was cancelled. */
async function cancelled(engine, stage, from) {
  const controller = new AbortController();
  let abortedMs;
  const abort = () => {
    abortedMs = performance.now();
    controller.abort();
  };
  let begun = false;
  const onProgress = (name, done) => {
    if (begun || name !== stage || done < from) return;
    begun = true;
    setTimeout(abort, CANCEL_AFTER_MS);
  };
  const ended = await engine.rebuild({ signal: controller.signal, onProgress }).then(
    () => "had ended before",
    ({ code }) => code,
  );
  const took = abortedMs === undefined ? "" : `, ${seconds(performance.now() - abortedMs)} s after`;
  console.log(`cancelled at ${stage} ${from}: ${ended}${took}`);
}

/** The photos of a set: their files, poses and calibration. */
function wholeSet() {
  const set = openSet(options.set);
  if (!set?.truth) {
    console.error(`SKIPPED: there is no set ${options.set} with known poses; set CAIRN_DATASETS`);
    process.exit(2);
  }
  const known = new Map(set.truth.poses.map((pose) => [pose.image, pose]));
  const names = set.names.filter((name) => known.has(name));
  return {
    files: names.map((name) => join(set.folder, name)),
    poseOf: (index) => known.get(names[index % names.length]),
    rotations: set.truth.rotations,
    lens: lensOf(FOCALS[options.set], knownCamera(set)),
  };
}

/** Frames of the handheld take: none is shown twice. */
function frames() {
  const home = dataset("sevenscenes-video");
  const { poses } = JSON.parse(readFileSync(join(home, "gt.json"), "utf8"));
  const step = Math.max(1, Math.floor(poses.length / count));
  // biome-ignore format: pairs
  execFileSync("ffmpeg", [
    "-v", "error", "-i", join(home, "handheld.mp4"), "-vf", `select='not(mod(n\\,${step}))'`, "-vsync", "vfr",
    "-q:v", "2", join(temporary, "%05d.jpg"),
  ]);
  return {
    files: readdirSync(temporary).map((name) => join(temporary, name)),
    poseOf: (index) => poses[index * step],
    rotations: true,
    lens: lensOf(FOCALS["sevenscenes-video"]),
  };
}

/** Focal lengths and principal point as parts of the photo's width. */
function lensOf(focal, camera) {
  if (!focal) return camera?.params.map((value) => value / camera.width);
  const part = focal.focalPx / focal.widthPx;
  return [part, part, 0.5, undefined];
}

async function photoOf({ files, lens }, index) {
  const random = seededRandom(index + 1);
  const file = files[index % files.length];
  const { width, height } = await sharp(file).metadata();
  const part = index < files.length ? 1 : SMALLEST_CROP + (1 - SMALLEST_CROP) * random();
  const crop = { width: Math.round(width * part), height: Math.round(height * part) };
  crop.left = Math.floor(random() * (width - crop.width + 1));
  crop.top = Math.floor(random() * (height - crop.height + 1));
  const picture = sharp(file).extract(crop).removeAlpha();
  const { rgb, ...size } = decoder ? await decodedOf(picture, crop) : await shrunk(picture);
  const [fx, fy, cx, cy] = lens.map((value, at) => (value === undefined && at === 3 ? height / 2 : value * width));
  const scale = size.widthPx / crop.width;
  const params = [fx, fy, cx - crop.left, cy - crop.top].map((value) => value * scale);
  const camera = { model: "PINHOLE", width: size.widthPx, height: size.heightPx, params };
  return { image: `photo-${index}`, name: file, digest: `${options.set} ${index}`, rgb, ...size, camera };
}

async function shrunk(picture) {
  const { data, info } = await picture
    .resize(DECODE_SIDE_PX, DECODE_SIDE_PX, { fit: "inside", withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const [widthPx, heightPx] = [info.width, info.height];
  return { rgb: new Uint8Array(data), widthPx, heightPx, fullWidthPx: widthPx, fullHeightPx: heightPx };
}

/** The same as a large JPEG, decoded as a server does it. */
async function decodedOf(picture, { width, height }) {
  const larger = Math.sqrt((Number(options.megapixels) * 1e6) / (width * height));
  const bytes = await picture
    .resize(Math.round(width * larger), Math.round(height * larger))
    .jpeg()
    .toBuffer();
  return decoder.decode(bytes, { maxSidePx: DECODE_SIDE_PX });
}

function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function mib(bytes) {
  return Math.round(bytes / MIB);
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}

function peakBytes() {
  return process.resourceUsage().maxRSS * 1024;
}

/** Peaks of this process's children, added up (Linux). */
function childrenPeakBytes() {
  let sum = 0;
  for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${id}/status`, "utf8");
      if (Number(/PPid:\s+(\d+)/.exec(status)?.[1]) !== process.pid) continue;
      sum += 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}
