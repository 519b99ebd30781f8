/** `cairn export`: the model as a file of some format, or COLMAP's text model as a folder. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { CairnApi } from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import type { FORMATS } from "./export-formats.ts";
import { writeFolder, writeWhole } from "./out-file.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";

type ExportOptions = { readonly server: string; readonly format: (typeof FORMATS)[number]; readonly out: string };

export async function exportModel(space: string, { server, format, out }: ExportOptions): Promise<number> {
  if (out === "-" && process.stdout.isTTY) {
    throw new Problem("a model is not for a terminal; name a file with --out, or pipe it on", EXIT.usage);
  }
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  const progress = new ProgressLine();
  try {
    if (format === "colmap" && out !== "-" && !out.toLowerCase().endsWith(".zip")) {
      await writeFolder(out, await reach(server, () => colmapFiles(api, space, signal)));
      return EXIT.ok;
    }
    const { body } = await reach(server, () => api.exportModel(space, format, { signal }));
    if (!body) throw new Problem("the server answered without a model");
    const pieces = told(Readable.fromWeb(body as ReadableStream<Uint8Array>), progress);
    if (out === "-") await pipeline(pieces, process.stdout, { end: false });
    else await writeWhole(out, pieces);
    return EXIT.ok;
  } finally {
    progress.clear();
    release();
  }
}

/** How large a file becomes is known when it is there: what can be said is how much has come, and how fast. */
async function* told(pieces: AsyncIterable<Uint8Array>, progress: ProgressLine): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const piece of pieces) {
    yield piece;
    done += piece.length;
    progress.update("receiving", done, undefined, "bytes");
  }
}

/** By the digests that one snapshot names: three requests for "the newest" could straddle a rebuild. */
async function colmapFiles(api: CairnApi, space: string, signal: AbortSignal): Promise<Record<string, Uint8Array[]>> {
  const { state } = await api.snapshot(space, { signal });
  const model = state.generations[state.generation]?.published?.model;
  if (!model) throw new CairnError("export.empty");
  return {
    "cameras.txt": [await api.blob(model.cameras, { signal })],
    "images.txt": [await api.blob(model.images, { signal })],
    "points3D.txt": [await api.blob(model.points3D, { signal })],
  };
}
