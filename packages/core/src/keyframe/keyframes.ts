/**
 * Live video builds models: every stream that is bound to a space is decoded, and its keyframes become photos there.
 * What happens to a stream is told on the channel `keyframes/{source}` of its space. Rules: docs/spec/keyframes.md.
 */
import type { ImageDecoder } from "@cairn/images";
import { CairnError, type ErrorBody } from "@cairn/protocol";
import type { DecoderChoice } from "@cairn/video";
import type { Core } from "../core.ts";
import { ingestImage } from "../ingest/ingest-image.ts";
import type { Space } from "../space/spaces.ts";
import type { StreamPacket } from "../video/stream-packet.ts";
import type { VideoSource } from "../video/video-source.ts";
import { addStats, type KeyframeStats, type KeyframeSums, noSums } from "./keyframe-stats.ts";
import { LiveStream } from "./live-stream.ts";
import { PictureKeyframes } from "./picture-keyframes.ts";

export type KeyframesOptions = {
  readonly core: Core;
  readonly images: ImageDecoder;
  /** Somebody gives photos a verdict; else there is nothing to wait for. */
  readonly reconstructs: boolean;
  /** Which decoder; left out: the most able that is there. */
  readonly decoder?: DecoderChoice;
  /** Streams at a time; each has a thread. */
  readonly maxStreams?: number;
  /** Told when something goes wrong with a stream, once for each kind, and `undefined` when all is well again. */
  readonly onProblem?: (source: string, problem: ErrorBody | undefined) => void;
  readonly onError: (context: string, error: unknown) => void;
};

export type KeyframeTotals = Readonly<KeyframeSums & { streams: number }>;

export type Keyframes = {
  /** Of a source's stream now, or of its last one; left out: none builds a model, or never did. */
  of(source: string): KeyframeStats | undefined;
  /** Streams of single pictures (KEY-13). */
  readonly pictures: PictureKeyframes;
  /** Of all streams since the start, also those of single pictures. */
  totals(): KeyframeTotals;
  close(): Promise<void>;
};

const MAX_STREAMS = 4;
/** Streams that are over whose figures are kept. */
const ENDED_KEPT = 64;
const MOST_LINGERING = 16;

type Watched = {
  readonly space: string;
  /** Left out while its space is being opened, while it must wait, or when its space does not exist. */
  stream?: LiveStream;
  /** What came before the space was open. */
  waiting: StreamPacket[];
  problem?: ErrorBody;
  /** The space wants no photos of video. */
  off: boolean;
  opening: boolean;
  /** The stream ended before its space was open. */
  ended: boolean;
};

/** Packets that wait for a space to open: less than a second of a stream. */
const MOST_WAITING = 300;
/** A space that was missing may be made meanwhile, one may want photos again, another stream may end: tried so often. */
const RETRY_MS = 1000;

export function startKeyframes(options: KeyframesOptions): Keyframes {
  return new Streams(options);
}

const NOTHING = {
  sequence: "",
  pictures: 0,
  leftOut: 0,
  untrusted: 0,
  keyframes: 0,
  dropped: 0,
  waiting: 0,
  demand: 1,
  width: 0,
  height: 0,
} as const;

/** The space's own setting (KEY-11). */
const wantsVideo = (space: Space): boolean => space.log.snapshot().state.settings.keyframes;

class Streams implements Keyframes {
  readonly pictures: PictureKeyframes;
  readonly #options: KeyframesOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #retryAtMs = new Map<string, number>();
  /** Of streams that end, or have ended. */
  readonly #last = new Map<string, () => KeyframeStats>();
  readonly #open = new Set<LiveStream>();
  /** Over, but not all of their photos have a verdict. */
  readonly #lingering = new Set<LiveStream>();
  readonly #leave: (() => void)[];
  readonly #past = noSums();
  #closed = false;

  constructor(options: KeyframesOptions) {
    this.#options = options;
    const onProblem = (space: Space, source: string, problem: ErrorBody | undefined) =>
      this.#say(space, source, problem);
    this.pictures = new PictureKeyframes({ ...options, onProblem });
    const { video } = options.core;
    this.#leave = [
      video.onPacket((source, packet) => this.#take(source, packet)),
      video.onChange((source) => {
        if (!source.live) this.#end(source.name);
      }),
    ];
  }

  of(source: string): KeyframeStats | undefined {
    const watched = this.#watched.get(source);
    if (watched?.stream) return watched.stream.stats();
    if (!watched || watched.off) return this.#last.get(source)?.();
    return { ...NOTHING, source, space: watched.space, ...(watched.problem && { problem: watched.problem }) };
  }

