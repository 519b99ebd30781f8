/**
 * The octree alone: points a second through one thread, memory, and what each photo touches; then what an increment of
 * 100,000 points weighs on the wire and costs to encode.
 *
 *   node benchmarks/cloud-insert.mjs [--batches 100] [--points 100000] [--cap 4096] [--spacing 0.0039] [--json]
 */
import { parseArgs } from "node:util";
import { encodePack, encodeSegment, LEAF_CAP, nodeKey, Octree, planGrid } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
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
  hall: await hallIncrements(),
  room: await roomIncrements(),
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

/** The last fifth of a long walk: what a photo adds to a model that is there. */
async function hallIncrements() {
  const grid = planGrid([0, 0, 0], [HALL.width, HALL.depth, HALL.height], spacing);
  const walk = function* () {
    for (let i = 0; i < 100; i++) yield hallPhoto(i, 100_000);
  };
  return increments(walk(), grid, 80);
}

/** The last third of a minute in a room that is seen again and again: half of each frame merges. */
async function roomIncrements() {
  return increments(sevenScenes({ pixelStep: 2, frames: 90 }), planGrid([-3, -2, 0.5], [4, 1.5, 4.5], spacing), 60);
}

async function increments(batches, grid, from) {
  const tree = new Octree(grid, cap);
  const packs = [];
  let number = 0;
  for await (const batch of batches) {
    const { root, segments, kept } = tree.insert(batch);
    if (number++ < from || kept === 0) continue;
    const start = process.cpuUsage();
    const bytes = segments.map((segment) => encodeSegment(segment));
    const encodeMs = cpuMs(start);
    const pack = encodePack(root, bytes, hashOf);
    const given = batch.positions.length / 3;
    packs.push({
      given,
      kept,
      encodeMs,
      segments: segments.length,
      sizeBytes: pack.bytes.length,
      headBytes: pack.headBytes,
    });
  }
  const of = (fact) => median(packs.map(fact));
  return {
    photos: packs.length,
    given: of(({ given }) => given),
    kept: of(({ kept }) => kept),
    sizeBytes: of(({ sizeBytes }) => sizeBytes),
    mostBytes: Math.max(...packs.map(({ sizeBytes }) => sizeBytes)),
    bytesPerPoint: of(({ sizeBytes, kept }) => sizeBytes / kept),
    headBytes: of(({ headBytes }) => headBytes),
    segments: of(({ segments }) => segments),
    encodeMs: of(({ encodeMs }) => encodeMs),
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
  for (const [name, pack] of Object.entries({ hall, "7-Scenes": room })) {
    const size = `${Math.round(pack.sizeBytes / 1000)} kB (most ${Math.round(pack.mostBytes / 1000)} kB)`;
    const head = `${pack.segments} segments, head ${pack.headBytes} B`;
    const points = `${pack.given} points, ${pack.kept} kept`;
    console.log(
      `increment, ${name}: ${points}: ${size}, ${pack.bytesPerPoint.toFixed(2)} B a point, ${head}, encode ${pack.encodeMs.toFixed(1)} ms CPU`,
    );
  }
}
