/** A video file: what it is, and its pictures in the order of showing. */
import { open, stat } from "node:fs/promises";
import { CairnError } from "@cairn/protocol/errors";
import type { DecoderChoice } from "../decode/choose.ts";
import { findFfmpeg } from "../decode/ffmpeg-program.ts";
import type { Rotation, VideoFrame } from "../decode/frame.ts";
import { openVideoDecoder } from "../decode/open.ts";
import type { AccessUnit } from "../h264/access-unit.ts";
import { openContainer } from "./container.ts";
import { h264Units, looksLikeH264 } from "./h264-file.ts";
import { decodeByFfmpeg } from "./other-codings.ts";

export type VideoFacts = {
  /** `MP4`, `WebM`, …, or `H.264` for a bare stream. */
  readonly container: string;
  /** `avc`, `hevc`, `vp8`, `vp9`, `av1`, … */
  readonly coding: string;
  /** Clockwise, from the picture as it is coded to how it is shown. */
  readonly rotation: Rotation;
  readonly durationS: number | undefined;
  /** When the recording began, nanoseconds since 1970, by the recorder's word. */
  readonly createdNs: bigint | undefined;
};

export type VideoFile = {
  readonly facts: VideoFacts;
  /** The pictures of an H.264 file, not decoded, in the order of decoding. @throws {CairnError} for other codings */
  units(): AsyncGenerator<AccessUnit, void>;
  /**
   * Decodes all of it. A promise of `onFrame` is waited for; times are from the file's beginning.
   * @returns how many pictures came out, and whether the file ended before it said it would
   * @throws {CairnError} `video.no_decoder`, `video.unreadable`
   */
  decode(options: FileDecodeOptions): Promise<{ readonly frames: number; readonly cutOff: boolean }>;
  close(): void;
};

export type FileDecodeOptions = DecoderChoice & {
  readonly onFrame: (frame: VideoFrame) => void | Promise<void>;
  /** From 0 to 1. */
  readonly onProgress?: (part: number) => void;
  readonly signal?: AbortSignal;
};

const HEAD_BYTES = 4096;

/** Whether a file's first bytes are those of a video that Cairn reads, whatever it is called. */
export function isVideoHead(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 64)).toString("latin1");
  if (/^....ftyp/s.test(text)) return !/^....ftyp(heic|heix|mif1|msf1|avif|avis)/s.test(text);
  if (/^....(moov|mdat|wide|free)/s.test(text)) return true;
  return text.startsWith("\x1a\x45\xdf\xa3") || looksLikeH264(head);
}

/** @throws {CairnError} `video.unreadable`; an error of the file system as it is */
export async function openVideoFile(path: string): Promise<VideoFile> {
  const head = await readHead(path);
  if (head.length === 0) throw new CairnError("video.unreadable", { problem: "the file is empty" });
  if (looksLikeH264(head)) return bareStream(path, (await stat(path)).size);
  const container = await openContainer(path);
  const { facts } = container;
  return {
    facts,
    units() {
      if (facts.coding !== "avc") throw new CairnError("video.no_decoder", { codec: facts.codec });
      return container.units();
    },
    async decode(options) {
      const { durationS } = facts;
      let latestS = 0;
      const onFrame = (frame: VideoFrame) => {
        latestS = Math.max(latestS, Number(frame.timeNs) / 1e9);
        if (durationS) options.onProgress?.(Math.min(1, latestS / durationS));
        return options.onFrame(frame);
      };
      let frames = 0;
      if (facts.coding === "avc") frames = await decodeUnits(container.units(), { ...options, onFrame });
      else {
        const program = options.backend && options.backend !== "ffmpeg" ? undefined : await findFfmpeg(options.ffmpeg);
        if (!program) throw new CairnError("video.no_decoder", { codec: facts.codec });
        const counted = (frame: VideoFrame) => {
          frames++;
          return onFrame(frame);
        };
        await decodeByFfmpeg(program, path, counted, options.signal);
      }
      if (frames === 0) throw new CairnError("video.unreadable", { problem: "no picture in it could be decoded" });
      // Half a second: the last picture's own length, and pictures that its recorder dropped.
      return { frames, cutOff: durationS !== undefined && latestS + 0.5 + 1 / 24 < durationS };
    },
    close: container.close,
  };
}

function bareStream(path: string, sizeBytes: number): VideoFile {
  const facts = { container: "H.264", coding: "avc", rotation: 0, durationS: undefined, createdNs: undefined } as const;
  return {
    facts,
    units: () => h264Units(path, () => {}),
    async decode(options) {
      const units = h264Units(path, (bytes) => options.onProgress?.(bytes / sizeBytes));
      const frames = await decodeUnits(units, options);
      if (frames === 0) throw new CairnError("video.unreadable", { problem: "no picture in it could be decoded" });
      return { frames, cutOff: false };
    },
    close() {},
  };
}

async function decodeUnits(units: AsyncGenerator<AccessUnit, void>, options: FileDecodeOptions): Promise<number> {
  let failure: unknown;
  const { onProgress: _, onFrame, ...rest } = options;
  const decoder = openVideoDecoder({
    ...rest,
    async onFrame(frame) {
      if (failure) return;
      try {
        await onFrame(frame);
      } catch (error) {
        failure = error;
      }
    },
  });
  try {
    for await (const unit of units) {
      await decoder.decode(unit);
      if (failure) throw failure;
    }
    await decoder.flush();
    if (failure) throw failure;
    return decoder.stats().frames;
  } finally {
    await decoder.close();
  }
}

async function readHead(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const head = new Uint8Array(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
