export { type ColmapText, readColmapText, writeColmapText } from "./colmap-text.ts";
export { type PlyPoints, plyHeader, plyPoints, readPly, writePly } from "./ply.ts";
export { bounds, decodeSegment, encodeSegment, type SegmentPoints } from "./segment.ts";
export type { SparseModel } from "./sparse-model.ts";
