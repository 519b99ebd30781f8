/**
 * How long steering takes, against a server in a process of its own: a command from the operator to the device (durable
 * in the log before it goes out) and the device's answer back, a stop over a full queue, and a viewer's command of the
 * hub to phones, one in a space (noted down beside it) and one in none, in turns.
 *
 *   node benchmarks/control.mjs [--commands 1000]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { holdDevice, serveDevice, stopDevices } from "@cairn/client";
import { connect, openApi } from "@cairn/client/node";
import { WebSocket } from "ws";
import { startServer } from "../packages/server/dist/index.js";
import { machine } from "./support.mjs";

const { values } = parseArgs({
  options: { commands: { type: "string", default: "1000" }, role: { type: "string", default: "measure" } },
});
/** Under the 50 commands a second that a device takes. */
const EVERY_MS = 25;
const STOPS = 20;
const QUEUE = 40;

async function serve() {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-control-"));
  const server = await startServer({ port: 0, dataDir, logLevel: "error", openEngine: null });
  process.on("message", async () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpuS: (user + system) / 1e6 });
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
    process.exit(0);
  });
  process.send({ url: server.url });
}

const DRONE = {
  device: "drone",
  kinds: {
    move: { properties: { x: { type: "number" } }, required: ["x"] },
    wait: { properties: {} },
    hover: { properties: {} },
  },
  safe: { kind: "hover" },
  ttlMs: 60_000,
};

function show(what, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(2);
  console.log(`${what} | ${at(0.5)} | ${at(0.99)} | ${at(1)}`);
}

/** Native: the SDK at both ends. */
async function native(url, count) {
  const there = new Map();
  const stops = [];
  const drone = connect({ url, space: "place" });
  let asleep = () => {};
  const device = serveDevice(drone, DRONE, {
    command({ kind, command, signal }) {
      there.set(command, performance.now());
      if (kind !== "wait") return undefined;
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
    secure(what) {
      if (what === "stop") stops.push(performance.now());
      asleep();
    },
  });
  const operator = connect({ url, space: "place" });
  await operator.waitFor(({ control }) => control?.devices.drone?.connected === true);
  const held = await holdDevice(operator, "drone", { holder: "Ann", heartbeatMs: 10_000 });

  const out = [];
  const back = [];
  for (let n = 0; n < count; n++) {
    const sentMs = performance.now();
    const command = await held.send("move", { x: n });
    await command.reached("settled");
    out.push(there.get(command.command) - sentMs);
    back.push(performance.now() - sentMs);
    await setTimeout(Math.max(0, sentMs + EVERY_MS - performance.now()));
  }
  const stopped = [];
  const watcher = connect({ url, space: "place" });
  await watcher.ready();
  for (let n = 0; n < STOPS; n++) {
    await setTimeout(1100); // the rates of commands and stops are full again
    const sent = await Promise.all(Array.from({ length: QUEUE }, () => held.send("wait")));
    const heard = new Promise((resolve) => {
      asleep = resolve;
    });
    const pressedMs = performance.now();
    const { order } = await stopDevices(watcher, { by: "Eve" });
    await heard;
    stopped.push(stops.at(-1) - pressedMs);
    await Promise.all(sent.map((each) => each.reached("settled")));
    await held.clear(order);
  }
  await held.release();
  device.close();
  for (const each of [drone, operator, watcher]) each.close();
  return { out, back, stopped };
}

/** The hub: a viewer and two phones, raw. */
async function hub(url, count) {
  const open = async (path) => {
    const ws = new WebSocket(url.replace("http", "ws") + path);
    await once(ws, "open");
    return ws;
  };
  const phones = [await open("/ws/phone?source=a&space=place"), await open("/ws/phone?source=b")];
  const api = openApi({ url });
  while (!(await api.devices("place")).some(({ device, connected }) => device === "a" && connected))
    await setTimeout(20);
  const viewer = await open("/ws/viewer");
  const times = [[], []];
  for (let n = 0; n < count; n++) {
    const which = n % 2;
    const sentMs = performance.now();
    viewer.send(JSON.stringify({ type: "movement", x: 0.5, y: 0, source: "ab"[which], timestamp: String(n) }));
    await once(phones[which], "message");
    times[which].push(performance.now() - sentMs);
    await setTimeout(Math.max(0, sentMs + EVERY_MS / 2 - performance.now()));
  }
  for (const each of [...phones, viewer]) each.close();
  return times;
}

async function measure() {
  const count = Number(values.commands);
  const server = fork(fileURLToPath(import.meta.url), ["--role", "serve"]);
  const [{ url }] = await once(server, "message");
  await openApi({ url }).createSpace({ id: "place" });
  const { out, back, stopped } = await native(url, count);
  const [inSpace, inNone] = await hub(url, count);
  console.log(`${machine()}; ${count} commands, one every ${EVERY_MS} ms; ${STOPS} stops over ${QUEUE} commands\n`);
  console.log("what | median ms | p99 | most");
  show("a command, operator → log → device", out);
  show("and its outcome back at the operator", back);
  show("a stop, watcher → device, over a full queue", stopped);
  show("a command of the hub, viewer → phone in a space", inSpace);
  show("a command of the hub, viewer → phone in none", inNone);
  server.send("end");
  const [{ cpuS }] = await once(server, "message");
  console.log(`\nserver: ${cpuS.toFixed(2)} s of CPU`);
  await once(server, "exit");
}

await (values.role === "serve" ? serve() : measure());
