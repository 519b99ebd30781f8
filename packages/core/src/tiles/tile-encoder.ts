/** Makes the GLB of a node out of its segments. A few at a time: what waits is a number of parts, not their bytes. */
import { edgeOf, type LayerGrid, type Part, parseNodeKey, type TableNode } from "@cairn/cloud";
import { type Pool, workers } from "@cairn/worker";
import type { TileJobs } from "./tile-jobs.ts";
import { tileCorner } from "./tile-tree.ts";

/** Points of one node: all of its parts, or the first of them. */
export type TileSource = {
  readonly grid: LayerGrid;
  readonly node: Pick<TableNode, "id">;
  readonly parts: readonly Part[];
  /** Reads one part. */
  readonly read: (part: Part) => Promise<Uint8Array>;
};

export interface TileEncoder {
  /** @throws {CairnError} `blob.missing`, `blob.corrupt` when its points are lost; the signal's reason when it aborts */
  encode(source: TileSource, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The thread starts with the first tile. */
export function openTileEncoder(threads = 1): TileEncoder {
  const pool: Pool<TileJobs> = workers<TileJobs>(new URL("./tile.worker.js", import.meta.url), threads);
  const waiting: (() => void)[] = [];
  // One more than there are threads: the next tile's bytes are there when the last one is done.
  let free = threads + 1;

  async function turn<T>(work: () => Promise<T>): Promise<T> {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  }

  return {
    encode: ({ grid, node, parts, read }, signal) =>
      turn(async () => {
        signal?.throwIfAborted();
        const segments: Uint8Array[] = [];
        for (const part of parts) segments.push(await read(part));
        const job = { segments, corner: tileCorner(node.id, parseNodeKey(grid.seed)), edge: edgeOf(node.id.e) };
        return pool.run("encode", job, signal ? { signal } : {});
      }),
    close: () => pool.close(),
  };
}
