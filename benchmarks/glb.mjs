/**
 * Points of octree nodes as GLB tiles: bytes and CPU a point, of the product's encoder against what it rests on
 * (meshoptimizer alone, the same arrays in the order they come) and against raw quantised GLB. Real depth frames in a
 * real octree. All ways take turns in one run; the fastest turn of each counts. Run: `node benchmarks/glb.mjs [frames]`
 */
import { LEAF_CAP, Octree, planGrid } from "@cairn/cloud";
import { encodePointGlb, openGlb } from "@cairn/formats/glb";
import { MeshoptEncoder } from "meshoptimizer/encoder";
import { sevenScenes } from "./lib/point-sources.mjs";
import { machine } from "./support.mjs";

const TURNS = 7;
await MeshoptEncoder.ready;
const nodes = await realNodes(Number(process.argv[2] ?? 30));
const points = nodes.reduce((sum, { count }) => sum + count, 0);
console.log(machine());
console.log(`${nodes.length} nodes, ${points} points (7-Scenes, leaf cap ${LEAF_CAP})`);

const ways = {
  "GLB tile": (node) => encodePointGlb({ ...node, corner: [0, 0, 0], edge: 1 }),
  "meshopt alone, 16 bit, unsorted": (node) => {
    const [positions, colors] = interleaved(node);
    const all = [MeshoptEncoder.encodeGltfBuffer(positions, node.count, 8, "ATTRIBUTES", 0)];
    all.push(MeshoptEncoder.encodeGltfBuffer(colors, node.count, 4, "ATTRIBUTES", 0));
    return { length: all[0].length + all[1].length };
  },
};
const best = {};
for (let turn = 0; turn < TURNS; turn++) {
  for (const [name, encode] of Object.entries(ways)) {
    let sizeBytes = 0;
    const before = process.cpuUsage();
    for (const node of nodes) sizeBytes += (await encode(node)).length;
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    if (!best[name] || seconds < best[name].seconds) best[name] = { seconds, sizeBytes };
  }
}
for (const [name, { seconds, sizeBytes }] of Object.entries(best)) {
  const speed = (points / seconds / 1e6).toFixed(2);
  console.log(`${name}: ${(sizeBytes / points).toFixed(2)} bytes a point, ${speed} M points/s of CPU`);
}

const tiles = [];
for (const node of nodes) tiles.push(await encodePointGlb({ ...node, corner: [0, 0, 0], edge: 1 }));
let fastest = Infinity;
for (let turn = 0; turn < TURNS; turn++) {
  const before = process.cpuUsage();
  let read = 0;
  for (const glb of tiles) {
    const cloud = await openGlb({ sizeBytes: glb.length, range: async (start, end) => glb.subarray(start, end) });
    for await (const { positions } of cloud.chunks()) read += positions.length / 3;
  }
  if (read !== points) throw new Error(`${read} of ${points} points came back`);
  const { user, system } = process.cpuUsage(before);
  fastest = Math.min(fastest, (user + system) / 1e6);
}
console.log(`read back: ${(points / fastest / 1e6).toFixed(2)} M points/s of CPU`);

/** All points of each node of an octree of depth frames, as its segments hold them. */
async function realNodes(frames) {
  let octree;
  const byNode = new Map();
  for await (const frame of sevenScenes({ pixelStep: 2, frames })) {
    octree ??= new Octree(planGrid([-3, -3, -3], [3, 3, 3]));
    for (const segment of octree.insert(frame).segments) {
      const key = JSON.stringify(segment.node);
      byNode.set(key, [...(byNode.get(key) ?? []), segment]);
    }
  }
  return [...byNode.values()].map((segments) => {
    const count = segments.reduce((sum, segment) => sum + segment.count, 0);
    const coords = new Uint16Array(count * 3);
    const colors = new Uint8Array(count * 3);
    let at = 0;
    for (const segment of segments) {
      coords.set(segment.coords.subarray(0, segment.count * 3), at);
      colors.set(segment.colors.subarray(0, segment.count * 3), at);
      at += segment.count * 3;
    }
    return { count, bits: segments[0].bits, coords, colors };
  });
}

function interleaved({ count, coords, colors }) {
  const positions = new Uint16Array(count * 4);
  const padded = new Uint8Array(count * 4);
  for (let i = 0; i < count; i++) {
    for (let axis = 0; axis < 3; axis++) {
      positions[4 * i + axis] = coords[3 * i + axis];
      padded[4 * i + axis] = colors[3 * i + axis];
    }
  }
  return [new Uint8Array(positions.buffer), padded];
}
