/**
 * The door to the decoding processes: a bounded queue in front of a few of them. A hostile file can hang or crash the
 * process that looks at it, and costs its own request and nothing else.
 */
import type { Intrinsics } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import type { DecodedImage, JobKind, Results, ToChild } from "./contract.ts";
import { DecodeProcess } from "./decode-process.ts";
import type { EditedImage, ImageEdit } from "./edit.ts";
import type { ExifTexts } from "./exif.ts";
import { type ImageFacts, MAX_IMAGE_BYTES } from "./image-facts.ts";
import { recognise } from "./media-type.ts";

export interface ImageDecoder {
  /**
   * Recognises the photo, reads what is known of it and decodes it once, small, so that one cut off is refused.
   * @throws {CairnError} `image.empty`, `image.unsupported`, `image.corrupt`, `image.too_large`, `image.too_slow`;
   * `upload.too_many` when too much waits
   */
  inspect(bytes: Uint8Array, signal?: AbortSignal): Promise<ImageFacts>;
  /** Upright 8-bit sRGB, alpha laid on white, `[heightPx, widthPx, 3]`, at most `maxSidePx` on the long side. Throws as `inspect`. */
  decode(bytes: Uint8Array, options: { maxSidePx: number; signal?: AbortSignal }): Promise<DecodedImage>;
  /** A small JPEG or PNG, upright, without metadata. Throws as `inspect`. */
  thumbnail(
    bytes: Uint8Array,
    maxSidePx: number,
    options?: { format?: "jpeg" | "png"; signal?: AbortSignal },
  ): Promise<Uint8Array>;
  /**
   * The photo at full size as a camera without distortion would have taken it (`undistortedIntrinsics`): a JPEG without
   * metadata. @param camera of the upright photo. Throws as `inspect`.
   */
  undistort(bytes: Uint8Array, camera: Intrinsics, signal?: AbortSignal): Promise<Uint8Array>;
  /** Another picture made of this one, upright. Throws as `inspect`. */
  edit(bytes: Uint8Array, edit: ImageEdit, signal?: AbortSignal): Promise<EditedImage>;
  /** What the camera wrote, as texts by tag; empty when there is none. Throws as `inspect`. */
  exif(bytes: Uint8Array, signal?: AbortSignal): Promise<ExifTexts>;
  /** Refuses what waits and ends the processes. */
  close(): Promise<void>;
}

export type ImageDecoderOptions = {
  deadlineMs?: number;
  /** Decoding processes; each is started when it is first needed. */
  processes?: number;
  /** Most jobs and bytes that wait. */
  maxWaiting?: number;
  maxWaitingBytes?: number;
  /** A process that holds more than this after a job is replaced. */
  maxRssBytes?: number;
  /** Another module to run in the process: for tests of what happens when one hangs. */
  entry?: URL;
};

type Waiting = {
  job: ToChild;
  resolve: (result: Results[JobKind]) => void;
  reject: (reason: unknown) => void;
};

export function openImageDecoder(options: ImageDecoderOptions = {}): ImageDecoder {
  const maxWaiting = options.maxWaiting ?? 256;
  const maxWaitingBytes = options.maxWaitingBytes ?? 512 * 2 ** 20;
  const idle = Array.from(
    { length: options.processes ?? 2 },
    () =>
      new DecodeProcess({
        entry: options.entry ?? new URL("./child.js", import.meta.url),
        deadlineMs: options.deadlineMs ?? 20_000,
        maxRssBytes: options.maxRssBytes ?? 700 * 2 ** 20,
      }),
  );
  const all = [...idle];
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let closed = false;

  function next(): void {
    if (waiting.length === 0) return;
    // A warm one first: the second process is started only when two photos come at once.
    const warm = idle.findIndex((process) => process.pid !== undefined);
    const process = idle.splice(Math.max(warm, 0), 1)[0];
    if (!process) return;
    const { job, resolve, reject } = waiting.shift()!;
    waitingBytes -= job.bytes.length;
    process
      .run(job)
      .then(resolve, (reason) => reject(closed ? new CairnError("server.stopping", {}, reason) : reason))
      .finally(() => {
        idle.push(process);
        next();
      });
  }

  function run(job: ToChild, signal?: AbortSignal): Promise<Results[JobKind]> {
    return new Promise((resolve, reject) => {
      if (closed) throw new CairnError("server.stopping");
      signal?.throwIfAborted();
      refuseAtOnce(job.bytes);
      if (waiting.length >= maxWaiting || waitingBytes + job.bytes.length > maxWaitingBytes) {
        throw new CairnError("upload.too_many", { waiting: waiting.length });
      }
      // One that already runs is let run: its process can't be stopped without being thrown away.
      const onAbort = () => {
        const at = waiting.indexOf(entry);
        if (at >= 0) {
          waiting.splice(at, 1);
          waitingBytes -= job.bytes.length;
        }
        reject(signal?.reason);
      };
      const settle = () => signal?.removeEventListener("abort", onAbort);
      const entry: Waiting = {
        job,
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      waiting.push(entry);
      waitingBytes += job.bytes.length;
      next();
    });
  }

  return {
    inspect: async (bytes, signal) => (await run({ kind: "inspect", bytes }, signal)) as ImageFacts,
    decode: async (bytes, { maxSidePx, signal }) =>
      (await run({ kind: "decode", bytes, maxSidePx }, signal)) as DecodedImage,
    thumbnail: async (bytes, maxSidePx, { format = "jpeg", signal } = {}) =>
      (await run({ kind: "thumbnail", bytes, maxSidePx, format }, signal)) as Uint8Array,
    undistort: async (bytes, camera, signal) => (await run({ kind: "undistort", bytes, camera }, signal)) as Uint8Array,
    edit: async (bytes, edit, signal) => (await run({ kind: "edit", bytes, edit }, signal)) as EditedImage,
    exif: async (bytes, signal) => (await run({ kind: "exif", bytes }, signal)) as ExifTexts,
    async close() {
      closed = true;
      for (const { reject } of waiting.splice(0)) reject(new CairnError("server.stopping"));
      for (const process of all) process.close();
    },
  };
}

/** What needs no other process to be refused. */
function refuseAtOnce(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new CairnError("image.empty");
  if (bytes.length > MAX_IMAGE_BYTES) throw new CairnError("image.too_large", { sizeBytes: bytes.length });
  if (!recognise(bytes)) throw new CairnError("image.unsupported");
}
