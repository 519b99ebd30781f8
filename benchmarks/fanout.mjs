/**
 * What it costs to tell many viewers the same: segments of 64 KiB twice a second to a thousand of them, bursts of small
 * events to a hundred, a viewer that looks on, and viewers that stop reading. Compared with Socket.IO's room broadcast
 * and with `ws` writing a frame that was built once (events: `ws.send` for each), one after the other in each round; and
 * with uWebSockets.js's publish where `npm install --no-save @trufflesuite/uws-js-unofficial` brought it.
 * Server and viewers are processes of their own; CPU is the server's.
 *
 *   node benchmarks/fanout.mjs [--viewers 1000] [--segments 14] [--rounds 3] [--only segments,idle,stalled,events]
 *                              [--most-stolen 100]
 *
 * Segments are sent again, up to ten times, where the host kept more than `--most-stolen` percent of the CPU for others.
 */
import { fork } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { stolen } from "./lib/stolen.mjs";

const { values } = parseArgs({
  options: {
    viewers: { type: "string", default: "1000" },
    segments: { type: "string", default: "14" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "segments,idle,stalled,events" },
    "most-stolen": { type: "string", default: "100" },
  },
});
const [viewers, segments, rounds] = [values.viewers, values.segments, values.rounds].map(Number);
const mostStolen = Number(values["most-stolen"]) / 100;
const TRIES = 10;
const PATHS = { cairn: "/v1/spaces/bench/live", socketio: "/socket.io/?EIO=4&transport=websocket", ws: "/", uws: "/" };
const NAMES = { cairn: "Cairn", socketio: "Socket.IO, a room", ws: "ws, framed once", uws: "uWebSockets, publish" };
const withUws = isInstalled("@trufflesuite/uws-js-unofficial");
/**
 * Segments sent before the measurement, to each server, seven a second: code is compiled by then, and nothing makes the
 * engine forget it: no collection is forced. What comes of a start is done before, too: V8 marks the heap of a process that
 * has come to rest, of any of the three. So is what Cairn does in the background: no compaction, one each 16 segments,
 * falls into it.
 */
const WARM = 160;
const WARM_GAP_MS = 150;

const path = (name) => new URL(`lib/${name}.mjs`, import.meta.url);
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
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

function isInstalled(name) {
  try {
    return import.meta.resolve(name) !== undefined;
  } catch {
    return false;
  }
}

/** A server and its viewers, for as long as `work` takes. */
async function withServer(start, count, credit, work) {
  const server = fork(path("fanout-servers"), { execArgv: ["--expose-gc"] });
  const clients = fork(path("raw-viewers"));
  try {
    const { port, segmentBytes } = await ask(server, { start });
    const before = (await ask(server, { measure: "collected" })).memory;
    await ask(clients, { connect: { count, port, path: PATHS[start.kind], kind: start.kind, credit } });
    return await work({ server, clients, before, segmentBytes });
  } finally {
    server.removeAllListeners("exit");
    clients.removeAllListeners("exit");
    server.kill();
    clients.kill();
  }
}

/** As `segmentsTo`, of a try during which this machine was its own; of the last one where none was. */
async function undisturbed(kind) {
  for (let tries = 1; ; tries++) {
    const run = await segmentsTo(kind, viewers);
    if (run.stolen <= mostStolen || tries === TRIES) return run;
  }
}

