/**
 * Many viewers in one light process: raw TCP sockets that speak WebSocket just far enough. They count whole messages,
 * note when large ones arrived, grant credit, answer pings, Socket.IO's too, and can stop reading.
 *
 * Run by `fanout.mjs`; told what to do over IPC: `{ connect }`, `{ stall }`, `{ report }`.
 */
import { createConnection } from "node:net";

const now = () => Number(process.hrtime.bigint()) / 1e6;
/** Messages from this size on are segments. */
const LARGE = 4096;

const [PING, PONG] = [9, 10];

const viewers = [];
let arrivals = [];
let small = 0;

class Viewer {
  constructor({ port, path, kind, credit }, ready) {
    this.kind = kind;
    this.credit = credit;
    this.ready = ready;
    this.large = 0;
    this.upgraded = false;
    this.head = Buffer.alloc(0);
    this.left = 0;
    this.messageBytes = 0;
    this.owedBytes = 0;
    this.stalled = false;
    this.socket = createConnection({ port, host: "127.0.0.1", noDelay: true }, () => {
      this.socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      );
    });
    this.socket.on("error", () => {});
    this.socket.on("data", (data) => this.take(data));
  }

  send(text, opcode = 1) {
    const payload = Buffer.from(text);
    const head = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
    head[0] = 0x80 | opcode;
    if (payload.length < 126) head[1] = 0x80 | payload.length;
    else {
      head[1] = 0x80 | 126;
      head.writeUInt16BE(payload.length, 2);
    }
    // A mask of zeros changes nothing.
    this.socket.write(Buffer.concat([head, payload]));
  }

  take(data) {
    if (!this.upgraded) {
      this.head = Buffer.concat([this.head, data]);
      const end = this.head.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.upgraded = true;
      data = this.head.subarray(end + 4);
      this.head = Buffer.alloc(0);
      if (this.kind === "cairn") this.send(JSON.stringify({ type: "hello", version: 1, credit: this.credit }));
      else if (this.kind !== "socketio") this.ready();
    }
    let at = 0;
    while (at < data.length) {
      if (this.left > 0) {
        const taken = Math.min(this.left, data.length - at);
        if (this.keep) this.text += data.latin1Slice(at, at + taken);
        this.left -= taken;
        at += taken;
        if (this.left === 0) this.frameEnded();
        continue;
      }
      // A frame's head is 2, 4 or 10 bytes; it may come in pieces.
      const more = data.subarray(at, at + 10 - this.head.length);
      const head = this.head.length > 0 ? Buffer.concat([this.head, more]) : more;
      const need = head.length < 2 ? 2 : (head[1] & 0x7f) < 126 ? 2 : (head[1] & 0x7f) === 126 ? 4 : 10;
      if (head.length < need) {
        this.head = Buffer.from(head);
        return;
      }
      at += need - this.head.length;
      this.head = Buffer.alloc(0);
      const length = head[1] & 0x7f;
      this.left = length < 126 ? length : length === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
      this.final = (head[0] & 0x80) !== 0;
      this.opcode = head[0] & 0x0f || this.opcode;
      this.messageBytes += this.left;
      this.keep = this.opcode === 1;
      if (this.messageBytes === this.left) this.text = "";
      if (this.left === 0) this.frameEnded();
    }
  }

  frameEnded() {
    if (!this.final) return;
    const bytes = this.messageBytes;
    this.messageBytes = 0;
    if (this.opcode === PING) return this.send("", PONG);
    if (bytes >= LARGE && this.opcode === 2) {
      arrivals.push(this.large++, now());
      if (this.kind !== "cairn") return;
      this.owedBytes += bytes - 13;
      // As the SDK does on a link where nothing is long on its way.
      if (this.owedBytes * 2 < this.credit) return;
      this.send(`{"type":"credit","bytes":${this.owedBytes}}`);
      this.owedBytes = 0;
    } else if (this.opcode === 2) this.owedBytes += bytes - 13;
    else this.said();
  }

  said() {
    const { text } = this;
    if (this.kind === "cairn") {
      if (text.startsWith('{"type":"welcome"')) {
        // A credit of 0 watches events only.
        if (this.credit > 0) this.send('{"type":"view"}');
        this.ready();
      } else if (text.startsWith('{"type":"events"')) small += text.split('"seq":').length - 1;
    } else if (this.kind === "socketio") {
      if (text.startsWith("0{")) this.send("40");
      else if (text.startsWith("40")) this.ready();
      else if (text === "2") this.send("3");
    } else small++;
  }
}

process.on("message", async (message) => {
  if (message.connect) {
    const { count, ...to } = message.connect;
    for (let i = 0; i < count; i += 50) {
      const batch = Array.from(
        { length: Math.min(50, count - i) },
        () => new Promise((resolve) => viewers.push(new Viewer(to, resolve))),
      );
      await Promise.all(batch);
    }
    process.send({ connected: viewers.length });
  }
  if (message.stall) {
    for (const viewer of viewers.slice(0, message.stall)) {
      viewer.stalled = true;
      viewer.socket.pause();
    }
    process.send({ stalled: message.stall });
  }
  if (message.report) {
    process.send({ arrivals, small });
    arrivals = [];
    small = 0;
  }
});
