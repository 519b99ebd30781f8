/** `cairn mesh`: the surface through a space's points as a file. */
import { extname } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { CairnApi, type SpaceConnection, type SurfaceWish } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { CairnError, type Id } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { operationEnd } from "./operation-end.ts";
import { writeWhole } from "./out-file.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";

const ENDINGS = [".glb", ".obj", ".stl", ".ply"];

type MeshOptions = SurfaceWish & { readonly server: string; readonly out: string; readonly json?: boolean };

/** Ctrl-C also takes back what has begun. */
export async function makeMesh(space: string, options: MeshOptions): Promise<number> {
  const { server, out, json = false, detail, voxel, faces, layer } = options;
  const ending = extname(out).toLowerCase();
  if (!ENDINGS.includes(ending)) {
    throw new Problem(`a mesh is a file that ends in ${ENDINGS.join(", ")}: ${out} does not`, EXIT.usage);
  }
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: json });
  let connection: SpaceConnection | undefined;
  let operation: Id | undefined;
  try {
    const wish = { detail, voxel, faces, layer };
    ({ operation } = await reach(server, () => api.startExport(space, `mesh-${ending.slice(1)}`, wish, { signal })));
    connection = connect({ ...apiOptions(server), space });
    const { status, result, error } = await operationEnd(
      connection,
      operation,
      ({ stage, done, total }) => progress.update(stage, done, total, stage === "reading" ? "points" : "percent"),
      signal,
    );
    operation = undefined;
    if (status === "cancelled") throw new CairnError("operation.cancelled");
    if (status !== "completed" || !result) throw new Problem(error?.message ?? "no mesh was made");
    const { body } = await api.call("GET", `/v1/blobs/${result.digest}`, { signal });
    if (!body) throw new Problem("the server answered without a mesh");
    await writeWhole(out, Readable.fromWeb(body as ReadableStream<Uint8Array>));
    progress.clear();
    const { vertices, area, watertight, boundaryEdges, sizeBytes } = result;
    const made = { faces: result.faces, vertices, voxel: result.voxel, area, watertight, boundaryEdges, sizeBytes };
    if (json) process.stdout.write(`${JSON.stringify(made)}\n`);
    else {
      const open = watertight ? "watertight" : `${boundaryEdges} edges open`;
      process.stdout.write(`${out}: ${made.faces} faces, ${vertices} vertices, ${open}\n`);
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
