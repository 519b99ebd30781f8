/**
 * What goes out on one socket, in lanes: replies, facts, news (newest only), signals, bytes. `ws` bounds nothing on
 * the way out, so this does: it writes only while the socket holds less than the high-water mark, and whoever feeds
 * the facts waits until then. A client that stops reading costs one pending item and what the marks allow.
 */
import type { Socket } from "node:net";
import { type Message, messageBytes } from "./frames.ts";

type OutboxLimits = { highWaterBytes: number; signalBytes: number };

/**
 * What one turn brings to many sockets: chosen for all of them first, then written. Between two writes of 66 kB nothing of
 * the next client is left in the caches; looked at one behind the other, what is fetched for several comes at once.
 */
export class Writes {
  readonly #sockets: Socket[] = [];
  readonly #bytes: Buffer[] = [];

  add(socket: Socket, bytes: Buffer): void {
    this.#sockets.push(socket);
    this.#bytes.push(bytes);
  }

  flush(): void {
    for (let i = 0; i < this.#sockets.length; i++) this.#sockets[i]!.write(this.#bytes[i]!);
    this.#sockets.length = 0;
    this.#bytes.length = 0;
  }
}

/** Replies are bounded by the rate of requests; a client that asks and never reads passes this and is let go. */
const REPLY_BYTES = 2 * 2 ** 20;

export class Outbox {
  readonly #socket: Socket;
  readonly #limits: OutboxLimits;
  readonly #overflow: () => void;
  readonly #replies: Message[] = [];
  #replyBytes = 0;
  #facts: { message: Message; done: () => void } | undefined;
  /** Most clients never have any. */
  #news: Map<string, Message> | undefined;
  readonly #signals: Message[] = [];
  #signalBytes = 0;
  #source: (() => Message | undefined) | undefined;
  /** Fragments of the message that is being written: nothing else of ours may come between. */
  #fragments: { rest: Message; next: number; done: () => void } | undefined;
  #handedBytes = 0;
  #takenBytes = 0;
  #scheduled = false;
  #closed = false;
  droppedSignals = 0;
  /** Frames handed to the socket so far. */
  frames = 0;

  /** @param overflow called when replies pile up beyond all measure */
  constructor(socket: Socket, limits: OutboxLimits, overflow: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#overflow = overflow;
    socket.on("drain", () => this.#pump());
  }

  reply(message: Message): void {
    this.#replies.push(message);
    this.#replyBytes += messageBytes(message);
    if (this.#replyBytes > REPLY_BYTES) this.#overflow();
    else this.#schedule();
  }

  /** Resolves when it is handed to the socket, which is when there was room, or the outbox closes. One at a time. */
  facts(message: Message): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve();
      this.#facts = { message, done: resolve };
      this.#schedule();
    });
  }

  /**
   * Takes what many are sent: whole messages in one Buffer. False when there is no room for all of it, or something of this
   * socket's goes first.
   * @param facts only facts are in it; bytes besides go behind news and signals too
   * @param writes flushed before the turn of the event loop ends
   */
  broadcast(bytes: Buffer, facts: boolean, writes: Writes): boolean {
    // A socket that was just destroyed takes the bytes and says nothing; that it is closed is told soon.
    if (this.#closed) return false;
    // For a thousand sockets what is looked at is what is fetched from memory: their byte counts, not their queues.
    if (this.#fragments || this.#facts || this.#replyBytes > 0) return false;
    if (!facts && (this.#signalBytes > 0 || (this.#news?.size ?? 0) > 0)) return false;
    if (this.#socket.writableLength + bytes.length > this.#limits.highWaterBytes) return false;
    writes.add(this.#socket, bytes);
    this.#handedBytes += bytes.length;
    this.frames++;
    return true;
  }

  /** Replaces what still waits under the same key. */
  news(key: string, message: Message): void {
    this.#news ??= new Map();
    this.#news.set(key, message);
    this.#schedule();
  }

  /** Now or never: when the client is behind, the oldest go. */
  signal(message: Message): void {
    this.#signals.push(message);
    this.#signalBytes += messageBytes(message);
    while (this.#signalBytes > this.#limits.signalBytes) {
      this.#signalBytes -= messageBytes(this.#signals.shift()!);
      this.droppedSignals++;
    }
    this.#schedule();
  }

  /** Bytes go when nothing else waits: asked for one message at a time when there is room. */
  set source(next: () => Message | undefined) {
    this.#source = next;
  }

  /** The source has something again. */
  wake(): void {
    this.#schedule();
  }

  /** Held in this process for this socket, without what is shared with others. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#replyBytes + this.#signalBytes;
  }

  /** True while there is something the kernel has not taken. */
  get waiting(): boolean {
    if (this.#socket.writableLength > 0 || this.#fragments || this.#facts) return true;
    // What the source has does not wait here.
    return this.#replies.length > 0 || (this.#news?.size ?? 0) > 0 || this.#signals.length > 0;
  }

  /** True when the kernel took something since the last call. */
  progressed(): boolean {
    const takenBytes = this.#handedBytes - this.#socket.writableLength;
    const progressed = takenBytes > this.#takenBytes;
    if (progressed) this.#takenBytes = takenBytes;
    return progressed;
  }

  /** Nothing more goes out: a close frame is the last frame. */
  close(): void {
    this.#closed = true;
    this.#replies.length = 0;
    this.#signals.length = 0;
    this.#news = undefined;
    this.#replyBytes = 0;
    this.#signalBytes = 0;
    for (const pending of [this.#facts, this.#fragments]) pending?.done();
    this.#facts = undefined;
    this.#source = undefined;
    this.#fragments = undefined;
  }

  /** What comes within one turn of the event loop leaves in one write. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#closed || this.#socket.destroyed) return;
    // After most large writes there is nothing more: a drained socket that stays quiet is not touched.
    let corked = false;
    while (this.#socket.writableLength < this.#limits.highWaterBytes) {
      this.#fragments ??= this.#next();
      if (!this.#fragments) break;
      if (!corked) this.#socket.cork();
      corked = true;
      const { rest, next, done } = this.#fragments;
      const frame = rest[next]!;
      this.#socket.write(frame);
      this.#handedBytes += frame.length;
      this.frames++;
      if (next + 1 < rest.length) this.#fragments.next++;
      else {
        this.#fragments = undefined;
        done();
      }
    }
    if (corked) this.#socket.uncork();
  }

  #next(): { rest: Message; next: number; done: () => void } | undefined {
    const reply = this.#replies.shift();
    if (reply) {
      this.#replyBytes -= messageBytes(reply);
      return begin(reply);
    }
    if (this.#facts) {
      const { message, done } = this.#facts;
      this.#facts = undefined;
      return begin(message, done);
    }
    for (const [key, message] of this.#news ?? []) {
      this.#news?.delete(key);
      return begin(message);
    }
    const signal = this.#signals.shift();
    if (signal) {
      this.#signalBytes -= messageBytes(signal);
      return begin(signal);
    }
    const bytes = this.#source?.();
    return bytes && begin(bytes);
  }
}

function begin(rest: Message, done: () => void = nothing) {
  return { rest, next: 0, done };
}

function nothing(): void {}
