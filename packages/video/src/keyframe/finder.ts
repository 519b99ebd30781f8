/** Decoded pictures in, keyframes as photos out: what a file and a live stream have in common. */
import { grayOf, jpegOf, type Rotation, type VideoFrame } from "../decode/frame.ts";
import { type Keyframe, KeyframeChooser, type KeyframeOptions } from "./choose.ts";

export type VideoKeyframe = Omit<Keyframe<unknown>, "item"> & {
  /** Upright, with no metadata of its own. */
  readonly jpeg: Uint8Array;
  /** 0, 1, 2, … */
  readonly index: number;
  /** Upright, pixels. */
  readonly width: number;
  readonly height: number;
};

export type FinderOptions = {
  readonly choose?: KeyframeOptions | undefined;
  /** Of the JPEGs, 1 to 100. */
  readonly quality?: number | undefined;
  readonly rotation?: Rotation | undefined;
};

const GRAY_SIDE_PX = 320;

export class KeyframeFinder {
  readonly #options: FinderOptions;
  readonly #chooser: KeyframeChooser<VideoFrame>;
  #found = 0;

  constructor(options: FinderOptions = {}) {
    this.#options = options;
    this.#chooser = new KeyframeChooser(options.choose);
  }

  /** So far. */
  get found(): number {
    return this.#found;
  }

  /** See {@link KeyframeChooser.demand}. */
  demand(factor: number): void {
    this.#chooser.demand(factor);
  }

  /** Takes the next picture in the order of showing. @returns the keyframe that is now certain */
  take(frame: VideoFrame): Promise<VideoKeyframe | undefined> {
    const { timeNs, trusted } = frame;
    if (!trusted) return Promise.resolve(undefined);
    return this.#photo(this.#chooser.offer({ gray: grayOf(frame, GRAY_SIDE_PX), timeNs, trusted }, frame));
  }

  /** At the end: the last one, if it was nearly due. */
  flush(): Promise<VideoKeyframe | undefined> {
    return this.#photo(this.#chooser.flush());
  }

  async #photo(chosen: Keyframe<VideoFrame> | undefined): Promise<VideoKeyframe | undefined> {
    if (!chosen) return undefined;
    const { item: frame, ...facts } = chosen;
    const { quality = 92, rotation = 0 } = this.#options;
    const index = this.#found++;
    const jpeg = await jpegOf(frame, { quality, rotation });
    const lying = rotation === 90 || rotation === 270;
    const [width, height] = lying ? [frame.height, frame.width] : [frame.width, frame.height];
    return { ...facts, jpeg, index, width, height };
  }
}
