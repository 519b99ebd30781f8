/**
 * Single pictures of a device, JPEGs one after the other, as a stream that builds a model (HUB-27): chosen as keyframes of
 * video are, taken as they came, and never further ahead of the engine. Rule KEY-13.
 */
import type { ImageDecoder } from "@cairn/images";
import { CairnError, type ErrorBody, STREAM } from "@cairn/protocol";
import { type GrayPicture, KeyframeChooser, type Offered } from "@cairn/video";
import { StreamClock } from "../clock/stream-clock.ts";
import type { Core } from "../core.ts";
import { ingestImage } from "../ingest/ingest-image.ts";
import type { Space } from "../space/spaces.ts";
import { Intake, timeNsOf } from "./intake.ts";
import { addStats, type KeyframeStats, type KeyframeSums, noSums } from "./keyframe-stats.ts";

export type StreamPicture = {
  readonly source: string;
  /** Where the source records. */
  readonly space: string;
  /** Of the device's clock. */
  readonly timeNs: bigint;
  readonly jpeg: Uint8Array;
};

export type PictureKeyframesOptions = {
  readonly core: Core;
  readonly images: ImageDecoder;
  /** Somebody gives photos a verdict; else there is nothing to wait for. */
  readonly reconstructs: boolean;
  /** Told when something goes wrong with a stream, once for each kind, and `undefined` when all is well again. */
  readonly onProblem: (space: Space, source: string, problem: ErrorBody | undefined) => void;
  readonly onError: (context: string, error: unknown) => void;
  /** A source that shows nothing for so long has ended its stream. */
  readonly silentMs?: number;
};

const SIDE_PX = 320;
const SILENT_MS = 5000;
/** Sources that build models at a time: pictures of another are passed over. */
const MOST_STREAMS = 16;
/** Streams that are over whose figures are kept. */
const ENDED_KEPT = 64;

type Picture = { readonly jpeg: Uint8Array; readonly width: number; readonly height: number };

export class PictureKeyframes {
  readonly #options: PictureKeyframesOptions;
  readonly #streams = new Map<string, PictureStream>();
  readonly #ending = new Map<PictureStream, Promise<void>>();
  /** The last of each source that has none now. */
  readonly #ended = new Map<string, KeyframeStats>();
  readonly #past = noSums();
  readonly #stop = new AbortController();

  constructor(options: PictureKeyframesOptions) {
    this.#options = options;
  }

