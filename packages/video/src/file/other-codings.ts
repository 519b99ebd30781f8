/**
 * Files whose coding is not H.264 (HEVC of phones, VP8, VP9, AV1): read and decoded by an installed ffmpeg as a whole.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CairnError } from "@cairn/protocol/errors";
import type { FfmpegProgram } from "../decode/ffmpeg-program.ts";
import { i420Bytes, type VideoFrame } from "../decode/frame.ts";

const TIME_BASE = /showinfo.*config in time_base: (\d+)\/(\d+)/;
const SHOWN = /showinfo.*\bpts: *(-?\d+|NOPTS) .*\bs:(\d+)x(\d+).*\biskey:(\d)/;
/** ffmpeg tells of a picture before it gives it, but by another pipe: so much may be here before its line is. */
const MAX_UNTOLD_BYTES = 16 * 1024 * 1024;
const MATRIX = /color_range:(\S+) color_space:(\S+)/;

/** @throws {CairnError} `video.unreadable` with ffmpeg's last words, when not one picture came out */
export async function decodeByFfmpeg(
  program: FfmpegProgram,
  path: string,
  onFrame: (frame: VideoFrame) => void | Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  // biome-ignore format: pairs
  const child = spawn(program.path, [
    "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-threads", "1", "-noautorotate", "-i", path,
    "-map", "0:v:0", "-an", "-vf", "showinfo=checksum=0", ...program.onePictureEach, ...program.keepSizes,
    "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1",
  ], { stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) });
  const shown: { timeNs: bigint; width: number; height: number; key: boolean; trusted: boolean }[] = [];
  const colors = { fullRange: false, bt709: false };
  let base: readonly [bigint, bigint] = [1n, 1000n];
  let damaged = false;
  let lastWord = "";
  let lastNs = 0n;
  let frames = 0;

  const lines = createInterface({ input: child.stderr });
  lines.on("line", (line) => {
    const timeBase = TIME_BASE.exec(line);
    if (timeBase) base = [BigInt(timeBase[1]!), BigInt(timeBase[2]!)];
    const [, range, space] = MATRIX.exec(line) ?? [];
    if (range) Object.assign(colors, { fullRange: range === "pc", bt709: space === "bt709" });
    const picture = SHOWN.exec(line);
    if (picture) {
      const key = picture[4] === "1";
      if (key) damaged = false;
      // One without a time cannot be placed: it comes with the picture before it, and is not to be trusted.
      const untimed = picture[1] === "NOPTS";
      if (!untimed) lastNs = (BigInt(picture[1]!) * base[0] * 1_000_000_000n) / base[1];
      const [width, height] = [Number(picture[2]), Number(picture[3])];
      shown.push({ timeNs: lastNs, width, height, key, trusted: !damaged && !untimed });
    } else if (line.includes("[error]") || line.includes("[fatal]")) {
      damaged = true;
      lastWord = line.replace(/^.*\[(error|fatal)\] /, "");
    }
  });
  const closed = new Promise<void>((resolve, reject) => {
    child.once("close", () => resolve());
    child.once("error", reject);
  });
  closed.catch(() => {});

  const pieces: Buffer[] = [];
  let waiting = 0;
  let first: { readonly width: number; readonly height: number } | undefined;
  const giveWhole = async (): Promise<void> => {
    for (;;) {
      const next = shown[0];
      const sizeBytes = next ? i420Bytes(next.width, next.height) : Number.POSITIVE_INFINITY;
      if (!next || waiting < sizeBytes) return;
      shown.shift();
      first ??= next;
      if (program.keepSizes.length === 0 && (next.width !== first.width || next.height !== first.height))
        throw new CairnError("video.unreadable", { problem: "its pictures change their size: that needs ffmpeg 4.4" });
      const whole = Buffer.concat(pieces);
      pieces.splice(0, pieces.length, whole.subarray(sizeBytes));
      waiting -= sizeBytes;
      frames++;
      const { timeNs, width, height, key, trusted } = next;
      const i420 = new Uint8Array(whole.subarray(0, sizeBytes));
      await onFrame({ timeNs, width, height, i420, colors: { ...colors }, key, trusted });
    }
  };
  for await (const piece of child.stdout) {
    pieces.push(piece as Buffer);
    waiting += (piece as Buffer).length;
    // What is not told of yet must not stop the reading: ffmpeg would be stuck before it tells.
    await giveWhole();
    if (shown.length === 0 && waiting > MAX_UNTOLD_BYTES)
      throw new CairnError("video.unreadable", { problem: "ffmpeg does not tell which pictures it gives" });
  }
  await closed;
  await giveWhole();
  if (frames === 0) throw new CairnError("video.unreadable", { problem: lastWord || "no picture in it" });
}
