/**
 * Single pictures of a device, JPEGs one after the other, as a stream that builds a model (HUB-27): chosen as keyframes of
 * video are, taken as they came, and never further ahead of the engine. Rule KEY-13.
 */
import type { ImageDecoder } from "@cairn/images";
import { CairnError, STREAM } from "@cairn/protocol";
import { type GrayPicture, KeyframeChooser, type Offered } from "@cairn/video";
import { StreamClock } from "../clock/stream-clock.ts";
import type { Core } from "../core.ts";
import { ingestImage } from "../ingest/ingest-image.ts";
import type { Space } from "../space/spaces.ts";
import { Intake, timeNsOf } from "./intake.ts";

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
  readonly onError: (context: string, error: unknown) => void;
  /** A source that shows nothing for so long has ended its stream. */
  readonly silentMs?: number;
};

const SIDE_PX = 320;
const SILENT_MS = 5000;
/** Sources that build models at a time: pictures of another are passed over. */
const MOST_STREAMS = 16;

type Picture = { readonly jpeg: Uint8Array; readonly width: number; readonly height: number };

export class PictureKeyframes {
  readonly #options: PictureKeyframesOptions;
  readonly #streams = new Map<string, PictureStream>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: PictureKeyframesOptions) {
    this.#options = options;
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
      const signal = this.#stop.signal;
      const { rgb, widthPx, heightPx, fullWidthPx, fullHeightPx } = await images.decode(picture.jpeg, {
        maxSidePx: SIDE_PX,
        signal,
      });
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
    await Promise.all(this.#ending);
  }

  #begin(source: string, space: Space): PictureStream | undefined {
    if (this.#streams.size >= MOST_STREAMS) return undefined;
    const stream = new PictureStream(source, space, this.#stop.signal, this.#options);
    this.#streams.set(source, stream);
    return stream;
  }

  #end(source: string): void {
    const stream = this.#streams.get(source);
    if (!stream) return;
    this.#streams.delete(source);
    const ended = stream.end();
    this.#ending.add(ended);
    void ended.finally(() => this.#ending.delete(ended));
  }
}

class PictureStream {
  readonly space: Space;
  readonly #source: string;
  readonly #sequence: string;
  readonly #options: PictureKeyframesOptions;
  readonly #clock: StreamClock;
  readonly #chooser = new KeyframeChooser<Picture>();
  readonly #intake: Intake;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #index = 0;
  #lastNs = 0n;
  #silence: NodeJS.Timeout | undefined;

  constructor(source: string, space: Space, stop: AbortSignal, options: PictureKeyframesOptions) {
    const { core, reconstructs } = options;
    this.space = space;
    this.#source = source;
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

  heard(silent: () => void): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(silent, this.#options.silentMs ?? SILENT_MS).unref();
  }

  offer(gray: GrayPicture, { timeNs }: StreamPicture, item: Picture): void {
    const atNs = this.#clock.timeOf(timeNs, this.#options.core.clock.nowNs());
    // One that is told to be older than the last is out of order, and no step of the way.
    if (atNs <= this.#lastNs) return;
    this.#lastNs = atNs;
    this.#chooser.demand(this.#intake.demand);
    const offered: Offered = { gray, timeNs: atNs, trusted: true };
    this.#take(this.#chooser.offer(offered, item));
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
      name: `${this.#source}-${String(index + 1).padStart(4, "0")}.jpg`,
      source: "video",
      contributor: this.#source,
      capturedNs: timeNsOf(timeNs),
      sequence: this.#sequence,
      key: `${this.#sequence}:${index}`,
    };
    await ingestImage(core, this.space, photo, images, this.#signal);
  }

  #failed(error: unknown): void {
    // A space that is full, or a picture that is none, is the stream's end or its loss, and no failure here.
    if (this.#signal.aborted || error instanceof CairnError) return;
    this.#options.onError(`pictures of ${this.#source}`, error);
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
