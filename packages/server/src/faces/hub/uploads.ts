/** Files over a device's socket, whole or in chunks (HUB-60 to HUB-70). The bytes are `core.files`' matter. */

import { bytesOfPiece, type FileUploads, type StoredFile, type UploadProgress } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import type { Device } from "./devices.ts";
import type { HubHouse } from "./house.ts";
import type { DeviceMessage } from "./messages.ts";

const MAX_OPEN = 16;
/** Viewers hear of a running upload at most so often. */
const TELL_EVERY_MS = 500;

type Fields = DeviceMessage["fields"];
type Said = {
  fileName: string;
  status: "started" | "progress" | "stored" | "failed";
  chunks: number;
  bytes: number;
} & {
  progress: number | null;
  sha256?: string;
  message?: string;
};

const NOTHING = { chunks: 0, bytes: 0, progress: null };

export async function takeUpload(house: HubHouse, device: Device, { fields }: DeviceMessage): Promise<void> {
  const { files } = house.context.core;
  const type = String(fields.type);
  const named = typeof fields.fileName === "string" ? fields.fileName : undefined;
  const begins = type === "file_upload_start" && fields.fileName === undefined;
  const fileName = begins ? `upload_${Math.floor(Date.now() / 1000)}.csv` : (named ?? "");
  try {
    answer(house, device, await steps(files, device.source, fileName, fields));
  } catch (error) {
    const upload = files.find(device.source, fileName);
    const known = upload === undefined ? NOTHING : shown(files.progress(upload));
    answer(house, device, { fileName, status: "failed", ...known, message: reason(house, error) });
  }
}

async function steps(files: FileUploads, source: string, fileName: string, fields: Fields): Promise<Said> {
  switch (fields.type) {
    case "file_upload": {
      const bytes = textOf(fields.fileContent, "fileContent");
      const { upload } = await begin(files, { source, fileName });
      await files.add(upload, 0, bytes);
      return { fileName, ...stored(await files.complete(upload), 1) };
    }
    case "file_upload_start": {
      const totals = { totalChunks: count(fields.totalChunks), totalBytes: count(fields.totalBytes) };
      return { fileName, status: "started", ...shown(await begin(files, { source, fileName, ...totals })) };
    }
    case "file_upload_chunk": {
      const bytes = textOf(fields.chunk, "chunk");
      const { chunkIndex } = fields;
      if (chunkIndex !== undefined && !Number.isSafeInteger(chunkIndex))
        throw new Refused("chunkIndex is not a whole number");
      // A chunk without a start implies it.
      const upload = files.find(source, fileName) ?? (await begin(files, { source, fileName })).upload;
      const index = chunkIndex === undefined ? undefined : Number(chunkIndex);
      return { fileName, status: "progress", ...shown(await files.add(upload, index, bytes)) };
    }
    default: {
      const upload = files.find(source, fileName);
      if (upload === undefined) throw new Refused("Unknown upload");
      const { chunks } = files.progress(upload);
      return { fileName, ...stored(await files.complete(upload), chunks) };
    }
  }
}

/** Begun again, a file is begun anew. */
async function begin(files: FileUploads, start: Parameters<FileUploads["start"]>[0]): Promise<UploadProgress> {
  const before = files.find(start.source, start.fileName);
  if (before !== undefined) await files.abort(before);
  if (files.openOf(start.source) >= MAX_OPEN) throw new Refused(`Too many open uploads; at most ${MAX_OPEN}`);
  return files.start({ ...start, text: true });
}

/** Viewers hear of an upload's beginning and end at once, of what is between now and then. */
const toldMs = new WeakMap<Device, Map<string, number>>();

function answer({ viewers }: HubHouse, device: Device, said: Said): void {
  const message = { type: "file_upload_status", ...said };
  device.socket.reply(message);
  const told = toldMs.get(device) ?? new Map<string, number>();
  toldMs.set(device, told);
  const nowMs = performance.now();
  if (said.status === "progress" && nowMs - (told.get(said.fileName) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS)
    return;
  if (said.status === "progress") told.set(said.fileName, nowMs);
  else told.delete(said.fileName);
  if (told.size > 2 * MAX_OPEN) told.clear();
  viewers.tell({ ...message, source: device.source }, device.source);
}

const shown = ({ chunks, bytes, progress }: UploadProgress) => ({ chunks, bytes, progress });

const stored = ({ bytes, sha256 }: StoredFile, chunks: number) => ({
  status: "stored" as const,
  chunks,
  bytes,
  progress: 1,
  sha256,
});

class Refused extends Error {}

function textOf(value: unknown, name: string): Buffer {
  if (typeof value !== "string") throw new Refused(`${name} is not text`);
  return bytesOfPiece(value);
}

/** A total that makes no sense is none. */
function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

function reason({ context: { log } }: HubHouse, error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (!(error instanceof CairnError)) {
    log.error({ err: error, face: "hub" }, "an upload");
    return "Internal error";
  }
  return uploadReason(error) ?? error.message;
}

/** In the contract's words. */
export function uploadReason({ code, facts }: CairnError): string | undefined {
  switch (code) {
    case "file.name_invalid":
      return "Invalid file name";
    case "file.missing":
      return "File not found";
    case "file.upload_missing":
      return "Unknown upload";
    case "file.chunks_missing":
      return `Missing chunks: ${facts.missing}`;
    case "file.too_large":
      return facts.mostBytes === undefined ? "Too many chunks" : `File too large; at most ${facts.mostBytes} bytes`;
    default:
      return undefined;
  }
}
