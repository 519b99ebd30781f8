/**
 * The keyframes of a stream that does not end, message by message: put together to pictures, decoded, chosen. Nothing
 * is kept here but what a decoder holds; who is slower than the stream leaves messages out before a key picture.
 */
import { CairnError } from "@cairn/protocol/errors";
import type { DecoderChoice } from "../decode/choose.ts";
import type { VideoFrame } from "../decode/frame.ts";
import { openVideoDecoder, type VideoDecoder } from "../decode/open.ts";
import { type AccessUnit, AccessUnitAssembler, type PushHint } from "../h264/access-unit.ts";
import { type FinderOptions, KeyframeFinder, type VideoKeyframe } from "./finder.ts";

export type StreamKeyframesOptions = DecoderChoice &
  FinderOptions & {
    /** A decoder died and was replaced, a picture could not be made a photo. */
    readonly onProblem?: (problem: unknown) => void;
  };

export type StreamMessage = PushHint & {
  /** Annex B: any part of a picture, a whole one, or parameter sets. */
  readonly data: Uint8Array;
  readonly timeNs: bigint;
  /** Messages before it never came. */
  readonly lost?: boolean;
  /** Messages before it were left out, and this one begins a key picture: nothing that is needed is missing. */
  readonly begins?: boolean;
};

/** What came of the messages so far, and was not told before. */
export type StreamTake = {
  readonly keyframes: readonly VideoKeyframe[];
  /** Times of the pictures that were decoded, in the order of showing. */
  readonly timesNs: readonly bigint[];
  /** Of these, pictures that damage had spoilt. */
  readonly untrusted: number;
  /** Pictures that the decoder could not begin with. */
  readonly skipped: number;
  readonly width: number;
  readonly height: number;
  /** Nothing here decodes the stream as it is now: `video.no_decoder`. */
  readonly problem: CairnError | undefined;
};

export class StreamKeyframes {
  readonly #finder: KeyframeFinder;
  readonly #decoder: VideoDecoder;
  readonly #onProblem: (problem: unknown) => void;
  #assembler = new AccessUnitAssembler({ eager: true });
  #keyframes: VideoKeyframe[] = [];
  #timesNs: bigint[] = [];
  #untrusted = 0;
  #skipped = 0;
  #size = { width: 0, height: 0 };
  #problem: CairnError | undefined;
  #lookEveryMs = 0;
  #lookedNs: bigint | undefined;

  constructor({ choose, quality, rotation, onProblem = () => {}, ...decoder }: StreamKeyframesOptions = {}) {
    this.#finder = new KeyframeFinder({ choose, quality, rotation });
    this.#onProblem = onProblem;
    this.#decoder = openVideoDecoder({ ...decoder, onProblem, onFrame: (frame) => this.#look(frame) });
  }

  /**
   * @param factor see {@link KeyframeFinder.demand}
   * @param lookEveryMs every picture must be decoded, but need not be looked at: no more often than this
   */
  demand(factor: number, lookEveryMs: number): void {
    this.#finder.demand(factor);
    this.#lookEveryMs = lookEveryMs;
  }

  /** Resolves when the next may come. */
  async push({ data, timeNs, lost, begins, ...hint }: StreamMessage): Promise<void> {
    if (begins) {
      await this.#decode(this.#assembler.flush());
      this.#assembler = new AccessUnitAssembler({ eager: true });
    }
    if (lost) this.#assembler.miss();
    await this.#decode(this.#assembler.push(data, timeNs, hint));
  }

  /** The stream has ended: what the decoder holds comes out. Another may follow with a key picture. */
  async flush(): Promise<void> {
    await this.#decode(this.#assembler.flush());
    await this.#decoder.flush();
    const last = await this.#finder.flush();
    if (last) this.#keyframes.push(last);
  }

  take(): StreamTake {
    const { skipped } = this.#decoder.stats();
    const taken: StreamTake = {
      keyframes: this.#keyframes,
      timesNs: this.#timesNs,
      untrusted: this.#untrusted,
      skipped: skipped - this.#skipped,
      ...this.#size,
      problem: this.#problem,
    };
    this.#keyframes = [];
    this.#timesNs = [];
    this.#untrusted = 0;
    this.#skipped = skipped;
    return taken;
  }

  close(): Promise<void> {
    return this.#decoder.close();
  }

  async #decode(units: readonly AccessUnit[]): Promise<void> {
    for (const unit of units) {
      try {
        await this.#decoder.decode(unit);
        // One that needs a key picture first says nothing of whether it could be decoded.
        if (unit.key) this.#problem = undefined;
      } catch (error) {
        if (!(error instanceof CairnError)) throw error;
        this.#problem = error;
      }
    }
  }

  async #look(frame: VideoFrame): Promise<void> {
    const { timeNs, width, height, trusted } = frame;
    this.#size = { width, height };
    this.#timesNs.push(timeNs);
    if (!trusted) this.#untrusted++;
    const sinceMs = this.#lookedNs === undefined ? Number.POSITIVE_INFINITY : Number(timeNs - this.#lookedNs) / 1e6;
    // A clock that was set back begins anew.
    if (sinceMs >= 0 && sinceMs < this.#lookEveryMs) return;
    this.#lookedNs = timeNs;
    try {
      const found = await this.#finder.take(frame);
      if (found) this.#keyframes.push(found);
    } catch (problem) {
      this.#onProblem(problem);
    }
  }
}
