/**
 * What a client that stops reading costs: events are published to sockets of which one is paused; compared with the
 * same run in which it reads. Clients live in a process of their own, so memory and CPU are the server's.
 *
 *   node benchmarks/slow-client.mjs [--readers 20] [--mib 64] [--runs 3] [--json]
 */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openCore } from "@cairn/core";
import { WebSocket } from "ws";
import { openUpgrades } from "../packages/server/dist/http/upgrades.js";
import { openLive } from "../packages/server/dist/live/live-door.js";

const { values } = parseArgs({
  options: {
    readers: { type: "string", default: "20" },
    mib: { type: "string", default: "64" },
    json: { type: "boolean", default: false },
    runs: { type: "string", default: "3" },
    client: { type: "string" },
  },
});
const readers = Number(values.readers);
const BATCH = 64;

if (values.client) await runClients(values.client);
else await compare();

/** The readers, and one more that stops after its snapshot when told to. Reports delays and counts. */
async function runClients(url) {
  const stops = process.env.STOPS === "1";
  const delaysMs = [];
  let received = 0;
  let ready = 0;
  for (let i = 0; i <= readers; i++) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on("open", () => socket.send(JSON.stringify({ type: "hello", version: 1 })));
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.type === "snapshot") {
        if (i === 0 && stops) socket.pause();
        if (++ready === readers + 1) process.send({ ready: true });
      }
      if (message.type !== "events" || i === 0) return;
      received += message.events.length;
      const last = message.events.at(-1).data;
      if (i === 1) delaysMs.push(Date.now() - Number(last.code.split(" ")[0]));
    });
  }
  process.on("message", () => {
    delaysMs.sort((a, b) => a - b);
    const at = (part) => delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * part))];
    process.send({ received, p50Ms: at(0.5), p99Ms: at(0.99) });
  });
}

async function measure(stops) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "bench" });
  const server = createServer();
  const refuse = () => Promise.reject(new Error("not here"));
  const log = { warn() {}, error: console.error };
  const door = openLive({ core, log, ingest: refuse, startOperation: refuse, limits: { slowMs: 600_000 } });
  openUpgrades().attach(server, [door.route]);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `ws://127.0.0.1:${server.address().port}/v1/spaces/bench/live`;
  const clients = fork(fileURLToPath(import.meta.url), ["--client", url, "--readers", String(readers)], {
    env: { ...process.env, STOPS: stops ? "1" : "0" },
  });
  await new Promise((resolve) => clients.once("message", resolve));
  globalThis.gc?.();
  const before = process.memoryUsage();
  const cpu = process.cpuUsage();
  let publishedBytes = 0;
  let published = 0;
  let waitingBytes = 0;
  while (publishedBytes < Number(values.mib) * 2 ** 20) {
    const drafts = Array.from({ length: BATCH }, () => ({
      type: "operation.failed",
      data: {
        operation: "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70",
        code: `${Date.now()} ${"x".repeat(480)}`,
        message: "y".repeat(480),
      },
    }));
    publishedBytes += JSON.stringify(drafts).length;
    published += BATCH;
    await space.log.append(drafts);
    waitingBytes = Math.max(waitingBytes, door.stats().waitingBytes);
    await new Promise((resolve) => setTimeout(resolve, 4)); // a pace that readers keep up with
  }
  const used = process.cpuUsage(cpu);
  globalThis.gc?.();
  const { external, heapUsed } = process.memoryUsage();
  const grownBytes = external + heapUsed - before.external - before.heapUsed;
  let report;
  for (let tries = 0; tries < 200; tries++) {
    clients.send("report");
    report = await new Promise((resolve) => clients.once("message", resolve));
    if (report.received >= readers * published) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  clients.kill();
  await door.close(100);
  server.close();
  await core.close();
  rmSync(dataDir, { recursive: true, force: true });
  const missing = readers * published - report.received;
  return {
    published,
    publishedMiB: publishedBytes / 2 ** 20,
    waitingMiB: waitingBytes / 2 ** 20,
    grownMiB: grownBytes / 2 ** 20,
    p50Ms: report.p50Ms,
    p99Ms: report.p99Ms,
    missing,
    cpuS: (used.user + used.system) / 1e6,
  };
}

function medians(runs) {
  const median = (name) => runs.map((run) => run[name]).sort((a, b) => a - b)[runs.length >> 1];
  return Object.fromEntries(Object.keys(runs[0]).map((name) => [name, median(name)]));
}

async function compare() {
  await measure(false); // warms up; not counted
  const runs = { reading: [], stopped: [] };
  for (let i = 0; i < Number(values.runs); i++) {
    runs.reading.push(await measure(false));
    runs.stopped.push(await measure(true));
  }
  const all = Object.fromEntries(Object.entries(runs).map(([name, each]) => [name, medians(each)]));
  if (values.json) return console.log(JSON.stringify({ readers, ...all }));
  console.log(`${readers} readers and one more, ${values.mib} MiB of events`);
  console.log(
    "one more  published MiB  held for a socket MiB  server grew MiB  others p50/p99 ms  missing  CPU s (us a delivery)",
  );
  for (const [name, run] of Object.entries(all)) {
    const { publishedMiB, waitingMiB, grownMiB, p50Ms, p99Ms, missing, cpuS } = run;
    const cells = [publishedMiB.toFixed(0), waitingMiB.toFixed(2), grownMiB.toFixed(1), `${p50Ms}/${p99Ms}`, missing];
    const deliveryUs = (cpuS * 1e6) / (run.published * (readers + 1));
    console.log([name.padEnd(8), ...cells, `${cpuS.toFixed(1)} (${deliveryUs.toFixed(2)})`].join("\t"));
  }
}
