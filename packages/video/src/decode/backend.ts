/**
 * What a decoder of somebody else has to do for `VideoDecoder` (`open.ts`), which does the rest: parameter sets,
 * waiting for key pictures, order, times, trust. A backend lives for one sequence: from a key picture to a flush, a
 * failure, or pictures of another kind. It is given whole access units only, and parameter sets with each key picture.
 */
import type { Sps } from "../h264/parameter-sets.ts";

export type DecoderDescription = {
  readonly backend: "ffmpeg" | "tinyh264" | "webcodecs";
  /** Of the decoder itself: `5.1.9-0+deb12u1`. */
  readonly version: string;
  readonly codecName: "h264";
  readonly codecLongName: string;
  /** How it uses threads. */
  readonly threads: "none" | "worker" | "process";
  /** What it decodes: of H.264, everything or the baseline profile only. */
  readonly profiles: "all" | "baseline";
};

export type Picture = {
  /** The unit it was made of. */
  readonly number: number;
  readonly width: number;
  readonly height: number;
  readonly i420: Uint8Array;
  /** The decoder says that something of this picture is made up, or may be. */
  readonly damaged: boolean;
};

export type BackendEvents = {
  picture(picture: Picture): void;
  /** The decoder is gone: nothing more comes out. Said once. */
  failed(cause: unknown): void;
};

export type BackendUnit = {
  /** Rises by one or more each time. */
  readonly number: number;
  readonly timeNs: bigint;
  /** The times are counted in the order of decoding. */
  readonly counted?: true | undefined;
  readonly key: boolean;
  /** Annex B. */
  readonly data: Uint8Array;
};

export type Sequence = {
  readonly sps: Sps;
  /** Without start codes. */
  readonly spsNal: Uint8Array;
  readonly ppsNals: readonly Uint8Array[];
  /** Pictures may be shown in another order than they come. */
  readonly reorders: boolean;
};

export interface Backend {
  readonly description: DecoderDescription;
  /** Resolves when another unit may be given; never rejects. */
  decode(unit: BackendUnit): Promise<void>;
  /** Resolves when all that was given has come out, or when it failed. It is then at its end. */
  flush(): Promise<void>;
  /** Stops at once, whatever it does. */
  close(): Promise<void>;
  /** Holds back pictures while whoever takes them is behind. */
  pause(paused: boolean): void;
}

/** So many units may be in a decoder without a picture: the largest decoded picture buffer has 16. */
export const MAX_IN_DECODER = 24;
