/** For tests: a client of the hub's sockets, and packets in the two layouts of older senders. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";
import type { At } from "./face-user.ts";

export type Json = Record<string, unknown> & { type: string };

export class HubUser {
  readonly ws: WebSocket;
  /** Everything heard, in order. */
  readonly heard: (Buffer | string)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #look = () => {};

  private constructor({ url }: At, path: string, options: ClientOptions) {
    this.ws = new WebSocket(url.replace("http", "ws") + path, { maxPayload: 2 ** 28, ...options });
    this.ws.on("message", (data: Buffer, binary: boolean) => {
      this.heard.push(binary ? data : data.toString());
      this.#look();
    });
    this.ws.on("error", () => {});
    this.closed = once(this.ws, "close").then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  }

  /** Resolves when the server has it in its lists. */
  static async open(at: At, path: string, options: ClientOptions = {}): Promise<HubUser> {
    const user = new HubUser(at, path, options);
    await once(user.ws, "open");
    return user;
  }

  get binary(): Buffer[] {
    return this.heard.filter((each) => Buffer.isBuffer(each));
  }

  get texts(): string[] {
    return this.heard.filter((each) => typeof each === "string");
  }

  get messages(): Json[] {
    return this.texts.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text) as Json);
  }

  send(...messages: (object | string | Buffer)[]): void {
    for (const each of messages) {
      this.ws.send(typeof each === "string" || Buffer.isBuffer(each) ? each : JSON.stringify(each));
    }
  }

  /** Resolves as soon as `look` finds something; looks again at every message. */
  async until<T>(look: (user: this) => T | undefined): Promise<T> {
    for (;;) {
      const found = look(this);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }

  /** The first so many binary messages. */
  packets(count: number): Promise<Buffer[]> {
    return this.until(({ binary }) => (binary.length >= count ? binary.slice(0, count) : undefined));
  }

  /** The first so many messages of a type. */
  of(type: string, count = 1): Promise<Json[]> {
    return this.until(({ messages }) => {
      const found = messages.filter((message) => message.type === type);
      return found.length >= count ? found.slice(0, count) : undefined;
    });
  }

  /** Resolves when the server has dealt with everything sent before: it answers in order. */
  async settled(): Promise<void> {
    const pongs = () => this.texts.filter((text) => text === "pong").length;
    const before = pongs();
    this.ws.send("ping");
    await this.until(() => (pongs() > before ? true : undefined));
  }

  /** The same where signs of life are JSON. */
  async settledJson(): Promise<void> {
    const pongs = () => this.messages.filter(({ type }) => type === "pong").length;
    const before = pongs();
    this.ws.send('{"type":"ping"}');
    await this.until(() => (pongs() > before ? true : undefined));
  }

  async leave(): Promise<void> {
    this.ws.close();
    await this.closed;
  }
}

const START = Buffer.of(0, 0, 0, 1);

/** A NAL unit behind a start code of four bytes. */
export function nal(head: number, ...bytes: number[]): Buffer {
  return Buffer.concat([START, Buffer.of(head, ...bytes)]);
}

/** Of a picture of 640 x 480, baseline. */
export const SPS = Buffer.from("0000000167 42c01e da 02 80 f6 c0 5a 83 00 83 52".replaceAll(" ", ""), "hex");
export const PPS = nal(0x68, 0xce, 0x3c, 0x80);
/** Pictures that nobody decodes. */
export const keyNal = (seed: number, size = 20) => Buffer.concat([nal(0x65, 0x88, seed), Buffer.alloc(size, 7)]);
export const frameNal = (seed: number, size = 20) => Buffer.concat([nal(0x41, 0x9a, seed), Buffer.alloc(size, 7)]);

/** u32 total, u8 type, u64 microseconds, then the data. */
export function packet13(type: number, data: Buffer, timestampUs = 1_000_000n): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(13 + data.length, 0);
  head[4] = type;
  head.writeBigUInt64BE(timestampUs, 5);
  return Buffer.concat([head, data]);
}

/** The same, then u32 data size, u32 flags, then the data. */
export function packet21(type: number, data: Buffer, { timestampUs = 1_000_000n, flags = 0 } = {}): Buffer {
  const head = Buffer.alloc(21);
  head.writeUInt32BE(21 + data.length, 0);
  head[4] = type;
  head.writeBigUInt64BE(timestampUs, 5);
  head.writeUInt32BE(data.length, 13);
  head.writeUInt32BE(flags, 17);
  return Buffer.concat([head, data]);
}

/** Epoch nanoseconds, then a JPEG. */
export function jpegFrame(timeNs: bigint, jpeg: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(timeNs);
  return Buffer.concat([head, jpeg]);
}

/** Asks again until the server says so. */
export async function eventuallyStatus(at: At, fits: (status: Record<string, unknown>) => boolean): Promise<void> {
  for (;;) {
    const response = await fetch(`${at.url}/video/status`);
    assert.equal(response.status, 200);
    if (fits((await response.json()) as Record<string, unknown>)) return;
  }
}
