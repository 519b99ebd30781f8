/**
 * All sources of live video of one server: who may be called what, and who gets whose packets. A packet is handed in by
 * a producer, read once, and offered to every consumer of its source in the same turn of the event loop.
 */
import { CairnError } from "@cairn/protocol";
import { HUB_FLAG } from "@cairn/video";
import { WINDOW_MS } from "./rate-window.ts";
import type { IncomingPacket, StreamPacket } from "./stream-packet.ts";
import { type ConsumerTotals, VideoConsumer, type VideoSink } from "./video-consumer.ts";
import { type Feed, type SourceStats, VideoSource } from "./video-source.ts";

export const DEFAULT_SOURCE = "default";
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** A nameless producer that says nothing for so long makes way for another (HUB-9). */
const SILENT_MS = 2_000;
/** So many sources that are over are remembered, with their parameter sets. */
const ENDED_KEPT = 64;

export type ProducerOptions = {
  /** Left out: `default`, or the next that is free. */
  readonly source?: string | undefined;
  /** Where it connects from. */
  readonly address?: string | undefined;
  /** Where its pictures are recorded and reconstructed. */
  readonly space?: string | undefined;
  /** False: its pictures do not become photos of the space. */
  readonly keyframes?: boolean;
  /** It joins whoever produces the source and displaces nobody, and is live with its first packet (HUB-26). */
  readonly shared?: boolean;
  /** A newer producer has taken its place; what it publishes from now on goes nowhere. */
  readonly onReplaced?: () => void;
  /** Whether it may have a source that somebody produces into this space; left out: into any. */
  readonly mayJoin?: (space: string | undefined) => boolean;
};

export interface Producer {
  /** Of its source. */
  readonly name: string;
  publish(packet: IncomingPacket): void;
  /** No more comes. */
  end(): void;
}

export type PacketListener = (source: VideoSource, packet: StreamPacket) => void;

export type VideoOptions = {
  /** On the clock of `performance.now`. */
  readonly nowMs?: () => number;
  /** A stream has been under 3 Mbit/s for 25 s; told once for each stream. */
  readonly onThin?: (source: string, mbps: number) => void;
  /** A listener failed. */
  readonly onError?: (error: unknown) => void;
};

/** Whether a source may have this name (HUB-5). */
export function isSourceName(name: string): boolean {
  return NAME.test(name);
}

type Seat = {
  readonly source: VideoSource;
  readonly options: ProducerOptions;
  readonly feed: Feed;
  live: boolean;
  seenMs: number;
};

export class VideoSources {
  readonly totals: ConsumerTotals = { relayedPackets: 0, relayedBytes: 0, droppedPictures: 0 };
  readonly #nowMs: () => number;
  readonly #onThin: VideoOptions["onThin"];
  readonly #onError: (error: unknown) => void;
  readonly #sources = new Map<string, VideoSource>();
  readonly #seats = new Set<Seat>();
  readonly #consumers = new Set<VideoConsumer>();
  readonly #packetListeners = new Set<PacketListener>();
  readonly #changeListeners = new Set<(source: VideoSource) => void>();
  readonly #watching: NodeJS.Timeout;

  constructor({ nowMs = () => performance.now(), onThin, onError = () => {} }: VideoOptions = {}) {
    this.#nowMs = nowMs;
    this.#onThin = onThin;
    this.#onError = onError;
    this.#watching = setInterval(() => this.lookAtRates(), WINDOW_MS).unref();
  }

