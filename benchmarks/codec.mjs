/**
 * The segment codec beside Draco, meshoptimizer + deflate and base64 PLY on real points, interleaved in one run; and
 * what one photo costs on the wire while a cloud grows. CPU is of the whole process, user and system. Everything starts
 * from float positions and ends in what a renderer takes: floats of Draco and PLY, integers that the GPU scales of the others.
 *
 *   node benchmarks/codec.mjs [--reps 5] [--json]
 */
import { parseArgs } from "node:util";
import { decodeSegment, encodePack, encodeSegment, Octree, planGrid } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { base64Ply, cairn, cairnCompacted, draco, meshopt } from "./lib/point-codecs.mjs";
import { autzen, hallPhoto, sevenScenes } from "./lib/point-sources.mjs";
import { machine, median } from "./support.mjs";

const { values } = parseArgs({
  options: { reps: { type: "string", default: "5" }, json: { type: "boolean", default: false } },
});
const reps = Number(values.reps);
const codecs = [cairn, cairnCompacted, draco, meshopt, base64Ply];
const BITS = 12;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** The `count` points nearest to the one in the middle of the file, by the larger of the distances on the axes. */
function regionOf({ positions, colors }, count) {
  const n = positions.length / 3;
  const seed = (n >> 1) * 3;
  const distances = new Float32Array(n);
  for (let i = 0; i < n; i++)
    for (let axis = 0; axis < 3; axis++)
      distances[i] = Math.max(distances[i], Math.abs(positions[3 * i + axis] - positions[seed + axis]));
  const reach = Float32Array.from(distances).sort()[count - 1];
  const chosen = [];
  for (let i = 0; i < n && chosen.length < count; i++) if (distances[i] <= reach) chosen.push(i);
  const pick = (from, to) => {
    for (const [at, i] of chosen.entries()) for (let k = 0; k < 3; k++) to[3 * at + k] = from[3 * i + k];
    return to;
  };
  return inCube({
    positions: pick(positions, new Float32Array(count * 3)),
    colors: pick(colors, new Uint8Array(count * 3)),
  });
}

/** With the smallest cube around the points, cut in 2^12 steps. */
function inCube({ positions, colors }) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i++) {
    low[i % 3] = Math.min(low[i % 3], positions[i]);
    high[i % 3] = Math.max(high[i % 3], positions[i]);
  }
  const edge = Math.max(...high.map((value, axis) => value - low[axis]));
  return { positions, colors, low, step: edge / (2 ** BITS - 1), bits: BITS };
}

/** Throws when points are lost, moved by more than half a step (and what a float rounds), or coloured otherwise. */
function check(codec, cloud, bytes) {
  const decoded = codec.decode(bytes);
  const back = { colors: decoded.colors, positions: decoded.positions ?? floatsOf(decoded, cloud) };
  const sum = (array) => array.reduce((total, value) => total + value, 0);
  if (back.positions.length !== cloud.positions.length) throw new Error(`${codec.name} lost points`);
  for (let channel = 0; channel < 3; channel++) {
    const of = (colors) => sum(colors.filter((_, i) => i % 3 === channel));
    if (of(back.colors) !== of(cloud.colors)) throw new Error(`${codec.name} changed colours`);
    const sorted = (positions) => positions.filter((_, i) => i % 3 === channel).sort();
    const [a, b] = [sorted(back.positions), sorted(cloud.positions)];
    if (a.some((value, i) => Math.abs(value - b[i]) > cloud.step * 0.51)) throw new Error(`${codec.name} moved points`);
  }
}

function floatsOf({ coords, stride }, { positions, low, step }) {
  const at = (i) => coords[Math.floor(i / 3) * stride + (i % 3)];
  return Float32Array.from({ length: positions.length }, (_, i) => low[i % 3] + at(i) * step);
}

/** @param clouds encoded one by one, counted together @returns for each codec bytes and CPU ms per million points */
function compare(clouds, runs = reps) {
  const points = clouds.reduce((sum, { positions }) => sum + positions.length / 3, 0);
  const rows = codecs.map((codec) => ({ codec, bytes: 0, encode: [], decode: [] }));
  const inner = Math.max(1, Math.ceil(40_000 / points));
  for (let rep = 0; rep <= runs; rep++) {
    for (const row of rows) {
      let encoded = [];
      const start = cpuMs();
      for (let k = 0; k < inner; k++) encoded = clouds.map((cloud) => row.codec.encode(cloud));
      const middle = cpuMs();
      for (let k = 0; k < inner; k++) for (const bytes of encoded) row.codec.decode(bytes);
      const end = cpuMs();
      if (rep === 0) {
        row.bytes = encoded.reduce((sum, { length }) => sum + length, 0); // and what comes first warms up
        for (const [i, bytes] of encoded.entries()) check(row.codec, clouds[i], bytes);
      } else {
        row.encode.push(((middle - start) / inner / points) * 1e6);
        row.decode.push(((end - middle) / inner / points) * 1e6);
      }
    }
  }
  return rows.map(({ codec, bytes, encode, decode }) => ({
    codec: codec.name,
    points,
    bytesPerPoint: bytes / points,
    encodeMsPerMillion: median(encode),
    decodeMsPerMillion: median(decode),
  }));
}

