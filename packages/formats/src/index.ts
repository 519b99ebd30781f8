export { type ColmapFile, colmapBinary, countColmapRecords } from "./colmap-binary.ts";
export { type ColmapText, readColmapText, writeColmapText } from "./colmap-text.ts";
export { CSV_HEADER, csvRun } from "./csv.ts";
export { LAS12_MAX_POINTS, type LasHeader, type LasShape, lasHeader, lasPointBytes, lasRun } from "./las-write.ts";
export { type PlyPoints, type PlyShape, plyHeader, plyPointBytes, plyRun, readPly, writePly } from "./ply.ts";
export type { PointRun } from "./point-run.ts";
export type { SparseModel } from "./sparse-model.ts";
