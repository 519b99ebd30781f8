/** The shown points as a surface, in a file of some kind. Rules: docs/spec/exchange.md. */
import { tmpdir } from "node:os";
import type { PointRun } from "@cairn/formats";
import { CairnError, type SpaceState } from "@cairn/protocol";
import { workers } from "@cairn/worker";
import { Spool } from "../disk/spool.ts";
import type { ExportOptions } from "../export/export-options.ts";
import { photoCentres } from "../export/photo-centres.ts";
import { told } from "../export/point-files.ts";
import { openShownPoints, type ShownPoints } from "../export/shown-points.ts";
import type { MeshFile, MeshJobs } from "./mesh-jobs.ts";
import { takeTurn } from "./turns.ts";

/** Its data are typed arrays, which lie elsewhere. */
const YOUNG_MIB = 16;

/**
 * Made as a whole before its first byte goes out: whoever reads it slowly keeps a file waiting, not a thread or anybody
 * else's mesh.
 * @throws {CairnError} `mesh.no_surface`, `mesh.too_fine`, and what reading points throws, before the first byte
 */
export async function* exportMesh(options: ExportOptions, file: MeshFile): AsyncGenerator<Uint8Array> {
  const points = await openShownPoints(options);
  const { state } = options.space.log.snapshot();
  const made = await Spool.open(options.scratchDir ?? tmpdir());
  try {
    const endTurn = await takeTurn(options.signal);
    try {
      await make(options, file, points, state, made);
    } finally {
      endTurn();
    }
    options.onSize?.(made.sizeBytes);
    for await (const piece of made.read()) {
      options.signal?.throwIfAborted();
      yield piece;
    }
  } finally {
    await made.close();
  }
}

/** In a thread of its own, which ends with it: however it ends, nothing of it stays. */
async function make(
  options: ExportOptions,
  file: MeshFile,
  points: ShownPoints,
  state: SpaceState,
  made: Spool,
): Promise<void> {
  const { signal, onProgress, onFacts, mesh: wish = {} } = options;
  const pool = workers<MeshJobs>(new URL("./mesh.worker.js", import.meta.url), 1, YOUNG_MIB);
  const within = signal ? { signal } : {};
  try {
    await pool.run("begin", { min: points.min, max: points.max, cameras: photoCentres(state) }, within);
    for await (const run of told(points, options, "reading")) {
      const owned = ownBuffers(run);
      await pool.run("add", { run: owned.run }, { ...within, move: owned.buffers });
    }
    const facts = await pool.run("build", wish, {
      ...within,
      onProgress: (done, total) => onProgress?.("meshing", done, total),
    });
    onFacts?.({ ...facts });
    await pool.run("write", { file }, within);
    for (let piece = await pool.run("next", {}, within); piece; piece = await pool.run("next", {}, within))
      await made.write(piece);
  } catch (error) {
    // A thread that is out of memory dies without a word of its own.
    if (error instanceof CairnError && error.code === "engine.failed")
      throw new CairnError("mesh.too_large", {}, error);
    throw error;
  } finally {
    await pool.close();
  }
}

/** The same points in memory of their own, for that is what moves: the whole of it. */
function ownBuffers({ count, positions, colors, photos, confidences, normals }: PointRun): {
  run: PointRun;
  buffers: ArrayBuffer[];
} {
  const buffers: ArrayBuffer[] = [];
  const own = <T extends Float64Array | Uint32Array | Uint8Array | Int8Array>(array: T): T => {
    const whole = array.byteLength === array.buffer.byteLength ? array : array.slice();
    buffers.push(whole.buffer as ArrayBuffer);
    return whole as T;
  };
  const run = {
    count,
    positions: own(positions),
    colors: own(colors),
    photos: typeof photos === "number" ? photos : own(photos),
    ...(confidences && { confidences: own(confidences) }),
    ...(normals && { normals: own(normals) }),
  };
  return { run, buffers };
}
