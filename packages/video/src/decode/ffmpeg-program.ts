/** The `ffmpeg` that is installed, if one is. A program of its own: nothing of it is linked or shipped. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { DecoderDescription } from "./backend.ts";

export type FfmpegProgram = {
  readonly path: string;
  readonly description: DecoderDescription;
  /** What to write for "a picture for each one decoded, no more, no less": the option was renamed in 5.1. */
  readonly onePictureEach: readonly [string, string];
  /** What to write for "each picture as large as it is coded"; nothing before 4.4, which makes all as large as the first. */
  readonly keepSizes: readonly string[];
};

const found = new Map<string, Promise<FfmpegProgram | undefined>>();

/** @param path of the program; by default `CAIRN_FFMPEG`, where `off` means none, else the one in `PATH` */
export function findFfmpeg(path = process.env.CAIRN_FFMPEG || "ffmpeg"): Promise<FfmpegProgram | undefined> {
  if (path === "off") return Promise.resolve(undefined);
  const asked = found.get(path) ?? ask(path);
  found.set(path, asked);
  return asked;
}

async function ask(path: string): Promise<FfmpegProgram | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["-hide_banner", "-version"], { timeout: 20_000 });
    const version = stdout.match(/^ffmpeg version (\S+)/)?.[1];
    if (!version) return undefined;
    const [major = 99, minor = 0] =
      version
        .match(/^n?(\d+)\.(\d+)/)
        ?.slice(1)
        .map(Number) ?? [];
    const renamed = major > 5 || (major === 5 && minor >= 1);
    return {
      path,
      description: {
        backend: "ffmpeg",
        version,
        codecName: "h264",
        codecLongName: "H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10",
        threads: "process",
        profiles: "all",
      },
      onePictureEach: [renamed ? "-fps_mode" : "-vsync", "passthrough"],
      keepSizes: major > 4 || (major === 4 && minor >= 4) ? ["-autoscale", "0"] : [],
    };
  } catch {
    return undefined; // Not installed, or not to be run.
  }
}
