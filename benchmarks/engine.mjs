/**
 * The embedded engine on photos with known cameras: one line for each set, order of arrival and calibration.
 *
 *     node benchmarks/engine.mjs [--sets fountain-P11,castle-P19] [--orders file,reversed] [--shuffles 20]
 *                                [--calibrations known,exif,unknown] [--seed 1] [--stranger PHOTO] [--colmap] [--json]
 *                                [--every 2] [--side 1000] [--change half,coarse]
 *
 * Photos are given one at a time with a rebuild after every tenth and a thorough one at the end, as `cairn serve` does. Features are
 * kept in memory between the runs of a set: their cost is in the first run of each set alone. Positions are in metres,
 * or in % of the extent where the truth has no scale; `wrong` counts cameras in a wrong place (see `pose-errors.mjs`).
 * CPU is that of all threads, decoding aside; by stage: features, matches (with those that a rebuild adds), placing,
 * refining (rebuilds). Peak memory is the whole process without the decoded photos that are held here.
 * `--every` leaves photos out, `--side` makes them smaller, and sets joined by `+` are taken as one: the place that most
 * cameras are of is judged then, and cameras of any other count as wrong. `--change` makes photos difficult in the ways of
 * `lib/photo-changes.mjs`, one after the other; nobody knows their calibration then.
 * `focal`: what was found and one standard deviation; `uncertain` where the engine does not vouch for it. `doubts`: what it
 * says of the whole model; one without any is vouched for.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { colmapInstalled, poseOf, runColmap } from "./lib/colmap.mjs";
import { changed } from "./lib/photo-changes.mjs";
import { inOrder, knownCamera, openSet, readPhotos } from "./lib/photo-sets.mjs";
import { poseErrors } from "./lib/pose-errors.mjs";
import { machine, median } from "./support.mjs";

const { values: options } = parseArgs({
  options: {
    sets: { type: "string", default: "fountain-P11,Herz-Jesus-P8,castle-P19,sceaux,brighton,nle_tower" },
    orders: { type: "string", default: "file,reversed" },
    shuffles: { type: "string", default: "0" },
    calibrations: { type: "string", default: "known,exif,unknown" },
    seed: { type: "string", default: "1" },
    stranger: { type: "string" },
    colmap: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    every: { type: "string", default: "1" },
    side: { type: "string" },
    change: { type: "string", default: "" },
  },
});
const REBUILD_EVERY = 10;
/** Stages as the engine reports them, and as the table has them. */
const STAGES = { features: "features", matches: "matches", slants: "matches", placing: "placing", refine: "refining" };
const NAMES = [...new Set(Object.values(STAGES))];
const COLUMNS = [
  ["set", ({ set }) => set],
  ["order", ({ order }) => order],
  ["calibration", ({ calibration }) => calibration],
  ["placed", ({ placed, images }) => `${placed}/${images}`],
  ["wrong", ({ errors }) => errors?.wrong ?? "–"],
  ["position mean / median / max", ({ errors, unit }) => positions(errors, unit)],
  ["rotation °", ({ errors }) => (errors?.rotation ? errors.rotation.mean.toFixed(3) : "–")],
  ["AUC@1/3/5/10", ({ errors }) => areas(errors)],
  ["focal px", ({ focal }) => focalText(focal)],
  ["doubts", ({ doubts }) => (doubts?.length ? doubts.join(" ") : "–")],
  ["points", ({ points }) => points],
  ["CPU s", ({ stages }) => total(stages, "cpuS").toFixed(1)],
  ["of it", ({ stages }) => NAMES.map((name) => (stages[name]?.cpuS ?? 0).toFixed(1)).join(" + ")],
  ["wall s", ({ stages }) => total(stages, "wallS").toFixed(1)],
  ["peak MB", ({ peakMb }) => peakMb.toFixed(0)],
];

const sum = (values) => values.reduce((all, value) => all + value, 0);
const total = (stages, what) => sum(Object.values(stages).map((stage) => stage[what]));

function positions(errors, unit) {
  if (!errors?.position) return "–";
  const { mean, median: middle, max } = errors.position;
  if (unit === "%")
    return `${[mean, middle, max].map((each) => ((100 * each) / errors.extent).toFixed(3)).join(" / ")} %`;
  return [mean, middle, max].map((each) => each.toFixed(4)).join(" / ");
}

