/** The checks against a server that keeps its promises, and against one that loses a message now and then. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CairnApi } from "@cairn/client";
import { type RunningServer, startServer } from "@cairn/server";
import { WebSocket, WebSocketServer } from "ws";
import { type Finding, runChecks } from "./checks.ts";

let server: RunningServer;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cairn-verify-"));
  server = await startServer({ port: 0, dataDir, logLevel: "error", openEngine: null });
});

after(async () => {
  await server?.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function check(url: string, space: string, patienceMs: number): Promise<Finding[]> {
  const api = new CairnApi({ url });
  await api.createSpace({ id: space });
  const { signal } = new AbortController();
  return runChecks({ api, space, token: undefined, points: 5000, patienceMs, signal, onStep: () => {} });
}

describe("verify", () => {
  test("LIVE-13 a server that keeps its promises passes every check", async () => {
    const findings = await check(server.url, "honest", 30_000);
    assert.equal(findings.length, 4);
    for (const { promise, kept, measured } of findings) assert.ok(kept, `${promise}: ${measured}`);
  });

  test("events that get lost on the way are found", async (t) => {
    let seen = 0;
    const proxy = await lossyProxy(server.url, (text) => text.startsWith('{"type":"events"') && ++seen % 7 === 0);
    t.after(proxy.close);
    const findings = await check(proxy.url, "lossy", 3000);
    const gap = findings.find(({ promise }) => promise.startsWith("no silent gap"));
    assert.equal(gap?.kept, false, JSON.stringify(findings));
  });
});

/** Passes everything on but the texts that `loses` names. */
async function lossyProxy(target: string, loses: (text: string) => boolean) {
  const http = createServer((incoming, answer) => {
    const onward = request(target + incoming.url, { method: incoming.method, headers: incoming.headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    incoming.pipe(onward);
  });
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (near: WebSocket, { url }: IncomingMessage) => {
    const far = new WebSocket(target.replace(/^http/, "ws") + url);
    const waiting: [Buffer, boolean][] = [];
    near.on("message", (data: Buffer, binary: boolean) => {
      if (far.readyState === far.OPEN) far.send(data, { binary });
      else waiting.push([data, binary]);
    });
    far.on("open", () => {
      for (const [data, binary] of waiting) far.send(data, { binary });
    });
    far.on("message", (data: Buffer, binary: boolean) => {
      if (binary || !loses(data.toString())) near.send(data, { binary });
    });
    near.on("close", () => far.terminate());
    far.on("close", () => near.terminate());
    near.on("error", () => {});
    far.on("error", () => {});
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const close = async () => {
    for (const each of sockets.clients) each.terminate();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  };
  return { url, close };
}
