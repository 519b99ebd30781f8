/**
 * One socket of a face: reads messages in order, answers signs of life at once, and never holds more for a slow
 * client than it may. What the messages mean is the face's business. Rules GEN-14 to GEN-27.
 */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { Budget } from "@cairn/core";
import { CairnError, CLOSE } from "@cairn/protocol";
import type { WebSocket } from "ws";
import { mayDo, type Pass, type Role, reaches } from "../http/access.ts";
import { parseObject } from "../http/json-body.ts";
import { DEFLATE_FROM_BYTES, DEFLATE_TO_BYTES } from "../http/upgrades.ts";
import { type Message as Framed, messageBytes } from "../live/frames.ts";
import type { Door, Metrics } from "../metrics/metrics.ts";
import type { Manner } from "./face.ts";
import { Seldom } from "./seldom.ts";
import { SharedText } from "./shared-text.ts";
import { writeQueueBytes } from "./write-queue.ts";

export type FaceSocketHouse = {
  readonly face: Door;
  readonly manner: Manner;
  readonly limits: FaceSocketLimits;
  readonly log: { error(facts: object, message: string): void };
  readonly metrics?: Metrics | undefined;
  /** Of who is at the other end. */
  readonly pass: Pass;
  /** It takes text that was compressed once for all who get it: with the whole window. */
  readonly sharesDeflated?: boolean;
};

export type FaceSocketLimits = {
  readonly jsonDepth: number;
  /** Above this on its way out, `send` waits (GEN-23). */
  readonly highWaterBytes: number;
  /** Most that may wait on its way out when nobody waits for room (GEN-22). */
  readonly outboundBytes: number;
  /** Most that waits on its way in before the socket is no longer read. */
  readonly inboundBytes: number;
  readonly deadMs: number;
  readonly slowMs: number;
};

export const FACE_LIMITS: FaceSocketLimits = {
  jsonDepth: 32,
  highWaterBytes: 2 ** 20,
  outboundBytes: 8 * 2 ** 20,
  inboundBytes: 32 * 2 ** 20,
  deadMs: 60_000,
  slowMs: 30_000,
};

const MESSAGE_BYTES = 16 * 2 ** 20;
/** A larger framed message gains nothing from sharing a write with others. */
const TOGETHER_BYTES = 4096;
const CLOSE_REASON_BYTES = 123;
/** A close frame behind unread data gets this long before the socket is cut. */
const LINGER_MS = 2_000;

type Message = Readonly<Record<string, unknown>>;
type Awaitable = Promise<void> | undefined | void;
type Taken = { readonly work: () => unknown; readonly bytes: number };

export class FaceSocket {
  readonly #house: FaceSocketHouse;
  readonly #ws: WebSocket;
  readonly #tcp: Socket;
  readonly #ended = new AbortController();
  readonly #budget: Budget;
  #take: ((message: Message, text: Buffer) => Awaitable) | undefined;
  #takeBytes: ((bytes: Buffer) => Awaitable) | undefined;
  readonly #inbound: Taken[] = [];
  #inboundBytes = 0;
  #working = false;
  #outboundBytes = 0;
  /** Of these, what nobody waits for, without one that is larger than the bound. */
  #replyBytes = 0;
  #largeReplyWaits = false;
  #queuedBytes: number | undefined;
  /** Messages that `ws` compresses, or has not handed on yet. */
  #compressing = 0;
  readonly #waiting: (() => void)[] = [];
  /** Framed messages of this turn of the event loop, for one write. */
  #framed: Framed[] = [];
  #onRoom = () => {};
  readonly #tooMany = new Seldom();
  #readBytes = 0;
  #seenMs = performance.now();
  #movedMs = performance.now();

