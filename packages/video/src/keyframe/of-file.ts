/** The keyframes of a video file, as photos: decoded, chosen, upright, as JPEG with no metadata of their own. */
import type { DecoderChoice } from "../decode/choose.ts";
import type { VideoFile } from "../file/open.ts";
import type { KeyframeOptions } from "./choose.ts";
import { KeyframeFinder, type VideoKeyframe } from "./finder.ts";

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

/** @throws {CairnError} `video.no_decoder`, `video.unreadable`; what `onKeyframe` throws */
export async function keyframesOf(file: VideoFile, options: KeyframesOptions): Promise<KeyframesEnd> {
  const { onKeyframe, onProgress, choose, quality, ...rest } = options;
  const finder = new KeyframeFinder({ choose, quality, rotation: file.facts.rotation });
  let untrusted = 0;
  const give = async (found: VideoKeyframe | undefined): Promise<void> => {
    if (found) await onKeyframe(found);
  };
  const { frames, cutOff } = await file.decode({
    ...rest,
    onProgress: (part) => onProgress?.(part, finder.found),
    async onFrame(frame) {
      rest.signal?.throwIfAborted();
      if (!frame.trusted) untrusted++;
      await give(await finder.take(frame));
    },
  });
  await give(await finder.flush());
  return { frames, untrusted, keyframes: finder.found, cutOff };
}
