/**
 * The servers that `fanout.mjs` compares, each in a process of its own: Cairn's live door, Socket.IO's room broadcast,
 * `ws` with a frame that was built once, and uWebSockets.js's publish where it is installed. All send the same segments,
 * twice a second, and measure their own CPU, all threads of it.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { childOf, encodePack, encodeSegment, Octree, parseNodeKey, planGrid } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { openCore } from "@cairn/core";
import { Server as SocketIo } from "socket.io";
import { WebSocketServer } from "ws";
import { openUpgrades } from "../../packages/server/dist/http/upgrades.js";
import { openLive } from "../../packages/server/dist/live/live-door.js";
import { Metrics } from "../../packages/server/dist/metrics/metrics.js";
import { hallPhoto } from "./point-sources.mjs";

const GRID = planGrid([0, 0, 0], [16, 16, 16], 0.001);
/** Longer than V8 waits between two such collections. */
const REST_MS = 10_000;
/** Not among our dependencies: `npm install --no-save` of this brings it. */
const UWS = "@trufflesuite/uws-js-unofficial";
const IMAGE = "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70";

/** Segments of about 64 KiB, of a node as many as it may hold when it is compacted; `k` makes them differ. */
function segmentOf(k) {
  const count = 11_100;
  const node = childOf(parseNodeKey(GRID.seed), Math.floor(k / 90) % 8);
  const coords = new Uint16Array(count * 3);
  const colors = new Uint8Array(count * 3);
  let state = k + 1;
  for (let i = 0; i < coords.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    coords[i] = state >>> 16;
    colors[i] = 128 + ((state >>> 8) & 7);
  }
  return { node, bits: 16, count, coords, colors, photos: 0 };
}

let server;
let port;
/** Sends the k-th segment to all. */
let send;
let stats = () => ({});
/** Does now what would be done in the background soon. */
let settle = () => {};
let events;
const segments = [];

async function listen(http) {
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  port = http.address().port;
}

async function cairn({ photos = 0, leafCap }) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  process.on("exit", () => rmSync(dataDir, { recursive: true, force: true }));
  // As in any store that has been in use for a while, the folders for blobs are there.
  for (let i = 0; i < 256; i++) {
    mkdirSync(join(dataDir, "blobs", i.toString(16).padStart(2, "0")), { recursive: true });
  }
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "bench" });
  const http = createServer();
  const refuse = () => Promise.reject(new Error("not here"));
  const log = { warn: console.error, error: console.error };
  const metrics = new Metrics({ connections: () => new Map(), queues: async () => ({}) });
  const door = openLive({ core, log, ingest: refuse, startOperation: refuse, metrics, limits: { slowMs: 600_000 } });
  openUpgrades({ metrics, socketsPerAddress: 5000 }).attach(http, [door.route]);
  await listen(http);
  let pack = 0;
  const grow = async (root, encoded, points) => {
    const { bytes, headBytes } = encodePack(root, encoded, hashOf);
    const { digest: blob, sizeBytes } = await core.blobs.put(bytes);
    const about = { points, segments: encoded.length, merged: 0, min: [0, 0, 0], max: [16, 16, 16] };
    await space.log.append([
      { type: "segments.added", data: { layer: 1, pack: pack++, blob, sizeBytes, headBytes, ...about } },
    ]);
  };
  await space.log.append([
    { type: "generation.started", data: { generation: 1 } },
    { type: "layer.started", data: { layer: 1, kind: "model", name: "bench", generation: 1, ...GRID } },
    { type: "generation.published", data: { generation: 1, cameras: 2, points: 1, refined: 0 } },
  ]);
  if (photos > 0) {
    const tree = new Octree(GRID, leafCap);
    for (let i = 0; i < photos; i++) {
      const { root, segments, kept } = tree.insert(hallPhoto(i, 50_000));
      await grow(
        root,
        segments.map((each) => encodeSegment(each)),
        kept,
      );
    }
    await core.layers.compact(space, 1);
  }
  settle = () => core.layers.compact(space, 1);
  send = (k) => grow(parseNodeKey(GRID.seed), [segments[k]], 11_100);
  events = (count, turns, gapMs) =>
    inTurns(turns, gapMs, () => Array.from({ length: count }, (_, i) => space.log.append([small(i)])));
  stats = async () => {
    const table = await core.layers.tables.open(space, 1);
    return { waitingBytes: door.stats().waitingBytes, nodes: table.list.length, points: table.points };
  };
}

function small(i) {
  const data = { operation: IMAGE, code: "bench", message: `${i}`.padEnd(60, "x") };
  return { type: "operation.failed", data };
}

/** @param gapMs 0: each turn comes as soon as all of the one before is done */
async function inTurns(turns, gapMs, turn) {
  const done = [];
  for (let k = 0; k < turns; k++) {
    done.push(...turn());
    if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs));
    else await Promise.all(done.splice(0));
  }
  await Promise.all(done);
}

async function socketio() {
  const http = createServer();
  server = new SocketIo(http, { transports: ["websocket"], perMessageDeflate: false, maxHttpBufferSize: 1e8 });
  server.on("connection", (socket) => socket.join("bench"));
  await listen(http);
  send = (k) => server.to("bench").emit("segment", segments[k]);
}

