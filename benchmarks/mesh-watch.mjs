/**
 * How long it takes from a design's file being moved into its folder until a client of `/ws/meshes` has been told.
 *
 *     node benchmarks/mesh-watch.mjs [--files 100] [--kib 64]
 *
 * Beside it what a program sees that only looks through the folder every second, as the replaced system did: the same
 * files, the same machine, interleaved.
 */
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startServer } from "@cairn/server";
import { WebSocket } from "ws";
import { machine, median } from "./support.mjs";

const { values: options } = parseArgs({
  options: { files: { type: "string", default: "100" }, kib: { type: "string", default: "64" } },
});
const files = Number(options.files);
const facets = Math.max(1, Math.round((Number(options.kib) * 1024 - 84) / 50));

/** A binary STL, different for each number. */
function stl(number) {
  const bytes = Buffer.alloc(84 + 50 * facets);
  bytes.writeUInt32LE(facets, 80);
  for (let facet = 0; facet < facets; facet++) {
    for (let i = 0; i < 9; i++)
      bytes.writeFloatLE(((facet * 31 + i * 7 + number) % 1009) / 10, 96 + 50 * facet + 4 * i);
  }
  return bytes;
}

const root = await mkdtemp(join(tmpdir(), "cairn-watch-"));
const dir = join(root, "data", "meshes", "current");
const server = await startServer({ port: 0, dataDir: join(root, "data"), logLevel: "error", openEngine: null });
const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/meshes`);
const told = new Map();
socket.on("message", (data) => {
  const message = JSON.parse(data);
  if (message.event === "new_mesh") told.get(message.design_id)?.(performance.now());
});
await new Promise((resolve) => socket.once("message", resolve));

const polled = new Map();
const polling = setInterval(async () => {
  for (const name of await readdir(dir)) {
    const design = name.slice(0, -4);
    if (!name.startsWith(".") && !polled.has(design)) polled.set(design, performance.now());
  }
}, 1000);

const begun = new Map();
const latenciesMs = [];
for (let i = 0; i < files; i++) {
  const design = `design-${i}`;
  const temporary = join(dir, `.${design}.tmp`);
  await writeFile(temporary, stl(i));
  const arrived = new Promise((resolve) => told.set(design, resolve));
  begun.set(design, performance.now());
  await rename(temporary, join(dir, `${design}.stl`));
  latenciesMs.push((await arrived) - begun.get(design));
  await sleep(20 + ((i * 37) % 60)); // not in step with anything
}
await sleep(1100);
clearInterval(polling);
const pollingMs = [...begun].map(([design, atMs]) => polled.get(design) - atMs);

const figures = (valuesMs) => {
  const sorted = [...valuesMs].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1);
  return `median ${median(sorted).toFixed(1)} ms, 95 % ${at(0.95)} ms, most ${at(1)} ms`;
};
console.log(machine());
console.log(`${files} files of ${options.kib} KiB, one after the other`);
console.log(`rename to new_mesh: ${figures(latenciesMs)}`);
console.log(`rename to seen by a look each second: ${figures(pollingMs)}`);

socket.close();
await server.close();
await rm(root, { recursive: true, force: true });
