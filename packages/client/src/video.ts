/**
 * Live video in Cairn's own layout: takes the packets of a source, or sends them, over a socket that comes back by
 * itself. What it hands out is H.264 as it came (Annex B), for a decoder of the page's or the program's own. Rules:
 * docs/spec/video-live.md.
 */
import {
  answerClock,
  type CairnError,
  isClockQuestion,
  readVideoPacket,
  VIDEO_FLAG,
  writeVideoPacket,
} from "@cairn/protocol";
import { Emitter } from "./emitter.ts";
import { type VideoAddress, VideoLine, type VideoOptions, type VideoStatus } from "./video-line.ts";

export type ProducedInto = {
  /** Where its pictures are recorded and reconstructed; left out: nowhere. */
  space?: string;
  /** False: they are recorded, and build no model. */
  keyframes?: boolean;
  /** The clock that `timeNs` of the packets is read from: the server asks how it stands to its own (MOT-14). */
  nowNs?: () => bigint;
};

/** What a decoder is set up with; the codec is not known before the first parameter sets. */
export type VideoHead = { source: string; codec?: string; width?: number; height?: number };

export type ReceivedPacket = {
  /** A decoder may start here. */
  readonly key: boolean;
  /** Parameter sets and no picture. */
  readonly configuration: boolean;
  /** More of this picture follows. */
  readonly partial: boolean;
  /** The stream ends with it; `data` may be empty. */
  readonly end: boolean;
  /** Of the sender's clock. */
  readonly timeNs: bigint;
  readonly data: Uint8Array;
  /** Packets that should have come between the last one and this. What follows shows damage until the next key. */
  readonly lost: number;
};

type ConsumerEvents = {
  /** Before the first packet of a source, and before any that is decoded in another way. */
  head: [head: VideoHead];
  packet: [packet: ReceivedPacket];
  status: [status: VideoStatus];
  error: [error: CairnError];
};

type ProducerEvents = {
  status: [status: VideoStatus];
  /** The next picture must be a key picture: what comes before it is not sent. */
  keyWanted: [];
  error: [error: CairnError];
};

export type SentPacket = {
  readonly data: Uint8Array;
  readonly timeNs: bigint;
  readonly key?: boolean;
  readonly configuration?: boolean;
  readonly partial?: boolean;
  readonly end?: boolean;
};

/** Waits in the socket at most; above it pictures are left out up to the next key. */
const MAX_WAITING_BYTES = 2 * 2 ** 20;

/** Sources of one server. */
export class Video {
  readonly #address: VideoAddress;

  constructor(address: VideoAddress) {
    this.#address = address;
  }

  /** @param source left out: what is live, and the next when that ends @param options.gop `false`: only what comes from now on */
  consume(source?: string, options: VideoOptions & { gop?: boolean } = {}): VideoConsumer {
    return new VideoConsumer(this.#address, source, options);
  }

  /** A newer producer of the same source takes its place: the older is then `off`. */
  produce(source: string, options: VideoOptions & ProducedInto = {}): VideoProducer {
    return new VideoProducer(this.#address, source, options);
  }
}

export class VideoConsumer {
  readonly #emitter = new Emitter<ConsumerEvents>();
  readonly #line: VideoLine;
  #number: number | undefined;

  constructor(address: VideoAddress, source: string | undefined, options: VideoOptions & { gop?: boolean }) {
    const query = options.gop === false ? "?gop=0" : "";
    this.#line = new VideoLine(address.url(source) + query, address, options, {
      opened: () => {
        this.#number = undefined;
      },
      status: (status) => this.#emitter.emit("status", status),
      error: (error) => this.#emitter.emit("error", error),
      text: (message) => {
        if (message.type !== "video") return;
        const { type: _, ...head } = message as VideoHead & { type: string };
        this.#emitter.emit("head", head);
      },
      bytes: (bytes) => this.#packet(bytes),
    });
  }

  get status(): VideoStatus {
    return this.#line.status;
  }

  /** Returns how to stop listening. */
  on<Name extends keyof ConsumerEvents>(name: Name, listener: (...args: ConsumerEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  close(): void {
    this.#line.close();
  }

  #packet(bytes: Uint8Array): void {
    const { flags, number, timeNs, data } = readVideoPacket(bytes);
    const gap = this.#number === undefined ? 0 : (number - this.#number - 1) >>> 0;
    this.#number = number;
    this.#emitter.emit("packet", {
      key: (flags & VIDEO_FLAG.key) !== 0,
      configuration: (flags & VIDEO_FLAG.configuration) !== 0,
      partial: (flags & VIDEO_FLAG.partial) !== 0,
      end: (flags & VIDEO_FLAG.end) !== 0,
      timeNs,
      data,
      // Going back is another stream's beginning.
      lost: gap < 2 ** 31 ? gap : 0,
    });
  }
}

export class VideoProducer {
  readonly #emitter = new Emitter<ProducerEvents>();
  readonly #line: VideoLine;
  #number = 0;
  #waitsForKey = true;
  #dropped = 0;

  constructor(address: VideoAddress, source: string, produced: VideoOptions & ProducedInto) {
    const { space, keyframes, nowNs, ...options } = produced;
    const query = new URLSearchParams({
      role: "produce",
      ...(space !== undefined && { space }),
      ...(keyframes === false && { keyframes: "off" }),
      ...(nowNs && { clock: "1" }),
    });
    this.#line = new VideoLine(`${address.url(source)}?${query}`, address, options, {
      opened: () => {},
      status: (status) => this.#emitter.emit("status", status),
      error: (error) => this.#emitter.emit("error", error),
      text: (message) => {
        if (nowNs && isClockQuestion(message)) this.#line.say(answerClock(message, nowNs(), nowNs));
        if (message.type !== "welcome") return;
        // Who watches has seen nothing of what was sent into the gap.
        this.#waitsForKey = true;
        this.#emitter.emit("keyWanted");
      },
      bytes: () => {},
    });
  }

  get status(): VideoStatus {
    return this.#line.status;
  }

  /** Pictures that were not sent, since there was no line or no room on it. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Returns how to stop listening. */
  on<Name extends keyof ProducerEvents>(name: Name, listener: (...args: ProducerEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Sends now or never. False: it was left out, and so is what follows up to the next key. */
  send({ data, timeNs, key = false, configuration = false, partial = false, end = false }: SentPacket): boolean {
    const number = this.#number;
    this.#number = (number + 1) >>> 0;
    const flags =
      (key ? VIDEO_FLAG.key : 0) |
      (configuration ? VIDEO_FLAG.configuration : 0) |
      (partial ? VIDEO_FLAG.partial : 0) |
      (end ? VIDEO_FLAG.end : 0);
    const { waitingBytes } = this.#line;
    if (configuration || end) return this.#line.send(writeVideoPacket({ flags, number, timeNs, data }));
    if (key && waitingBytes <= MAX_WAITING_BYTES / 2) this.#waitsForKey = false;
    const isLate = waitingBytes > MAX_WAITING_BYTES;
    if (!isLate && !this.#waitsForKey && this.#line.send(writeVideoPacket({ flags, number, timeNs, data })))
      return true;
    this.#dropped++;
    if (this.#waitsForKey) return false;
    this.#waitsForKey = true;
    this.#emitter.emit("keyWanted");
    return false;
  }

  close(): void {
    this.#line.close();
  }
}
