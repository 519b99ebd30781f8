/** The sparse model of the shown generation for COLMAP: its text files, or the binary files made from them, as one zip. */
import { type ColmapFile, colmapBinary, countColmapRecords } from "@cairn/formats";
import { CairnError, type Digest, shownGeneration } from "@cairn/protocol";
import type { ExportOptions } from "./export-options.ts";
import { zipped } from "./zip.ts";

const FILES: readonly ColmapFile[] = ["cameras", "images", "points3D"];

export function exportColmap(options: ExportOptions): AsyncGenerator<Uint8Array> {
  return colmapZip(options, (file, digest) => ({
    name: `${file}.txt`,
    bytes: () => read(options, digest),
  }));
}

export function exportColmapBinary(options: ExportOptions): AsyncGenerator<Uint8Array> {
  return colmapZip(options, (file, digest) => ({
    name: `${file}.bin`,
    async *bytes() {
      const count = await countColmapRecords(file, lines(read(options, digest)));
      yield* colmapBinary(file, count, lines(read(options, digest)));
    },
  }));
}

async function* colmapZip(
  options: ExportOptions,
  entry: (file: ColmapFile, digest: Digest) => { name: string; bytes: () => AsyncIterable<Uint8Array> },
): AsyncGenerator<Uint8Array> {
  const { model } = shownGeneration(options.space.log.snapshot().state)?.published ?? {};
  if (!model) throw new CairnError("export.empty");
  let done = 0;
  async function* entries() {
    for (const file of FILES) {
      options.onProgress?.("writing", done++, FILES.length);
      yield entry(file, model![file]);
    }
  }
  yield* zipped(entries(), options.signal);
  options.onProgress?.("writing", FILES.length, FILES.length);
}

async function* read({ blobs, signal }: ExportOptions, digest: Digest): AsyncGenerator<Uint8Array> {
  for await (const chunk of await blobs.stream(digest)) {
    signal?.throwIfAborted();
    yield chunk as Buffer;
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
