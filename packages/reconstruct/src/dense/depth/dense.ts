/** Depth maps, worked out by a pool of threads: one view to a thread. */
import { availableParallelism } from "node:os";
import { workers } from "@cairn/worker";
import type { DenseView, DepthMap, DepthRange } from "../contract.ts";
import type { DepthJobs } from "./jobs.ts";
import type { DepthOptions } from "./options.ts";

export interface Dense {
  /**
   * The same as `DepthEstimator.estimate`, on any number of threads.
   * @throws {RangeError} as there; the signal's reason, at once, when it aborts (the thread is free some 20 ms later)
   */
  depth(
    reference: DenseView,
    sources: readonly DenseView[],
    range: DepthRange,
    options?: DepthOptions & { readonly signal?: AbortSignal },
  ): Promise<DepthMap>;
  close(): Promise<void>;
}

const MOST_THREADS = 8;

/**
 * @param options.threads by default one to a core, at most 8 (each holds about 35 MB for views of 640 pixels, 180 MB for
 *   views of 1600)
 */
export function openDense(options: { readonly threads?: number } = {}): Dense {
  const threads = options.threads ?? Math.min(availableParallelism(), MOST_THREADS);
  const pool = workers<DepthJobs>(new URL("./dense.worker.js", import.meta.url), threads);
  return {
    depth(reference, sources, range, { signal, ...quality } = {}) {
      return pool.run("depth", { reference, sources, range, options: quality }, signal ? { signal } : {});
    },
    close: () => pool.close(),
  };
}