  /** Takes a seat as a producer. @throws {CairnError} `video.source`, `auth.forbidden` */
  open(options: ProducerOptions): Producer {
    if (options.source !== undefined && !isSourceName(options.source)) {
      throw new CairnError("video.source");
    }
    const nowMs = this.#nowMs();
    const shared = options.shared === true;
    const name = options.source ?? (shared ? DEFAULT_SOURCE : this.#nameless(options, nowMs));
    if (!this.#mayJoin(name, options)) throw new CairnError("auth.forbidden");
    const source = this.#sources.get(name) ?? new VideoSource(name);
    this.#sources.set(name, source);
    if (options.space !== undefined && options.space !== source.space) {
      source.group.clear(); // who comes now and sees this space has not seen that one
      source.space = options.space;
    }
    source.keyframes = options.keyframes ?? true;
    const seat: Seat = { source, options, feed: { sps: undefined, number: undefined }, live: false, seenMs: nowMs };
    const replaced = shared ? undefined : this.#holder(name);
    this.#seats.add(seat);
    if (!shared) this.#begin(seat);
    if (replaced) {
      this.#seats.delete(replaced);
      replaced.options.onReplaced?.();
    }
    this.#forget();
    return {
      name,
      publish: (packet) => this.#publish(seat, packet),
      end: () => {
        if (!this.#seats.delete(seat)) return;
        seat.live = false;
        this.#maybeEnd(source);
        this.#forget();
      },
    };
  }

  /**
   * Hands the packets of a source to `sink`, beginning with its parameter sets.
   * @param wish without `source`: `default` if it is live, else the one that has been live for longest, and the next
   *   when it ends (HUB-8); `gop`: the current group of pictures goes first
   */
  consume({ source: wanted, gop = false }: { source?: string | undefined; gop?: boolean }, sink: VideoSink) {
    if (wanted !== undefined && !isSourceName(wanted)) {
      throw new CairnError("video.source");
    }
    const consumer = new VideoConsumer(wanted, gop, sink, this.totals);
    this.#consumers.add(consumer);
    const source = wanted === undefined ? this.#leading() : this.#sources.get(wanted);
    if (source) consumer.attach(source);
    return {
      get stats() {
        return consumer.stats;
      },
      drain: () => consumer.drain(),
      close: () => {
        this.#consumers.delete(consumer);
        consumer.attach(undefined);
        this.#forget();
      },
    };
  }

  sources(): SourceStats[] {
    const nowMs = this.#nowMs();
    return [...this.#sources.values()].map((source) => source.stats(nowMs));
  }

  source(name: string): VideoSource | undefined {
    return this.#sources.get(name);
  }

  /** How many consume, and what waits for them. */
  consumers(): { connected: number; queued: number; waitingBytes: number } {
    let [queued, waitingBytes] = [0, 0];
    for (const consumer of this.#consumers) {
      queued += consumer.queued;
      waitingBytes += consumer.stats.waitingBytes;
    }
    return { connected: this.#consumers.size, queued, waitingBytes };
  }

  /** Hears every packet of every source, after its consumers. Returns how to stop. */
  onPacket(listener: PacketListener): () => void {
    this.#packetListeners.add(listener);
    return () => this.#packetListeners.delete(listener);
  }

  /** Hears when a source begins to be live, and when it ends. Returns how to stop. */
  onChange(listener: (source: VideoSource) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Called once every 5 s by itself: tells of streams that are too thin. */
  lookAtRates(): void {
    const nowMs = this.#nowMs();
    for (const source of this.#sources.values()) {
      if (source.isThin(nowMs)) this.#onThin?.(source.name, source.rate.read(nowMs).mbps);
    }
  }

  close(): void {
    clearInterval(this.#watching);
    for (const seat of this.#seats) seat.source.end();
    this.#seats.clear();
    for (const consumer of this.#consumers) consumer.attach(undefined);
    this.#consumers.clear();
  }

  #publish(seat: Seat, incoming: IncomingPacket): void {
    if (!this.#seats.has(seat)) return;
    const nowMs = this.#nowMs();
    seat.seenMs = nowMs;
    this.#begin(seat);
    const packet = seat.source.take(incoming, seat.feed, nowMs);
    for (const listener of this.#packetListeners) this.#tell(() => listener(seat.source, packet));
    if (!(incoming.flags & HUB_FLAG.end)) return;
    seat.live = false;
    this.#maybeEnd(seat.source);
  }

  #begin(seat: Seat): void {
    if (seat.live) return;
    seat.live = true;
    const { source } = seat;
    if (source.live) return;
    source.begin(this.#nowMs());
    for (const consumer of this.#consumers) {
      const isWaiting = consumer.wanted === source.name && consumer.source === undefined;
      const follows = consumer.wanted === undefined && !consumer.source?.live;
      if ((isWaiting || follows) && consumer.source !== source) consumer.attach(source);
    }
    this.#changed(source);
  }

  #maybeEnd(source: VideoSource): void {
    if (!source.live || [...this.#seats].some((seat) => seat.source === source && seat.live)) return;
    source.end();
    const next = this.#leading();
    if (next?.live) {
      for (const consumer of source.consumers) if (consumer.wanted === undefined) consumer.attach(next);
    }
    this.#changed(source);
  }

  #changed(source: VideoSource): void {
    for (const listener of this.#changeListeners) this.#tell(() => listener(source));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onError(error);
    }
  }

  #mayJoin(name: string, { mayJoin = () => true }: ProducerOptions): boolean {
    const seat = [...this.#seats].find(({ source }) => source.name === name);
    return !seat || mayJoin(seat.source.space);
  }

  /** Whoever produces a source alone. */
  #holder(name: string): Seat | undefined {
    return [...this.#seats].find(({ source, options }) => source.name === name && !options.shared);
  }

  /** The first of `default`, `default-2` … that is free, or whose producer has gone silent or came from the same place. */
  #nameless(options: ProducerOptions, nowMs: number): string {
    const { address } = options;
    for (let n = 1; ; n++) {
      const name = n === 1 ? DEFAULT_SOURCE : `${DEFAULT_SOURCE}-${n}`;
      if (!this.#mayJoin(name, options)) continue;
      const holder = this.#holder(name);
      if (!holder) return name;
      if (address !== undefined && holder.options.address === address) return name;
      if (nowMs - holder.seenMs >= SILENT_MS) return name;
    }
  }

  /** What a consumer without a wish sees: live ones first, `default` first, the longest-living first. */
  #leading(): VideoSource | undefined {
    const named = this.#sources.get(DEFAULT_SOURCE);
    if (named?.live) return named;
    let longest: VideoSource | undefined;
    for (const source of this.#sources.values()) {
      if (source.live && (longest?.liveSinceMs ?? Number.POSITIVE_INFINITY) > source.liveSinceMs!) longest = source;
    }
    return longest ?? named ?? [...this.#sources.values()].at(-1);
  }

  /** Sources that are over, that nobody waits for and that are older than the last so many are let go. */
  #forget(): void {
    const over = [...this.#sources.values()].filter(
      (source) =>
        !source.live && source.consumers.size === 0 && ![...this.#seats].some((seat) => seat.source === source),
    );
    for (const { name } of over.slice(0, Math.max(0, over.length - ENDED_KEPT))) this.#sources.delete(name);
  }
}
