/** What the photo arguments mean: files, `-` for standard input (one photo, or file names one a line). */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { type ImageDecoder, MAX_IMAGE_BYTES, recognise } from "@cairn/images";
import type { Intrinsics } from "@cairn/protocol";
import { InvalidArgumentError } from "commander";
import { EXIT, Problem } from "./exit.ts";

export type PhotoFile = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
};

/** Every named photo, checked to be there before any work begins. */
export async function findPhotos(names: readonly string[]): Promise<PhotoFile[]> {
  const photos: PhotoFile[] = [];
  for (const name of names) {
    if (name === "-") photos.push(...(await readStandardInput()));
    else photos.push(await fileOf(name));
  }
  if (photos.length === 0) throw new Problem("no photos named; give files, as in photos/*.jpg", EXIT.usage);
  return photos;
}

async function fileOf(path: string): Promise<PhotoFile> {
  const facts = await stat(path);
  if (facts.isDirectory())
    throw new Problem(`${path} is a folder; name its photos, as in ${path.replace(/\/$/, "")}/*.jpg`);
  return { name: basename(path), sizeBytes: facts.size, read: async () => new Uint8Array(await readFile(path)) };
}

async function readStandardInput(): Promise<PhotoFile[]> {
  if (process.stdin.isTTY)
    throw new Problem("`-` reads a photo or file names from standard input; pipe some in", EXIT.usage);
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  // Not by file descriptor: where standard input is a socket, reading one that is still empty fails with EAGAIN.
  for await (const piece of process.stdin) {
    pieces.push(piece as Buffer);
    sizeBytes += (piece as Buffer).length;
    if (sizeBytes > MAX_IMAGE_BYTES) throw new Problem("standard input is larger than a photo may be (64 MiB)");
  }
  const bytes = new Uint8Array(Buffer.concat(pieces));
  if (recognise(bytes)) return [{ name: "stdin", sizeBytes, read: async () => bytes }];
  const text = new TextDecoder().decode(bytes);
  if (text.includes("\0")) throw new Problem("standard input is neither a photo nor a list of file names");
  return Promise.all(text.split(/\r?\n/).filter(Boolean).map(fileOf));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Parses `fx,fy,cx,cy` of COLMAP's PINHOLE model, pixels. */
export function parseCameraParams(text: string): number[] {
  const params = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (params.length !== 4 || params.some((value) => !Number.isFinite(value)) || params[0]! <= 0 || params[1]! <= 0) {
    throw new InvalidArgumentError("Four numbers, fx,fy,cx,cy in pixels, as in COLMAP's PINHOLE.");
  }
  return params;
}

/** The known calibration as a photo of this size carries it. */
export async function cameraOf(
  params: readonly number[] | undefined,
  decoder: ImageDecoder,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<Intrinsics | undefined> {
  if (!params) return undefined;
  const { width, height } = await decoder.inspect(bytes, signal);
  return { model: "PINHOLE", width, height, params: [...params] };
}
