/** One resumable upload by tus: what it became, or why not and where the next try goes on. */
import type { CairnApi } from "./api.ts";
import { errorFromBody } from "./error-body.ts";

/** Bytes that can be read piece by piece, as often as it takes. */
export type ByteSource = {
  readonly sizeBytes: number;
  read(start: number, end: number): Promise<Uint8Array>;
};

type TusOptions = {
  api: CairnApi;
  space: string;
  source: ByteSource;
  metadata: Record<string, string>;
  chunkBytes: number;
  /** Where the last try stopped; kept up to date. */
  resume: { url?: string };
  signal: AbortSignal;
  onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
};

export function sourceOf(blob: Blob): ByteSource {
  return {
    sizeBytes: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/** The same bytes, and what was wrong when they could not be read: to the rest it looks like the network. */
export function watched(source: ByteSource): ByteSource & { problem?: unknown } {
  const watch: ByteSource & { problem?: unknown } = {
    sizeBytes: source.sizeBytes,
    async read(start, end) {
      try {
        return await source.read(start, end);
      } catch (error) {
        watch.problem = error;
        throw error;
      }
    },
  };
  return watch;
}

/**
 * Resolves with the receipt. @throws {CairnError} what the server refuses; {@link Error} when it could not be reached or
 * the upload is not where it was thought to be: trying again helps
 */
export async function sendByTus({ api, space, source, resume, signal, ...options }: TusOptions): Promise<unknown> {
  const { Upload } = await import("tus-js-client");
  const { endpoint, headers } = api.uploads(space);
  signal.throwIfAborted();
  return await new Promise<unknown>((resolve, reject) => {
    const settle = () => signal.removeEventListener("abort", abort);
    // The file itself is only ever seen by the reader, which is the same in a browser and in Node.
    const upload = new Upload(new Blob(), {
      endpoint,
      headers,
      metadata: options.metadata,
      chunkSize: options.chunkBytes,
      uploadSize: source.sizeBytes,
      fileReader: { openFile: async () => readable(source) },
      fingerprint: async () => "", // nothing is remembered between pages
      retryDelays: null, // trying again is the caller's, for every way of sending alike
      storeFingerprintForResuming: false,
      // Where a long one lies is known before its bytes go, so that it can be resumed and let go of from the first.
      uploadDataDuringCreation: source.sizeBytes <= options.chunkBytes,
      ...(resume.url === undefined ? {} : { uploadUrl: resume.url }),
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
      onUploadUrlAvailable: () => {
        if (upload.url) resume.url = upload.url;
      },
      onSuccess: ({ lastResponse }) => {
        settle();
        const receipt = parsed(lastResponse.getHeader("Upload-Result") ?? "");
        if (receipt) resolve(receipt);
        // The last answer was lost, or a refusal that passes: the upload was found whole.
        else api.finishUpload(upload.url ?? "", source.sizeBytes, { signal }).then(resolve, reject);
      },
      onError: (error) => {
        settle();
        const response = "originalResponse" in error ? error.originalResponse : null;
        const status = response?.getStatus() ?? 0;
        const begun = resume.url !== undefined;
        const gone = status === 404 || status === 410;
        if (begun && gone) delete resume.url;
        const moved = begun && (gone || status === 409 || status === 423);
        if (!response || moved) reject(error);
        else reject(errorFromBody(status, parsed(response.getBody())));
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

function readable({ sizeBytes, read }: ByteSource) {
  return {
    size: sizeBytes,
    async slice(start: number, end: number) {
      const bytes = await read(start, Math.min(end, sizeBytes));
      return { value: Object.assign(bytes, { size: bytes.length }), done: end >= sizeBytes };
    },
    close() {},
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
