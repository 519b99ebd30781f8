/** What all faces share, over a face that does nothing but repeat. Rules: the general part of the contracts. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { Type } from "@cairn/protocol/schema";
import { type ClientOptions, WebSocket } from "ws";
import { accessBy } from "../http/access.ts";
import { openUpgrades } from "../http/upgrades.ts";
import { Metrics } from "../metrics/metrics.ts";
import { sendSlowly } from "../test/send-slowly.ts";
import { decodeBase64 } from "./base64.ts";
import type { Face } from "./face.ts";
import { type FaceSocketLimits, shownType } from "./face-socket.ts";
import { type Faces, openFaces } from "./faces.ts";
import { readFields } from "./fields.ts";
import { Refusal } from "./refusal.ts";
import { SharedText } from "./shared-text.ts";

const errors: object[] = [];

/** What many are sent, long and short and too long to be compressed, between messages that are one's own. */
const SIZES = [2000, 10, 50_000, 3000, 2 ** 20 + 2, 5000];
const SHARED = SIZES.flatMap((size, n): (object | Promise<SharedText>)[] => [
  SharedText.of({ n: 2 * n, pad: "y".repeat(size) }),
  { n: 2 * n + 1, pad: "z".repeat(size / 2) },
]);

/** Much more than the kernel holds for a socket. */
const HUGE_BYTES = 40 * 2 ** 20;

/** Lets the work of a message `wait` end. */
let release = () => {};

/** Repeats what it is told; `fail` throws, `flood` sends without waiting for room, `pour` with. */
const ECHO: Face = {
  name: "heritage",
  service: "echo",
  manner: {
    error: (message, facts) => ({ type: "error", message, ...facts }),
    pong: (said) => (typeof said === "object" && said.type === "ping" ? { type: "pong" } : undefined),
    notAnObject: () => "not an object",
    binary: "Binary messages are not accepted here",
  },
  sockets: [
    {
      path: "/ws/:project",
      open(socket, { params }) {
        socket.listen(async (message) => {
          if (message.type === "fail") throw new Error("secret /etc/path");
          if (message.type === "wait") await new Promise<void>((done) => (release = done));
          if (message.type === "flood") while (!socket.signal.aborted) socket.reply({ pad: "x".repeat(2 ** 16) });
          // Far more than the kernel takes.
          if (message.type === "pile") for (let n = 0; n < 32; n++) void socket.send({ pad: "x".repeat(2 ** 20) });
          if (message.type === "huge") void socket.send({ type: "huge", pad: "x".repeat(HUGE_BYTES) });
          if (message.type === "huge reply") socket.reply({ type: "huge", pad: "x".repeat(HUGE_BYTES) });
          if (message.type === "pour") for (let n = 0; n < 1000; n++) await socket.send({ n, pad: "x".repeat(4096) });
          if (message.type === "share") for (const each of SHARED) void socket.send(await each);
          if (message.type === "leave") return socket.close(4004, String(message.reason));
          if (message.type === "known") return socket.reply({ ...message, ...params });
          return socket.error(`Unknown message type: ${shownType(message.type)}`);
        });
      },
    },
    { path: "/ws/fixed", open: (socket) => socket.reply({ fixed: true }) },
  ],
  routes: () => {},
};

class Client {
  readonly ws: WebSocket;
  readonly said: Record<string, unknown>[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(url: string, options: ClientOptions = {}) {
    this.ws = new WebSocket(url, options);
    this.ws.on("message", (data: Buffer) => this.said.push(JSON.parse(data.toString()) as Record<string, unknown>));
    this.ws.on("error", () => {});
    this.closed = once(this.ws, "close").then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  }

  async heard(count: number): Promise<Record<string, unknown>[]> {
    while (this.said.length < count) await once(this.ws, "message");
    return this.said;
  }

  async tell(...messages: (object | string | Buffer)[]): Promise<void> {
    if (this.ws.readyState === WebSocket.CONNECTING) await once(this.ws, "open");
    for (const each of messages) {
      this.ws.send(Buffer.isBuffer(each) || typeof each === "string" ? each : JSON.stringify(each));
    }
  }
}

/** Takes at most 64 KiB every 10 ms, which a client of `ws` cannot. Throws when it is cut off. */
class SteadyReader {
  readonly tcp;
  gotBytes = 0;
  #tail = "";
  #ended = false;

