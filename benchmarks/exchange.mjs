/**
 * Clouds in and out: points a second, CPU and peak memory of import and of every export of points, each in a process of
 * its own over one data directory. Coordinates are of UTM magnitude.
 *
 *     node benchmarks/exchange.mjs [points…]        default: 1000000 10000000
 */
import { spawnSync } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { EXPORT_FORMATS } from "../packages/core/dist/export/formats.js";
import { openCore, openImports } from "../packages/core/dist/index.js";
import { lasHeader, lasRun, plyHeader, plyRun } from "../packages/formats/dist/index.js";
import { machine } from "./support.mjs";

const RUN = 65_536;
const FORMATS = ["ply", "las", "las14", "csv", "glb", "3dtiles"];
const [task, ...rest] = process.argv.slice(2);

if (task === "import") await importFile(...rest);
else if (task === "export") await exportFile(...rest);
else await main([task, ...rest].filter(Boolean).map(Number));

async function main(sizes) {
  console.log(machine());
  for (const count of sizes.length > 0 ? sizes : [1e6, 10e6]) {
    const folder = await mkdtemp(join(tmpdir(), "cairn-exchange-"));
    try {
      for (const format of ["las", "ply"])
        await pipeline(Readable.from(file(format, count)), createWriteStream(join(folder, `in.${format}`)));
      console.log(`\n${count / 1e6} M points`);
      console.log("task            wall s  CPU s  M points/s CPU  peak RSS MiB  bytes/point  loop delay p99 ms");
      for (const format of ["ply", "las"]) {
        const { size } = await stat(join(folder, `in.${format}`));
        row(`import ${format}`, count, {
          bytes: size,
          ...child("import", join(folder, `data-${format}`), join(folder, `in.${format}`)),
        });
      }
      for (const format of FORMATS) row(`export ${format}`, count, child("export", join(folder, "data-las"), format));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function child(...args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 24,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function row(name, count, { wallS, cpuS, rssMiB, bytes, points, loopMs }) {
  const cells = [
    wallS.toFixed(1).padStart(6),
    cpuS.toFixed(1).padStart(6),
    (count / 1e6 / cpuS).toFixed(2).padStart(14),
    String(rssMiB).padStart(13),
    (bytes / count).toFixed(1).padStart(12),
    loopMs.toFixed(0).padStart(18),
  ];
  console.log(
    `${name.padEnd(14)}  ${cells.join(" ")}${points === undefined || points === count ? "" : `   (${points} points kept)`}`,
  );
}

async function measured(work) {
  const before = process.resourceUsage();
  const startMs = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const result = await work();
  delay.disable();
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpuS = (userCPUTime + systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1e6;
  return {
    wallS: (performance.now() - startMs) / 1000,
    cpuS,
    rssMiB: Math.round(maxRSS / 1024),
    loopMs: delay.percentile(99) / 1e6,
    ...result,
  };
}

async function importFile(dataDir, path) {
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "bench" });
  const imports = await openImports(core, join(dataDir, "imports"));
  const result = await measured(async () => {
    const { operation, ended } = await imports.take(space, {
      name: "in",
      bytes: createReadStream(path, { highWaterMark: 2 ** 18 }),
    });
    const status = await ended;
    const { result, error } = space.log.snapshot().state.operations[operation];
    if (status !== "completed") throw new Error(error?.message ?? status);
    return { points: result.points };
  });
  console.log(JSON.stringify(result));
  await core.close();
}

async function exportFile(dataDir, format) {
  const core = await openCore({ dataDir });
  const space = await core.spaces.open("bench");
  const result = await measured(async () => {
    let bytes = 0;
    for await (const piece of EXPORT_FORMATS[format].write({ space, blobs: core.blobs, tables: core.layers.tables }))
      bytes += piece.length;
    return { bytes };
  });
  console.log(JSON.stringify(result));
  await core.close();
}

/** Hills with a point every five centimetres, row by row, as a scan of the ground comes. */
function* file(format, count) {
  const side = Math.ceil(Math.sqrt(count));
  const min = [600_000, 6_000_000, 0];
  const max = [600_000 + side / 20, 6_000_000 + side / 20, 40];
  const header = lasHeader({ version: "1.2", count, min, max, step: 0.004, created: new Date(0) });
  const shape = { count, double: true, normals: false };
  yield format === "las" ? header.bytes : plyHeader(shape);
  for (let from = 0; from < count; from += RUN) {
    const n = Math.min(RUN, count - from);
    const positions = new Float64Array(n * 3);
    const colors = new Uint8Array(n * 3);
    for (let i = 0; i < n; i++) {
      const p = from + i;
      const [x, y] = [(p % side) / 20, Math.floor(p / side) / 20];
      const z = 20 + 8 * Math.sin(x / 17) * Math.cos(y / 23) + 0.2 * Math.sin(x * 3) + 0.02 * Math.sin(p * 12.9898);
      positions.set([min[0] + x, min[1] + y, z], 3 * i);
      colors.set([80 + 3 * z, 120 + 40 * Math.sin(x / 5), 60 + (p % 17)], 3 * i);
    }
    const run = { count: n, positions, colors, photos: 0 };
    yield format === "las" ? lasRun(run, header) : plyRun(run, shape);
  }
}
