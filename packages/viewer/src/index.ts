export type { SpaceSource } from "./source.ts";
export { createViewer, type Viewer, type ViewerOptions, type ViewerStats } from "./viewer.ts";