async function ws() {
  const http = createServer();
  server = new WebSocketServer({ server: http, perMessageDeflate: false });
  await listen(http);
  send = (k) => {
    const payload = segments[k];
    const frame = Buffer.allocUnsafe(payload.length + 10);
    frame[0] = 0x82;
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(payload.length), 2);
    frame.set(payload, 10);
    for (const client of server.clients) client._socket.write(frame);
  };
  events = (count, turns, gapMs) =>
    inTurns(turns, gapMs, () => {
      let taken;
      for (let i = 0; i < count; i++) {
        const text = eventsText(i);
        for (const client of server.clients) client.send(text);
        // The kernel has taken what each was sent.
        if (i === count - 1) taken = [...server.clients].map(({ _socket }) => drained(_socket));
      }
      return taken;
    });
}

/** What it has not handed to the kernel at the end of a turn of the event loop is told by each socket. */
async function uws() {
  const { App, DISABLED, us_socket_local_port: portOf } = (await import(UWS)).default;
  const sockets = new Set();
  const app = App().ws("/*", {
    compression: DISABLED,
    maxBackpressure: 1e9,
    open(socket) {
      sockets.add(socket);
      socket.subscribe("bench");
    },
    close: (socket) => sockets.delete(socket),
  });
  await new Promise((resolve) => {
    app.listen("127.0.0.1", 0, (listening) => {
      port = portOf(listening);
      resolve();
    });
  });
  send = (k) => app.publish("bench", segments[k], true);
  events = (count, turns, gapMs) =>
    inTurns(turns, gapMs, () => {
      for (let i = 0; i < count; i++) app.publish("bench", eventsText(i), false);
      return [taken()];
    });
  async function taken() {
    do await new Promise((resolve) => setImmediate(resolve));
    while ([...sockets].some((socket) => socket.getBufferedAmount() > 0));
  }
}

function eventsText(i) {
  const { type, data } = small(i);
  return JSON.stringify({ type: "events", events: [{ seq: i, timeNs: `${Date.now()}000000`, type, data }] });
}

function drained(socket) {
  return socket.writableLength === 0 ? undefined : new Promise((resolve) => socket.once("drain", resolve));
}

/** CPU seconds of the main thread and of all others: the disk's, the compiler's, the collector's; where /proc tells. */
function cpu() {
  const threads = { mainS: 0, othersS: 0 };
  try {
    for (const id of readdirSync("/proc/self/task")) {
      const [ns] = readFileSync(`/proc/self/task/${id}/schedstat`, "latin1").split(" ");
      threads[id === String(process.pid) ? "mainS" : "othersS"] += ns / 1e9;
    }
    return threads;
  } catch {
    const { user, system } = process.cpuUsage();
    return { mainS: (user + system) / 1e6, othersS: 0 };
  }
}

function cpuSince(before) {
  const now = cpu();
  const [mainS, othersS] = [now.mainS - before.mainS, now.othersS - before.othersS];
  return { cpuS: mainS + othersS, mainS };
}

/** @param collected after a collection; V8 then throws away compiled code as well, and compiles it again later */
function memory(collected) {
  if (collected) globalThis.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, used: heapUsed + external, arrayBuffers };
}

let markedMs = 0;
new PerformanceObserver((list) => {
  const marked = list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
  if (marked.length > 0) markedMs = performance.now();
}).observe({ entryTypes: ["gc"] });

/**
 * When a process has come to rest V8 marks its whole heap some times, seconds apart, to give memory back. That is over by
 * then, and all that was said before is told.
 */
async function collectorRests() {
  const fromMs = performance.now();
  const restedMs = () => performance.now() - Math.max(fromMs, markedMs);
  while (restedMs() < REST_MS && performance.now() - fromMs < 4 * REST_MS) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

process.on("SIGINT", () => process.exit());
process.on("message", async ({ start, run, settled, burst, measure }) => {
  if (start) {
    await { cairn, socketio, ws, uws }[start.kind](start);
    for (let k = 0; k < (start.segments ?? 0); k++) segments.push(encodeSegment(segmentOf(k)));
    process.send({ port, segmentBytes: segments[0]?.length });
  }
  if (run) {
    const sentMs = [];
    const { gapMs = 500 } = run;
    const since = cpu();
    for (let k = run.from; k < run.to; k++) {
      sentMs.push(Number(process.hrtime.bigint()) / 1e6);
      await send(k);
      await new Promise((resolve) =>
        setTimeout(resolve, gapMs - (Number(process.hrtime.bigint()) / 1e6 - sentMs.at(-1))),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.send({ sentMs, ...cpuSince(since) });
  }
  if (burst) {
    const since = cpu();
    await events(burst.count, burst.turns, burst.gapMs);
    // The last are told together with what may yet come.
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.send(cpuSince(since));
  }
  if (settled) {
    await settle();
    await collectorRests();
    process.send({});
  }
  if (measure) process.send({ memory: memory(measure === "collected"), stats: await stats() });
});
