/** A file of points on its way to becoming a layer: in one request, or resumable when it is large. */
import { CairnError, type Id, type SpaceId } from "@cairn/protocol";
import type { CairnApi, PointsFacts } from "./api.ts";
import { Backoff, type BackoffOptions, wait } from "./backoff.ts";
import { type ByteSource, sendByTus, sourceOf, watched } from "./tus.ts";

export type CloudUploadOptions = PointsFacts & {
  onProgress?: (sentBytes: number, totalBytes: number) => void;
  /** Takes back what was sent so far. */
  signal?: AbortSignal;
  backoff?: BackoffOptions;
};

const CHUNK_BYTES = 8 * 2 ** 20;

/**
 * Resolves when the file is at the server and its header can be believed; the operation then fills the layer. A large
 * one is tried until it is there or refused for good, and goes on where the last try stopped.
 * @throws {CairnError} `import.invalid`, `space.quota`, …
 */
export async function uploadCloud(
  api: CairnApi,
  space: SpaceId,
  file: Blob | ByteSource,
  { onProgress, signal = new AbortController().signal, backoff: pace, ...facts }: CloudUploadOptions,
): Promise<{ operation: Id }> {
  const source = watched(file instanceof Blob ? sourceOf(file) : file);
  onProgress?.(0, source.sizeBytes);
  if (source.sizeBytes <= CHUNK_BYTES) {
    const begun = await api.importLayer(space, await source.read(0, source.sizeBytes), facts, { signal });
    onProgress?.(source.sizeBytes, source.sizeBytes);
    return begun;
  }
  const { name, spacing, transform } = facts;
  const metadata = {
    kind: "layer",
    name,
    ...(spacing !== undefined && { spacing: String(spacing) }),
    ...(transform && { transform: JSON.stringify(transform) }),
  };
  const backoff = new Backoff(pace);
  const resume: { url?: string } = {};
  let sent = 0;
  const told = (now: number, total: number) => {
    if (now > sent) backoff.reset();
    sent = now;
    onProgress?.(now, total);
  };
  for (;;) {
    try {
      const options = { api, space, source, metadata, chunkBytes: CHUNK_BYTES, resume, signal, onProgress: told };
      return (await sendByTus(options)) as { operation: Id };
    } catch (error) {
      if (signal.aborted && resume.url !== undefined) await api.dropUpload(resume.url).catch(() => undefined);
      signal.throwIfAborted();
      if (source.problem !== undefined) throw source.problem;
      if (error instanceof CairnError && !error.retry) throw error;
      await wait(backoff.nextMs(), signal); // the network, or a server that asks for patience
    }
  }
}
