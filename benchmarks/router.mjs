/**
 * What the hub costs between a producer's socket and its consumers': small messages at a rate and as many as go, one
 * stream of 12 Mbit/s to a hundred, and how soon who joins has a picture. Compared with `ws` alone, which hands every
 * message on without reading it, one after the other in each round. Server and clients are processes of their own; CPU is
 * the server's.
 *
 *   node benchmarks/router.mjs [--rounds 3] [--seconds 5] [--only small,wide,most,join]
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { AccessUnitAssembler, describeDecoder, hasKeyPicture, openVideoDecoder } from "@cairn/video";
import { WebSocket } from "ws";
import { openApi } from "../packages/client/dist/node.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    only: { type: "string", default: "small,wide,most,join" },
  },
});
const [rounds, seconds] = [values.rounds, values.seconds].map(Number);
const only = new Set(values.only.split(","));

const ask = (child, message) =>
  new Promise((resolve, reject) => {
    const onExit = () => reject(new Error("a process ended"));
    child.once("message", (answer) => {
      child.off("exit", onExit);
      resolve(answer);
    });
    child.once("exit", onExit);
    child.send(message);
  });

/** A server and its clients, for as long as `work` takes. */
async function withServer(kind, work) {
  const path = (name) => new URL(`lib/${name}.mjs`, import.meta.url);
  const server = fork(path("router-server"));
  const clients = fork(path("router-clients"));
  try {
    const { port } = await ask(server, { start: kind });
    return await work({ server, clients, port });
  } finally {
    for (const child of [server, clients]) child.kill();
  }
}

/** Upper bound of the histogram's bucket in which the quantile falls, ms. */
async function insideMs(port, part) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const buckets = [...text.matchAll(/^frame_latency_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)];
  const total = Number(buckets.at(-1)?.[2]);
  return Number(buckets.find(([, , count]) => Number(count) >= part * total)?.[1]) * 1000;
}

async function relay(kind, { sources, consumers, warm, ...send }) {
  return withServer(kind, async ({ server, clients, port }) => {
    await ask(clients, { connect: { port, sources, consumers } });
    const fanOut = consumers / sources;
    await ask(clients, { send: { ...send, count: warm, fanOut } });
    const before = await ask(server, { measure: true });
    const result = await ask(clients, { send: { ...send, fanOut } });
    const after = await ask(server, { measure: true });
    const inside = kind === "cairn" ? await insideMs(port, 0.99) : undefined;
    return { ...result, cpuS: after.cpuS - before.cpuS, rssMiB: after.rssMiB, inside };
  });
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const show = (numbers, digits = 1) =>
  `${median(numbers).toFixed(digits)} (${numbers.map((n) => n.toFixed(digits)).join(", ")})`;

async function compare(title, options) {
  console.log(`\n${title}`);
  const results = { cairn: [], ws: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of ["cairn", "ws"]) results[kind].push(await relay(kind, options));
  }
  for (const [kind, all] of Object.entries(results)) {
    const of = (read) => show(all.map(read));
    console.log(
      `  ${kind.padEnd(5)} p50 ${of(({ p50Ms }) => p50Ms)} ms, p99 ${of(({ p99Ms }) => p99Ms)} ms socket to socket;` +
        ` CPU ${of(({ cpuS, delivered }) => (cpuS * 1e6) / delivered)} µs a delivery,` +
        ` ${show(
          all.map(({ delivered, cpuS }) => delivered / cpuS),
          0,
        )} deliveries a CPU second; RSS ${of(({ rssMiB }) => rssMiB)} MiB` +
        (kind === "cairn"
          ? `; inside p99 ≤ ${show(
              all.map(({ inside }) => inside),
              2,
            )} ms`
          : ""),
    );
  }
}

/** H.264 of the baseline profile as a phone's page sends it, access unit by access unit. */
async function filmed(frames) {
  const child = spawn("ffmpeg", [
    ..."-v error -f lavfi -i".split(" "),
    `testsrc2=size=1280x720:rate=30,noise=alls=6:allf=t`,
    ..."-pix_fmt yuv420p -c:v libx264 -profile:v baseline -preset veryfast -tune zerolatency -b:v 4M -g 60".split(" "),
    ..."-frames:v".split(" "),
    String(frames),
    ..."-f h264 -".split(" "),
  ]);
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  await once(child, "close");
  const assembler = new AccessUnitAssembler();
  const stream = Buffer.concat(chunks);
  return [...assembler.push(stream, 0n), ...assembler.flush()].map(({ data }) => data);
}

/** From the call that opens the socket to the first picture that came out of a decoder. */
async function join(api, decoder) {
  const fromMs = performance.now();
  const stop = new AbortController();
  const consumer = api.video.consume("film");
  let packets = 0;
  const firstMs = await new Promise((resolve, reject) => {
    const video = openVideoDecoder({
      signal: stop.signal,
      backend: decoder,
      onFrame: () => resolve(performance.now() - fromMs),
    });
    consumer.on("packet", ({ data, timeNs, key }) => {
      packets++;
      if (data.length > 0) video.decode({ data, timeNs, key }).catch(reject);
    });
  });
  consumer.close();
  stop.abort();
  return { firstMs, packets };
}

async function joins() {
  console.log("\nJoin to the first picture decoded: 1280x720, 30 a second, a key picture every 2 s");
  const units = await filmed(120);
  await withServer("cairn", async ({ port }) => {
    const api = openApi({ url: `http://127.0.0.1:${port}`, WebSocket });
    const producer = api.video.produce("film");
    await new Promise((resolve) => producer.on("keyWanted", resolve));
    let sent = 0;
    const fromMs = performance.now();
    const filming = setInterval(() => {
      for (const due = ((performance.now() - fromMs) / 1000) * 30; sent < due; sent++) {
        const data = units[sent % units.length];
        producer.send({ data, timeNs: BigInt(sent) * 33_333_333n, key: hasKeyPicture(data) });
      }
    }, 5);
    for (const decoder of ["tinyh264", "ffmpeg"]) {
      if (!(await describeDecoder({ backend: decoder }))) continue;
      const all = [];
      for (let i = 0; i < 4 * rounds; i++) {
        await delay(377); // another place in the group of pictures each time
        all.push(await join(api, decoder));
      }
      console.log(
        `  ${decoder}: ${show(
          all.map(({ firstMs }) => firstMs),
          0,
        )} ms`,
      );
    }
    clearInterval(filming);
    producer.close();
  });
}

console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
if (only.has("small")) {
  const small = { sources: 4, consumers: 4, size: 100, warm: 5000 };
  await compare("10,000 messages of 100 bytes a second, four sources with a consumer each", {
    ...small,
    perSecond: 10_000,
    count: 10_000 * seconds,
  });
}
if (only.has("wide")) {
  await compare("12 Mbit/s, 30 pictures a second, to a hundred consumers", {
    sources: 1,
    consumers: 100,
    size: 50_000,
    perSecond: 30,
    warm: 30,
    count: 30 * seconds,
  });
}
if (only.has("most")) {
  await compare("As many messages of 100 bytes as go, twenty sources with a consumer each", {
    sources: 20,
    consumers: 20,
    size: 100,
    warm: 50_000,
    count: 40_000 * seconds,
  });
}
if (only.has("join")) await joins();