  totals(): KeyframeTotals {
    const { streams, ...pictures } = this.pictures.totals();
    const sum = { streams: streams + this.#open.size, ...addStats(pictures, this.#past) };
    for (const stream of this.#open) addStats(sum, stream.stats());
    return sum;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const leave of this.#leave) leave();
    const streams = [...this.#open, ...this.#lingering].map((stream) => stream.close());
    await Promise.all([this.pictures.close(), ...streams]);
  }

  #take(source: VideoSource, packet: StreamPacket): void {
    const { name, space } = source;
    let watched = this.#watched.get(name);
    const gone = watched && (watched.space !== space || !source.keyframes || watched.stream?.over);
    const turnedOff = watched?.stream && !wantsVideo(watched.stream.space);
    if (gone || turnedOff) {
      this.#end(name);
      watched = undefined;
    }
    if (space === undefined || !source.keyframes) return;
    if (!watched) {
      // Of a stream that has been going for a while, what can be decoded: all since its last key picture, this one too.
      const waiting = packet.kind === "key" ? [] : source.group.packets.slice(0, -1);
      watched = { space, waiting, off: false, opening: false, ended: false };
      this.#watched.set(name, watched);
    }
    if (watched.stream) {
      watched.stream.add(packet, source.feeds);
      return;
    }
    if (packet.kind === "key" && (watched.problem || watched.off)) watched.waiting = [];
    watched.waiting.push(packet);
    if (watched.waiting.length > MOST_WAITING) watched.waiting.splice(0, MOST_WAITING / 2);
    const nowMs = performance.now();
    const inVain = watched.problem !== undefined || watched.off;
    if (watched.opening || (inVain && nowMs < (this.#retryAtMs.get(name) ?? 0))) return;
    this.#retryAtMs.set(name, nowMs + RETRY_MS);
    watched.opening = true;
    void this.#begin(source, watched).finally(() => {
      watched.opening = false;
    });
  }

  async #begin(source: VideoSource, watched: Watched): Promise<void> {
    const { core, images, reconstructs, decoder = {}, maxStreams = MAX_STREAMS, onError } = this.#options;
    let space: Space | undefined;
    try {
      space = await core.spaces.open(watched.space);
      if (this.#closed) return;
      watched.off = !wantsVideo(space);
      if (watched.off) {
        delete watched.problem;
        return;
      }
      if (this.#open.size >= maxStreams) throw new CairnError("video.too_many", { streams: maxStreams });
      const stream = new LiveStream({
        source: source.name,
        space,
        clock: core.clock,
        reconstructs,
        decoder,
        ingest: async (into, photo, signal) => (await ingestImage(core, into, photo, images, signal)).image,
        onProblem: (each, problem) => this.#say(each.space, source.name, problem),
        onError: (error) => onError(`keyframes of ${source.name}`, error),
      });
      this.#open.add(stream);
      watched.stream = stream;
      delete watched.problem;
      if (source.parameters) stream.know(source.parameters.data);
      for (const packet of watched.waiting.splice(0)) stream.add(packet, source.feeds);
      this.#say(space, source.name, undefined);
      if (watched.ended) this.#finish(source.name, stream);
    } catch (error) {
      if (!(error instanceof CairnError)) {
        onError(`keyframes of ${source.name}`, error);
        return;
      }
      const told = watched.problem?.code === error.code;
      watched.problem = error.toJSON();
      if (!told) this.#say(space, source.name, watched.problem);
    }
  }

  #end(name: string): void {
    const watched = this.#watched.get(name);
    this.#watched.delete(name);
    this.#retryAtMs.delete(name);
    if (!watched) return;
    watched.ended = true;
    if (watched.stream) this.#finish(name, watched.stream);
  }

  /** What is left of a stream goes into its space. */
  #finish(name: string, stream: LiveStream): void {
    const { onError } = this.#options;
    this.#last.delete(name);
    const now = () => stream.stats();
    this.#last.set(name, now);
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= ENDED_KEPT) break;
      this.#last.delete(oldest);
    }
    stream
      .end()
      .catch((error: unknown) => onError(`keyframes of ${name}`, error))
      .finally(() => {
        const stats = stream.stats();
        // The thread and its queue are let go; another stream of the source may have ended since.
        if (this.#last.get(name) === now) this.#last.set(name, () => stats);
        this.#open.delete(stream);
        this.#linger(stream);
        addStats(this.#past, stats);
      });
  }

  #linger(stream: LiveStream): void {
    this.#lingering.add(stream);
    void stream.settled.finally(() => this.#lingering.delete(stream));
    const [oldest] = this.#lingering;
    if (this.#lingering.size > MOST_LINGERING) void oldest!.close();
  }

  /** @param space left out: there is none whose people could hear it */
  #say(space: Space | undefined, source: string, problem: ErrorBody | undefined): void {
    const data = { source, ...(problem && { problem }) };
    space?.channels.publish({ channel: `keyframes/${source}`, from: "", data });
    this.#options.onProblem?.(source, problem);
  }
}
