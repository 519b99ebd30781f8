/** Streams for tests: a small one that is kept, larger ones of a data set, and any that an installed ffmpeg makes. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { VideoFrame } from "../decode/frame.ts";
import { type DecoderStats, openVideoDecoder, type VideoDecoderOptions } from "../decode/open.ts";
import { type AccessUnit, AccessUnitAssembler } from "../h264/access-unit.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const datasets = process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets");

/** 90 × 74 pixels, 24 pictures of 2 slices, a key picture every 8; with it, ffmpeg's checksums. */
export const SMALL = join(root, "packages/video/fixtures/baseline-90x74.h264");

/** A file of the data sets, or nothing where they are not. */
export function dataset(path: string): string | undefined {
  const file = join(datasets, path);
  return existsSync(file) ? file : undefined;
}

const run = promisify(execFile);

/** Runs ffmpeg; `OUT` in its arguments is a file that is read and removed. */
export async function ffmpeg(args: readonly string[], extension = "h264"): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-video-"));
  try {
    const out = join(folder, `out.${extension}`);
    await run("ffmpeg", ["-v", "error", "-y", ...args.map((arg) => (arg === "OUT" ? out : arg))]);
    return await readFile(out);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export function unitsOf(bytes: Uint8Array): AccessUnit[] {
  const assembler = new AccessUnitAssembler();
  const units = [...assembler.push(bytes, 0n), ...assembler.flush()];
  return units.map((unit, i) => ({ ...unit, timeNs: timeOf(i) }));
}

export const timeOf = (picture: number): bigint => BigInt(picture) * 33_333_333n;

export function checksum(frame: VideoFrame): string {
  return createHash("md5").update(frame.i420).digest("hex");
}

export type Shown = { readonly timeNs: bigint; readonly sum: string; readonly trusted: boolean; readonly size: string };

export async function decodeAll(
  units: readonly AccessUnit[],
  options: Partial<VideoDecoderOptions>,
): Promise<{ shown: Shown[]; stats: DecoderStats; problems: unknown[] }> {
  const shown: Shown[] = [];
  const problems: unknown[] = [];
  const decoder = openVideoDecoder({
    onFrame(frame) {
      const { timeNs, trusted, width, height } = frame;
      shown.push({ timeNs, sum: checksum(frame), trusted, size: `${width}x${height}` });
    },
    onProblem: (problem) => void problems.push(problem),
    ...options,
  });
  try {
    for (const unit of units) await decoder.decode(unit);
    await decoder.flush();
    return { shown, stats: decoder.stats(), problems };
  } finally {
    await decoder.close();
  }
}
