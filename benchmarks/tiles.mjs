/**
 * A large layer as 3D Tiles and as files: the tileset's JSON, every tile over HTTP when it is first asked for and when
 * there is a copy, and the exports, with the memory that they take.
 *
 *   nice -n 5 node benchmarks/tiles.mjs [--points 5000000]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { EXPORT_FORMATS, importPoints, openCore } from "../packages/core/dist/index.js";
import { startServer } from "../packages/server/dist/index.js";
import { HALL, hallPhoto } from "./lib/point-sources.mjs";
import { machine } from "./support.mjs";

const { values } = parseArgs({ options: { points: { type: "string", default: "5000000" } } });
const CHUNK = 100_000;

console.log(machine());
const dataDir = await mkdtemp(join(tmpdir(), "cairn-tiles-"));
try {
  const kept = await importHall(Number(values.points));
  await overHttp(kept);
  await exports(kept);
} finally {
  await rm(dataDir, { recursive: true, force: true });
}

async function importHall(points) {
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "hall" });
  function* chunks() {
    for (let i = 0; i * CHUNK < points; i++) yield hallPhoto(i, CHUNK);
  }
  const bounds = { min: [-4, -4, -1], max: [HALL.width + 4, HALL.depth + 4, HALL.height + 1] };
  const { ended } = await importPoints(space, core.layers, { name: "hall", spacing: 0.004, bounds, chunks: chunks() });
  await ended;
  const kept = space.log.snapshot().state.layers[1].points;
  await core.close();
  return kept;
}

async function overHttp(points) {
  const server = await startServer({ port: 0, dataDir, logLevel: "silent", openEngine: null });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  try {
    const address = `${server.url}/v1/spaces/hall/`;
    const first = await timed(() => read(`${address}tileset.json`));
    const again = await timed(() => read(`${address}tileset.json`));
    const packed = await fetch(`${address}tileset.json`, { headers: { "accept-encoding": "gzip" } });
    const tileset = JSON.parse(first.result.toString());
    const packedBytes = Number(packed.headers.get("content-length"));
    await packed.arrayBuffer();
    const tiles = [...links(tileset.root)];
    console.log(
      `${points} points, ${tiles.length} tiles; tileset.json ${first.result.length} bytes (gzip ${packedBytes}), ` +
        `${first.ms.toFixed(0)} ms the first time, ${again.ms.toFixed(1)} ms after`,
    );
    for (const round of ["first asked for", "from the copies"]) {
      const times = [];
      let sizeBytes = 0;
      const queue = [...tiles];
      const cpu = process.cpuUsage();
      const start = performance.now();
      delay.reset();
      delay.enable();
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          for (let link = queue.shift(); link; link = queue.shift()) {
            const { result, ms } = await timed(() => read(address + link));
            times.push(ms);
            sizeBytes += result.length;
          }
        }),
      );
      delay.disable();
      const { user, system } = process.cpuUsage(cpu);
      times.sort((a, b) => a - b);
      console.log(
        `${round}, six at a time: ${(sizeBytes / points).toFixed(2)} bytes a point, CPU of server and client ` +
          `${((user + system) / 1e6).toFixed(2)} s, ${((performance.now() - start) / 1000).toFixed(2)} s in all; a tile ` +
          `p50 ${times[times.length >> 1].toFixed(1)}, p99 ${times[Math.floor(times.length * 0.99)].toFixed(1)} ms; ` +
          `event loop late, p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms`,
      );
    }
  } finally {
    await server.close();
  }
}

async function exports(points) {
  const core = await openCore({ dataDir });
  try {
    const space = await core.spaces.open("hall");
    for (const format of ["glb", "3dtiles", "ply"]) {
      globalThis.gc?.();
      let [sizeBytes, mostRss] = [0, 0];
      const cpu = process.cpuUsage();
      for await (const piece of EXPORT_FORMATS[format].write({
        space,
        blobs: core.blobs,
        tables: core.layers.tables,
      })) {
        sizeBytes += piece.length;
        mostRss = Math.max(mostRss, process.memoryUsage.rss());
      }
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (user + system) / 1e6;
      console.log(
        `export ${format}: ${(sizeBytes / points).toFixed(2)} bytes a point, ${(points / seconds / 1e6).toFixed(2)} M ` +
          `points/s of CPU, RSS at most ${Math.round(mostRss / 2 ** 20)} MiB`,
      );
    }
  } finally {
    await core.close();
  }
}

function* links({ content, children = [] }) {
  if (content) yield content.uri;
  for (const child of children) yield* links(child);
}

async function read(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { result, ms: performance.now() - start };
}