  /** Of each source's stream, or of its last one. */
  all(): (KeyframeStats & { readonly live: boolean })[] {
    const shown = new Map([...this.#ended].map(([source, stats]) => [source, { ...stats, live: false }]));
    for (const stream of this.#ending.keys()) shown.set(stream.source, { ...stream.stats(), live: false });
    for (const stream of this.#streams.values()) shown.set(stream.source, { ...stream.stats(), live: true });
    return [...shown.values()];
  }

  /** Since the start. */
  totals(): KeyframeSums & { streams: number } {
    const sum = { streams: this.#streams.size, ...this.#past };
    for (const stream of [...this.#streams.values(), ...this.#ending.keys()]) addStats(sum, stream.stats());
    return sum;
  }

  /** Resolves when there is time for the source's next one. What cannot be decoded is passed over. */
  async add(picture: StreamPicture): Promise<void> {
    const { core, images } = this.#options;
    if (this.#stop.signal.aborted) return;
    try {
      const space = await core.spaces.open(picture.space);
      const known = this.#streams.get(picture.source);
      const wanted = space.log.snapshot().state.settings.keyframes;
      if (known && (known.space !== space || !wanted)) this.#end(picture.source);
      if (!wanted) return;
      const stream = this.#streams.get(picture.source) ?? this.#begin(picture.source, space);
      if (!stream) return;
      stream.heard(() => this.#end(picture.source));
      const asked = { maxSidePx: SIDE_PX, signal: this.#stop.signal };
      const decoded = await images.decode(picture.jpeg, asked).catch((error: unknown) => {
        stream.leaveOut();
        throw error;
      });
      const { rgb, widthPx, heightPx, fullWidthPx, fullHeightPx } = decoded;
      const gray = grayOf(rgb, widthPx, heightPx);
      stream.offer(gray, picture, { jpeg: picture.jpeg, width: fullWidthPx, height: fullHeightPx });
    } catch (error) {
      // Of a space that is not there its owner is told by the door; a broken picture is one picture less.
      if (!(error instanceof CairnError) && !this.#stop.signal.aborted) throw error;
    }
  }

  async close(): Promise<void> {
    this.#stop.abort(new CairnError("server.stopping"));
    for (const source of [...this.#streams.keys()]) this.#end(source);
    await Promise.all(this.#ending.values());
  }

  #begin(source: string, space: Space): PictureStream | undefined {
    if (this.#streams.size >= MOST_STREAMS) return undefined;
    const stream = new PictureStream(source, space, this.#stop.signal, this.#options);
    this.#streams.set(source, stream);
    this.#ended.delete(source);
    return stream;
  }

  #end(source: string): void {
    const stream = this.#streams.get(source);
    if (!stream) return;
    this.#streams.delete(source);
    const ended = stream.end().finally(() => {
      this.#ending.delete(stream);
      addStats(this.#past, stream.stats());
      this.#keep(stream.stats());
    });
    this.#ending.set(stream, ended);
  }

  #keep(stats: KeyframeStats): void {
    this.#ended.delete(stats.source);
    this.#ended.set(stats.source, stats);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > ENDED_KEPT) this.#ended.delete(oldest!);
  }
}

class PictureStream {
  readonly space: Space;
  readonly source: string;
  readonly #sequence: string;
  readonly #options: PictureKeyframesOptions;
  readonly #clock: StreamClock;
  readonly #chooser = new KeyframeChooser<Picture>();
  readonly #intake: Intake;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  readonly #counts = { pictures: 0, leftOut: 0, keyframes: 0, width: 0, height: 0 };
  #problem: ErrorBody | undefined;
  #index = 0;
  #lastNs = 0n;
  #silence: NodeJS.Timeout | undefined;

  constructor(source: string, space: Space, stop: AbortSignal, options: PictureKeyframesOptions) {
    const { core, reconstructs } = options;
    this.space = space;
    this.source = source;
    this.#options = options;
    this.#sequence = `${STREAM}${source}:${core.clock.nowNs()}`;
    this.#clock = new StreamClock(source, core.clock.devices);
    this.#signal = AbortSignal.any([stop, space.signal, this.#over.signal]);
    this.#intake = new Intake({
      space,
      reconstructs,
      ingest: ({ jpeg, timeNs, index }) => this.#ingest(jpeg, timeNs, index),
      onRefused: (error) => this.#failed(error),
    });
    void this.#follow();
  }

  stats(): KeyframeStats {
    const { dropped, waiting, demand } = this.#intake;
    return {
      source: this.source,
      space: this.space.id,
      sequence: this.#sequence,
      ...this.#counts,
      untrusted: 0,
      dropped,
      waiting,
      demand,
      ...(this.#problem && { problem: this.#problem }),
    };
  }

  heard(silent: () => void): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(silent, this.#options.silentMs ?? SILENT_MS).unref();
  }

  offer(gray: GrayPicture, { timeNs }: StreamPicture, item: Picture): void {
    const atNs = this.#clock.timeOf(timeNs, this.#options.core.clock.nowNs());
    // One that is told to be older than the last is out of order, and no step of the way.
    if (atNs <= this.#lastNs) {
      this.leaveOut();
      return;
    }
    this.#lastNs = atNs;
    this.#counts.pictures++;
    Object.assign(this.#counts, { width: item.width, height: item.height });
    this.#chooser.demand(this.#intake.demand);
    const offered: Offered = { gray, timeNs: atNs, trusted: true };
    this.#take(this.#chooser.offer(offered, item));
  }

  /** One that cannot be decoded, or comes out of order. */
  leaveOut(): void {
    this.#counts.leftOut++;
  }

  /** What was nearly due goes in as well. */
  async end(): Promise<void> {
    clearTimeout(this.#silence);
    if (!this.#signal.aborted) {
      this.#take(this.#chooser.flush());
      await this.#intake.end();
    }
    this.#over.abort();
  }

  #take(keyframe: ReturnType<KeyframeChooser<Picture>["offer"]>): void {
    if (!keyframe) return;
    const { item, ...facts } = keyframe;
    this.#intake.add({ ...facts, ...item, index: this.#index++ });
  }

  async #ingest(jpeg: Uint8Array, timeNs: bigint, index: number): Promise<void> {
    const { core, images } = this.#options;
    const photo = {
      bytes: jpeg,
      name: `${this.source}-${String(index + 1).padStart(4, "0")}.jpg`,
      source: "video",
      contributor: this.source,
      capturedNs: timeNsOf(timeNs),
      sequence: this.#sequence,
      key: `${this.#sequence}:${index}`,
    };
    await ingestImage(core, this.space, photo, images, this.#signal);
    this.#counts.keyframes++;
    this.#say(undefined);
  }

  #failed(error: unknown): void {
    if (this.#signal.aborted) return;
    // A space that is full is the stream's loss, and no failure here.
    if (error instanceof CairnError) this.#say(error.toJSON());
    else this.#options.onError(`pictures of ${this.source}`, error);
  }

  #say(problem: ErrorBody | undefined): void {
    if (problem?.code === this.#problem?.code) return;
    this.#problem = problem;
    this.#options.onProblem(this.space, this.source, problem);
  }

  /** The engine has dealt with a photo: there may be room for the next. */
  async #follow(): Promise<void> {
    const { log } = this.space;
    try {
      for await (const events of log.follow(log.head, { signal: this.#signal })) {
        if (events.some(({ type }) => type === "image.judged" || type === "space.configured")) this.#intake.pump();
      }
    } catch (error) {
      this.#failed(error);
    }
  }
}

/** Luma of ITU-R BT.601. @param rgb `[height, width, 3]` */
function grayOf(rgb: Uint8Array, width: number, height: number): GrayPicture {
  const pixels = new Uint8Array(width * height);
  for (let i = 0, j = 0; i < pixels.length; i++, j += 3) {
    pixels[i] = (77 * rgb[j]! + 150 * rgb[j + 1]! + 29 * rgb[j + 2]!) >> 8;
  }
  return { width, height, pixels };
}