  /** @param tcp what `ws` speaks over */
  constructor(house: FaceSocketHouse, ws: WebSocket, tcp: Socket) {
    const { perSecond, burst } = house.manner.rate ?? { perSecond: 100, burst: 200 };
    this.#house = house;
    this.#ws = ws;
    this.#tcp = tcp;
    this.#budget = new Budget(perSecond, burst);
    ws.on("message", (data: Buffer, binary: boolean) => this.#hear(data, binary));
    ws.on("close", () => this.#end());
  }

  /** Aborts when the socket is over. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Says it when not. @param facts further fields of the error */
  may(role: Role, facts?: Readonly<Record<string, unknown>>): boolean {
    const may = mayDo(this.#house.pass, role);
    if (!may) this.error("Not allowed", facts);
    return may;
  }

  /** @param space `undefined`: the whole server */
  reaches(space: string | undefined): boolean {
    return reaches(this.#house.pass, space);
  }

  /** Bytes on their way out that the kernel has not taken. */
  get waitingBytes(): number {
    return this.#outboundBytes;
  }

  /** Below the mark above which `send` waits. */
  get hasRoom(): boolean {
    return this.#outboundBytes < this.#house.limits.highWaterBytes;
  }

  /** Sets who is told each time that something went out and there is room. */
  onRoom(listener: () => void): void {
    this.#onRoom = listener;
  }

  /**
   * Sets who takes the messages, one after the other; until then they wait.
   * @param take gets an object, and its text as it came
   * @param takeBytes left out: binary messages are refused
   */
  listen(take: (message: Message, text: Buffer) => Awaitable, takeBytes?: (bytes: Buffer) => Awaitable): void {
    this.#take = take;
    this.#takeBytes = takeBytes;
    this.#work();
  }

  /**
   * Sends in the order of the calls; resolves when there is room for more, or the socket is over. Text that many are
   * sent is handed in as one Buffer (`textOf`), or, where it is long, as a `SharedText`.
   */
  send(message: object | string | Buffer | SharedText, { binary = false } = {}): Promise<void> {
    if (message instanceof SharedText) this.#writeShared(message);
    else this.#write(message, binary);
    if (this.signal.aborted || this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends what nobody waits for: an answer, a signal. A client that never reads passes the bound and is let go. */
  reply(message: object | string | Buffer): void {
    if (this.#replyBytes > this.#house.limits.outboundBytes) this.close(CLOSE.tooSlow, "client too slow");
    else this.#write(message, false, true);
  }

  /**
   * Sends a message that was framed once for all who get it, and for which the caller has seen that there is room. Small
   * ones that come within one turn of the event loop leave in one write. Lent until it is out.
   */
  sendFramed(message: Framed): void {
    if (this.signal.aborted || this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#outboundBytes === 0) this.#movedMs = performance.now();
    const bytes = messageBytes(message);
    this.#outboundBytes += bytes;
    this.#house.metrics?.messages(this.#house.face, "out");
    const count = this.#framed.push(message);
    if (bytes > TOGETHER_BYTES) this.#writeFramed();
    else if (count === 1) process.nextTick(() => this.#writeFramed());
  }

  error(message: string, facts?: Readonly<Record<string, unknown>>): void {
    this.#house.metrics?.error(this.#house.face, facts?.ref === undefined ? "refused" : "internal");
    const said = this.#house.manner.error(message, facts);
    if (said) this.reply(said);
  }

  close(code: number, reason = ""): void {
    this.#writeFramed();
    this.#inbound.length = 0;
    this.#end();
    if (this.#ws.readyState >= this.#ws.CLOSING) return;
    this.#ws.close(code, shortReason(reason));
    const linger = setTimeout(() => this.#ws.terminate(), LINGER_MS);
    this.#ws.once("close", () => clearTimeout(linger));
  }

  /** Called now and then: shows a sign of life and asks for one. */
  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  /** Called now and then: closes a socket that is dead or too slow (GEN-20, GEN-22). */
  look(nowMs: number): void {
    const { deadMs, slowMs } = this.#house.limits;
    // A message may take minutes to leave: any bytes of it are a sign of life.
    const queuedBytes = writeQueueBytes(this.#tcp);
    if (this.#outboundBytes === 0 || queuedBytes !== this.#queuedBytes) this.#movedMs = nowMs;
    this.#queuedBytes = queuedBytes;
    const { bytesRead } = this.#tcp;
    // A pong waits behind a message that takes minutes to arrive: any bytes are a sign of life. Whoever is not read,
    // because much of theirs waits, cannot be heard either.
    if (bytesRead > this.#readBytes || this.#ws.isPaused) this.#seenMs = nowMs;
    this.#readBytes = bytesRead;
    if (nowMs - this.#movedMs >= slowMs) this.close(CLOSE.tooSlow, "client too slow");
    else if (nowMs - this.#seenMs >= deadMs) this.close(CLOSE.keepalive, "keepalive timeout");
  }

  /** What the client sent before it went away is still taken: an upload does not end with its socket. */
  #end(): void {
    if (this.signal.aborted) return;
    this.#ended.abort();
    for (const go of this.#waiting.splice(0)) go();
  }

  #write(message: object | string | Buffer, binary: boolean, isReply = false): void {
    if (this.signal.aborted || this.#ws.readyState !== this.#ws.OPEN) return;
    this.#writeFramed();
    const data = Buffer.isBuffer(message) ? message : typeof message === "string" ? message : JSON.stringify(message);
    const bytes = Buffer.byteLength(data);
    const compress = !binary && bytes >= DEFLATE_FROM_BYTES && bytes <= DEFLATE_TO_BYTES;
    if (this.#outboundBytes === 0) this.#movedMs = performance.now();
    this.#outboundBytes += bytes;
    // One that is larger than the bound says nothing yet of who gets it; another behind it does.
    const isLarge = isReply && bytes > this.#house.limits.outboundBytes && !this.#largeReplyWaits;
    const replyBytes = isReply && !isLarge ? bytes : 0;
    if (isLarge) this.#largeReplyWaits = true;
    this.#replyBytes += replyBytes;
    this.#house.metrics?.messages(this.#house.face, "out");
    if (compress) this.#compressing++;
    this.#ws.send(data, { binary, compress }, () => {
      if (compress) this.#compressing--;
      if (isLarge) this.#largeReplyWaits = false;
      this.#replyBytes -= replyBytes;
      this.#wentOut(bytes);
    });
  }

  #writeShared({ text, plain, deflated }: SharedText): void {
    const deflates = this.#ws.extensions.includes("permessage-deflate");
    const framed = deflated && deflates ? deflated : plain;
    // One that `ws` compresses would be overtaken; a smaller window was asked for.
    if (this.#compressing > 0 || (framed === deflated && !this.#house.sharesDeflated)) this.#write(text, false);
    else this.sendFramed(framed);
  }

  /** Between whole frames of `ws`, which has no close frame on its way as long as it is open. */
  #writeFramed(): void {
    if (this.#framed.length === 0) return;
    const messages = this.#framed;
    this.#framed = [];
    if (this.#ws.readyState !== this.#ws.OPEN || this.#tcp.destroyed) return;
    let bytes = 0;
    this.#tcp.cork();
    for (const [i, message] of messages.entries()) {
      bytes += messageBytes(message);
      const isLast = i === messages.length - 1;
      for (const [j, piece] of message.entries()) {
        if (isLast && j === message.length - 1) this.#tcp.write(piece, () => this.#wentOut(bytes));
        else this.#tcp.write(piece);
      }
    }
    this.#tcp.uncork();
  }

  #wentOut(bytes: number): void {
    this.#outboundBytes -= bytes;
    this.#movedMs = performance.now();
    if (!this.hasRoom) return;
    if (this.#waiting.length > 0) for (const go of this.#waiting.splice(0)) go();
    if (!this.signal.aborted) this.#onRoom();
  }

  #hear(data: Buffer, binary: boolean): void {
    const { manner, limits } = this.#house;
    if (this.signal.aborted) return;
    if (!this.#budget.take()) {
      this.#tooMany.say(() => this.error("Rate limit exceeded"));
      return;
    }
    if (binary) {
      // Nothing waits before it: it need not wait either.
      if (this.#takeBytes && !this.#working && this.#inbound.length === 0) this.#takeNow(this.#takeBytes, data);
      else this.#queue(() => (this.#takeBytes ? this.#takeBytes(data) : this.error(manner.binary)), data.length);
      return;
    }
    const word = data.length <= 64 ? data.toString().trim() : undefined;
    const answer = word === undefined ? undefined : manner.pong(word, this);
    if (answer !== undefined) {
      this.reply(answer);
      return;
    }
    let message: Message;
    try {
      message = parseObject(data, MESSAGE_BYTES, limits.jsonDepth);
    } catch (error) {
      const text = data.toString("utf8", 0, 256);
      const said = manner.notAnObject?.(text, problemOf(error), this);
      if (said !== undefined) this.#queue(() => this.error(said), 0);
      return;
    }
    const pong = manner.pong(message, this);
    if (pong !== undefined) this.reply(pong);
    else this.#queue(() => this.#take?.(message, data), data.length);
  }

  #takeNow(take: (bytes: Buffer) => Awaitable, data: Buffer): void {
    try {
      const done = take(data);
      if (done) this.#queue(() => done, data.length);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** One after the other; while too much waits, the client is not read. */
  #queue(work: () => unknown, bytes: number): void {
    this.#inbound.push({ work, bytes });
    this.#inboundBytes += bytes;
    if (this.#inboundBytes > this.#house.limits.inboundBytes) this.#ws.pause();
    this.#work();
  }

  /** Turns of the event loop are taken only for work that takes time. */
  #work(): void {
    if (this.#working || !this.#take) return;
    this.#working = true;
    for (let next = this.#inbound.shift(); next; next = this.#inbound.shift()) {
      const { work, bytes } = next;
      try {
        const done = work();
        if (done instanceof Promise) {
          done
            .catch((error: unknown) => this.#failed(error))
            .finally(() => {
              this.#worked(bytes);
              this.#working = false;
              this.#work();
            });
          return;
        }
      } catch (error) {
        this.#failed(error);
      }
      this.#worked(bytes);
    }
    this.#working = false;
  }

  #worked(bytes: number): void {
    this.#inboundBytes -= bytes;
    if (this.#ws.isPaused && this.#inboundBytes < this.#house.limits.inboundBytes / 2) this.#ws.resume();
  }

  /** GEN-27: the client is told that, the log what. */
  #failed(error: unknown): void {
    const ref = randomUUID();
    this.#house.log.error({ err: error, ref, face: this.#house.face }, "a message failed");
    this.error("Internal error", { ref });
  }
}

/** Of text that is no message, in a few words. */
function problemOf(error: unknown): string {
  const problem = error instanceof CairnError ? error.facts.problem : undefined;
  return typeof problem === "string" ? problem : "not JSON";
}

/** A close frame has room for 123 bytes of text; a letter is left out whole. */
function shortReason(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(CLOSE_REASON_BYTES));
  return reason.slice(0, read);
}

/** A message to hand to many sockets: encoded once. */
export function textOf(message: object): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** A type that nobody knows, as it may be shown: at most 64 characters, `null` when there is none (GEN-18). */
export function shownType(type: unknown): string {
  return typeof type === "string" ? type.slice(0, 64) : "null";
}