  constructor(url: string) {
    const { host, hostname, port, pathname } = new URL(url);
    this.tcp = connect(Number(port), hostname);
    this.tcp.on("error", () => {});
    this.tcp.on("end", () => (this.#ended = true));
    this.tcp.on("close", () => (this.#ended = true));
    this.tcp.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
  }

  tell(message: object): void {
    const text = Buffer.from(JSON.stringify(message));
    // Masked with zeros.
    this.tcp.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  }

  async read(bytes: number): Promise<void> {
    while (this.gotBytes < bytes) await this.#take();
  }

  /** Reads until what came ends so. */
  async tail(text: string): Promise<void> {
    while (!this.#tail.endsWith(text)) await this.#take();
  }

  async #take(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const bytes = this.tcp.read() as Buffer | null;
    if (bytes) this.gotBytes += bytes.length;
    else assert.ok(!this.#ended, `cut off after ${this.gotBytes} bytes`);
    this.#tail = (this.#tail + (bytes?.toString("latin1") ?? "")).slice(-200);
  }
}

const everybody = accessBy({});

type Doors = { readonly base: string; readonly faces: Faces; close(): Promise<void> };

async function openDoors(limits: Partial<FaceSocketLimits>): Promise<Doors> {
  const server = createServer();
  const faces = openFaces([ECHO], {
    log: { error: (facts) => errors.push(facts) },
    access: { ...everybody, pass: (token) => (token === "wrong" ? undefined : everybody.pass(token)) },
    limits,
  });
  const metrics = new Metrics({ connections: () => ({ ...faces.connections(), live: 0 }), queues: async () => ({}) });
  openUpgrades({ metrics, tallyEveryMs: 20 }).attach(server, [
    ...faces.socketRoutes(ECHO, ""),
    ...faces.socketRoutes(ECHO, "/heritage"),
  ]);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    base: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faces,
    async close() {
      await faces.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Doors whose patience is short: only for those who are to lose it, since a busy machine tries it as well. */
async function hastyDoors(t: TestContext): Promise<Doors> {
  const doors = await openDoors({ outboundBytes: 2 ** 20, slowMs: 500 });
  t.after(() => doors.close());
  return doors;
}

describe("the doors of the faces", () => {
  let faces: Faces;
  let base: string;
  let close: () => Promise<void>;
  before(async () => {
    ({ base, faces, close } = await openDoors({ outboundBytes: 2 ** 20 }));
  });
  after(() => close());

  test("GEN-2 GEN-5 the same at the root and under the prefix, fixed paths first, a trailing slash ignored", async () => {
    for (const path of ["/ws/fixed", "/heritage/ws/fixed/", "/ws/fixed?x=1"]) {
      const client = new Client(base + path);
      assert.deepEqual((await client.heard(1))[0], { fixed: true });
      client.ws.close();
    }
    const named = new Client(`${base}/heritage/ws/a%20b%2Fc`);
    await named.tell({ type: "known" });
    assert.deepEqual((await named.heard(1))[0], { type: "known", project: "a b/c" });
    named.ws.close();
  });

  test("GEN-6 GEN-28 an unknown path is refused with 404, a wrong token after the handshake with 4001", async () => {
    const lost = new Client(`${base}/wsx/y`);
    const [, response] = (await once(lost.ws, "unexpected-response")) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 404);
    const wrong = new Client(`${base}/ws/p?token=wrong`);
    assert.deepEqual(await wrong.closed, { code: 4001, reason: "Not authenticated" });
    assert.deepEqual(wrong.said, []);
  });

  test("GEN-28 a reason too long for a close frame is cut, never within a letter", async () => {
    for (const [reason, kept] of [
      ["short", 5],
      ["é".repeat(200), 61],
      ["日".repeat(64), 41],
      [`a${"😀".repeat(64)}`, 61],
    ] as const) {
      const client = new Client(`${base}/ws/p`);
      await client.tell({ type: "leave", reason });
      assert.deepEqual(await client.closed, { code: 4004, reason: reason.slice(0, kept) });
    }
  });

  test("GEN-14 GEN-16..GEN-19 GEN-27 what cannot be used is answered, and the socket stays", async () => {
    const client = new Client(`${base}/ws/p`);
    const long = "y".repeat(100);
    await client.tell("no json", "[1]", Buffer.of(1, 2), { type: long }, { type: 5 }, {}, { type: "fail" });
    await client.tell({ type: "known" });
    const said = await client.heard(8);
    const { ref } = said[6]!;
    assert.deepEqual(said, [
      { type: "error", message: "not an object" },
      { type: "error", message: "not an object" },
      { type: "error", message: "Binary messages are not accepted here" },
      { type: "error", message: `Unknown message type: ${long.slice(0, 64)}` },
      { type: "error", message: "Unknown message type: null" },
      { type: "error", message: "Unknown message type: null" },
      { type: "error", message: "Internal error", ref },
      { type: "known", project: "p" },
    ]);
    assert.equal((errors.at(-1) as { ref: string }).ref, ref);
    client.ws.close();
  });

  test("GEN-15 a message above 16 MiB closes with 1009, and one of exactly that size passes", async () => {
    const whole = JSON.stringify({ type: "large", pad: "" });
    const exact = whole.replace('"pad":""', `"pad":"${"z".repeat(16 * 2 ** 20 - whole.length)}"`);
    const client = new Client(`${base}/ws/p`, { perMessageDeflate: false });
    await client.tell(exact);
    assert.equal((await client.heard(1))[0]!.message, "Unknown message type: large");
    await client.tell(`${exact} `);
    assert.equal((await client.closed).code, 1009);
  });

  test("GEN-21 a sign of life is answered at once while work runs; messages keep their order", async () => {
    const client = new Client(`${base}/ws/p`);
    await client.tell({ type: "wait" }, { type: "known" }, { type: "ping" });
    assert.deepEqual((await client.heard(1))[0], { type: "pong" });
    release();
    assert.deepEqual(
      (await client.heard(3)).map(({ type }) => type),
      ["pong", "error", "known"],
    );
    client.ws.close();
  });

  test("GEN-23 a thousand messages follow each other as fast as the socket takes them, and none is lost", async () => {
    const client = new Client(`${base}/ws/p`);
    const startedMs = performance.now();
    await client.tell({ type: "pour" });
    const said = await client.heard(1000);
    // A delay of the length that the originals had would take 100 s.
    assert.ok(performance.now() - startedMs < 30_000);
    assert.deepEqual(
      said.slice(0, 1000).map(({ n }) => n),
      Array.from({ length: 1000 }, (_, n) => n),
    );
    client.ws.close();
  });

  test("GEN-12 GEN-22 one that takes nothing is let go in time, and what it did not take is not counted", async (t) => {
    const { base, faces } = await hastyDoors(t);
    const client = new Client(`${base}/ws/p`, { perMessageDeflate: false });
    await once(client.ws, "open");
    client.ws.pause();
    await client.tell({ type: "pile" });
    while (faces.connections().heritage > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    client.ws.terminate();
    const next = new Client(`${base}/ws/p`);
    await next.tell({ type: "known" });
    assert.deepEqual((await next.heard(1))[0], { type: "known", project: "p" });
    next.ws.close();
  });

  test("GEN-20 who is not read, because much of theirs waits, is not taken for dead; who says nothing is", async (t) => {
    const doors = await openDoors({ inboundBytes: 1000, deadMs: 2000 });
    t.after(() => doors.close());
    const busy = new Client(`${doors.base}/ws/p`);
    await busy.tell({ type: "wait" }, { type: "ping" });
    await busy.heard(1);
    await busy.tell({ type: "known", pad: "x".repeat(2000) });
    const idle = new Client(`${doors.base}/ws/p`);
    // Heard of later than the other, and looked at in the same turn.
    assert.deepEqual(await idle.closed, { code: 1011, reason: "keepalive timeout" });
    assert.equal(busy.ws.readyState, busy.ws.OPEN);
    release();
    assert.equal((await busy.heard(3))[2]?.type, "known");
    busy.ws.close();
  });

  test("GEN-20 a message that takes longer than that to arrive is a sign of life all the while", async (t) => {
    const doors = await openDoors({ deadMs: 2000 });
    t.after(() => doors.close());
    const client = new Client(`${doors.base}/ws/p`, { perMessageDeflate: false });
    await sendSlowly(client.ws, JSON.stringify({ type: "known", pad: "x".repeat(2000) }), 4000);
    assert.equal(client.ws.readyState, client.ws.OPEN);
    assert.equal((await client.heard(1))[0]?.type, "known");
    client.ws.close();
  });

  test("GEN-22 a client that does not read is let go with 1013", async (t) => {
    const { base, faces } = await hastyDoors(t);
    const client = new Client(`${base}/ws/p`, { perMessageDeflate: false });
    await once(client.ws, "open");
    client.ws.pause();
    await client.tell({ type: "flood" });
    while (faces.connections().heritage > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    client.ws.resume();
    const { code } = await client.closed;
    assert.ok(code === 1013 || code === 1006, String(code)); // the close frame lies behind what it never read
  });

  for (const type of ["huge", "huge reply"]) {
    test(`GEN-21 GEN-22 who reads all the time is not cut off by one large message, nor by a ping (${type})`, async (t) => {
      const doors = await openDoors({ outboundBytes: 2 ** 20, slowMs: 3000 });
      t.after(() => doors.close());
      const reader = new SteadyReader(`${doors.base}/ws/p`);
      t.after(() => reader.tcp.destroy());
      const beganMs = performance.now();
      reader.tell({ type });
      await reader.read(2 ** 20);
      reader.tell({ type: "ping" });
      await reader.tail('{"type":"pong"}');
      assert.ok(reader.gotBytes > HUGE_BYTES);
      assert.ok(performance.now() - beganMs > 3000, "too fast to show anything");
    });
  }

  test("GEN-22 GEN-24 what was compressed once for all is the same, in order, for whoever takes it in whichever way", async () => {
    const ways: ClientOptions[] = [
      {},
      { perMessageDeflate: false },
      { perMessageDeflate: { serverMaxWindowBits: 9 } },
      { perMessageDeflate: { clientMaxWindowBits: 10 } },
    ];
    for (const options of ways) {
      const client = new Client(`${base}/ws/p`, options);
      await client.tell({ type: "share" });
      const said = (await client.heard(2 * SIZES.length)).slice(0, 2 * SIZES.length);
      assert.deepEqual(
        said.map(({ n, pad }) => [n, String(pad).length]),
        SIZES.flatMap((size, n) => [
          [2 * n, size],
          [2 * n + 1, size / 2],
        ]),
        JSON.stringify(options),
      );
      client.ws.close();
    }
  });

  test("GEN-24 text from 1 KiB on is compressed where it is offered, without context takeover", async () => {
    const client = new Client(`${base}/ws/p`, { perMessageDeflate: true });
    await once(client.ws, "open");
    assert.match(client.ws.extensions, /permessage-deflate/);
    const socket = (client.ws as unknown as { _socket: { bytesRead: number } })._socket;
    const before = socket.bytesRead;
    await client.tell({ type: "known", pad: "a".repeat(50_000) });
    await client.heard(1);
    assert.ok(socket.bytesRead - before < 2_000, `${socket.bytesRead - before} bytes`);
    client.ws.close();
  });

  test("GEN-25 above the rate nothing is processed, and that is said once a second", async () => {
    const client = new Client(`${base}/ws/p`);
    await once(client.ws, "open");
    const startedMs = performance.now();
    const isLimit = ({ message }: Record<string, unknown>) => message === "Rate limit exceeded";
    // However slow the machine is, some day they are too many.
    while (!client.said.some(isLimit)) {
      await client.tell(...Array.from({ length: 400 }, () => ({ type: "known" })));
      await client.heard(client.said.length + 1);
    }
    // What was said before it closed has all been heard then.
    client.ws.close();
    await client.closed;
    // 200 at once and 100 a second, however long the machine took.
    const seconds = (performance.now() - startedMs) / 1000;
    const limited = client.said.filter(isLimit).length;
    assert.ok(limited <= 1 + seconds, `${limited} times in ${seconds} s`);
    assert.ok(client.said.length - limited <= 200 + 100 * seconds, String(client.said.length));
  });

  test("GEN-29 base64 in either alphabet, with white space, prefix and without padding", () => {
    for (const text of ["+/8=", "-_8", "+/8", " +\t/\r\n8= "].flatMap((bare) => [
      bare,
      `data:image/png;base64,${bare}`,
      `\n Data:image/png; name="a,b.png";base64, ${bare}`,
    ])) {
      assert.deepEqual(decodeBase64(text), Buffer.of(0xfb, 0xff), text);
    }
    for (const text of ["", "=", "a", "abcde", "ab=", "a+b-", "a b!c", "data:;base64,", "ab==c", "äöü="]) {
      assert.equal(decodeBase64(text), undefined, text);
    }
  });

  test("GEN-33 what is missing or wrong is said field by field", () => {
    const schema = Type.Object({
      limit: Type.Integer({ minimum: 1, maximum: 5, default: 3 }),
      name: Type.String(),
      deep: Type.Optional(Type.Boolean()),
    });
    assert.deepEqual(readFields(schema, { name: "x", limit: "4", deep: "1", more: 1 }, "query"), {
      name: "x",
      limit: 4,
      deep: true,
    });
    assert.deepEqual(readFields(schema, { name: "x" }, "body"), { name: "x", limit: 3 });
    assert.throws(
      () => readFields(schema, { limit: "abc", deep: "maybe" }, "query"),
      (error) => {
        assert.ok(error instanceof Refusal);
        assert.deepEqual(error.detail, [
          { type: "int_parsing", loc: ["query", "limit"], msg: "Input should be a valid integer", input: "abc" },
          { type: "missing", loc: ["query", "name"], msg: "Field required", input: null },
          { type: "bool_parsing", loc: ["query", "deep"], msg: "Input should be a valid boolean", input: "maybe" },
        ]);
        return true;
      },
    );
  });

  test("GEN-26 at the end every socket is closed with 1001", async () => {
    const client = new Client(`${base}/ws/p`);
    await once(client.ws, "open");
    await faces.close();
    assert.deepEqual(await client.closed, { code: 1001, reason: "server shutting down" });
  });
});
