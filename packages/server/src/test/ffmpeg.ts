/** For tests: streams that an installed ffmpeg makes, and its word on what is in them. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { frameSums } from "@cairn/video/test/ffmpeg";

const run = promisify(execFile);

async function inFolder<T>(use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-ffmpeg-"));
  try {
    return await use(join(folder, "stream.h264"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A moving picture as H.264 of the baseline profile, a key picture every 8. */
export function film(size: string, pictures: number, options: readonly string[] = []): Promise<Buffer> {
  const input = ["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=30`, "-frames:v", String(pictures)];
  const coding = ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
  return inFolder(async (file) => {
    await run("ffmpeg", ["-v", "error", ...input, ...coding, "-g", "8", "-threads", "1", ...options, file]);
    return await readFile(file);
  });
}

/** One checksum a picture, in the order of showing. */
export function streamSums(stream: Uint8Array): Promise<string[]> {
  return inFolder(async (file) => {
    await writeFile(file, stream);
    return await frameSums(file);
  });
}
