/**
 * Motion samples through the hub's sockets: four devices send 2,500 a second each (a socket may
 * send 5,000), shuffled within 20 ms and one in a hundred twice; a viewer hears them. Counted: what is lost, what is out of order within a flush, and the time from sending to
 * hearing, in which the 50 ms of collecting are. Server and clients are processes of their own.
 *
 *   node benchmarks/imu.mjs [--rate 10000] [--devices 4] [--seconds 10]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { seededRandom } from "@cairn/geometry";
import { WebSocket } from "ws";
import { startServer } from "../packages/server/dist/index.js";
import { machine } from "./support.mjs";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "10000" },
    devices: { type: "string", default: "4" },
    seconds: { type: "string", default: "10" },
    role: { type: "string", default: "measure" },
  },
});

async function serve() {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-imu-"));
  const server = await startServer({ port: 0, dataDir, logLevel: "error" });
  process.on("message", async () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpuS: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024 });
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
    process.exit(0);
  });
  process.send({ url: server.url });
}

async function measure() {
  const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
  const server = fork(fileURLToPath(import.meta.url), ["--role", "serve"]);
  const [{ url }] = await once(server, "message");
  const open = async (path) => {
    const ws = new WebSocket(url.replace("http", "ws") + path);
    await once(ws, "open");
    return ws;
  };
  const viewer = await open("/ws/viewer");
  const devices = await Promise.all(
    Array.from({ length: Number(values.devices) }, (_, k) => open(`/ws/phone?source=walker-${k}`)),
  );

  const total = rate * seconds;
  const startNs = 1_750_000_000_000_000_000n;
  const stepNs = 1_000_000_000n / BigInt(rate);
  const order = Uint32Array.from({ length: total }, (_, k) => k);
  const random = seededRandom(1);
  const block = Math.max(1, Math.round(rate / 50));
  for (let from = 0; from < total; from += block) {
    for (let i = Math.min(total, from + block) - 1; i > from; i--) {
      const j = from + Math.floor(random() * (i - from + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
  }
  const sentMs = new Float64Array(total);
  const delays = [];
  let [heard, disorder, wrong] = [0, 0, 0];
  const last = devices.map(() => -1);
  let done = () => {};
  viewer.on("message", (data) => {
    const text = data.toString("latin1");
    if (!text.startsWith('{"type":"imu_data"')) return;
    const digits = /"timestamp":(\d+)/.exec(text)[1];
    const index = Number((BigInt(digits) - startNs) / stepNs);
    if (String(startNs + BigInt(index) * stepNs) !== digits) wrong++;
    // Shuffled within a block only: what comes after a later block was in the wrong place.
    const device = index % devices.length;
    if (Math.floor(index / block) < Math.floor(last[device] / block)) disorder++;
    last[device] = index;
    delays.push(performance.now() - sentMs[index]);
    if (++heard === total) done();
  });
  const all = new Promise((resolve) => {
    done = resolve;
  });
  const from = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - from) / 1000) * rate));
    for (; sent < due; sent++) {
      const index = order[sent];
      const text = `{"type":"imu_data","timestamp":${startNs + BigInt(index) * stepNs},"accelerometer":{"x":0.1,"y":-9.8,"z":0.25},"gyroscope":{"x":0.01,"y":0.02,"z":-0.03}}`;
      sentMs[index] = performance.now();
      const device = devices[index % devices.length];
      device.send(text);
      if (index % 100 === 0) device.send(text);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 3000))]);
  server.send("report");
  const [{ cpuS, peakBytes }] = await once(server, "message");
  viewer.close();
  for (const device of devices) device.close();
  delays.sort((a, b) => a - b);
  const at = (part) => `${delays[Math.min(delays.length - 1, Math.floor(part * delays.length))].toFixed(1)} ms`;
  console.log(machine());
  console.log(
    `${rate} samples/s of ${devices.length} devices for ${seconds} s: ${heard} of ${total} heard, ${wrong} with other digits, ${disorder} out of order; ` +
      `sent → heard p50 ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)}; server ${((cpuS / total) * 1e6).toFixed(1)} µs CPU a sample ` +
      `(its start counted), peak ${Math.round(peakBytes / 2 ** 20)} MiB`,
  );
}

await (values.role === "serve" ? serve() : measure());
