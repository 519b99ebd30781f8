/** `cairn export`: the model as a file: a PLY cloud, or COLMAP's text model in a zip. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { CairnApi } from "@cairn/client";
import { EXIT, interruption, Problem } from "./exit.ts";
import { writeWhole } from "./out-file.ts";
import { apiOptions, reach } from "./server-url.ts";

export type ExportOptions = { readonly server: string; readonly format: "ply" | "colmap"; readonly out: string };

export async function exportModel(space: string, { server, format, out }: ExportOptions): Promise<number> {
  if (out === "-" && process.stdout.isTTY) {
    throw new Problem("a model is not for a terminal; name a file with --out, or pipe it on", EXIT.usage);
  }
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  try {
    const { body } = await reach(server, () => api.exportModel(space, format, { signal }));
    if (!body) throw new Problem("the server answered without a model");
    const pieces = Readable.fromWeb(body as ReadableStream<Uint8Array>);
    if (out === "-") await pipeline(pieces, process.stdout, { end: false });
    else await writeWhole(out, pieces as AsyncIterable<Uint8Array>);
    return EXIT.ok;
  } finally {
    release();
  }
}
