/**
 * Surfaces of points: CPU, triangles, error and peak memory, each in a process of its own, in the thread that a server
 * would do it in. A noisy ring has a formula, the sample capture an exact scene, the room is Kinect frames as they are.
 *
 *     node benchmarks/mesh.mjs [millions of points…]        default: 1 3
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { samplePoints } from "../packages/core/dist/test/sample-points.js";
import { measure, SampleCollector, surfaceOf } from "../packages/mesh/dist/index.js";
import { buildScene, distanceTo } from "../packages/sample/dist/scene-entry.js";
import { sevenScenes } from "./lib/point-sources.mjs";
import { machine } from "./support.mjs";

const [task, ...rest] = process.argv.slice(2);
/** Noise of the ring's points, of its small radius 0.4. */
const NOISE = 0.002;

if (task === "one") await one(...rest);
else main([task, ...rest].filter(Boolean).map(Number));

function main(millions) {
  console.log(machine());
  console.log(
    "points              M points  M points/s CPU  CPU s  faces k  open edges  cell  median / 95 % off, cells  peak MiB",
  );
  for (const size of millions.length > 0 ? millions : [1, 3]) {
    for (const what of ["ring", "room", "room, no cameras"]) run(what, size);
  }
  run("sample capture", 0);
}

function run(what, size) {
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "one", what, String(size)], {
    stdio: "inherit",
  });
  if (status !== 0) console.log(`${what}: failed with ${status}`);
}

async function one(what, millions) {
  const sources = { ring, room, "room, no cameras": room, "sample capture": sample };
  const { batches, cameras, off } = await sources[what](Number(millions) * 1e6);
  const min = [Infinity, Infinity, Infinity];
  const max = [-Infinity, -Infinity, -Infinity];
  for (const { positions } of batches) {
    for (let i = 0; i < positions.length; i++) {
      min[i % 3] = Math.min(min[i % 3], positions[i]);
      max[i % 3] = Math.max(max[i % 3], positions[i]);
    }
  }
  const count = batches.reduce((sum, { positions }) => sum + positions.length / 3, 0);
  const before = process.cpuUsage();
  const collector = new SampleCollector(min, max);
  while (batches.length > 0) {
    const batch = batches.pop();
    collector.add({ ...batch, count: batch.positions.length / 3 });
  }
  const { cube, middle } = collector;
  const placed = what.endsWith("no cameras")
    ? new Map()
    : new Map([...cameras].map(([photo, at]) => [photo, at.map((value, axis) => value - middle[axis])]));
  const { mesh, voxel } = surfaceOf(collector.take(), cube, placed);
  const { user, system } = process.cpuUsage(before);
  const cpuS = (user + system) / 1e6;
  const peakMiB = process.resourceUsage().maxRSS / 1024;

  const { positions } = mesh;
  const about = measure(mesh);
  let error = "–";
  if (off) {
    const distanceOff = off();
    const step = Math.max(1, Math.floor(about.vertices / 20_000));
    const found = [];
    for (let v = 0; v < about.vertices; v += step) {
      found.push(distanceOff(...[0, 1, 2].map((axis) => positions[3 * v + axis] + middle[axis])) / voxel);
    }
    found.sort((a, b) => a - b);
    error = [0.5, 0.95].map((share) => found[Math.floor(share * found.length)].toFixed(2)).join(" / ");
  }
  const cells = [
    what.padEnd(19),
    (count / 1e6).toFixed(2).padStart(8),
    (count / 1e6 / cpuS).toFixed(2).padStart(14),
    cpuS.toFixed(1).padStart(6),
    (about.triangles / 1000).toFixed(0).padStart(8),
    String(about.boundaryEdges).padStart(11),
    voxel.toFixed(4),
    error.padStart(24),
    peakMiB.toFixed(0).padStart(9),
  ];
  console.log(cells.join("  "));
}

/** Radii 1 and 0.4. */
async function ring(count) {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const positions = new Float64Array(3 * count);
  const colors = new Uint8Array(3 * count);
  for (let i = 0; i < count; ) {
    const [u, v] = [2 * Math.PI * random(), 2 * Math.PI * random()];
    const small = 0.4 * (1 + NOISE * (2 * random() - 1));
    const r = 1 + small * Math.cos(v);
    if (random() * 1.4 > r) continue; // evenly by area
    positions.set([r * Math.cos(u), r * Math.sin(u), small * Math.sin(v)], 3 * i);
    colors.set([127 + 100 * Math.cos(3 * u), 127 + 100 * Math.sin(v), 80], 3 * i++);
  }
  const off = () => (x, y, z) => Math.abs(Math.hypot(Math.hypot(x, y) - 1, z) - 0.4);
  return { batches: [{ positions, colors, photos: 0 }], cameras: new Map(), off };
}

/** All hundred frames, of each as many pixels as make up the count. */
async function room(count) {
  const batches = [];
  const cameras = new Map();
  const pixelStep = Math.max(1, Math.round(Math.sqrt(27e6 / count)));
  for await (const { positions, colors, photos, worldFromCamera: m } of sevenScenes({ pixelStep })) {
    batches.push({ positions: Float64Array.from(positions), colors, photos });
    cameras.set(photos, [m[3], m[7], m[11]]);
  }
  return { batches, cameras };
}

/** Every pixel of the true depth maps up to 12 m. */
async function sample() {
  const batches = [];
  const cameras = new Map();
  for await (const { pose, points } of samplePoints(12)) {
    batches.push(points);
    const at = (axis) => -[0, 1, 2].reduce((sum, row) => sum + pose.R[3 * row + axis] * pose.t[row], 0);
    cameras.set(points.photos, [at(0), at(1), at(2)]);
  }
  const off = () => {
    const scene = buildScene();
    return (x, y, z) => distanceTo(scene, x, y, z, 1);
  };
  return { batches, cameras, off };
}
