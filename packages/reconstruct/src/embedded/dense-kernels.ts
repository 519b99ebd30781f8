/** The heavy work of the dense stage, on threads; tests put a synthetic one in its place. */
import { type Dense, openDense } from "../dense/depth/dense.ts";
import { type Fusion, openFusion } from "../dense/fusion.ts";

export interface DenseKernels extends Pick<Dense, "depth">, Pick<Fusion, "undistort" | "fuse"> {
  close(): Promise<void>;
}

export function openDenseKernels(threads: number): DenseKernels {
  const fusion = openFusion({ threads });
  const dense = openDense({ threads });
  return {
    depth: dense.depth,
    undistort: fusion.undistort,
    fuse: fusion.fuse,
    async close() {
      await Promise.all([dense.close(), fusion.close()]);
    },
  };
}
