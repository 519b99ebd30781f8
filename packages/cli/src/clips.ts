/** Videos among what is pushed are sent as the keyframes that are chosen of them. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { parse } from "node:path";
import type { TimeNs } from "@cairn/protocol";
import { keyframesOf, openVideoFile } from "@cairn/video";
import type { Clip } from "./named-files.ts";

/** One keyframe, ready to be sent. */
type ClipPhoto = {
  readonly name: string;
  readonly jpeg: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly key: string;
  readonly sequence: string;
  readonly capturedNs: TimeNs;
};

export type ClipEnd = { readonly frames: number; readonly untrusted: number; readonly cutOff: boolean };

/**
 * Reads a video once and gives its keyframes, each when the one before has been taken.
 * @throws {CairnError} `video.no_decoder`, `video.unreadable`
 */
export async function eachKeyframe(
  clip: Clip,
  take: (photo: ClipPhoto) => Promise<void>,
  onProgress: (part: number, keyframes: number) => void,
  signal: AbortSignal,
): Promise<ClipEnd> {
  const file = await openVideoFile(clip.path);
  try {
    const sequence = `video:${await fingerprint(clip.path)}`;
    const startNs = file.facts.createdNs ?? (await recordedNs(clip.path, file.facts.durationS));
    return await keyframesOf(file, {
      signal,
      onProgress,
      onKeyframe: ({ jpeg, timeNs, width, height }) => {
        // Milliseconds are enough for a name; a key must not lose any.
        const seconds = (Number(timeNs) / 1e9).toFixed(3).padStart(8, "0");
        return take({
          name: `${parse(clip.name).name}_${seconds}.jpg`,
          jpeg,
          width,
          height,
          // The same video pushed again makes the same images: an interrupted push can simply be repeated.
          key: `${sequence}@${timeNs}`,
          sequence,
          capturedNs: String(startNs + timeNs) as TimeNs,
        });
      },
    });
  } finally {
    file.close();
  }
}

async function fingerprint(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex").slice(0, 32);
}

/** A recording that does not say when it began ended about when its file was written last. */
async function recordedNs(path: string, durationS = 0): Promise<bigint> {
  const { mtimeMs } = await stat(path);
  return BigInt(Math.max(0, Math.round(mtimeMs - durationS * 1000))) * 1_000_000n;
}