async function segmentsTo(kind, count, stalled = 0) {
  const start = { kind, segments: segments + WARM };
  // Only what the server grew by for those that stopped reading is asked for, and worth a forced collection.
  const measured = stalled > 0 ? "collected" : "as it is";
  return withServer(start, count, 1_000_000, async ({ server, clients, segmentBytes }) => {
    await ask(server, { run: { from: 0, to: WARM, gapMs: WARM_GAP_MS } });
    await ask(server, { settled: true });
    if (stalled > 0) await ask(clients, { stall: stalled });
    await ask(clients, { report: true });
    const { memory: before } = await ask(server, { measure: measured });
    const stolenSince = stolen();
    const { sentMs, cpuS, mainS } = await ask(server, { run: { from: WARM, to: WARM + segments } });
    const good = count - stalled;
    let arrivals = [];
    for (let tries = 0; tries < 40 && arrivals.length < good * segments * 2; tries++) {
      arrivals = arrivals.concat((await ask(clients, { report: true })).arrivals);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const taken = stolenSince();
    const { memory, stats } = await ask(server, { measure: measured });
    const delaysMs = [];
    for (let i = 0; i < arrivals.length; i += 2) delaysMs.push(arrivals[i + 1] - sentMs[arrivals[i] - WARM]);
    delaysMs.sort((a, b) => a - b);
    return {
      segmentBytes,
      cpuS,
      mainS,
      p50Ms: quantile(delaysMs, 0.5),
      p99Ms: quantile(delaysMs, 0.99),
      lost: good * segments - delaysMs.length,
      waitingBytes: stats.waitingBytes,
      grownRss: memory.rss - before.rss,
      stolen: taken,
    };
  });
}

console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; medians of ${rounds} rounds`);
const wanted = new Set(values.only.split(","));

if (wanted.has("segments")) {
  const runs = { cairn: [], socketio: [], ws: [], ...(withUws ? { uws: [] } : {}) };
  const each = (seconds) => ((seconds * 1e6) / segments / viewers).toFixed(1);
  for (let round = 0; round < rounds; round++) {
    for (const kind of Object.keys(runs)) runs[kind].push(await undisturbed(kind));
    const said = Object.values(runs).map((of) => `${each(of[round].cpuS)} (${(100 * of[round].stolen).toFixed(0)} %)`);
    const kinds = Object.keys(runs).map((kind) => NAMES[kind].split(",")[0]);
    console.log(`round ${round + 1}, µs a delivery (the host took): ${kinds.join(", ")} ${said.join(", ")}`);
  }
  const cpu = (kind) => median(runs[kind].map(({ cpuS }) => cpuS));
  const main = (kind) => median(runs[kind].map(({ mainS }) => mainS));
  console.log(`\n${segments} segments of ${runs.ws[0].segmentBytes} bytes, 2/s, to ${viewers} viewers`);
  console.log("server                 CPU s   × cairn   a delivery, µs   of it main thread   p50 ms   p99 ms   lost");
  for (const [kind, of] of Object.entries(runs)) {
    const at = (name) => median(of.map((each) => each[name])).toFixed(0);
    const lost = of.reduce((sum, each) => sum + each.lost, 0);
    console.log(
      `${NAMES[kind].padEnd(20)} ${cpu(kind).toFixed(2).padStart(7)} ${(cpu(kind) / cpu("cairn")).toFixed(2).padStart(9)} ${each(cpu(kind)).padStart(16)} ${each(main(kind)).padStart(19)} ${at("p50Ms").padStart(8)} ${at("p99Ms").padStart(8)} ${String(lost).padStart(6)}`,
    );
  }
  console.log(
    `Cairn by Socket.IO ${(cpu("cairn") / cpu("socketio")).toFixed(2)} (≤ 0.5), by ws framed once ${(cpu("cairn") / cpu("ws")).toFixed(2)} (≤ 1.3)`,
  );
}

if (wanted.has("idle")) {
  console.log(`\n${viewers} viewers that have all and look on: server memory each`);
  for (const start of [
    { kind: "ws" },
    { kind: "socketio" },
    { kind: "cairn" },
    { kind: "cairn", photos: 20 },
    { kind: "cairn", photos: 20, leafCap: 96 },
  ]) {
    await withServer(start, viewers, 4_000_000, async ({ server, before }) => {
      await new Promise((resolve) => setTimeout(resolve, start.photos ? 15_000 : 2000));
      await ask(server, { measure: "collected" });
      const { memory, stats } = await ask(server, { measure: "collected" });
      const each = (name) => ((memory[name] - before[name]) / viewers / 1024).toFixed(1);
      const layer = stats.nodes ? `, a layer of ${stats.points} points in ${stats.nodes} nodes` : "";
      console.log(`${start.kind}${layer}: heap and buffers ${each("used")} KiB, resident ${each("rss")} KiB`);
    });
  }
}

if (wanted.has("stalled")) {
  const runs = { all: [], some: [] };
  const stalled = viewers / 5;
  for (let round = 0; round < rounds; round++) {
    runs.all.push(await segmentsTo("cairn", viewers - stalled));
    runs.some.push(await segmentsTo("cairn", viewers, stalled));
  }
  const p99 = (name) => median(runs[name].map(({ p99Ms }) => p99Ms));
  const worst = Math.max(...runs.some.map(({ waitingBytes }) => waitingBytes));
  const grown = Math.max(...runs.some.map(({ grownRss }) => grownRss));
  console.log(`\n${viewers - stalled} viewers; and the same beside ${stalled} that stopped reading`);
  console.log(
    `p99 ${p99("all").toFixed(0)} ms; beside them ${p99("some").toFixed(0)} ms; lost ${runs.some.reduce((sum, { lost }) => sum + lost, 0)}`,
  );
  console.log(
    `held for one stalled viewer ${(worst / 2 ** 20).toFixed(2)} MiB at most; the server grew by ${(grown / 2 ** 20).toFixed(0)} MiB`,
  );
}

/** CPU of a server that tells `count` events a turn to `viewers`, µs for each of 100 deliveries of an event. */
async function eventsTo(kind, viewers, count, gapMs) {
  const turns = gapMs > 0 ? 300 : Math.min(3000, 24_000 / count);
  return withServer({ kind }, viewers, 0, async ({ server, clients }) => {
    // Code is compiled by then, of each server: a turn each 2 ms does it sooner than one each 20 ms.
    await ask(server, { burst: gapMs > 0 ? { count, turns: 500, gapMs: 2 } : { count, turns: turns / 4, gapMs } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await ask(clients, { report: true });
    const { cpuS } = await ask(server, { burst: { count, turns, gapMs } });
    let small = 0;
    for (let tries = 0; tries < 100 && small < viewers * count * turns; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      small += (await ask(clients, { report: true })).small;
    }
    if (small !== viewers * count * turns)
      throw new Error(`${kind}: ${small} of ${viewers * count * turns} events arrived`);
    return (cpuS * 1e6) / (100 * count * turns);
  });
}

if (wanted.has("events")) {
  console.log(
    "\nsmall events to 100 viewers: server CPU µs a delivered event. Delivery alone: less the log with no viewers",
  );
  console.log("turns           events   Cairn   its log   delivery alone   ws.send   with log   without   uWebSockets");
  for (const gapMs of [20, 0]) {
    for (const count of [1, 16, 64]) {
      const runs = { cairn: [], log: [], ws: [], uws: [] };
      for (let round = 0; round < rounds; round++) {
        runs.cairn.push(await eventsTo("cairn", 100, count, gapMs));
        runs.log.push(await eventsTo("cairn", 0, count, gapMs));
        runs.ws.push(await eventsTo("ws", 100, count, gapMs));
        if (withUws) runs.uws.push(await eventsTo("uws", 100, count, gapMs));
      }
      const [cairn, log, ws] = [median(runs.cairn), median(runs.log), median(runs.ws)];
      const uws = withUws ? median(runs.uws).toFixed(2) : "–";
      const cell = (text, width) => String(text).padStart(width);
      console.log(
        `${gapMs > 0 ? `${gapMs} ms apart ` : "back to back"}${cell(count, 9)}${cell(cairn.toFixed(2), 9)}${cell(log.toFixed(2), 10)}` +
          `${cell((cairn - log).toFixed(2), 17)}${cell(ws.toFixed(2), 10)}${cell(`1/${(ws / cairn).toFixed(1)}`, 11)}${cell(`1/${(ws / (cairn - log)).toFixed(1)}`, 10)}${cell(uws, 14)}`,
      );
    }
  }
}
process.exit();
