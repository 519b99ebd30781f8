/**
 * Producers and consumers of the hub in one light process: raw TCP sockets that speak WebSocket just far enough. What is
 * sent is a packet of the hub; its timestamp is the time of sending, which a consumer with `?framing=packet` reads back.
 *
 * Run by `router.mjs`; told what to do over IPC: `{ connect }`, `{ send }`.
 */
import { createConnection } from "node:net";

const nowUs = () => process.hrtime.bigint() / 1000n;

class Client {
  /** @param take called with each whole message */
  constructor(port, path, take) {
    this.take = take;
    this.kept = Buffer.alloc(0);
    this.socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("error", () => {});
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    this.open = new Promise((resolve) => {
      let head = Buffer.alloc(0);
      const onData = (data) => {
        head = Buffer.concat([head, data]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        this.socket.off("data", onData);
        this.socket.on("data", (data) => this.read(data));
        this.read(head.subarray(end + 4));
        resolve(this);
      };
      this.socket.on("data", onData);
    });
  }

  read(data) {
    const bytes = this.kept.length > 0 ? Buffer.concat([this.kept, data]) : data;
    let at = 0;
    while (bytes.length - at >= 2) {
      const short = bytes[at + 1] & 0x7f;
      const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length - at < headBytes) break;
      const length =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      if (bytes.length - at < headBytes + length) break;
      if ((bytes[at] & 0x0f) === 2) this.take(bytes.subarray(at + headBytes, at + headBytes + length));
      at += headBytes + length;
    }
    this.kept = bytes.subarray(at);
  }
}

/** A frame around a packet of the hub, its mask of zeros; the timestamp is put in when it is sent. */
function packetFrame(type, size) {
  const total = 21 + size;
  const headBytes = total < 126 ? 6 : total < 65_536 ? 8 : 14;
  const frame = Buffer.alloc(headBytes + total, 0x77);
  frame.fill(0, 0, headBytes);
  frame[0] = 0x82;
  if (headBytes === 6) frame[1] = 0x80 | total;
  else if (headBytes === 8) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(total, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(total), 2);
  }
  frame.writeUInt32BE(total, headBytes);
  frame[headBytes + 4] = type;
  frame.writeUInt32BE(size, headBytes + 13);
  frame.writeUInt32BE(type === 3 ? 1 : 0, headBytes + 17);
  frame.set([0, 0, 0, 1, type === 3 ? 0x65 : 0x41, 0x9a], headBytes + 21);
  return { frame, timeAt: headBytes + 5 };
}

let producers = [];
let got = 0;
let awaited = 0;
let onAll = () => {};
let onEach = () => {};
let delaysUs = [];

async function connect({ port, sources, consumers }) {
  for (let i = 0; i < consumers; i++) {
    const take = (bytes) => {
      delaysUs.push(Number(nowUs() - bytes.readBigUInt64BE(5)));
      got++;
      onEach();
      if (got === awaited) onAll();
    };
    await new Client(port, `/ws/video/consume?framing=packet&source=s${i % sources}`, take).open;
  }
  producers = [];
  for (let i = 0; i < sources; i++) producers.push(await new Client(port, `/ws/video?source=s${i}`, () => {}).open);
  return { connected: consumers };
}

/**
 * Sends so many messages, one producer after the other. `perSecond`: at this rate; left out: as fast as they come back,
 * with so many under way.
 */
async function send({ count, size, perSecond, fanOut, underWay = 4000 }) {
  const frames = [packetFrame(3, size), packetFrame(4, size)];
  let sent = 0;
  got = 0;
  delaysUs = [];
  awaited = count * fanOut;
  const all = new Promise((resolve) => {
    onAll = resolve;
  });
  const batches = new Map();
  const write = (until) => {
    for (; sent < until; sent++) {
      const { frame, timeAt } = frames[Math.floor(sent / producers.length) % 60 === 0 ? 0 : 1];
      const bytes = Buffer.from(frame);
      bytes.writeBigUInt64BE(nowUs(), timeAt);
      const producer = producers[sent % producers.length];
      const batch = batches.get(producer);
      if (batch) batch.push(bytes);
      else batches.set(producer, [bytes]);
    }
    for (const [{ socket }, batch] of batches) socket.write(batch.length === 1 ? batch[0] : Buffer.concat(batch));
    batches.clear();
  };
  const fromMs = performance.now();
  if (perSecond) {
    const timer = setInterval(() => {
      const due = Math.min(count, Math.floor(((performance.now() - fromMs) / 1000) * perSecond));
      write(due);
      if (sent === count) clearInterval(timer);
    }, 1);
  } else {
    let asked = false;
    onEach = () => {
      if (asked || sent === count || sent - got / fanOut > underWay / 2) return;
      asked = true;
      setImmediate(() => {
        asked = false;
        write(Math.min(count, Math.floor(got / fanOut) + underWay));
      });
    };
    write(Math.min(count, underWay));
  }
  await all;
  onEach = () => {};
  const seconds = (performance.now() - fromMs) / 1000;
  delaysUs.sort((a, b) => a - b);
  const at = (part) => delaysUs[Math.min(delaysUs.length - 1, Math.floor(delaysUs.length * part))] / 1000;
  return { seconds, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), delivered: got };
}

process.on("message", async (message) => {
  if (message.connect) process.send(await connect(message.connect));
  if (message.send) process.send(await send(message.send));
});
process.once("disconnect", () => process.exit());
