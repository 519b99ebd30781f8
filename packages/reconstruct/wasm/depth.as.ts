/**
 * Depth of each pixel of one photo from others with known poses, in WebAssembly SIMD.
 *
 * Depth is sought as its inverse, in which a plane in space is an affine function of the pixel: a *slope* is the
 * change of inverse depth to the next pixel, right and down. Pixels are counted from 0 at their centres. The caller
 * owns the memory: pointers are byte offsets above `heapBase()`, nothing here allocates. A *plane of floats* has rows
 * of `stride` floats, `stride` a multiple of 4. All arithmetic is IEEE single precision in a fixed order, so the same
 * photos give the same bytes on every machine.
 */
export { grey, halve, packQuads } from "./depth/images";
export { evaluate, setPatch, setSources } from "./depth/patch";
export { refineRows, setCandidates } from "./depth/refine";
export { aggregate, aggregateBytes, winners } from "./depth/semiglobal";
export { fitPlanes } from "./depth/smooth";
export { sweepPlane, windowSums } from "./depth/sweep";

/** The first byte that the caller may use. */
export function heapBase(): usize {
  return __heap_base;
}
