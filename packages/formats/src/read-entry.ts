export { openPointFile, type PointFile } from "./read/open-point-file.ts";
export { type PointFormat, type PointSource, sourceOf } from "./read/point-source.ts";
