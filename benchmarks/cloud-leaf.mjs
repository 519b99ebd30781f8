/**
 * How many points a node should take before it sends the rest to its children: what each cap costs a live viewer (the
 * packs of its increments) and a late joiner (bytes and nodes until the picture is there), on three scenes.
 *
 *   node benchmarks/cloud-leaf.mjs [--caps 4096,8192,16384] [--photos 40] [--json]
 */
import { parseArgs } from "node:util";
import { cornerOf, edgeOf, nodesToShow, planGrid } from "@cairn/cloud";
import { GrowingLayer } from "./lib/cloud-layer.mjs";
import { autzen, HALL, hallPhoto, sevenScenes } from "./lib/point-sources.mjs";
import { machine, median } from "./support.mjs";

const { values } = parseArgs({
  options: {
    caps: { type: "string", default: "4096,8192,16384" },
    photos: { type: "string", default: "40" },
    json: { type: "boolean", default: false },
  },
});
const caps = values.caps.split(",").map(Number);
const photos = Number(values.photos);
const INCREMENT = 100_000;
/** A window of 1280 × 720 with 60° from top to bottom; pictures are compared in blocks of 4 × 4 pixels. */
const WIDTH = 1280;
const HEIGHT = 720;
const FOCAL = HEIGHT / 2 / Math.tan(Math.PI / 6);
const BLOCK = 4;

const rows = [];
for (const scene of [await hall(), await room(), stadium()]) {
  for (const cap of caps) rows.push(measure(scene, cap));
}
if (values.json) console.log(JSON.stringify(rows));
else print();

async function hall() {
  const batches = Array.from({ length: photos }, (_, i) => hallPhoto(i, INCREMENT));
  const { width, depth, height } = HALL;
  const views = {
    overview: lookAt([-8, -14, 16], [width / 2, depth / 2, 0]),
    inside: lookAt([6, 4, 1.7], [18, 10, 1.5]),
  };
  return { name: "hall", batches, grid: planGrid([0, 0, 0], [width, depth, height], 1 / 256), views };
}

async function room() {
  const pieces = [];
  for await (const frame of sevenScenes({ pixelStep: 2, frames: photos * 2 })) pieces.push(frame);
  const { min, max } = boxOf(pieces);
  const pose = pieces[Math.floor(pieces.length / 2)].worldFromCamera;
  const middle = [0, 1, 2].map((axis) => (min[axis] + max[axis]) / 2);
  const views = {
    // The camera's y points down, and so does the room's.
    overview: lookAt([middle[0], min[1] - 3, min[2] - 3], middle, [0, -1, 0]),
    inside: ofPose(pose),
  };
  return { name: "7-Scenes", batches: rebatch(pieces), grid: planGrid(min, max, 1 / 512), views };
}

function stadium() {
  const cloud = autzen();
  const { min, max } = boxOf([cloud]);
  const views = { overview: lookAt([-700, -700, 500], [0, 0, 0]), inside: lookAt([-250, -200, 20], [50, 60, 0]) };
  return { name: "Autzen", batches: rebatch([cloud]), grid: planGrid(min, max, 1 / 4), views };
}

function measure({ name, batches, grid, views }, cap) {
  const layer = new GrowingLayer(grid, cap);
  for (const batch of batches) layer.insert(batch);
  // The first photos fill an empty tree: what counts is the second half.
  const late = layer.insertions.slice(layer.insertions.length >> 1);
  const { table, points } = layer.compact();
  const sizeBytes = table.list.reduce((sum, { parts }) => sum + (parts[0]?.end ?? 0), 0);
  const joins = Object.fromEntries(
    Object.entries(views).map(([view, camera]) => [view, lateJoin(table, points, grid, camera)]),
  );
  return {
    name,
    cap,
    points: table.points,
    nodes: table.list.length,
    bytesPerPoint: sizeBytes / table.points,
    incrementBytes: median(late.map((insertion) => insertion.sizeBytes)),
    incrementSegments: median(late.map(({ segments }) => segments)),
    headBytes: median(late.map(({ headBytes }) => headBytes)),
    joins,
  };
}

/** Nodes in the order in which a viewer asks for them: what has come when the picture is there. */
function lateJoin(table, points, grid, view) {
  const frames = [];
  const seen = new Set();
  let [bytes, nodes, visible] = [0, 0, 0];
  let first;
  for (const { node } of nodesToShow(table, view)) {
    if (node.points === 0) continue;
    bytes += node.parts[0].end;
    nodes++;
    visible += draw(points.get(node.key), grid, view, seen);
    frames.push({ bytes, nodes, blocks: seen.size });
    if (!first && visible >= INCREMENT) first = { bytes, nodes };
  }
  const nearly = frames.find(({ blocks }) => blocks >= 0.99 * seen.size);
  return { all: { bytes, nodes, visible }, hundredThousand: first ?? { bytes, nodes }, nearly };
}

