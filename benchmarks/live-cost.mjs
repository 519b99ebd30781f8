/**
 * What one more photo costs, stage by stage, as a space grows: the engine's core on one thread, so that CPU seconds
 * can be told apart.
 *
 *   node benchmarks/live-cost.mjs [SEQUENCE] [--photos N] [--features N] [--known] [--rebuild-every N]
 *
 * SEQUENCE: `street` (features alone, of a place made up; up to 1,000 photos; the default), `video` (frames of
 * sevenscenes-video, extracted by ffmpeg: 200 by default), or a folder of `../shared/datasets` with `images/`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { DECODE_SIDE_PX } from "@cairn/reconstruct";
import sharp from "sharp";
import { EngineCore } from "../packages/reconstruct/dist/embedded/engine-core.js";
import { openExtractor } from "../packages/reconstruct/dist/features/extractor.js";
import { openMatcher } from "../packages/reconstruct/dist/features/matcher.js";
import { findSegments } from "../packages/reconstruct/dist/features/segments.js";
import { answerTwoView } from "../packages/reconstruct/dist/mapper/two-view.js";
import { street } from "./lib/street.mjs";
import { dataset, machine } from "./support.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    photos: { type: "string" },
    features: { type: "string" },
    known: { type: "boolean" },
    "rebuild-every": { type: "string" },
  },
});
const sequence = positionals[0] ?? "street";
const rebuildEvery = Number(options["rebuild-every"] ?? Number.POSITIVE_INFINITY);
const EDGES = [2, 20, 50, 100, 200, 500, 1000];

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Photos one by one; `extract` stands in for the kernel where there are no pictures. */
async function* photosOf() {
  if (sequence === "street") {
    const { photos, featuresOf } = street(Number(options.photos ?? 200), Number(options.features ?? 4000));
    for (const [index, photo] of photos.entries()) yield { photo, features: featuresOf(index) };
    return;
  }
  const temporary = sequence === "video" ? frames(Number(options.photos ?? 200)) : undefined;
  try {
    const folder = temporary ?? join(dataset(sequence), "images");
    const files = readdirSync(folder)
      .sort()
      .slice(0, Number(options.photos ?? Number.POSITIVE_INFINITY));
    const camera = options.known ? cameraOf(dataset(sequence === "video" ? "sevenscenes-video" : sequence)) : {};
    for (const name of files) yield { photo: { ...(await decode(join(folder, name))), ...camera } };
  } finally {
    if (temporary) rmSync(temporary, { recursive: true });
  }
}

function frames(count) {
  const folder = mkdtempSync(join(tmpdir(), "cairn-frames-"));
  const video = join(dataset("sevenscenes-video"), "handheld.mp4");
  const step = Math.max(1, Math.floor(1000 / count));
  const filter = `select='not(mod(n\\,${step}))'`;
  try {
    execFileSync("ffmpeg", [
      "-v",
      "error",
      "-i",
      video,
      "-vf",
      filter,
      "-vsync",
      "vfr",
      "-q:v",
      "2",
      join(folder, "%04d.jpg"),
    ]);
  } catch (error) {
    rmSync(folder, { recursive: true });
    console.error(`SKIPPED: ffmpeg cannot read ${video}: ${error.message}`);
    process.exit(2);
  }
  return folder;
}

function cameraOf(folder) {
  const file = join(folder, "gt.json");
  const K = existsSync(file) && JSON.parse(readFileSync(file, "utf8")).poses[0].K;
  if (!K) return {};
  const { width, height } = JSON.parse(readFileSync(file, "utf8")).poses[0];
  return { camera: { model: "PINHOLE", width, height, params: [K[0], K[4], K[2] + 0.5, K[5] + 0.5] } };
}

async function decode(file) {
  const { data, info } = await sharp(file)
    .rotate()
    .resize(DECODE_SIDE_PX, DECODE_SIDE_PX, { fit: "inside", withoutEnlargement: true })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
  return { image: file, name: basename(file), rgb: new Uint8Array(data), digest: file, ...size };
}

const extractor = openExtractor();
const matcher = openMatcher();
let ready;
const kernels = {
  extract: async (rgb, width, height, how) => ready ?? extractor.extract(rgb, width, height, how),
  segments: async (...picture) => findSegments(...picture),
  matchMany: async (a, others, how) => others.map((other) => matcher.match(a, other, how)),
  verifyMany: async (questions) => questions.map((question) => question && answerTwoView(question)),
  close: async () => {},
};
const core = new EngineCore(kernels, 1);
/** Per photo, milliseconds by stage. */
const costs = [];
const rebuilds = [];
const copies = new Map();
let placed = 0;
const waiting = new Set();
for await (const { photo, features } of photosOf()) {
  ready = features;
  const cost = new Map();
  let stage = "handing out";
  let since = cpuMs();
  const enter = (next) => {
    const now = cpuMs();
    cost.set(stage, (cost.get(stage) ?? 0) + now - since);
    stage = next;
    since = now;
  };
  const job = { stop() {}, progress() {}, stage: enter };
  const { step } = await core.add(photo, undefined, job);
  enter("");
  costs.push(cost);
  for (const { image, verdict } of step.verdicts) {
    if (verdict === "registered") waiting.delete(image);
    else waiting.add(image);
  }
  placed = costs.length - waiting.size;
  if (costs.length % rebuildEvery === 0) {
    const before = cpuMs();
    await core.rebuild({ stop() {}, progress() {} });
    rebuilds.push({ photos: costs.length, ms: cpuMs() - before });
  }
  if (EDGES.includes(costs.length)) {
    const before = cpuMs();
    core.model();
    copies.set(costs.length, cpuMs() - before);
  }
}

const spans = EDGES.slice(1).map((to, i) => ({ from: i === 0 ? 0 : EDGES[i], to: Math.min(to, costs.length) }));
const used = spans.filter(({ from, to }) => to > from);
const stages = [...new Set(costs.flatMap((cost) => [...cost.keys()]))].filter((name) => name !== "");
const at = (values, part) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))];
const row = (name, values) => console.log(`| ${[name, ...values].join(" | ")} |`);
const whole = (cost) => [...cost.values()].reduce((sum, ms) => sum + ms, 0);

console.log(
  `${machine()}\n${sequence}: ${placed} of ${costs.length} photos placed; CPU ms a photo, mean of each span\n`,
);
row(
  "photos",
  used.map(({ from, to }) => `${from + 1}–${to}`),
);
row(
  "---",
  used.map(() => "---"),
);
for (const stage of stages) {
  row(
    stage,
    used.map(({ from, to }) => {
      const part = costs.slice(from, to);
      return (part.reduce((sum, cost) => sum + (cost.get(stage) ?? 0), 0) / part.length).toFixed(1);
    }),
  );
}
for (const [name, part] of [
  ["all: median", 0.5],
  ["all: p95", 0.95],
  ["all: most", 1],
]) {
  row(
    name,
    used.map(({ from, to }) => at(costs.slice(from, to).map(whole), part).toFixed(0)),
  );
}
row(
  "copy of the model, when asked for",
  used.map(({ to }) => copies.get(to)?.toFixed(0) ?? "–"),
);
for (const { photos, ms } of rebuilds) console.log(`rebuild of ${photos}: ${(ms / 1000).toFixed(1)} s CPU`);
console.log(
  `in all ${(costs.reduce((sum, cost) => sum + whole(cost), 0) / 1000).toFixed(1)} s CPU, peak ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
);
