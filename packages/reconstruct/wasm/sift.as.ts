/**
 * SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004) in WebAssembly SIMD.
 *
 * The caller owns the memory: every pointer is a byte offset above `heapBase()`, nothing here allocates. A *plane* is
 * an f32 image of `height` rows of `stride` floats, `stride` a multiple of 16; columns from `width` on are padding
 * whose values are never read into a result. All arithmetic is IEEE single or double precision in a fixed order, so
 * the same photo gives the same bytes on every machine.
 */
export { blur } from "./sift/blur";
export { describe, workspaceBytes } from "./sift/describe";
export { detect } from "./sift/detect";
export { energy, grey, halve, mean, upsample } from "./sift/planes";

/** The first byte that the caller may use. */
export function heapBase(): usize {
  return __heap_base;
}