/** Adds the blocks of the picture that the points fall on; returns how many points are in sight. */
function draw({ node, bits, count, coords }, { origin }, { position, axes, tanX, tanY, focalPx }, seen) {
  const corner = cornerOf(node, origin);
  const step = edgeOf(node.e) / 2 ** bits;
  let visible = 0;
  for (let i = 0; i < count; i++) {
    const from = [0, 1, 2].map((axis) => corner[axis] + (coords[3 * i + axis] + 0.5) * step - position[axis]);
    const [x, y, z] = axes.map((axis) => axis[0] * from[0] + axis[1] * from[1] + axis[2] * from[2]);
    if (z <= 0 || Math.abs(x) > z * tanX || Math.abs(y) > z * tanY) continue;
    visible++;
    const column = Math.floor(((x / z) * focalPx + WIDTH / 2) / BLOCK);
    const row = Math.floor(((y / z) * focalPx + HEIGHT / 2) / BLOCK);
    seen.add(row * WIDTH + column);
  }
  return visible;
}

function lookAt(position, target, up = [0, 0, 1]) {
  const forward = unit(target.map((v, axis) => v - position[axis]));
  const right = unit(cross(forward, up));
  return viewOf(position, [right, cross(forward, right), forward]);
}

/** @param m camera to world, 4 × 4, row by row */
function ofPose(m) {
  const column = (i) => [m[i], m[4 + i], m[8 + i]];
  return viewOf(column(3), [column(0), column(1), column(2)]);
}

function viewOf(position, axes) {
  return { position, axes, tanX: WIDTH / 2 / FOCAL, tanY: HEIGHT / 2 / FOCAL, focalPx: FOCAL };
}

function cross([a, b, c], [x, y, z]) {
  return [b * z - c * y, c * x - a * z, a * y - b * x];
}

function unit(v) {
  const length = Math.hypot(...v);
  return v.map((value) => value / length);
}

function boxOf(pieces) {
  const min = [Infinity, Infinity, Infinity];
  const max = [-Infinity, -Infinity, -Infinity];
  for (const { positions } of pieces) {
    for (let i = 0; i < positions.length; i++) {
      min[i % 3] = Math.min(min[i % 3], positions[i]);
      max[i % 3] = Math.max(max[i % 3], positions[i]);
    }
  }
  return { min, max };
}

/** The same points in batches of one increment each; the last, smaller one is left out. */
function rebatch(pieces) {
  const total = pieces.reduce((sum, { positions }) => sum + positions.length / 3, 0);
  const positions = new Float32Array(total * 3);
  const colors = new Uint8Array(total * 3);
  const numbers = new Uint32Array(total);
  let at = 0;
  for (const piece of pieces) {
    positions.set(piece.positions, at * 3);
    colors.set(piece.colors, at * 3);
    numbers.fill(piece.photos, at, at + piece.positions.length / 3);
    at += piece.positions.length / 3;
  }
  return Array.from({ length: Math.floor(total / INCREMENT) }, (_, i) => ({
    positions: positions.subarray(i * INCREMENT * 3, (i + 1) * INCREMENT * 3),
    colors: colors.subarray(i * INCREMENT * 3, (i + 1) * INCREMENT * 3),
    photos: numbers.subarray(i * INCREMENT, (i + 1) * INCREMENT),
  }));
}

function print() {
  const kB = (bytes) => `${Math.round(bytes / 1000)} kB`;
  const join = ({ bytes, nodes }) => `${kB(bytes)} in ${nodes}`;
  console.log(machine());
  console.log(
    "| scene, cap | points, nodes | B/point | increment of 100 k: pack, segments, head | view | 100 k visible | 99 % of the picture | all |",
  );
  for (const { name, cap, points, nodes, bytesPerPoint, incrementBytes, incrementSegments, headBytes, joins } of rows) {
    for (const [view, { all, hundredThousand, nearly }] of Object.entries(joins)) {
      const live = `${kB(incrementBytes)}, ${incrementSegments}, ${headBytes} B`;
      const late = [join(hundredThousand), join(nearly), join(all)].join(" | ");
      const size = `${(points / 1e6).toFixed(2)} M, ${nodes} | ${bytesPerPoint.toFixed(2)}`;
      console.log(`| ${name}, ${cap} | ${size} | ${live} | ${view} | ${late} |`);
    }
  }
}
