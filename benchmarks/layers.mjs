/**
 * Layers as the server keeps them: an import of many points (time, CPU, memory, bytes), and what compacting a layer that
 * grows costs, after every so many packs, against what it saves who joins late.
 *
 *   nice -n 5 node benchmarks/layers.mjs [--points 20000000] [--packs 96]
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { importPoints, openCore } from "../packages/core/dist/index.js";
import { HALL, hallPhoto } from "./lib/point-sources.mjs";
import { machine } from "./support.mjs";

const { values } = parseArgs({
  options: { points: { type: "string", default: "20000000" }, packs: { type: "string", default: "96" } },
});
const CHUNK = 100_000;

console.log(machine());
await importMany(Number(values.points));
const packs = Number(values.packs);
for (const every of packs > 0 ? [4, 8, 16, 32] : []) await growAndCompact(packs, every);

async function inNewSpace(work) {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-layers-"));
  const core = await openCore({ dataDir, onError: (context, error) => console.error(context, error) });
  try {
    return await work(core, await core.spaces.create({}));
  } finally {
    await core.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function importMany(points) {
  await inNewSpace(async (core, space) => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    let makingMs = 0;
    async function* chunks() {
      for (let i = 0; i * CHUNK < points; i++) {
        const start = process.threadCpuUsage?.() ?? process.cpuUsage();
        const chunk = hallPhoto(i, CHUNK);
        const used = process.threadCpuUsage?.(start) ?? process.cpuUsage(start);
        makingMs += (used.user + used.system) / 1000;
        delay.disable(); // making points is not the importer's
        yield chunk;
        delay.enable();
      }
    }
    const start = performance.now();
    const cpu = process.cpuUsage();
    const bounds = { min: [-4, -4, -1], max: [HALL.width + 4, HALL.depth + 4, HALL.height + 1] };
    let filledMs = 0;
    const onProgress = () => {
      filledMs = performance.now() - start;
    };
    const { operation, ended } = await importPoints(space, core.layers, {
      name: "hall",
      chunks: chunks(),
      points,
      bounds,
      spacing: 1 / 256,
      onProgress,
    });
    const end = await ended;
    const used = process.cpuUsage(cpu);
    const { state } = space.log.snapshot();
    const { index, packs } = state.layers[1];
    const high = /VmHWM:\s+(\d+)/.exec(await readFile("/proc/self/status", "utf8"))?.[1];
    console.log({
      import: end,
      points,
      ...state.operations[operation].result,
      seconds: ((performance.now() - start) / 1000).toFixed(1),
      filledSeconds: (filledMs / 1000).toFixed(1),
      cpuSeconds: ((used.user + used.system) / 1e6 - makingMs / 1000).toFixed(1),
      makingCpuSeconds: (makingMs / 1000).toFixed(1),
      highestRssMiB: Math.round(high / 1024),
      index: { nodes: index.nodes, sizeBytes: index.sizeBytes, blobs: index.blobs.length, packs: packs.length },
      eventLoopP99Ms: (delay.percentile(99) / 1e6).toFixed(1),
    });
  });
}

/** A layer that grows by a photo's points at a time and is compacted after every `every` packs. */
async function growAndCompact(packs, every) {
  await inNewSpace(async (core, space) => {
    // With an operation, so that nothing compacts it but what is measured.
    const writer = core.layers.start(space, {
      kind: "import",
      name: "hall",
      operation: randomUUID(),
      spacing: 1 / 256,
    });
    let packBytes = 0;
    let compactedBytes = 0;
    let compactCpuMs = 0;
    let insertCpuMs = 0;
    const known = new Set();
    for (let i = 0; i < packs; i++) {
      const points = hallPhoto(i, CHUNK);
      const before = process.cpuUsage();
      const drafts = await writer.insert([points]);
      await space.log.append(drafts);
      insertCpuMs += ms(process.cpuUsage(before));
      packBytes += drafts.at(-1).data.sizeBytes;
      if ((i + 1) % every !== 0 || i + 1 === packs) continue;
      const cpu = process.cpuUsage();
      await core.layers.compact(space, writer.layer);
      compactCpuMs += ms(process.cpuUsage(cpu));
      const { index } = space.log.snapshot().state.layers[writer.layer];
      for (const blob of [...index.blobs, index.index]) {
        if (known.has(blob)) continue;
        known.add(blob);
        compactedBytes += (await core.blobs.stat(blob)).sizeBytes;
      }
    }
    const { index, packs: rest } = space.log.snapshot().state.layers[writer.layer];
    const table = await core.layers.tables.open(space, writer.layer);
    const parts = table.list.reduce((sum, node) => sum + node.parts.length, 0);
    const heads = rest.reduce((sum, { headBytes }) => sum + headBytes, 0);
    console.log({
      packs,
      every,
      insertCpuMsAPack: (insertCpuMs / packs).toFixed(0),
      compactCpuMsAPack: (compactCpuMs / packs).toFixed(0),
      writtenAgain: (compactedBytes / packBytes).toFixed(2),
      lateJoin: {
        treeBytes: (index?.sizeBytes ?? 0) + heads,
        requests: 1 + rest.length,
        parts,
        partsANode: (parts / table.list.filter((node) => node.parts.length > 0).length).toFixed(2),
      },
    });
  });
}

function ms({ user, system }) {
  return (user + system) / 1000;
}
