/** The keyframes of a video file, as photos: decoded, chosen, upright, as JPEG with no metadata of their own. */
import type { DecoderChoice } from "../decode/choose.ts";
import { grayOf, jpegOf, type VideoFrame } from "../decode/frame.ts";
import type { VideoFile } from "../file/open.ts";
import { type Keyframe, KeyframeChooser, type KeyframeOptions } from "./choose.ts";

export type VideoKeyframe = Omit<Keyframe<unknown>, "item"> & {
  readonly jpeg: Uint8Array;
  /** 0, 1, 2, … */
  readonly index: number;
  /** Upright, pixels. */
  readonly width: number;
  readonly height: number;
};

export type KeyframesOptions = DecoderChoice & {
  /** A promise of it is waited for: no more is decoded meanwhile than a few pictures. */
  readonly onKeyframe: (keyframe: VideoKeyframe) => void | Promise<void>;
  /** How much of the file has been read, 0 to 1, and how many keyframes there are so far. */
  readonly onProgress?: (part: number, keyframes: number) => void;
  readonly choose?: KeyframeOptions;
  /** Of the JPEGs, 1 to 100. */
  readonly quality?: number;
  readonly signal?: AbortSignal;
};

export type KeyframesEnd = {
  readonly frames: number;
  /** Frames that damage had spoilt. */
  readonly untrusted: number;
  readonly keyframes: number;
  /** The file ended before it said it would. */
  readonly cutOff: boolean;
};

const GRAY_SIDE_PX = 320;

/** @throws {CairnError} `video.no_decoder`, `video.unreadable`; what `onKeyframe` throws */
export async function keyframesOf(file: VideoFile, options: KeyframesOptions): Promise<KeyframesEnd> {
  const { onKeyframe, onProgress, choose, quality = 92, ...rest } = options;
  const chooser = new KeyframeChooser<VideoFrame>(choose);
  const { rotation } = file.facts;
  let keyframes = 0;
  let untrusted = 0;
  const give = async (chosen: Keyframe<VideoFrame> | undefined): Promise<void> => {
    if (!chosen) return;
    const { item: frame, ...facts } = chosen;
    const jpeg = await jpegOf(frame, { quality, rotation });
    const lying = rotation === 90 || rotation === 270;
    const [width, height] = lying ? [frame.height, frame.width] : [frame.width, frame.height];
    await onKeyframe({ ...facts, jpeg, index: keyframes++, width, height });
  };
  const { frames, cutOff } = await file.decode({
    ...rest,
    onProgress: (part) => onProgress?.(part, keyframes),
    async onFrame(frame) {
      rest.signal?.throwIfAborted();
      if (!frame.trusted) untrusted++;
      const { timeNs, trusted } = frame;
      await give(chooser.offer({ gray: grayOf(frame, GRAY_SIDE_PX), timeNs, trusted }, frame));
    },
  });
  await give(chooser.flush());
  return { frames, untrusted, keyframes, cutOff };
}
