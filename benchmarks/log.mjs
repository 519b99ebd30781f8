/**
 * The embedded log on this machine's disk: durable appends by 64 writers, and opening a log of a million events.
 * node benchmarks/log.mjs [--events 1000000] [--seconds 5] [--dir FOLDER]
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openSpaceLog } from "@cairn/core";

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "5" },
    dir: { type: "string", default: tmpdir() },
  },
});
const events = Number(values.events);
const seconds = Number(values.seconds);
const folder = mkdtempSync(join(values.dir, "cairn-log-"));

const image = "0a7c2e9f-5b1d-4c3e-8f60-1d2b3c4d5e6f";
const pose = (generation, i) => ({
  type: "camera.posed",
  cause: 1,
  data: {
    generation,
    image: `${i.toString(16).padStart(8, "0")}${image.slice(8)}`,
    pose: { rotation: [0.9123456, 0.1234567, 0.2345678, 0.3456789], translation: [1.234567, 2.345678, i / 1000] },
    intrinsics: { model: "PINHOLE", width: 3072, height: 2048, params: [2759.48, 2764.16, 1520.69, 1006.81] },
    reprojectionPx: 0.4321,
  },
});

const cpuSeconds = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
const rows = [];
const row = (what, measured, target) => rows.push({ what, measured, target });

try {
  bareDisk();
  await writers(64);
  await restart();
  console.table(rows);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What the disk itself gives at this moment: 64 writers can never have more than 64 events for each of these. */
function bareDisk() {
  const file = openSync(join(folder, "bare"), "w");
  const bytes = Buffer.alloc(64 * 480, 97);
  const tookMs = Array.from({ length: 300 }, () => {
    const began = performance.now();
    writeSync(file, bytes);
    fdatasyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  const mean = tookMs.reduce((sum, each) => sum + each, 0) / tookMs.length;
  row("the disk alone: write + fdatasync, ms, mean", mean.toFixed(2), "");
  row("  so 64 writers get at most, events/s", Math.round(64_000 / mean), "");
}

async function writers(count) {
  const log = await openSpaceLog(join(folder, "writers"));
  await log.append([{ type: "generation.started", data: { generation: 1 } }]);
  const latencies = [];
  let next = 0;
  const until = performance.now() + seconds * 1000;
  const cpu = cpuSeconds();
  const began = performance.now();
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (performance.now() < until) {
        const asked = performance.now();
        await log.append([pose(1, next++ % 1000)]);
        latencies.push(performance.now() - asked);
      }
    }),
  );
  const tookS = (performance.now() - began) / 1000;
  const usedS = cpuSeconds() - cpu;
  latencies.sort((a, b) => a - b);
  const at = (part) => latencies[Math.floor(latencies.length * part)].toFixed(2);
  row(`durable events/s, ${count} writers`, Math.round(latencies.length / tookS), ">= 20000");
  row("  until acknowledged, ms, median", at(0.5), "");
  row("  until acknowledged, ms, p99", at(0.99), "<= 50");
  row("  CPU per event, µs", ((usedS / latencies.length) * 1e6).toFixed(1), "");
  await log.close();
}

async function restart() {
  const path = join(folder, "restart");
  const log = await openSpaceLog(path);
  await log.append([{ type: "generation.started", data: { generation: 1 } }]);
  for (let written = 1; written < events; written += 1000) {
    await log.append(Array.from({ length: Math.min(1000, events - written) }, (_, i) => pose(1, (written + i) % 5000)));
  }
  const { head } = log;
  await log.close();
  const began = performance.now();
  const cpu = cpuSeconds();
  const again = await openSpaceLog(path);
  const openedS = (performance.now() - began) / 1000;
  const usedS = cpuSeconds() - cpu;
  if (again.head !== head) throw new Error(`head ${again.head}, expected ${head}`);
  row(`open ${head} events, s`, openedS.toFixed(2), "<= 3");
  row("  CPU, s", usedS.toFixed(2), "");
  const readBegan = performance.now();
  let position = 0;
  while (position < head) position = (await again.read(position, 1000)).at(-1).seq;
  row("read all of them, events/s", Math.round(head / ((performance.now() - readBegan) / 1000)), "");
  await again.close();
}
