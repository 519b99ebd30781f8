/**
 * The servers that `router.mjs` compares, each in a process of its own: Cairn's hub, and `ws` alone, which hands every
 * message of a source to its consumers without looking at it. Both measure their own CPU.
 *
 * Told what to do over IPC: `{ start: kind }`, `{ measure: true }`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocketServer } from "ws";

async function cairn() {
  const { startServer } = await import("../../packages/server/dist/index.js");
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-router-"));
  process.once("exit", () => rmSync(dataDir, { recursive: true, force: true }));
  const socketRate = { perSecond: 1e6, burst: 1e6 };
  return (await startServer({ port: 0, dataDir, logLevel: "silent", openEngine: null, socketRate })).port;
}

async function bare() {
  const consumers = new Map();
  const http = createServer();
  const server = new WebSocketServer({ server: http, perMessageDeflate: false });
  server.on("connection", (ws, request) => {
    const { pathname, searchParams } = new URL(request.url, "ws://localhost");
    const source = searchParams.get("source");
    const all = consumers.get(source) ?? new Set();
    consumers.set(source, all);
    ws.on("error", () => {});
    if (pathname.endsWith("/consume")) {
      all.add(ws);
      ws.on("close", () => all.delete(ws));
    } else {
      ws.on("message", (data, binary) => {
        for (const consumer of all) consumer.send(data, { binary });
      });
    }
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return http.address().port;
}

process.on("message", async ({ start, measure }) => {
  if (start) process.send({ port: await { cairn, ws: bare }[start]() });
  if (measure) {
    const { user, system } = process.cpuUsage();
    process.send({ cpuS: (user + system) / 1e6, rssMiB: process.memoryUsage.rss() / 2 ** 20 });
  }
});
process.once("disconnect", () => process.exit());
