/** `cairn import`: a cloud of points from elsewhere as a layer of a space. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { CairnApi, type SpaceConnection } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { CairnError, type Id, type OperationState } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { createUnlessThere } from "./make-space.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";

type ImportOptions = { readonly server: string; readonly spacing?: number; readonly json?: boolean };

/** Ctrl-C also takes back what has begun. */
export async function importCloud(space: string, file: string, options: ImportOptions): Promise<number> {
  const { server, spacing, json = false } = options;
  const about = await stat(file);
  if (!about.isFile()) throw new Problem(`${file} is not a file`);
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: json });
  let connection: SpaceConnection | undefined;
  let operation: Id | undefined;
  try {
    await reach(server, () => createUnlessThere(api, space, undefined, signal));
    const body = Readable.toWeb(Readable.from(told(createReadStream(file), about.size, progress)));
    const facts = { name: basename(file), ...(spacing !== undefined && { spacing }) };
    ({ operation } = await api.importLayer(space, body as ReadableStream<Uint8Array>, facts, { signal }));
    connection = connect({ ...apiOptions(server), space });
    const { status, result, error } = await ended(connection, operation, progress, signal);
    if (status === "cancelled") throw new CairnError("operation.cancelled");
    if (status !== "completed" || !result) throw new Problem(error?.message ?? "the import failed");
    progress.clear();
    const { layer, points, merged, refused } = result;
    if (json) process.stdout.write(`${JSON.stringify({ layer, points, merged, refused })}\n`);
    else {
      const without = Number(refused) > 0 ? `, ${refused} without a place left out` : "";
      process.stdout.write(`layer ${layer}: ${points} points, ${merged} merged into others${without}\n`);
    }
    return EXIT.ok;
  } catch (error) {
    if (signal.aborted && operation !== undefined) await api.cancelOperation(space, operation).catch(() => undefined);
    throw error;
  } finally {
    connection?.close();
    progress.clear();
    release();
  }
}

async function* told(
  pieces: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  progress: ProgressLine,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const piece of pieces) {
    yield piece;
    done += piece.length;
    progress.update("sending", done, sizeBytes, "bytes");
  }
}

/** As the log says it; the last fifty that ended are kept. */
async function ended(
  connection: SpaceConnection,
  id: Id,
  progress: ProgressLine,
  signal: AbortSignal,
): Promise<OperationState> {
  let last: OperationState | undefined;
  await connection.waitFor(
    ({ operations }) => {
      last = operations[id];
      const now = last?.progress;
      if (now && now.total > 0) {
        progress.update(now.stage === "import" ? "reading" : "arranging", now.done, now.total, "points");
      }
      return last?.endedNs !== undefined;
    },
    { signal },
  );
  return last!;
}
