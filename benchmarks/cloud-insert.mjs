/**
 * The octree alone: points a second through one thread, memory, and what each photo touches; then what an increment of
 * 100,000 points weighs on the wire and costs to encode.
 *
 *   node benchmarks/cloud-insert.mjs [--batches 100] [--points 100000] [--cap 4096] [--spacing 0.0039] [--json]
 */
import { parseArgs } from "node:util";
import { encodePack, encodeSegment, LEAF_CAP, nodeKey, Octree, planGrid } from "@cairn/cloud";
import { deflate, hashOf } from "@cairn/cloud/node";
import { cpuMs } from "./lib/cloud-layer.mjs";
import { HALL, hallPhoto, sevenScenes } from "./lib/point-sources.mjs";
import { machine, median } from "./support.mjs";

const { values } = parseArgs({
  options: {
    batches: { type: "string", default: "100" },
    points: { type: "string", default: "100000" },
    cap: { type: "string", default: String(LEAF_CAP) },
    spacing: { type: "string", default: String(1 / 256) },
    json: { type: "boolean", default: false },
  },
});
const [batches, points, cap, spacing] = ["batches", "points", "cap", "spacing"].map((name) => Number(values[name]));

const report = {
  machine: machine(),
  cap,
  insert: insertOnly(),
  hall: await encoded(hallBatches(30)),
  room: await encoded(roomBatches()),
};
if (values.json) console.log(JSON.stringify(report));
else print(report);

/** First, so that memory is that of the tree and of one batch. */
function insertOnly() {
  const tree = new Octree(planGrid([0, 0, 0], [HALL.width, HALL.depth, HALL.height], spacing), cap);
  const nodes = new Set();
  const touched = [];
  let [ms, merged, refused, depth] = [0, 0, 0, 0];
  for (let i = 0; i < batches; i++) {
    const batch = hallPhoto(i, points);
    const start = process.cpuUsage();
    const insertion = tree.insert(batch);
    ms += cpuMs(start);
    merged += insertion.merged;
    refused += insertion.refused;
    touched.push(insertion.segments.length);
    for (const { node } of insertion.segments) {
      nodes.add(nodeKey(node));
      depth = Math.max(depth, insertion.root.e - node.e);
    }
  }
  touched.sort((a, b) => a - b);
  return {
    given: batches * points,
    pointsPerCpuSecond: (batches * points) / (ms / 1000),
    kept: tree.kept,
    merged,
    refused,
    nodes: nodes.size,
    levels: depth + 1,
    touchedMedian: median(touched),
    touchedP95: touched[Math.floor(touched.length * 0.95)],
    peakMiB: process.resourceUsage().maxRSS / 1024,
  };
}

function* hallBatches(count) {
  for (let i = 0; i < count; i++) yield hallPhoto(i, 100_000);
}

/** Each frame of the room has about 72,000 points: one photo, one insertion. */
async function* roomBatches() {
  for await (const frame of sevenScenes({ pixelStep: 2, frames: 60 })) yield frame;
}

/** Packs, each with the CPU that its segments took; the second half counts: the tree is warm, and so is the machine. */
async function encoded(source) {
  let tree;
  const packs = [];
  for await (const batch of source) {
    tree ??= new Octree(planGrid([0, 0, 0], [HALL.width, HALL.depth, HALL.height], spacing), cap);
    const { root, segments, kept } = tree.insert(batch);
    const start = process.cpuUsage();
    const bytes = segments.map((segment) => encodeSegment(segment, deflate));
    const encodeMs = cpuMs(start);
    const pack = encodePack(root, bytes, hashOf);
    packs.push({ kept, encodeMs, segments: segments.length, sizeBytes: pack.bytes.length, headBytes: pack.headBytes });
  }
  const late = packs.slice(packs.length >> 1).filter(({ kept }) => kept > 0);
  const of = (fact) => median(late.map(fact));
  return {
    photos: late.length,
    kept: of(({ kept }) => kept),
    sizeBytes: of(({ sizeBytes }) => sizeBytes),
    bytesPerPoint: of(({ sizeBytes, kept }) => sizeBytes / kept),
    headBytes: of(({ headBytes }) => headBytes),
    segments: of(({ segments }) => segments),
    encodeMs: of(({ encodeMs }) => encodeMs),
    encodeMsPer100k: of(({ encodeMs, kept }) => (encodeMs / kept) * 100_000),
  };
}

function print({ machine, insert, hall, room }) {
  const million = (n) => `${(n / 1e6).toFixed(2)} M`;
  console.log(machine);
  console.log(`leaf cap ${cap}; hall, ${batches} photos of ${points} points, spacing ${spacing}`);
  console.log(
    `insert: ${million(insert.pointsPerCpuSecond)} points/s of CPU, peak memory ${insert.peakMiB.toFixed(0)} MiB`,
  );
  console.log(`kept ${insert.kept}, merged ${insert.merged}, refused ${insert.refused} of ${insert.given}`);
  console.log(
    `${insert.nodes} nodes in ${insert.levels} levels; a photo touches ${insert.touchedMedian} (p95 ${insert.touchedP95})`,
  );
  for (const [name, pack] of Object.entries({ "hall, 100,000 points": hall, "7-Scenes, a frame": room })) {
    const size = `${Math.round(pack.sizeBytes / 1000)} kB (${pack.bytesPerPoint.toFixed(2)} B a point kept)`;
    const head = `head ${pack.headBytes} B for ${pack.segments} segments`;
    const cpu = `encode ${pack.encodeMs.toFixed(0)} ms CPU (${pack.encodeMsPer100k.toFixed(0)} per 100,000)`;
    console.log(`${name}: ${pack.kept} kept, ${size}, ${head}, ${cpu}`);
  }
}
