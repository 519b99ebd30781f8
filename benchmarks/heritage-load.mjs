/**
 * What a crowd costs on one site: many heritage viewers, each told of every shard while photos arrive. The engine is the
 * real one at preset `sparse`, on the sample's photos; the server and the viewers are processes of their own. Measured
 * from the time at which the shard's points were in the log (`timestamp`) to its arrival at each viewer: also what the
 * server needed to cut and encode it. Both clocks are the machine's.
 *
 * Each viewer has a machine of its own in life. Here all are one process, so they offer no compression: five hundred times
 * inflating in one process is what would be measured (`--deflate` does).
 *
 *   node benchmarks/heritage-load.mjs [--viewers 500] [--photos 18] [--deflate]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { startServer } from "../packages/server/dist/index.js";

const { values } = parseArgs({
  options: {
    viewers: { type: "string", default: "500" },
    photos: { type: "string", default: "18" },
    deflate: { type: "boolean", default: false },
    role: { type: "string", default: "measure" },
    url: { type: "string", default: "" },
  },
});
const viewers = Number(values.viewers);
const photos = Number(values.photos);
const self = fileURLToPath(import.meta.url);

/** Says its address, and on request what it has used. */
async function serve() {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-heritage-load-"));
  const spaceSettings = { preset: "sparse" };
  const server = await startServer({ port: 0, dataDir, logLevel: "error", spaceSettings });
  process.on("message", async () => {
    const { user, system } = process.cpuUsage();
    process.send({ peakBytes: process.resourceUsage().maxRSS * 1024, cpuS: (user + system) / 1e6 });
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
    process.exit(0);
  });
  process.send({ url: server.url });
}

/** So many viewers that only look on; reports when all have their block, and at the end what they heard. */
async function watch() {
  const delaysMs = [];
  let [lost, complete, open] = [0, 0, 0];
  let seen = () => {};
  const sockets = Array.from({ length: viewers }, () => {
    const ws = new WebSocket(`${values.url.replace("http", "ws")}/ws/site`, {
      perMessageDeflate: values.deflate,
    });
    ws.on("message", (data) => {
      // The fields before and after the points suffice: five hundred times a megabyte is not to be parsed here.
      const type = /^\{"type":"(\w+)"/.exec(data.toString("latin1", 0, 100))?.[1];
      if (type === "initial_state_complete") open++;
      if (type === "processing_complete") complete++;
      if (type === "shard_update") {
        const tail = data.toString("latin1", Math.max(0, data.length - 400));
        const madeMs = Date.parse(`${/"timestamp":"([^"]+)"/.exec(tail)[1]}Z`);
        delaysMs.push(Date.now() - madeMs);
      }
      seen();
    });
    ws.on("error", () => {});
    ws.on("close", () => {
      lost++;
      seen();
    });
    return ws;
  });
  const until = async (enough) => {
    while (!enough()) {
      await new Promise((resolve) => {
        seen = resolve;
      });
    }
  };
  await until(() => open + lost >= viewers);
  process.send({ open });
  await until(() => complete >= (viewers - lost) * photos);
  process.send({ delaysMs, lost });
  await once(process, "message");
  for (const ws of sockets) ws.terminate();
  process.exit(0);
}

async function measure() {
  const child = (...words) => fork(self, [...process.argv.slice(2), ...words]);
  const server = child("--role", "serve");
  const [{ url }] = await once(server, "message");
  const crowd = child("--role", "watch", "--url", url);
  const [{ open }] = await once(crowd, "message");
  const dir = fileURLToPath(new URL("../packages/sample/photos/", import.meta.url));
  const names = (await readdir(dir)).filter((name) => name.endsWith(".jpg")).sort();
  const startedMs = performance.now();
  const done = once(crowd, "message");
  const uploader = new WebSocket(`${url.replace("http", "ws")}/ws/site`);
  await once(uploader, "open");
  for (let i = 0; i < photos; i++) {
    const bytes = await readFile(join(dir, names[i % names.length]));
    uploader.send(JSON.stringify({ type: "upload_image", image_data: bytes.toString("base64"), filename: `${i}.jpg` }));
  }
  const [{ delaysMs, lost }] = await done;
  const tookS = (performance.now() - startedMs) / 1000;
  uploader.terminate();
  server.send("end");
  const [{ peakBytes, cpuS }] = await once(server, "message");
  crowd.send("end");
  delaysMs.sort((a, b) => a - b);
  const quantile = (part) => delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * part))];
  console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`);
  console.log(
    `${open} heritage viewers, ${photos} photos in ${tookS.toFixed(1)} s, ${delaysMs.length} shards received`,
  );
  console.log(
    `shard in the log to received: median ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, most ${quantile(1)} ms`,
  );
  console.log(
    `viewers lost ${lost}; server's peak RSS ${Math.round(peakBytes / 2 ** 20)} MiB, CPU ${cpuS.toFixed(1)} s`,
  );
}

await { serve, watch, measure }[values.role]();
