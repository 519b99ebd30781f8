/**
 * Photos on their way to the server: a few at a time, each tried until it is durable there or refused for good.
 * Every try of one photo carries the same key, so a lost answer never makes two images of it.
 */
import { CairnError, type ImageReceipt, MAX_MESSAGE_BYTES, type SpaceId } from "@cairn/protocol";
import { type CairnApi, type PhotoFacts, photoFields } from "./api.ts";
import { Backoff, type BackoffOptions, wait } from "./backoff.ts";
import { randomId } from "./random-id.ts";
import { type ByteSource, sendByTus, sourceOf, watched } from "./tus.ts";

/** A `File` is a `Blob`; its bytes are read when its turn comes, not before. */
export type PhotoSource = Blob | Uint8Array | ArrayBuffer;

export type UploadOptions = Partial<PhotoFacts> & {
  /** Called with what has been sent so far; never goes back within one way of sending. */
  onProgress?: (sentBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
  /** `auto`: one POST for small photos, resumable (tus) for large ones and after a failure. */
  via?: "auto" | "http" | "tus" | "live";
};

type UploadsOptions = {
  api: CairnApi;
  space: SpaceId;
  parallel: number;
  signal: AbortSignal;
  sendLive: (facts: PhotoFacts, bytes: Uint8Array, signal: AbortSignal) => Promise<ImageReceipt>;
  backoff?: BackoffOptions;
};

/** From here on a photo is worth resuming. */
const RESUMABLE_BYTES = 4 * 2 ** 20;
const TUS_CHUNK_BYTES = 2 * 2 ** 20;

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  async add(photo: PhotoSource, options: UploadOptions): Promise<ImageReceipt> {
    // A signal of its own for each: listeners on one shared by all would pile up.
    const signal = AbortSignal.any([this.#options.signal, ...(options.signal ? [options.signal] : [])]);
    await this.#turn(signal);
    try {
      return await this.#send(photo, options, signal);
    } finally {
      // A turn that somebody waits for is handed on, so that nobody else takes it in between.
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Resolves when there is room for one more. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.#options.parallel) {
      this.#running++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#queue.splice(this.#queue.indexOf(go), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#queue.push(go);
    });
  }

  async #send(photo: PhotoSource, options: UploadOptions, signal: AbortSignal): Promise<ImageReceipt> {
    const { onProgress, via = "auto", signal: _signal, name, key, ...rest } = options;
    const blob = photo instanceof Blob ? photo : new Blob([photo as BlobPart]);
    const named = photo instanceof Blob && "name" in photo ? String(photo.name) : "photo";
    const source = watched(sourceOf(blob));
    const facts: PhotoFacts = { ...rest, name: name ?? named, key: key ?? randomId() };
    const backoff = new Backoff(this.#options.backoff);
    const resume: { url?: string } = {};
    for (;;) {
      const tus = via === "tus" || (via === "auto" && (blob.size > RESUMABLE_BYTES || backoff.attempt > 1));
      try {
        onProgress?.(0, blob.size);
        const receipt = tus
          ? ((await sendByTus({
              api: this.#options.api,
              space: this.#options.space,
              source,
              metadata: photoFields(facts),
              chunkBytes: TUS_CHUNK_BYTES,
              resume,
              signal,
              onProgress,
            })) as ImageReceipt)
          : via === "live" && blob.size <= MAX_MESSAGE_BYTES - 64 * 1024
            ? await this.#options.sendLive(facts, await source.read(0, blob.size), signal)
            : await this.#options.api.addImage(this.#options.space, blob, facts, { signal });
        onProgress?.(blob.size, blob.size);
        return receipt;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CairnError && !error.retry) throw error;
        const problem = source.problem ?? (await problemOf(source));
        if (problem !== undefined) throw new CairnError("upload.unreadable", {}, problem);
        await wait(backoff.nextMs(), signal); // the network, or a server that asks for patience
      }
    }
  }
}

/** Why the first byte cannot be read: of a file that was changed or is gone a browser says what it says of the network. */
async function problemOf(source: ByteSource): Promise<unknown> {
  return await source.read(0, 1).then(
    () => undefined,
    (problem: unknown) => problem,
  );
}