/** Nodes of a grown tree as they are once compacted: all parts of a node as one. */
function tilesOf(photos, spacing) {
  const [first] = photos;
  const { low } = inCube(first);
  const { step } = inCube(first);
  const grid = planGrid(
    low,
    low.map((value) => value + step * 4095),
    spacing,
  );
  const tree = new Octree(grid);
  const nodes = new Map();
  for (const photo of photos) {
    for (const part of tree.insert(photo).segments) {
      const key = JSON.stringify(part.node);
      nodes.set(key, [...(nodes.get(key) ?? []), part]);
    }
  }
  return [...nodes.values()].map((parts) => {
    const { node, bits } = parts[0];
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    const step = 1; // in steps of the node: all integers, the same for all codecs
    const positions = Float32Array.from(parts.flatMap(({ coords }) => [...coords]));
    const colors = Uint8Array.from(parts.flatMap((part) => [...part.colors]));
    return { node, count, bits, low: [0, 0, 0], step, positions, colors };
  });
}

/** Photos into a growing tree: what each insertion takes as a pack, head and all. */
function grow(name, photos, spacing) {
  const { low, step } = inCube(photos[0]);
  const tree = new Octree(
    planGrid(
      low,
      low.map((value) => value + step * 4095),
      spacing,
    ),
  );
  const rows = [];
  for (const photo of photos) {
    const { root, segments, kept } = tree.insert(photo);
    const start = cpuMs();
    const encoded = segments.map((segment) => encodeSegment(segment));
    const middle = cpuMs();
    for (const bytes of encoded) decodeSegment(bytes);
    const end = cpuMs();
    const { bytes } = encodePack(root, encoded, hashOf);
    const per = 1e5 / kept;
    rows.push({
      kept,
      segments: segments.length,
      bytes: bytes.length * per,
      encodeMs: (middle - start) * per,
      decodeMs: (end - middle) * per,
    });
  }
  const later = rows.slice(rows.length >> 1); // the tree has grown, the code is warm
  const of = (key) => later.map((row) => row[key]);
  return {
    name,
    keptPerPhoto: Math.round(median(of("kept"))),
    segmentsPerPhoto: median(of("segments")),
    kB: median(of("bytes")) / 1000,
    mostKB: Math.max(...of("bytes")) / 1000,
    encodeMs: median(of("encodeMs")),
    mostEncodeMs: Math.max(...of("encodeMs")),
    decodeMs: median(of("decodeMs")),
  };
}

const frames = [];
for await (const frame of sevenScenes({ pixelStep: 1, frames: 48 })) frames.push(frame);
const lidar = autzen();
const sources = [
  ["autzen", lidar],
  ["7-Scenes", frames[40]],
];
const sizes = [5_000, 50_000, 200_000];
const cases = sources.flatMap(([name, source]) =>
  sizes.map((size) => ({ name: `${name} ${size / 1000}k`, clouds: [regionOf(source, size)] })),
);
const every = (photo, step) => ({
  positions: photo.positions.filter((_, i) => Math.floor(i / 3) % step === 0),
  colors: photo.colors.filter((_, i) => Math.floor(i / 3) % step === 0),
  photos: photo.photos,
});
const fullTiles = (tiles) => tiles.filter(({ count }) => count >= 2000).slice(0, 40);
cases.push(
  { name: "autzen tiles", clouds: fullTiles(tilesOf([lidar])) },
  { name: "7-Scenes tiles", clouds: fullTiles(tilesOf(frames.slice(0, 10), 0.004)) },
);

compare(cases[0].clouds, 20); // warms up: what a server or a worker pays once is not what points cost
const results = cases.map(({ name, clouds }) => {
  const rows = compare(clouds);
  const [ours] = rows;
  if (!values.json) {
    console.log(
      `\n${name}: ${clouds.length === 1 ? "one segment" : `${clouds.length} segments`}, ${ours.points} points`,
    );
    console.table(
      Object.fromEntries(
        rows.map(({ codec, bytesPerPoint, encodeMsPerMillion, decodeMsPerMillion }) => [
          codec,
          {
            "B/point": bytesPerPoint.toFixed(3),
            "encode ms/M": encodeMsPerMillion.toFixed(0),
            "decode ms/M": decodeMsPerMillion.toFixed(0),
            "ours: size": (ours.bytesPerPoint / bytesPerPoint).toFixed(3),
            encode: (ours.encodeMsPerMillion / encodeMsPerMillion).toFixed(2),
            decode: (ours.decodeMsPerMillion / decodeMsPerMillion).toFixed(2),
          },
        ]),
      ),
    );
  }
  return { name, rows };
});
const mean = (of) => Math.exp(results.reduce((sum, result) => sum + Math.log(of(result)), 0) / results.length);
const summary = [cairn, cairnCompacted].flatMap((ours, mine) =>
  [draco, meshopt, base64Ply].map(({ name }, i) => {
    const ratio = (what) => mean(({ rows }) => rows[mine][what] / rows[i + 2][what]);
    const [size, encode, decode] = ["bytesPerPoint", "encodeMsPerMillion", "decodeMsPerMillion"].map(ratio);
    return { ours: ours.name, against: name, size, encode, decode };
  }),
);
const growth = [
  grow(
    "hall, 100,000 points a photo",
    Array.from({ length: 40 }, (_, i) => hallPhoto(i, 100_000)),
  ),
  grow(
    "7-Scenes, a third of the pixels",
    frames.map((frame) => every(frame, 3)),
    0.002,
  ),
];
if (values.json) {
  console.log(JSON.stringify({ machine: machine(), results, summary, growth }));
} else {
  console.log("\ngeometric mean of all, ours by theirs");
  console.table(summary);
  console.log("growing, for 100,000 kept points (pack with its head; median and most of the later half)");
  console.table(growth);
  console.log(machine());
}
