/**
 * What it costs to ask which nodes a camera should see first, on layers of several thousand and of tens of thousands of
 * nodes: a server asks for each viewer several times a second.
 *
 *   node benchmarks/cloud-view.mjs [--caps 4096,400,100] [--photos 100] [--runs 40]
 */
import { parseArgs } from "node:util";
import { FINE_PX, LayerTable, nodesToShow, Octree, planGrid } from "@cairn/cloud";
import { cpuMs } from "./lib/cloud-layer.mjs";
import { HALL, hallPhoto } from "./lib/point-sources.mjs";
import { machine, median } from "./support.mjs";

const { values } = parseArgs({
  options: {
    caps: { type: "string", default: "4096,400,100" },
    photos: { type: "string", default: "100" },
    runs: { type: "string", default: "40" },
  },
});

const focalPx = 360 / Math.tan(Math.PI / 6);
const camera = (position, axes) => ({ position, axes, tanX: 640 / focalPx, tanY: 360 / focalPx, focalPx });
const views = {
  "from above": camera(
    [12, 8, 25],
    [
      [1, 0, 0],
      [0, -1, 0],
      [0, 0, -1],
    ],
  ), // prettier-ignore
  inside: camera(
    [6, 4, 1.7],
    [
      [0.5, -Math.sqrt(0.75), 0],
      [0, 0, -1],
      [Math.sqrt(0.75), 0.5, 0],
    ],
  ), // prettier-ignore
  "no camera": undefined,
};

console.log(machine());
console.log("| nodes | view | shown | CPU ms, median | µs a node shown |");
for (const cap of values.caps.split(",").map(Number)) {
  const table = tableOf(cap);
  for (const [name, view] of Object.entries(views)) {
    let shown = 0;
    const runs = Array.from({ length: Number(values.runs) }, () => {
      const start = process.cpuUsage();
      shown = 0;
      for (const { node } of nodesToShow(table, view, FINE_PX)) shown += node.ordinal >= 0 ? 1 : 0;
      return cpuMs(start);
    });
    const ms = median(runs);
    console.log(
      `| ${table.list.length} | ${name} | ${shown} | ${ms.toFixed(2)} | ${((1000 * ms) / shown).toFixed(2)} |`,
    );
  }
}

/** The table of a hall whose nodes hold fewer points, so that there are more of them. */
function tableOf(cap) {
  const grid = planGrid([0, 0, 0], [HALL.width, HALL.depth, HALL.height], cap < 4096 ? 1 / 2048 : 1 / 256);
  const tree = new Octree(grid, cap);
  const table = new LayerTable(grid);
  for (let i = 0; i < Number(values.photos); i++) {
    const { root, segments } = tree.insert(hallPhoto(i, 100_000));
    const part = { blob: "", start: 0, end: 1, hash: "" };
    table.applyPack({ root, parts: segments.map(({ node, count }) => ({ node, part: { ...part, points: count } })) });
  }
  return table;
}
