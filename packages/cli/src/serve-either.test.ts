/** https and http at one port: requests and sockets of both, those who say nothing, and the end of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { type ServerOptions, startServer } from "@cairn/server";
import { WebSocket } from "ws";
import { ownCertificate, ownNames } from "./own-certificate.ts";

/** Serves until the test ends. @returns with the PEM that vouches for it */
async function either(t: TestContext, options: Partial<ServerOptions> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-either-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const own = await ownCertificate(dataDir);
  const tls = { ...own, plainToo: true };
  const server = await startServer({ port: 0, dataDir, logLevel: "silent", openEngine: null, tls, ...options });
  t.after(() => server.close());
  return { server, port: server.port, ca: own.authority, dataDir };
}

test("CAP-10 requests and sockets come by https and by http", async (t) => {
  const { port, ca } = await either(t);
  assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200);
  for (const scheme of ["ws", "wss"]) {
    const ws = new WebSocket(`${scheme}://localhost:${port}/ws/attic`, { ca });
    const [first] = (await once(ws, "message")) as [Buffer];
    assert.equal(JSON.parse(String(first)).type, "initial_state_starting");
    ws.close();
    await once(ws, "close");
  }
  const tls = connectTls({ port, host: "localhost", ca });
  tls.write("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  let answer = "";
  for await (const piece of tls) answer += String(piece);
  assert.match(answer, /^HTTP\/1\.1 200/);
  // One byte at a time is as good.
  const slow = connect(port, "127.0.0.1").setNoDelay();
  for (const letter of "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") slow.write(letter);
  answer = "";
  for await (const piece of slow) answer += String(piece);
  assert.match(answer, /^HTTP\/1\.1 200/);
});

test("GEN-1 CAP-10 a request that wishes for another protocol, as curl's and Java's do, is answered as it is", async (t) => {
  const { port, ca } = await either(t);
  const wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  const body = '{"max_images":3}';
  for (const socket of [connect(port, "127.0.0.1"), connectTls({ port, host: "localhost", ca })]) {
    let answers = "";
    const head = `POST /ws/session/create HTTP/1.1\r\nHost: x\r\nX-Odd: a, upgrade, b\r\n${wish}Content-Type: application/json\r\n`;
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
    socket.write(body.slice(5));
    while (!answers.endsWith("}")) answers += String((await once(socket, "data"))[0]);
    // Its connection serves on, with what came behind such a request.
    const plain = "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write(`GET /depth/health HTTP/1.1\r\nHost: x\r\n${wish}\r\n${plain}`);
    for await (const piece of socket) answers += String(piece);
    assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 3, answers);
    for (const said of ['"max_images":3', '"service":"depth-sessions"', '"model_loaded"'])
      assert.ok(answers.includes(said), said);
  }
});

test("CAP-10 who says nothing, or half of a request, is let go; nobody holds up the end", {
  timeout: 60_000,
}, async (t) => {
  const { port } = await either(t, { timeouts: { headersMs: 300, requestMs: 300 } });
  const closed = async (said: string) => {
    const socket = connect(port, "127.0.0.1");
    socket.resume().on("error", () => {});
    await once(socket, "connect");
    if (said) socket.write(said);
    await once(socket, "close");
  };
  await Promise.all([closed(""), closed("GET /health HTTP/1.1\r\nHo"), closed("\x16\x03"), closed("\x00")]);

  const patient = await either(t);
  const closes: Promise<unknown>[] = [];
  for (const said of ["", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"]) {
    const socket = connect(patient.port, "127.0.0.1");
    socket.on("error", () => {});
    closes.push(once(socket, "close"));
    await once(socket, "connect");
    socket.write(said);
    if (said) await once(socket, "data"); // answered, and kept open
    socket.resume();
  }
  await patient.server.close();
  await Promise.all(closes);
});

test("CAP-9 a renewed certificate is for those who come from then on", async (t) => {
  const { server, port, ca, dataDir } = await either(t);
  const shown = async () => {
    const socket = connectTls({ port, host: "localhost", ca });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    const reach = (await (await fetch(`http://127.0.0.1:${port}/v1/reach`)).json()) as { fingerprint: string };
    assert.equal(reach.fingerprint, fingerprint256);
    return fingerprint256;
  };
  const renewed = await ownCertificate(dataDir, ownNames(["192.168.99.1"]));
  assert.notEqual(await shown(), renewed.fingerprint);
  server.renewCertificate(renewed);
  assert.equal(await shown(), renewed.fingerprint);
});
