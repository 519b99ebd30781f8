/** Frames of a video as photos, evenly spread over its length; read by an installed `ffmpeg`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { Problem } from "./exit.ts";

export type Frame = { readonly name: string; readonly read: () => Promise<Uint8Array> };

/** Decoded when they are read. @throws {Problem} no video, or no ffmpeg */
export async function videoFrames(path: string, count: number, signal: AbortSignal): Promise<Frame[]> {
  await access(path);
  const facts = ["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=duration:format=duration"];
  // The picture's own length goes before that of the file, whose sound may be longer; a live recording has neither.
  const told = (await run("ffprobe", [...facts, "-of", "csv=p=0", path], signal)).toString().split(/\s+/).map(Number);
  const durationS = told.find((value) => value > 0);
  if (durationS === undefined) throw new Problem(`${path} is no video whose length is known`);
  return Array.from({ length: count }, (_, i) => {
    const atS = (durationS * i) / count;
    const jpeg = ["-v", "error", "-ss", atS.toFixed(3), "-i", path, "-frames:v", "1", "-q:v", "2", "-f", "mjpeg", "-"];
    return { name: `frame_${String(i).padStart(4, "0")}.jpg`, read: () => run("ffmpeg", jpeg, signal) };
  });
}

async function run(program: string, words: readonly string[], signal: AbortSignal): Promise<Buffer> {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], signal });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (piece: Buffer) => out.push(piece));
  child.stderr.on("data", (piece: Buffer) => err.push(piece));
  const [code] = (await once(child, "close").catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? new Problem("reading a video needs ffmpeg; install it") : error;
  })) as [number | null];
  if (code === 0) return Buffer.concat(out);
  throw new Problem(Buffer.concat(err).toString().trim().split("\n").at(-1) || `${program} failed`);
}
