/**
 * The servers that `fanout.mjs` compares, each in a process of its own: Cairn's live door, Socket.IO's room broadcast, and
 * `ws` with a frame that was built once. All send the same segments, twice a second, and measure their own CPU.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePack, encodeSegment, Octree, parseNodeKey, planGrid } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { openCore } from "@cairn/core";
import { Server as SocketIo } from "socket.io";
import { WebSocketServer } from "ws";
import { openUpgrades } from "../../packages/server/dist/http/upgrades.js";
import { openLive } from "../../packages/server/dist/live/live-door.js";
import { Metrics } from "../../packages/server/dist/metrics/metrics.js";
import { hallPhoto } from "./point-sources.mjs";

const GRID = planGrid([0, 0, 0], [16, 16, 16], 0.001);
const IMAGE = "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70";

/** Segments of about 64 KiB, all of one node; `k` makes them differ. */
function segmentOf(k) {
  const count = 11_100;
  const node = parseNodeKey(GRID.seed);
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
let events;
const segments = [];

async function listen(http) {
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  port = http.address().port;
}

async function cairn({ photos = 0, leafCap }) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  process.on("exit", () => rmSync(dataDir, { recursive: true, force: true }));
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
  send = (k) => grow(parseNodeKey(GRID.seed), [segments[k]], 11_100);
  events = async (count, turns) => {
    const appended = [];
    await inTurns(turns, () => {
      for (let i = 0; i < count; i++) appended.push(space.log.append([small(i)]));
    });
    await Promise.all(appended);
  };
  stats = async () => {
    const table = await core.layers.tables.open(space, 1);
    return { waitingBytes: door.stats().waitingBytes, nodes: table.list.length, points: table.points };
  };
}

function small(i) {
  const data = { operation: IMAGE, code: "bench", message: `${i}`.padEnd(60, "x") };
  return { type: "operation.failed", data };
}

async function inTurns(turns, turn) {
  for (let k = 0; k < turns; k++) {
    turn();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
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
  events = (count, turns) =>
    inTurns(turns, () => {
      for (let i = 0; i < count; i++) {
        const { type, data } = small(i);
        const text = JSON.stringify({
          type: "events",
          events: [{ seq: i, timeNs: `${Date.now()}000000`, type, data }],
        });
        for (const client of server.clients) client.send(text);
      }
    });
}

function memory() {
  globalThis.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, used: heapUsed + external, arrayBuffers };
}

process.on("SIGINT", () => process.exit());
process.on("message", async ({ start, run, burst, measure }) => {
  if (start) {
    await { cairn, socketio, ws }[start.kind](start);
    for (let k = 0; k < (start.segments ?? 0); k++) segments.push(encodeSegment(segmentOf(k)));
    process.send({ port, segmentBytes: segments[0]?.length });
  }
  if (run) {
    const sentMs = [];
    const since = process.cpuUsage();
    for (let k = run.from; k < run.to; k++) {
      sentMs.push(Number(process.hrtime.bigint()) / 1e6);
      await send(k);
      await new Promise((resolve) =>
        setTimeout(resolve, 500 - (Number(process.hrtime.bigint()) / 1e6 - sentMs.at(-1))),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { user, system } = process.cpuUsage(since);
    process.send({ sentMs, cpuS: (user + system) / 1e6 });
  }
  if (burst) {
    const since = process.cpuUsage();
    await events(burst.count, burst.turns);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { user, system } = process.cpuUsage(since);
    process.send({ cpuS: (user + system) / 1e6 });
  }
  if (measure) process.send({ memory: memory(), stats: await stats() });
});
