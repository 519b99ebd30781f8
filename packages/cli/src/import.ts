/** `cairn import`: a cloud of points from elsewhere as a layer of a space. */
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { type ByteSource, CairnApi, type SpaceConnection, uploadCloud } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { CairnError, type Id } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { createUnlessThere } from "./make-space.ts";
import { operationEnd } from "./operation-end.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";

type ImportOptions = { readonly server: string; readonly spacing?: number; readonly json?: boolean };

/** What is done at each stage of an import. */
const DOING: Readonly<Record<string, string>> = { survey: "looking", import: "reading", compact: "arranging" };

/** Ctrl-C also takes back what has begun. */
export async function importCloud(space: string, file: string, options: ImportOptions): Promise<number> {
  const { server, spacing, json = false } = options;
  const about = await stat(file);
  if (!about.isFile()) throw new Problem(`${file} is not a file`);
  const handle = await open(file);
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: json });
  let connection: SpaceConnection | undefined;
  let operation: Id | undefined;
  try {
    await reach(server, () => createUnlessThere(api, space, {}, signal));
    ({ operation } = await uploadCloud(api, space, readable(handle, about.size), {
      name: basename(file),
      ...(spacing !== undefined && { spacing }),
      onProgress: (sent, total) => progress.update("sending", sent, total, "bytes"),
      signal,
    }));
    connection = connect({ ...apiOptions(server), space });
    const { status, result, error } = await operationEnd(
      connection,
      operation,
      ({ stage, done, total }) => progress.update(DOING[stage] ?? stage, done, total, "points"),
      signal,
    );
    if (status === "cancelled") throw new CairnError("operation.cancelled");
    if (status !== "completed" || !result) throw new Problem(error?.message ?? "the import failed");
    progress.clear();
    const { layer, points, merged, refused, outOfReach = 0 } = result;
    if (json) process.stdout.write(`${JSON.stringify({ layer, points, merged, refused, outOfReach })}\n`);
    else {
      const nowhere = Number(refused) - Number(outOfReach);
      const without = nowhere > 0 ? `, ${nowhere} without a place left out` : "";
      const beyond = Number(outOfReach) > 0 ? `, ${outOfReach} too far from the others left out` : "";
      process.stdout.write(`layer ${layer}: ${points} points, ${merged} merged into others${without}${beyond}\n`);
    }
    return EXIT.ok;
  } catch (error) {
    if (signal.aborted && operation !== undefined) await api.cancelOperation(space, operation).catch(() => undefined);
    throw error;
  } finally {
    connection?.close();
    await handle.close();
    progress.clear();
    release();
  }
}

/** A file that shrinks meanwhile is said to be cut off, and not sent as something else. */
function readable(handle: FileHandle, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
        if (bytesRead === 0) throw new Problem("the file became shorter while it was sent");
        done += bytesRead;
      }
      return bytes;
    },
  };
}
