/**
 * The backend that runs an installed ffmpeg: pictures go in framed and with times (`flv.ts`) and come out raw on its
 * standard output; what is said on its standard error tells, one line a picture and in order, which picture each is and
 * what went wrong before it. No picture is held back but for B pictures.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Backend, type BackendEvents, MAX_IN_DECODER, type Sequence } from "./backend.ts";
import type { FfmpegProgram } from "./ffmpeg-program.ts";
import { FfmpegTimes } from "./ffmpeg-times.ts";
import { flvHead, flvPicture } from "./flv.ts";
import { i420Bytes } from "./frame.ts";

const SHOWN = /showinfo.*\bpts: *(-?\d+) .*\bs:(\d+)x(\d+)/;
/** The decoder's own complaints, by its name in brackets, and those of the program about what it gave the decoder. */
const DAMAGE =
  /^\[h264 .*(\[(error|fatal)\]|concealing)|^\[(vist|dec:h264).*\[error\]|Error (while decoding|submitting)/;
const NO_PICTURE = /Error (while decoding|submitting)/;
/** A key picture clears damage only when the damage cannot be of a picture after it that was decoded before. */
const REORDER_DEPTH = 16;

/** @param stuckAfterMs without a picture, while it has more than it may hold, ends it */
export function openFfmpeg(
  program: FfmpegProgram,
  sequence: Sequence,
  events: BackendEvents,
  stuckAfterMs: number,
): Backend {
  const { sps, reorders } = sequence;
  const head = flvHead(sequence.spsNal, sequence.ppsNals);
  // biome-ignore format: pairs
  const child = spawn(program.path, [
    "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-threads", "1",
    ...(reorders ? [] : ["-flags", "low_delay"]),
    "-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0", "-f", "flv", "-i", "pipe:0",
    "-copyts", "-an", "-vf", "showinfo=checksum=0", ...program.onePictureEach,
    "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1",
  ], { stdio: ["pipe", "pipe", "pipe"] });
  const times = new FfmpegTimes(reorders);
  const frameBytes = i420Bytes(sps.width, sps.height);
  const shown: { number: number; damaged: boolean }[] = [];
  const raw: Uint8Array[] = [];
  let filling = new Uint8Array(frameBytes);
  let filled = 0;
  /** Pictures since the last complaint; damage lasts until a key picture. */
  let clean = Number.POSITIVE_INFINITY;
  let damaged = false;
  let ended = false;
  let flushing = false;
  let paused = false;
  let lastWord = "";
  let wake: (() => void) | undefined;
  let stuck: NodeJS.Timeout | undefined;

  const exited = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });

  const end = (): void => {
    ended = true;
    clearTimeout(stuck);
    wake?.();
  };

  const fail = (cause: unknown): void => {
    if (ended) return;
    end();
    child.kill("SIGKILL");
    events.failed(cause);
  };

  const match = (): void => {
    while (shown.length > 0 && raw.length > 0 && !ended) {
      const { number, damaged } = shown.shift()!;
      events.picture({ number, width: sps.width, height: sps.height, i420: raw.shift()!, damaged });
    }
  };

  const hear = (line: string): void => {
    if (ended) return;
    const picture = SHOWN.exec(line);
    if (picture) show(Number(picture[1]), Number(picture[2]), Number(picture[3]));
    if (line.includes("error]") || line.includes("fatal]")) lastWord = line;
    if (!DAMAGE.test(line)) return;
    damaged = true;
    clean = -1;
    if (!NO_PICTURE.test(line)) return;
    times.giveUpOldest();
    progress();
  };

  const show = (timeMs: number, width: number, height: number): void => {
    if (width !== sps.width || height !== sps.height) {
      fail(new Error(`pictures of ${width} x ${height} instead of ${sps.width} x ${sps.height}`));
      return;
    }
    const unit = times.take(timeMs);
    if (unit?.key && clean >= (reorders ? REORDER_DEPTH : 0)) damaged = false;
    clean++;
    // A picture of no unit is made up by the decoder to fill a gap: there is no time for it.
    shown.push({ number: unit?.number ?? -1, damaged });
    progress();
    match();
  };

  const progress = (): void => {
    clearTimeout(stuck);
    stuck = undefined;
    wake?.();
  };

  child.stdout.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + frameBytes - filled);
      filling.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < frameBytes) break;
      raw.push(filling);
      filling = new Uint8Array(frameBytes);
      filled = 0;
    }
    match();
  });
  createInterface({ input: child.stderr }).on("line", hear);
  child.stdin.on("error", () => {}); // It died; the end of the process says so.
  child.once("error", fail);
  child.once("close", (code, signal) => {
    if (flushing && code === 0) end();
    else fail(new Error(`ffmpeg ended with ${signal ?? code}${lastWord && `: ${lastWord}`}`));
  });
  child.stdin.write(head);

  const watch = (): void => {
    stuck ??= setTimeout(() => {
      stuck = undefined;
      if (paused) watch();
      else fail(new Error(`ffmpeg gave no picture for ${stuckAfterMs} ms`));
    }, stuckAfterMs);
  };

  return {
    description: program.description,
    async decode(unit) {
      if (ended) return;
      const { timeMs, dtsMs } = times.add(unit);
      if (!child.stdin.write(flvPicture(unit.data, unit.key, timeMs, dtsMs))) {
        watch();
        await Promise.race([once(child.stdin, "drain").catch(() => {}), exited]);
        if (times.waiting <= MAX_IN_DECODER) progress();
      }
      while (times.waiting > MAX_IN_DECODER && !ended) {
        watch();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async flush() {
      flushing = true;
      child.stdin.end();
      watch();
      await exited;
      end();
    },
    async close() {
      end();
      child.kill("SIGKILL");
      await exited;
    },
    pause(wanted) {
      paused = wanted;
      if (paused) child.stdout.pause();
      else child.stdout.resume();
    },
  };
}
