export { bounds, decodeSegment, encodeSegment, type SegmentPoints } from "./segment.ts";
export type { SparseModel } from "./sparse-model.ts";