function areas(errors) {
  return errors?.auc
    ? Object.values(errors.auc)
        .map((area) => area.toFixed(1))
        .join(" / ")
    : "–";
}

function focalText(focal) {
  if (!focal) return "–";
  const found = `${focal.focalPx.toFixed(1)} ± ${focal.sigmaPx.toFixed(1)}`;
  return focal.certain ? found : `${found} uncertain`;
}

/** Charges CPU and wall time to the stage at work, as the engine's progress tells it. */
class Stages {
  taken = Object.fromEntries(NAMES.map((name) => [name, { cpuS: 0, wallS: 0 }]));
  #name = "placing";
  #cpu = process.cpuUsage();
  #wallMs = performance.now();

  enter(stage) {
    const { user, system } = process.cpuUsage(this.#cpu);
    const taken = this.taken[this.#name];
    taken.cpuS += (user + system) / 1e6;
    taken.wallS += (performance.now() - this.#wallMs) / 1000;
    this.#cpu = process.cpuUsage();
    this.#wallMs = performance.now();
    this.#name = STAGES[stage] ?? this.#name;
  }
}

/** Peak memory of this process since the last call (Linux). */
function resetPeak() {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Not allowed here: the peak is then that of the whole process so far.
  }
}

function peakMb() {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line[1]) / 1024;
}

function lensOf(photo, set, calibration) {
  if (calibration === "known") return { camera: knownCamera(set) };
  return calibration === "exif" && photo.exifFocalPx !== undefined ? { focalPx: photo.exifFocalPx } : {};
}

async function run(set, photos, order, calibration, cache) {
  const heldMb = sum(photos.map(({ rgb }) => rgb.length)) / 2 ** 20;
  globalThis.gc?.();
  resetPeak();
  const engine = await openEmbeddedEngine({ seed: Number(options.seed), cache, preset: "sparse" });
  const clock = new Stages();
  const onProgress = (stage) => clock.enter(stage);
  try {
    let sinceRebuild = 0;
    let result;
    const arriving = inOrder(
      photos.filter(({ stranger }) => !stranger),
      order,
    );
    arriving.splice(3, 0, ...photos.filter(({ stranger }) => stranger));
    for (const { exifFocalPx, stranger, ...photo } of arriving) {
      await engine.add({ ...photo, ...lensOf({ exifFocalPx }, set, calibration) }, { onProgress });
      clock.enter("placing");
      result = undefined;
      if (++sinceRebuild < REBUILD_EVERY) continue;
      result = await engine.rebuild({ onProgress });
      clock.enter("placing");
      sinceRebuild = 0;
    }
    // As where no more photos come: what the last one left is looked at again.
    if (!result || result.thoroughAdvised) result = await engine.rebuild({ onProgress, thorough: true });
    clock.enter("placing");
    const poses = result.cameras.map(({ image, pose }) => poseOf(image, pose.rotation, pose.translation));
    return {
      ...judged(set, order, calibration, poses, photos.length),
      focal: engine.focal(),
      doubts: result.doubts ?? [],
      points: result.points.positions.length / 3,
      stages: clock.taken,
      peakMb: peakMb() - heldMb,
    };
  } finally {
    await engine.close();
  }
}

function judged(set, order, calibration, poses, images) {
  const of = ({ images: own }) => poses.filter(({ image }) => own.includes(image)).length;
  const [{ truth, images: own }] = [...set.places].sort((p, q) => of(q) - of(p));
  const errors = truth && poseErrors(poses, truth.poses, { rotations: truth.rotations });
  if (errors) errors.wrong = (errors.wrong ?? 0) + poses.filter(({ image }) => !own.includes(image)).length;
  return {
    set: set.name,
    order,
    calibration,
    images,
    placed: poses.length,
    ...(errors && { unit: truth.unit, errors }),
  };
}

function colmapRow(set, calibration) {
  const { poses, points, photos, stages } = runColmap(set, calibration === "known" ? knownCamera(set) : undefined);
  const peak = Math.max(...Object.values(stages).map((stage) => stage.peakMb));
  return { ...judged(set, "COLMAP", calibration, poses, photos), points, stages, peakMb: peak };
}

/** What a set's orders have in common with one calibration: the worst of each. */
function summaryOf(rows) {
  const [{ set, calibration, unit }] = rows;
  const means = rows.flatMap(({ errors }) => errors?.position?.mean ?? []);
  const scaled = means.map((mean) => (unit === "%" ? (100 * mean) / rows[0].errors.extent : mean));
  const auc = rows.flatMap(({ errors }) => errors?.auc?.[1] ?? []);
  const vouched = ({ doubts }) => doubts.length === 0;
  return {
    set,
    calibration,
    orders: rows.length,
    complete: rows.filter(({ placed, images }) => placed === images).length,
    wrong: rows.filter(({ errors }) => errors?.wrong > 0).length,
    wrongVouchedFor: rows.filter((row) => row.errors?.wrong > 0 && vouched(row)).length,
    doubted: rows.filter((row) => !vouched(row)).length,
    position: scaled.length ? `${median(scaled).toFixed(4)} / ${Math.max(...scaled).toFixed(4)} ${unit}` : "–",
    auc1: auc.length ? `${median(auc).toFixed(1)} / ${Math.min(...auc).toFixed(1)}` : "–",
  };
}

const line = (cells) => `| ${cells.join(" | ")} |`;
const say = options.json ? () => {} : (text) => console.log(text);
const orders = [...options.orders.split(",").filter(Boolean)];
for (let seed = 1; seed <= Number(options.shuffles); seed++) orders.push(`shuffle-${seed}`);
if (options.colmap && !colmapInstalled()) {
  console.error("SKIPPED: colmap is not installed (apt-get install colmap)");
  process.exit(2);
}

const rows = [];
say(machine());
say(`\n${line(COLUMNS.map(([title]) => title))}\n${line(COLUMNS.map(() => "---"))}`);
for (const name of options.sets.split(",")) {
  const set = openSet(name, { every: Number(options.every) });
  if (!set) {
    say(line([name, "SKIPPED: not found; set CAIRN_DATASETS"]));
    continue;
  }
  const asTaken = await readPhotos(set, { ...(options.side && { maxSidePx: Number(options.side) }) });
  const photos = await changed(asTaken, options.change.split(",").filter(Boolean), knownCamera(set)?.params[0]);
  if (options.stranger) {
    const place = { folder: dirname(options.stranger), names: [basename(options.stranger)] };
    photos.push(
      ...(await readPhotos({ places: [place] })).map((photo) => ({ ...photo, image: "stranger", stranger: true })),
    );
  }
  const kept = new Map();
  const cache = { get: async (key) => kept.get(key), put: async (key, bytes) => void kept.set(key, bytes) };
  for (const calibration of options.calibrations.split(",")) {
    if (calibration === "known" && (!knownCamera(set) || options.change)) continue;
    if (calibration === "exif" && photos.every(({ exifFocalPx }) => exifFocalPx === undefined)) continue;
    const add = (row) => {
      rows.push(row);
      say(line(COLUMNS.map(([, cell]) => cell(row))));
    };
    for (const order of orders) add(await run(set, photos, order, calibration, cache));
    if (options.colmap && set.places.length === 1) add(colmapRow(set, calibration));
  }
}
const groups = new Map();
for (const row of rows) {
  if (row.order === "COLMAP") continue;
  const key = `${row.set} ${row.calibration}`;
  groups.set(key, [...(groups.get(key) ?? []), row]);
}
const summaries = [...groups.values()].map(summaryOf);
if (options.json) console.log(JSON.stringify({ machine: machine(), rows, summaries }, undefined, 1));
const SUMMARY = [
  ["set", "set"],
  ["calibration", "calibration"],
  ["orders", "orders"],
  ["all placed in", "complete"],
  ["wrong in", "wrong"],
  ["of these vouched for", "wrongVouchedFor"],
  ["doubted in", "doubted"],
  ["position mean: median / worst order", "position"],
  ["AUC@1: median / worst order", "auc1"],
];
say(`\n${line(SUMMARY.map(([title]) => title))}\n${line(SUMMARY.map(() => "---"))}`);
for (const summary of summaries) say(line(SUMMARY.map(([, key]) => summary[key])));
