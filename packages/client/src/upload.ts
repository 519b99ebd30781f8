/**
 * Photos on their way to the server: a few at a time, each tried until it is durable there or refused for good.
 * Every try of one photo carries the same key, so a lost answer never makes two images of it.
 */
import { CairnError, type ImageReceipt, MAX_MESSAGE_BYTES, type SpaceId } from "@cairn/protocol";
import { type CairnApi, errorFromBody, type PhotoFacts, photoFields } from "./api.ts";
import { Backoff, type BackoffOptions, wait } from "./backoff.ts";
import { randomId } from "./random-id.ts";

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
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  /** Resolves when there is room for one more. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running >= this.#options.parallel) {
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
    this.#running++;
  }

  async #send(photo: PhotoSource, options: UploadOptions, signal: AbortSignal): Promise<ImageReceipt> {
    const { onProgress, via = "auto", signal: _signal, name, key, ...rest } = options;
    const blob = photo instanceof Blob ? photo : new Blob([photo as BlobPart]);
    const named = photo instanceof Blob && "name" in photo ? String(photo.name) : "photo";
    const facts: PhotoFacts = { ...rest, name: name ?? named, key: key ?? randomId() };
    const backoff = new Backoff(this.#options.backoff);
    const resume: { url?: string } = {};
    for (;;) {
      const tus = via === "tus" || (via === "auto" && (blob.size > RESUMABLE_BYTES || backoff.attempt > 1));
      try {
        onProgress?.(0, blob.size);
        const receipt = tus
          ? await this.#byTus(blob, facts, resume, signal, onProgress)
          : via === "live" && blob.size <= MAX_MESSAGE_BYTES - 64 * 1024
            ? await this.#options.sendLive(facts, new Uint8Array(await blob.arrayBuffer()), signal)
            : await this.#options.api.addImage(this.#options.space, blob, facts, { signal });
        onProgress?.(blob.size, blob.size);
        return receipt;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CairnError && !error.retry) throw error;
        await wait(backoff.nextMs(), signal); // the network, or a server that asks for patience
      }
    }
  }

  /** Goes on from where the last try stopped, `resume.url`. */
  async #byTus(
    blob: Blob,
    facts: PhotoFacts,
    resume: { url?: string },
    signal: AbortSignal,
    onProgress: UploadOptions["onProgress"],
  ): Promise<ImageReceipt> {
    const { Upload } = await import("tus-js-client");
    const { endpoint, headers } = this.#options.api.uploads(this.#options.space);
    // Its Node build takes a Buffer and no Blob.
    const file =
      typeof globalThis.Buffer === "function" && typeof globalThis.XMLHttpRequest === "undefined"
        ? globalThis.Buffer.from(await blob.arrayBuffer())
        : blob;
    return await new Promise<ImageReceipt>((resolve, reject) => {
      const upload = new Upload(file, {
        endpoint,
        headers,
        metadata: photoFields(facts),
        chunkSize: TUS_CHUNK_BYTES,
        retryDelays: null, // trying again is decided above, for every way of sending alike
        storeFingerprintForResuming: false,
        uploadDataDuringCreation: true,
        ...(resume.url === undefined ? {} : { uploadUrl: resume.url }),
        ...(onProgress ? { onProgress: (sent: number, total: number) => onProgress(sent, total) } : {}),
        onUploadUrlAvailable: () => {
          if (upload.url) resume.url = upload.url;
        },
        onSuccess: ({ lastResponse }) => {
          signal.removeEventListener("abort", abort);
          const receipt = parsed(lastResponse.getHeader("Upload-Result") ?? "");
          if (receipt) resolve(receipt as ImageReceipt);
          // The last answer was lost; the upload was found whole.
          else this.#options.api.uploadReceipt(upload.url ?? "", { signal }).then(resolve, reject);
        },
        onError: (error) => {
          signal.removeEventListener("abort", abort);
          const response = "originalResponse" in error ? error.originalResponse : null;
          // The upload was let go of, or its last request was refused: start afresh next time, under the same key.
          if (response) delete resume.url;
          reject(response ? errorFromBody(response.getStatus(), parsed(response.getBody())) : error);
        },
      });
      const abort = () => {
        void upload.abort();
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      upload.start();
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
